"""`grmforge build` by batch: killed at every moment that matters, run again, and nothing is paid twice."""

import contextlib
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import data_files, grmforge, latest, start, write_recipe
from tests.examples import write_rows
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import StandIn

SETS = 8
ROLES = ("grm", "difficulty")


def write_batch_recipe(directory: Path, url: str, *, sets: tuple[str, ...] = ("rft",), **model: Any) -> Path:
    """Write a recipe whose models answer by batch, and return its path."""
    directory.mkdir(exist_ok=True)
    rows = [
        {
            "query": [{"role": "user", "content": f"What is {number * 7919} taken modulo {number + 2}?"}],
            "responses": [f"{word}, since {number} counts {number * 31 + shift}" for shift, word in enumerate("abc")],
            "best": number % 3,
        }
        for number in range(SETS)
    ]
    (directory / "sets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    section = {"engine": "openai", "base_url": url, "batch": True, "timeout_s": 10} | model
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "batches", "sets": list(sets)},
        sources=[{"kind": "preference_sets", "path": "sets.jsonl", "hinted": False}],
        models={role: section | {"model": f"stand-in-{role}"} for role in ROLES[: len(sets)]},
        rejection={"balance_positions": False, "drop_too_easy": False},
        splits={"validation": 0.0},
    )


def killed_at(server: BatchStandIn, call: str, done: bool, *command: str | Path) -> None:
    """Start a build, wait until the endpoint stops answering at a call, and kill it."""
    server.always(call, stand_in.hang(), done=done)
    process = start(*command)
    assert server.hung.wait(60), process.communicate(timeout=5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    server.recover()


def built(server: BatchStandIn, *command: str | Path) -> None:
    """Repeat a build until it has ended."""
    for _ in range(10):
        done = grmforge(*command)
        server.finish()
        if done.code != 4:
            break
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the data files of a build that asks at once, by no batch."""
    folder = tmp_path_factory.mktemp("at_once")
    with StandIn() as server:
        undisturbed = write_batch_recipe(folder, server.url, batch=False)
        assert grmforge("build", undisturbed, "--root", folder / "data").code == 0
    return data_files(latest(folder / "data", "batches"))


MOMENTS = [
    ("POST /files", False),
    ("POST /files", True),
    ("POST /batches", False),
    ("POST /batches", True),
    ("GET /batches/id", True),
    ("GET /files/id/content", True),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "done"), MOMENTS, ids=[f"{'after' if done else 'before'} {call}" for call, done in MOMENTS]
)
def test_killed_at_any_moment_every_request_is_in_one_batch(
    at_once: dict[str, bytes], tmp_path: Path, call: str, done: bool
) -> None:
    with BatchStandIn(holds=True) as server:
        command = ("build", write_batch_recipe(tmp_path, server.url), "--root", tmp_path / "data")
        if call.startswith("GET"):
            assert grmforge(*command).code == 4
            server.finish()
        killed_at(server, call, done, *command)
        built(server, *command)
        assert set(server.paid.values()) == {1}
        assert len(server.paid) == 3 * SETS
    assert data_files(latest(tmp_path / "data", "batches")) == at_once


@pytest.mark.slow
def test_killed_again_and_again_at_moments_by_chance(tmp_path: Path) -> None:
    draw = random.Random(7)
    with BatchStandIn(holds=True) as server:
        command = ("build", write_batch_recipe(tmp_path, server.url, batch_requests=3), "--root", tmp_path / "data")
        for _ in range(8):
            calls = len(server.calls)
            process = start(*command)
            while len(server.calls) == calls and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.1))
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)
            server.finish()
        built(server, *command)
        assert set(server.paid.values()) == {1}
        assert len(server.paid) == 3 * SETS


def test_two_builds_at_once_pay_once(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        command = ("build", write_batch_recipe(tmp_path, server.url), "--root", tmp_path / "data")
        both = [start(*command) for _ in range(2)]
        assert [process.wait(60) for process in both] == [4, 4], [process.communicate() for process in both]
        for process in both:
            process.communicate()
        assert set(server.paid.values()) == {1}


def test_the_command_ends_with_4_and_says_what_it_waits_for(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        command = ("build", write_batch_recipe(tmp_path, server.url, sets=("rft", "rl")), "--root", tmp_path / "data")
        done = grmforge(*command)
        assert done.code == 4
        (line,) = done.errors
        assert line.startswith("stopped: waiting for stand-in-grm: batch_0: 0 of 24 done (in_progress)")
        assert "waiting for stand-in-difficulty: batch_1: 0 of 24 done" in line, "both roles are on their way at once"
        assert "batch_0: 24 requests submitted" in done.err
        built(server, *command)
        assert len(server.batches) == 2
        assert set(server.paid.values()) == {1}


@pytest.mark.slow
def test_an_evaluation_waits_once_the_batches_of_every_benchmark_are_submitted(tmp_path: Path) -> None:
    """Greedy answers are a batch of their own. The next run goes on, and pays for nothing twice."""
    benchmarks = []
    for name in ("one", "two"):
        pair = {"chosen": "because it does", "rejected": "nobody knows"}
        rows = [{"id": f"{name} {number}", "query": f"Why {name} {number}?"} | pair for number in range(SETS)]
        write_rows(tmp_path / f"{name}.jsonl", rows)
        benchmarks.append({"kind": "preference_sets", "name": name, "path": f"{name}.jsonl"})
    with BatchStandIn(holds=True) as server:
        model = {"engine": "openai", "model": "stand-in", "base_url": server.url, "batch": True, "timeout_s": 10}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "batches"},
            models={"grm": model},
            evaluate={"k_max": 2, "replicates": 200, "benchmarks": benchmarks},
        )
        command = ("evaluate", recipe, "--root", tmp_path / "data")
        done = grmforge(*command)
        assert (done.code, len(server.batches)) == (4, 4)
        (line,) = done.errors
        assert line.startswith("stopped: waiting for stand-in: batch_0")
        assert not (tmp_path / "data/evaluations").exists()
        built(server, *command)
        assert set(server.paid.values()) == {1}
        assert len(server.paid) == 2 * SETS * (2 + 1)
    assert len(list((tmp_path / "data/evaluations").glob("*/*/manifest.json"))) == 1


@pytest.mark.slow
def test_wait_stays_until_every_batch_is_done(tmp_path: Path) -> None:
    failures = iter([None])

    def answered(body: dict[str, Any]) -> stand_in.Reply | None:
        return next(failures, stand_in.judged(body))

    with BatchStandIn(answered, holds=True) as server:
        recipe = write_batch_recipe(tmp_path, server.url, sets=("rft", "rl"))

        def finish() -> None:
            while server.calls.count("GET /batches/id") < 6:  # both batches were looked at, more than once
                time.sleep(0.05)
            server.holds = False

        finisher = threading.Thread(target=finish)
        finisher.start()
        done = grmforge("build", recipe, "--root", tmp_path / "data", "--wait")
        finisher.join()
        assert done.code == 0, done.err
        assert len(server.batches) == 3, "one line failed, and went into a batch of its own"
        assert sorted(server.paid.values()) == [1] * 47 + [2]


def test_a_probe_asks_at_once(tmp_path: Path) -> None:
    with StandIn() as server:
        recipe = write_batch_recipe(tmp_path, server.url)
        done = grmforge("probe", recipe, "-n", "2", "--root", tmp_path / "data")
        assert done.code == 0, done.err
        assert len(server.requests) == 6
        assert {received.path for received in server.requests} == {"/v1/chat/completions"}


def test_a_probe_gives_the_cost_of_a_build_as_the_recipe_has_it(tmp_path: Path) -> None:
    costs = []
    with StandIn() as server:
        for number, batch in enumerate((True, False)):
            price = {"input": 2.0, "output": 8.0}
            recipe = write_batch_recipe(tmp_path / str(number), server.url, batch=batch, price_per_mtok=price)
            done = grmforge("probe", recipe, "-n", "2", "--root", tmp_path / str(number) / "data", "--json")
            assert done.code == 0, done.err
            costs.append(json.loads(done.out)["build_cost_usd"])
    assert costs[0] == pytest.approx(costs[1] / 2), "a batch costs half"
