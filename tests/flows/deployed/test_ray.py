"""Shares on threads and on a real local Ray, against a real Prefect server: always the bytes of the plain build."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loopback_prefect import serving_prefect
from benchmarks.loopback_s3 import serving_s3
from storage.root import Root
from storage.run_events import read_events, run_ids
from storage.snapshots import find_snapshot
from tests.end_to_end.commands import REPOSITORY, grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import write_math
from tests.examples import jsonl_rows, write_rows
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn

KEY = "sk-a-key-for-tests-9876543210"
SETS = 130
IN_FLIGHT = 20
BUDGET = 2 * SETS + 1
"""Requests: half of what the RFT set wants."""
LATENCY_S = 0.2
FLOW = """
import json, sys
from flows.deployed.deployments import build_rft_set
print(build_rft_set(**json.loads(sys.argv[1])))
"""


@dataclass(frozen=True)
class Place:
    """A recipe, and the surroundings in which its flow runs."""

    recipe: Path
    environment: Mapping[str, str]
    content: str
    """The content hash of the plain build."""

    def flow(self, variables: Mapping[str, str] | None = None, **parameters: Any) -> subprocess.Popen[str]:
        """Start `build-rft-set` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", FLOW, json.dumps({"recipe": str(self.recipe), **parameters})],
            cwd=REPOSITORY,
            env=self.environment | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Start a Prefect server, and build the recipe once by the command."""
    directory = tmp_path_factory.mktemp("ray")
    write_rows(directory / "own.jsonl", jsonl_rows(SETS))
    recipe = write_recipe(
        directory / "recipe.toml",
        build={"name": "shared", "root": "unused"},
        sources=[{"kind": "preference_sets", "name": "own", "path": "own.jsonl"}],
        models={
            "grm": {"engine": "simulated", "max_concurrency": IN_FLIGHT, "simulated": {"latency_s": LATENCY_S}},
            "difficulty": {"engine": "simulated", "model": "small"},
        },
    )
    short = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the names of its sockets may not be long
    variables = {
        "PYTHONPATH": str(REPOSITORY),
        "RAY_TMPDIR": str(short),
        "RAY_AUTH_TOKEN": "0" * 64,  # else it puts one into the home directory
    }
    try:
        with serving_prefect(directory, **variables) as mine:
            assert grmforge("build", recipe, "--sets", "rft", "--root", directory / "plain").code == 0
            yield Place(recipe, mine, latest(directory / "plain", "shared-rft").manifest.content_hash)
    finally:
        shutil.rmtree(short, ignore_errors=True)


def said_by(flow: subprocess.Popen[str]) -> str:
    """Return what a flow says by its end, which must be a good one."""
    out, _ = flow.communicate(timeout=200)
    assert flow.returncode == 0, out
    return out


def family_of(pid: int) -> dict[int, bytes]:
    """Return the command lines of all processes that a process started, and these in turn, by their id."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {one: commands[one] for one in family - {pid} if one in commands}


def asking(flow: subprocess.Popen[str], has_answers: Callable[[], bool]) -> tuple[list[int], set[int]]:
    """Return the processes that ask, once there are answers, and all that the flow has started by then."""
    until = time.monotonic() + 90
    while True:
        assert flow.poll() is None and time.monotonic() < until, flow.communicate()[0]
        family = family_of(flow.pid)
        shares = [pid for pid, command in family.items() if command.startswith(b"ray::ask_share")]
        if shares and has_answers():
            return shares, set(family)
        time.sleep(0.1)


def kill_a_worker(flow: subprocess.Popen[str], has_answers: Callable[[], bool]) -> set[int]:
    """Kill one of the processes that ask, once there are answers; return all that the flow had started by then."""
    shares, family = asking(flow, has_answers)
    os.kill(min(shares), signal.SIGKILL)
    return family


def alive(pids: set[int], patience_s: float = 10.0) -> list[int]:
    """Return which processes are still there after a while."""
    until = time.monotonic() + patience_s
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.1)
    return left


@pytest.mark.slow
def test_questions_are_answered_in_shares_too(place: Place, tmp_path: Path) -> None:
    write_math(tmp_path / "math.jsonl")
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "solved", "root": "unused"},
        sources=[{"kind": "math", "path": "math.jsonl"}],
        models={role: {"engine": "simulated", "model": role} for role in ("responder", "teacher", "grm", "difficulty")},
        synthesis={"samples": 4},
        rejection={"balance_positions": False},
    )
    out = said_by(replace(place, recipe=recipe).flow(root=str(tmp_path / "flow"), workers=2))
    assert "ask for source 0, 2 shares" in out
    assert grmforge("build", recipe, "--sets", "rft", "--root", tmp_path / "plain").code == 0
    made, plain = latest(tmp_path / "flow", "solved-rft"), latest(tmp_path / "plain", "solved-rft")
    assert made.manifest.content_hash == plain.manifest.content_hash
    assert made.manifest.models == plain.manifest.models, "what was bought in shares is no answer of earlier"
    assert set(paid(tmp_path / "flow").values()) == {1}
    root = Root(tmp_path / "flow")
    begun = [event for one in run_ids(root) for event in read_events(root, one) if event["event"] == "run_started"]
    assert {"flow solved-rft math", "flow solved-rft rft judged"} <= {event["what"] for event in begun}


@pytest.mark.slow
def test_shares_on_threads_keep_one_budget_and_end_in_the_bytes_of_the_plain_build(
    place: Place, tmp_path: Path
) -> None:
    recipe = place.recipe.with_name("limited.toml")
    recipe.write_text(place.recipe.read_text() + f"[budget]\nmax_requests = {BUDGET}\n")
    flow = replace(place, recipe=recipe).flow(root=str(tmp_path), workers=2)
    out, _ = flow.communicate(timeout=200)
    assert flow.returncode == 1
    assert f"{BUDGET} requests of max_requests = {BUDGET} spent" in out
    left = re.search(r"; left: ([0-9,]+) of ([0-9,]+) answers of sampling rft", out)
    assert left is not None, out
    remaining, wanted = (int(number.replace(",", "")) for number in left.groups())
    assert wanted - BUDGET <= remaining < wanted - BUDGET + 51, "what every share bought counts, save the unreadable"
    assert sum(paid(tmp_path).values()) == BUDGET
    said_by(place.flow(root=str(tmp_path), workers=3))
    assert latest(tmp_path, "shared-rft").manifest.content_hash == place.content
    assert set(paid(tmp_path).values()) == {1}


@pytest.mark.slow
def test_two_workers_of_a_ray_end_in_the_bytes_of_the_plain_build_though_one_is_killed(
    place: Place, tmp_path: Path
) -> None:
    flow = place.flow(root=str(tmp_path), task_runner="ray", workers=2)
    family = kill_a_worker(flow, lambda: sum(paid(tmp_path).values()) > IN_FLIGHT)
    said_by(flow)
    assert latest(tmp_path, "shared-rft").manifest.content_hash == place.content
    root = Root(tmp_path)
    begun = [sum(event["event"] == "run_started" for event in read_events(root, one)) for one in run_ids(root)]
    assert sorted(begun) == [1, 1, 2], "one share has had two tries; judging is a run, too"
    assert root.names("runs/begun") == []
    assert alive(family) == []


@pytest.mark.slow
def test_a_flow_on_ray_that_is_told_to_end_leaves_no_process_and_no_key(place: Place, tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(60))
    with StandIn(
        stand_in.refused_400(f"the key {KEY} may not ask this"),
        then=lambda body: replace(stand_in.judged(body), latency_s=0.5),
    ) as server:
        endpoint = {"engine": "openai", "model": "m", "base_url": server.url, "api_key_env": "TEST_KEY"}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "keyed", "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "preference_sets", "name": "own", "path": "own.jsonl"}],
            models={"grm": endpoint | {"max_concurrency": 8}},
        )
        flow = replace(place, recipe=recipe).flow({"TEST_KEY": KEY}, task_runner="ray", workers=2)
        _, family = asking(flow, lambda: sum(paid(tmp_path / "data").values()) > 8)
        flow.terminate()
        out, _ = flow.communicate(timeout=30)
        assert flow.returncode
        assert alive(family) == []
        assert {received.headers["authorization"] for received in server.requests} == {f"Bearer {KEY}"}
        done = grmforge("build", recipe, env={"TEST_KEY": KEY})
        assert done.code == 0, done.err
        assert len(server.requests) <= sum(paid(tmp_path / "data").values()) + 8 + 16, "in flight, and in half a second"
    kept = [tmp_path / "data", Path(place.environment["PREFECT_HOME"]), Path(place.environment["RAY_TMPDIR"])]
    files = [path for folder in kept for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "gcs_server.out" for path in files), "Ray's logs stand elsewhere now"
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in out


@pytest.mark.slow
def test_a_root_in_a_bucket_is_as_good(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_s3(tmp_path) as s3:
        flow = place.flow(s3.environment(), root="s3://forge/root", task_runner="ray", workers=2)
        kill_a_worker(flow, lambda: any("generations/journal/" in key for key in s3.objects()))
        said_by(flow)
        for name, value in s3.environment("reader").items():
            monkeypatch.setenv(name, value)
        snapshot = find_snapshot(Root.open("s3://forge/root"), "shared-rft")
        assert snapshot.manifest.content_hash == place.content
        assert snapshot.location.startswith("s3://forge/root/snapshots/shared-rft/")
