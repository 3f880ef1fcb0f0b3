"""A Prefect server of one's own on loopback: started, asked, and ended with all that it started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

PREFECT = str(Path(sys.executable).with_name("prefect"))


def environment(home: Path) -> dict[str, str]:
    """Return this process's environment, without what it says of other servers and builds."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "GRMFORGE_"))}
    return mine | {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, seconds: float = 90.0) -> None:
    """Wait until a URL answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def background(arguments: list[str], environment: Mapping[str, str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [PREFECT, *arguments], env=environment, cwd=cwd, stdout=file, stderr=file, start_new_session=True
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(15)


@contextlib.contextmanager
def serving_prefect(folder: Path, **variables: str) -> Iterator[dict[str, str]]:
    """Run a server as long as the block; give the environment in which flows find it."""
    mine = environment(folder / "home") | variables
    port = free_port()
    server = background(["server", "start", "--port", str(port), "--no-ui"], mine, folder, folder / "server.log")
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        yield mine | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    finally:
        end(server)
