"""Server, worker, deployments and runs as docs/deployments.md goes through them, in a fresh copy of the tree."""

import importlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.evaluations import find_evaluation
from storage.leases import Lease, take
from storage.root import Root
from storage.rubric_tables import read_rubrics
from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY, data_files, grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import PROBLEMS, write_math
from tests.end_to_end.questions import write_teleqna
from tests.flows.deployed.deployed_place import (
    KEY,
    Place,
    asked,
    begun,
    ended,
    progress_artifacts,
    serving_deployments,
    wait_until,
)
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn, judged

pytestmark = pytest.mark.timeout(600)  # every run starts processes that import for seconds, on busy cores for a minute


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_deployments(tmp_path_factory.mktemp("prefect")) as deployed:
        yield deployed


def built_by_the_command(directory: Path, sets: str, name: str, *options: str) -> Snapshot:
    done = grmforge("build", REPOSITORY / "recipes/demo.toml", "--sets", sets, "--root", directory, *options)
    assert done.code == 0, done.err
    return latest(directory, name)


@pytest.mark.slow
def test_every_deployment_ends_in_completed_with_the_data_of_the_command(place: Place, tmp_path: Path) -> None:
    """RFT first, of all rows, since Meta RM needs the same answers; then few rows of the others at once, over the same
    root."""
    assert place.untouched
    said = place.prefect("deployment", "run", "build-rft-set/local", "--watch")
    assert "finished successfully in 'Completed'" in said
    few = 20
    runs = [begun(place, f"{name}/local", limit=few) for name in ("build-rl-set", "build-meta-rm-set", "evaluate")]
    assert [ended(place, run)["name"] for run in runs] == ["Completed"] * 3
    assert set(paid(place.checkout / "data").values()) == {1}
    shown = progress_artifacts(place)
    for key in ("demo-rft-sampling-rft-with-simulated-grm", "demo-rl-sampling-difficulty-with-simulated-8b"):
        percent, words = shown[key]
        assert 90 <= percent <= 100
        assert "were there already" in words
    for sets in ("rft", "rl", "meta_rm"):
        snapshot = latest(place.checkout / "data", f"demo-{sets}")
        limit = () if sets == "rft" else ("--limit", str(few))
        assert data_files(snapshot) == data_files(built_by_the_command(tmp_path, sets, f"demo-{sets}", *limit))
    done = grmforge("evaluate", REPOSITORY / "recipes/evaluate.toml", "--root", tmp_path, "--limit", str(few))
    assert done.code == 0, done.err
    both = [find_evaluation(Root(root), "demo-grm").manifest for root in (place.checkout / "data", tmp_path)]
    assert both[0].content_hash == both[1].content_hash
    (page,) = [one["data"] for one in asked(place, "artifacts", {}) if one["key"] == "demo-grm-evaluation"]
    assert "pairs" in page and "vote of 8" in page


@pytest.mark.slow
def test_the_rubric_index_is_made_as_by_the_command(place: Place, tmp_path: Path, opened_rubrics: Path) -> None:
    for root in ("flow", "command"):
        shutil.copytree(opened_rubrics, tmp_path / root)
    run = begun(place, "build-rubric-index/local", limit=12, root=str(tmp_path / "flow"))
    assert ended(place, run)["name"] == "Completed"
    command = ("rubrics", "build", REPOSITORY / "recipes/rubrics.toml", "--limit", "12", "--root", tmp_path / "command")
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

    def state_after(path: Path) -> str:
        return str(ended(place, begun(place, "build-rft-set/local", recipe=str(path)))["type"])

    assert state_after(recipe({"max_requests": answers + judgements})) == "FAILED"
    assert len(paid(tmp_path / "data")) == answers + judgements
    assert not (tmp_path / "data/snapshots").exists()
    assert state_after(recipe({})) == "COMPLETED"
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

    def night() -> dict[str, Any]:
        return ended(place, begun(place, "refresh-datasets/nightly", recipe=str(recipe)))

    write_teleqna(tmp_path / "teleqna.txt", 40)
    assert grmforge("refresh", recipe).code == 0
    first = latest(root, "nights").manifest.version

    write_teleqna(tmp_path / "teleqna.txt", 50)
    assert night()["name"] == "Completed"
    second = latest(root, "nights").manifest.version
    assert second != first
    assert set(paid(root).values()) == {1}
    (page,) = [one["data"] for one in asked(place, "artifacts", {}) if one["key"] == "nights-comparison"]
    assert f"nights@{first} → nights@{second}" in page
    assert data_files(latest(root, "nights")) == data_files(built_by_the_command_of(recipe, tmp_path / "other"))

    write_teleqna(tmp_path / "teleqna.txt", 30)
    failed = night()
    assert failed["type"] == "FAILED"
    assert f"LATEST is held back at {second}: teleqna shrank from " in failed["message"]
    assert latest(root, "nights").manifest.version == second

    lease = take(Root(root), "nights", "another run", watching=lambda seconds, holder: None)
    assert isinstance(lease, Lease)
    with lease:
        skipped = night()
    assert (skipped["type"], skipped["name"]) == ("COMPLETED", "Skipped")


def built_by_the_command_of(recipe: Path, root: Path) -> Snapshot:
    assert grmforge("build", recipe, "--root", root).code == 0
    return latest(root, "nights")


@pytest.mark.slow
def test_a_run_that_its_worker_cancels_ends_as_cancelled_and_keeps_its_answers(place: Place, tmp_path: Path) -> None:
    """In two shares; the flow that is told to end, below, asks in none."""
    gate, shares = threading.Event(), 2
    write_teleqna(tmp_path / "teleqna.txt", 40)
    with StandIn(*[judged] * 20, then=lambda body: replace(judged(body), after=gate)) as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "cancelled", "sets": ["rft"], "root": str(tmp_path / "data")},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": 8}},
        )
        run = begun(place, "build-rft-set/local", recipe=str(recipe), workers=shares)
        server.wait_for(28, 200.0)
        place.prefect("flow-run", "cancel", run)
        events = tmp_path / "data" / "runs"
        wait_until(lambda: sum("stopping" in path.read_text() for path in events.glob("*.jsonl")) == shares)
        gate.set()
        assert ended(place, run)["type"] == "CANCELLED"
        assert len(server.requests) == 28
    assert len(paid(tmp_path / "data")) == 28
    assert {json.loads(path.read_text().splitlines()[-1])["how"] for path in events.glob("*.jsonl")} == {"interrupted"}


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
