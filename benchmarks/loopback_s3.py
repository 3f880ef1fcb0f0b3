"""An S3 server on loopback (moto's), in a process of its own, with one empty bucket."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

BUCKET = "forge"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class LoopbackS3:
    """A running server."""

    endpoint: str
    folder: Path
    """Where machines keep their copies; a folder below it is a machine."""

    def environment(self, machine: str = "one") -> Mapping[str, str]:
        """Return the variables with which a process finds the server, as on a machine of that name."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "loopback",
            "AWS_SECRET_ACCESS_KEY": "loopback",
            "AWS_REGION": "us-east-1",
            "GRMFORGE_CACHE": str(self.folder / machine),
        }

    def make_bucket(self, name: str = BUCKET) -> str:
        """Make a bucket; return its address."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")):
            return f"s3://{name}"

    def remove_bucket(self, name: str = BUCKET) -> None:
        """Remove a bucket and all that is in it."""
        store = self.store(name)
        for some in obstore.list(store):
            obstore.delete(store, [one["path"] for one in some])
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{name}", method="DELETE")):
            pass

    def store(self, name: str = BUCKET) -> S3Store:
        """Return a client of a bucket."""
        return S3Store(
            name,
            endpoint=self.endpoint,
            access_key_id="loopback",
            secret_access_key="loopback",
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def objects(self, name: str = BUCKET) -> list[str]:
        """Return the keys of a bucket."""
        return sorted(one["path"] for some in obstore.list(self.store(name)) for one in some)


@contextlib.contextmanager
def serving_s3(folder: Path) -> Iterator[LoopbackS3]:
    """Run the server as long as the block; `folder` holds the copies of those who use it, and the server's log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONWARNINGS": "ignore"})
        try:
            running = LoopbackS3(f"http://127.0.0.1:{port}", folder)
            _wait(running, server)
            running.make_bucket()
            yield running
        finally:
            server.kill()
            server.wait()


def _wait(running: LoopbackS3, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{running.endpoint}/moto-api/"):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the S3 server did not start; its log: {running.folder / 'server.log'}")
