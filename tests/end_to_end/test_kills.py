"""A build that is killed again and again ends in the files of one that never was."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import data_files, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.examples import write_rows
from tests.pipelines.engines.stand_in_server import StandIn

MOMENTS = [
    ("reading", 0.05),
    ("sampling rft", 0.9),
    ("sampling rft", 0.9),
    ("judging rft", 0.05),
    ("sampling difficulty", 0.9),
    ("judging difficulty", 0.05),
    ("assembling", 0.1),
    ("assembling", 0.3),
    ("publishing", 0.01),
    ("publishing", 0.03),
]
"""A stage, and at most how many seconds after it began the build is killed; the seconds are drawn."""


def kill_at(recipe: Path, root: Path | str, stage: str, seconds: float, command: str = "build") -> bool:
    """Start a build and kill it so many seconds after a stage began; whether it was still alive then."""
    with start(command, recipe, "--root", root) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(stage):
                time.sleep(seconds)
                break
        was_alive = process.poll() is None
        if was_alive:
            os.killpg(process.pid, signal.SIGKILL)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        process.wait(30)
        drain.join(30)
    return was_alive


@pytest.mark.slow
def test_the_data_of_a_build_killed_ten_times_is_that_of_one_never_killed(tmp_path: Path) -> None:
    def recipe(name: str, concurrency: int) -> Path:
        judge = {"engine": "simulated", "max_concurrency": concurrency}
        return write_recipe(
            tmp_path / name,
            build={"name": "killed", "seed": 3},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={
                "grm": {**judge, "simulated": {"latency_s": 0.05}},
                "difficulty": {**judge, "simulated": {"latency_s": 0.05, "accuracy": 0.6, "seed": 1}},
            },
        )

    write_teleqna(tmp_path / "teleqna.txt", 250)
    slow, quick = recipe("slow.toml", 12), recipe("quick.toml", 200)  # the same build, with another patience
    draw = random.Random(20)
    killed = [
        (stage, kill_at(slow if "sampling" in stage else quick, tmp_path / "killed", stage, draw.uniform(0, most)))
        for stage, most in MOMENTS
    ]
    assert sum(was_alive for _, was_alive in killed) >= 8, killed

    assert grmforge("build", quick, "--root", tmp_path / "killed").code == 0
    assert grmforge("build", quick, "--root", tmp_path / "whole").code == 0
    whole = latest(tmp_path / "whole", "killed")
    assert data_files(latest(tmp_path / "killed", "killed")) == data_files(whole)
    assert {table.split("/")[0] for table in whole.manifest.tables} >= {"rft", "rl", "meta_rm", "pairs"}

    asked, needed = paid(tmp_path / "killed"), paid(tmp_path / "whole")
    assert set(asked) == set(needed)
    assert max(asked.values()) == 1, "an answer on disk was bought again"


@pytest.mark.slow
def test_an_evaluation_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    rows = [
        {"id": f"pair {number}", "query": f"{number} + {number}?", "chosen": f"{2 * number}", "rejected": f"{number}!"}
        for number in range(60)
    ]
    write_rows(tmp_path / "pairs.jsonl", rows)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "killed", "seed": 3},
        models={"grm": {"engine": "simulated", "max_concurrency": 24, "simulated": {"latency_s": 0.1}}},
        evaluate={
            "k_max": 8,
            "replicates": 200,
            "benchmarks": [{"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"}],
        },
    )
    draw = random.Random(5)
    moments = [("evaluating pairs", 0.9)] * 4 + [("computing pairs", 0.1), ("computing pairs", 1.0)]
    killed = [kill_at(recipe, tmp_path / "killed", stage, draw.uniform(0, most), "evaluate") for stage, most in moments]
    assert sum(killed) >= 4
    for root in ("killed", "whole"):
        done = grmforge("evaluate", recipe, "--root", tmp_path / root)
        assert done.code == 0, done.err
    files = [evaluation_files(tmp_path / root) for root in ("killed", "whole")]
    assert files[0] == files[1] and len(files[0]) == 4
    assert paid(tmp_path / "killed") == paid(tmp_path / "whole"), "an answer on disk was bought again"


def evaluation_files(root: Path) -> dict[str, bytes]:
    """Return the data files of the only evaluation under a root."""
    (manifest,) = (root / "evaluations").glob("*/*/manifest.json")
    return {path.name: path.read_bytes() for path in manifest.parent.glob("*.parquet")}


@pytest.mark.slow
def test_a_kill_costs_at_most_what_came_in_its_last_second(tmp_path: Path) -> None:
    """The server counts: what was asked twice is what was in flight, or had come in since the last flush."""
    latency_s, in_flight, kills = 0.05, 10, 3
    write_teleqna(tmp_path / "teleqna.txt", 100)
    with StandIn(latency_s=latency_s) as server:
        judge: dict[str, Any] = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "killed", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {**judge, "max_concurrency": in_flight}},
        )
        for _ in range(kills):
            with start("build", recipe, "--root", tmp_path / "data") as process:
                server.wait_for(len(server.requests) + 60, 60.0)
                assert process.poll() is None
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate(timeout=30)
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        asked = [received.raw for received in server.requests]
    assert len(set(asked)) == len(paid(tmp_path / "data"))
    lost = len(asked) - len(set(asked))
    assert 0 < lost <= kills * (1.0 / latency_s + 1) * in_flight
