"""Server, worker, deployments and runs as docs/deployments.md goes through them, in a fresh copy of the tree."""

import importlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loopback_prefect import PREFECT, background, end, environment, free_port, wait_for
from storage.evaluations import find_evaluation
from storage.leases import Lease, take
from storage.root import Root
from storage.rubric_tables import read_rubrics
from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY, data_files, grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import PROBLEMS, write_math
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn, judged

DEPLOYED = ("flows", "pipelines", "storage", "schemas", "recipes")
KEY = "sk-a-key-for-tests-0123456789"


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
            out, _ = process.communicate(timeout=120)
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


def asked(place: Place, what: str, body: object) -> Any:
    """Return what the server answers to a filter."""
    request = urllib.request.Request(
        f"{place.environment['PREFECT_API_URL']}/{what}/filter",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def progress_artifacts(place: Place) -> dict[str, tuple[float, str]]:
    """Return percentage and description of every progress artifact on the server, by its key."""
    found = asked(place, "artifacts", {"artifacts": {"type": {"any_": ["progress"]}}})
    return {one["key"]: (one["data"], one["description"]) for one in found}


def contents(directory: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Start a server and a worker, and deploy every flow from a copy of the tree."""
    directory = tmp_path_factory.mktemp("prefect")
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


def built_by_the_command(directory: Path, sets: str, name: str) -> Snapshot:
    done = grmforge("build", REPOSITORY / "recipes/demo.toml", "--sets", sets, "--root", directory)
    assert done.code == 0, done.err
    return latest(directory, name)


@pytest.mark.slow
def test_every_deployment_ends_in_completed_with_the_data_of_the_command(place: Place, tmp_path: Path) -> None:
    """RFT first, since Meta RM needs the same answers; then the others at once, over the same root."""
    assert place.untouched
    for together in (["build-rft-set"], ["build-rl-set", "build-meta-rm-set", "evaluate"]):
        runs = [place.start("deployment", "run", f"{name}/local", "--watch") for name in together]
        said = [run.communicate(timeout=200)[0] for run in runs]
        assert [run.returncode for run in runs] == [0] * len(runs), "\n".join(said)
        assert all("finished successfully in 'Completed'" in words for words in said), "\n".join(said)
    assert set(paid(place.checkout / "data").values()) == {1}
    shown = progress_artifacts(place)
    for key in ("demo-rft-sampling-rft-with-simulated-grm", "demo-rl-sampling-difficulty-with-simulated-8b"):
        percent, words = shown[key]
        assert 90 <= percent <= 100
        assert "were there already" in words
    for sets in ("rft", "rl", "meta_rm"):
        snapshot = latest(place.checkout / "data", f"demo-{sets}")
        assert data_files(snapshot) == data_files(built_by_the_command(tmp_path, sets, f"demo-{sets}"))
    done = grmforge("evaluate", REPOSITORY / "recipes/evaluate.toml", "--root", tmp_path)
    assert done.code == 0, done.err
    both = [find_evaluation(Root(root), "demo-grm").manifest for root in (place.checkout / "data", tmp_path)]
    assert both[0].content_hash == both[1].content_hash
    (page,) = [one["data"] for one in asked(place, "artifacts", {}) if one["key"] == "demo-grm-evaluation"]
    assert "pairs" in page and "vote of 8" in page


@pytest.mark.slow
def test_the_rubric_index_is_made_as_by_the_command(place: Place, tmp_path: Path) -> None:
    flags = ("--param", "limit=25", "--param", f"root={tmp_path / 'flow'}")
    said = place.prefect("deployment", "run", "build-rubric-index/local", *flags, "--watch")
    assert "finished successfully in 'Completed'" in said
    command = ("rubrics", "build", REPOSITORY / "recipes/rubrics.toml", "--limit", "25", "--root", tmp_path / "command")
    assert grmforge(*command).code == 0
    made = read_rubrics(Root(tmp_path / "flow"))
    assert any(one.origin == "generated" and one.kept for one in made)
    assert made == read_rubrics(Root(tmp_path / "command"))


@pytest.mark.slow
def test_a_run_with_parameters_leaves_no_key_behind(place: Place, tmp_path: Path) -> None:
    write_teleqna(tmp_path / "teleqna.txt", 30)
    with StandIn(stand_in.judged, stand_in.refused_400(f"the key {KEY} may not ask this")) as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "keyed", "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={
                "grm": {"engine": "openai", "model": "m", "base_url": server.url, "api_key_env": "TEST_KEY"},
            },
            rejection={"balance_positions": False},
        )
        parameters = [f"recipe={recipe}", "limit=10"]
        flags = [word for parameter in parameters for word in ("--param", parameter)]
        said = place.prefect("deployment", "run", "build-rft-set/local", *flags, "--watch")
        assert {received.headers["authorization"] for received in server.requests} == {f"Bearer {KEY}"}
    assert "finished successfully in 'Completed'" in said
    snapshot = latest(tmp_path / "data", "keyed")
    assert snapshot.manifest.inputs[0].rows == 10
    assert snapshot.manifest.models[0].failed == 1
    kept = [path for directory in (place.home, tmp_path / "data") for path in directory.rglob("*") if path.is_file()]
    assert place.home / "prefect.db" in kept, "logs, parameters and artifacts stand elsewhere now"
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []
    logs = place.home.parent
    assert all(KEY.encode() not in (logs / name).read_bytes() for name in ("server.log", "worker.log"))


@pytest.mark.slow
def test_a_flow_makes_sets_of_questions_within_one_budget(place: Place, tmp_path: Path) -> None:
    """What answers to questions took is not there for judgements any more, though another task asks for them."""
    write_math(tmp_path / "math.jsonl")
    answers, judgements = 4 * len(PROBLEMS), 15

    def recipe(budget: dict[str, int]) -> Path:
        return write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "solved", "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "math", "path": "math.jsonl"}],
            models={role: {"engine": "simulated", "model": role} for role in ("responder", "grm")},
            synthesis={"samples": 4},
            rejection={"balance_positions": False},
            **({"budget": budget} if budget else {}),
        )

    def run(path: Path) -> tuple[int, str]:
        with place.start("deployment", "run", "build-rft-set/local", "--param", f"recipe={path}", "--watch") as process:
            said, _ = process.communicate(timeout=200)
        return process.returncode, said

    code, said = run(recipe({"max_requests": answers + judgements}))
    assert code == 1, said
    assert len(paid(tmp_path / "data")) == answers + judgements
    assert not (tmp_path / "data/snapshots").exists()
    code, said = run(recipe({}))
    assert code == 0, said
    assert set(paid(tmp_path / "data").values()) == {1}
    snapshot = latest(tmp_path / "data", "solved")
    assert snapshot.rows("traces/train") > 0
    uses = {use.role: use for use in snapshot.manifest.models}
    assert (uses["responder"].requests, uses["responder"].cached) == (answers, answers)
    assert uses["grm"].cached == judgements
    done = grmforge("build", recipe({}), "--root", tmp_path / "other")
    assert done.code == 0, done.err
    assert data_files(latest(tmp_path / "other", "solved")) == data_files(snapshot)


@pytest.mark.slow
def test_nights_move_latest_are_held_back_and_skipped(place: Place, tmp_path: Path) -> None:
    """The first night by the command, as both do the same; then one with new rows, one with fewer, one too many."""
    (nightly,) = [one for one in asked(place, "deployments", {}) if one["name"] == "nightly"]
    (schedule,) = nightly["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 3 * * *", "UTC")
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    root = tmp_path / "data"
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "nights", "sets": ["rft"], "root": str(root)},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": {"engine": "simulated"}},
        refresh={"max_acceptance_change": 100},
    )

    def night() -> tuple[int, str]:
        flags = ("--param", f"recipe={recipe}", "--watch")
        with place.start("deployment", "run", "refresh-datasets/nightly", *flags) as process:
            said, _ = process.communicate(timeout=200)
        return process.returncode, said

    write_teleqna(tmp_path / "teleqna.txt", 40)
    assert grmforge("refresh", recipe).code == 0
    first = latest(root, "nights").manifest.version

    write_teleqna(tmp_path / "teleqna.txt", 50)
    code, said = night()
    assert (code, "finished successfully in 'Completed'" in said) == (0, True), said
    second = latest(root, "nights").manifest.version
    assert second != first
    assert set(paid(root).values()) == {1}
    (page,) = [one["data"] for one in asked(place, "artifacts", {}) if one["key"] == "nights-comparison"]
    assert f"nights@{first} → nights@{second}" in page
    assert data_files(latest(root, "nights")) == data_files(built_by_the_command_of(recipe, tmp_path / "other"))

    write_teleqna(tmp_path / "teleqna.txt", 30)
    code, said = night()
    assert code == 1, said
    failed_ones = {
        "flow_runs": {"state": {"type": {"any_": ["FAILED"]}}},
        "deployments": {"name": {"any_": ["nightly"]}},
    }
    (failed,) = asked(place, "flow_runs", failed_ones)
    assert f"LATEST is held back at {second}: teleqna shrank from " in failed["state"]["message"]
    assert latest(root, "nights").manifest.version == second

    lease = take(Root(root), "nights", "another run", watching=lambda seconds, holder: None)
    assert isinstance(lease, Lease)
    with lease:
        code, said = night()
    assert (code, "'Skipped'" in said) == (0, True), said


def built_by_the_command_of(recipe: Path, root: Path) -> Snapshot:
    assert grmforge("build", recipe, "--root", root).code == 0
    return latest(root, "nights")


@pytest.mark.slow
@pytest.mark.parametrize("shares", [1, 2])
def test_a_run_that_its_worker_cancels_ends_as_cancelled_and_keeps_its_answers(
    place: Place, tmp_path: Path, shares: int
) -> None:
    gate, name = threading.Event(), f"cancelled-{shares}"
    write_teleqna(tmp_path / "teleqna.txt", 40)
    with StandIn(*[judged] * 20, then=lambda body: replace(judged(body), after=gate)) as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": name, "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": 8}},
        )
        flags = ("--param", f"recipe={recipe}", "--param", f"workers={shares}", "--watch")
        with place.start("deployment", "run", "build-rft-set/local", *flags) as process:
            server.wait_for(28, 200.0)
            running = {
                "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}},
                "deployments": {"name": {"any_": ["local"]}},
            }
            (run,) = asked(place, "flow_runs", running)
            place.prefect("flow-run", "cancel", run["id"])
            events = tmp_path / "data" / "runs"
            wait_until(lambda: sum("stopping" in path.read_text() for path in events.glob("*.jsonl")) == shares)
            gate.set()
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 1, said
        assert len(server.requests) == 28
        wait_until(lambda: state_of(place, run["id"])["type"] == "CANCELLED")
    assert len(paid(tmp_path / "data")) == 28
    assert {json.loads(path.read_text().splitlines()[-1])["how"] for path in events.glob("*.jsonl")} == {"interrupted"}


def state_of(place: Place, run_id: str) -> Any:
    (run,) = asked(place, "flow_runs", {"flow_runs": {"id": {"any_": [run_id]}}})
    return run["state"]


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_a_flow_whose_process_is_told_to_end_is_cancelled(place: Place, tmp_path: Path) -> None:
    """No worker: SIGTERM comes from outside, as `docker stop` sends it."""
    gate = threading.Event()
    write_teleqna(tmp_path / "teleqna.txt", 40)
    with StandIn(then=lambda body: replace(judged(body), after=gate)) as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "told", "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": 8}},
        )
        code = "import sys; from flows.deployed.deployments import build_rft_set; "
        code += "print(build_rft_set(sys.argv[1], return_state=True).type)"
        with subprocess.Popen(
            [sys.executable, "-c", code, str(recipe)], cwd=place.checkout, env=place.environment, stdout=subprocess.PIPE
        ) as process:
            server.wait_for(8, 200.0)
            process.send_signal(signal.SIGTERM)
            (log,) = (tmp_path / "data" / "runs").glob("*.jsonl")
            wait_until(lambda: "stopping" in log.read_text())
            gate.set()
            out, _ = process.communicate(timeout=60)
    assert b"CANCELLED" in out
    assert len(paid(tmp_path / "data")) == 8


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("training_sets", ("build_rft_set", "build_rl_set", "build_meta_rm_set")),
        ("refresh", ("refresh_datasets",)),
        ("rubric_index", ("build_rubric_index",)),
    ],
)
def test_a_deployment_of_an_earlier_version_finds_its_flow(module: str, names: tuple[str, ...]) -> None:
    """A server keeps the file that a flow was deployed from, and nobody deploys again after a change of the code."""
    from flows.deployed import deployments

    for name in names:
        assert getattr(importlib.import_module(f"flows.{module}"), name) is getattr(deployments, name)
