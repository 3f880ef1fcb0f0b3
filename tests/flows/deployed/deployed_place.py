"""A copy of the tree whose flows are deployed to a Prefect server of its own, with a worker, and what they answer."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loopback_prefect import PREFECT, background, end, environment, free_port, wait_for
from tests.end_to_end.commands import REPOSITORY

DEPLOYED = ("flows", "pipelines", "storage", "schemas", "recipes")
KEY = "sk-a-key-for-tests-0123456789"
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True)
class Place:
    """A checkout whose flows are deployed to a server of its own, with a worker."""

    checkout: Path
    home: Path
    environment: Mapping[str, str]
    untouched: bool
    """Whether deploying left every file of the checkout as it was."""

    def prefect(self, *arguments: str) -> str:
        """Run a `prefect` command to its end, and return what it says."""
        with self.start(*arguments) as process:
            out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out
        return str(out)

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PREFECT, *arguments],
            cwd=cwd or self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def answered(place: Place, path: str, body: object = None) -> Any:
    """Return what the server answers: to a GET, or to a POST of this body."""
    request = urllib.request.Request(
        f"{place.environment['PREFECT_API_URL']}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:  # 503: its database is busy, and nothing was done
            if refused.code != 503 or time.monotonic() > until:
                raise
            time.sleep(0.5)


def asked(place: Place, what: str, body: object) -> Any:
    """Return what the server answers to a filter."""
    return answered(place, f"{what}/filter", body)


def begun(place: Place, deployment: str, **parameters: Any) -> str:
    """Order a run as `prefect deployment run` does, without the seconds that this command takes; return its id."""
    deployed = answered(place, f"deployments/name/{deployment}")
    run = answered(place, f"deployments/{deployed['id']}/create_flow_run", {"parameters": parameters})
    return str(run["id"])


def ended(place: Place, run_id: str, seconds: float = 200.0) -> dict[str, Any]:
    """Return the state in which a run ends."""
    wait_until(lambda: state_of(place, run_id)["type"] in FINAL, seconds)
    return state_of(place, run_id)


def state_of(place: Place, run_id: str) -> dict[str, Any]:
    state: dict[str, Any] = answered(place, f"flow_runs/{run_id}")["state"]
    return state


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def progress_artifacts(place: Place) -> dict[str, tuple[float, str]]:
    """Return percentage and description of every progress artifact on the server, by its key."""
    found = asked(place, "artifacts", {"artifacts": {"type": {"any_": ["progress"]}}})
    return {one["key"]: (one["data"], one["description"]) for one in found}


def contents(directory: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    }


@contextmanager
def serving_deployments(directory: Path) -> Iterator[Place]:
    """Start a server and a worker, and deploy every flow from a copy of the tree."""
    checkout, home = directory / "checkout", directory / "home"
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    for name in DEPLOYED:
        shutil.copytree(REPOSITORY / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "prefect.yaml", checkout)
    port = free_port()
    mine = environment(home) | {
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_CLI_PROMPT": "true",  # as on a terminal; whoever asks something finds nobody to answer
    }
    server = background(["server", "start", "--port", str(port), "--no-ui"], mine, elsewhere, directory / "server.log")
    mine["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    started = [server]
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        before = contents(checkout)
        deployed = Place(checkout, home, mine, untouched=False)
        deployed.prefect("work-pool", "create", "local", "--type", "process")
        deployed.prefect("deploy", "--all")
        # The worker alone has the key.
        started.append(
            background(
                ["worker", "start", "--pool", "local"], mine | {"TEST_KEY": KEY}, elsewhere, directory / "worker.log"
            )
        )
        yield Place(checkout, home, mine, untouched=contents(checkout) == before)
    finally:
        for process in reversed(started):
            end(process)
