"""Ctrl-C: once, and a build stops cleanly and says how to go on; twice, and it stops now."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.commands import grmforge, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines.stand_in_server import StandIn


def recipe_of(folder: Path, server: StandIn) -> Path:
    write_teleqna(folder / "teleqna.txt", 100)
    judge = {"engine": "openai", "model": "stand-in", "base_url": server.url, "max_concurrency": 8}
    return write_recipe(
        folder / "recipe.toml",
        build={"name": "stopped", "sets": ["rft"], "root": folder / "data"},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": judge},
    )


def answers_come(server: StandIn) -> None:
    """Wait until a build has asked for some answers."""
    patience = time.monotonic() + 30
    while len(server.requests) < 30:
        assert time.monotonic() < patience, "the build never asked for an answer"
        time.sleep(0.01)


def stopped(process: "subprocess.Popen[str]", *pauses_s: float) -> tuple[str, float]:
    """Press Ctrl-C, and again after each pause; return what the build said, and after how many seconds it was gone."""
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    for pause_s in pauses_s:
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    return said, time.monotonic() - started


def test_once_stops_cleanly_keeps_every_answer_and_says_how_to_go_on(tmp_path: Path) -> None:
    with StandIn(latency_s=0.05) as server:
        recipe = recipe_of(tmp_path, server)
        with start("build", recipe) as process:
            answers_come(server)
            said, seconds = stopped(process)
        assert process.returncode == 130
        assert "Traceback" not in said
        assert "every answer so far is kept: the same command goes on from here" in said.splitlines()[-1]
        assert seconds < 5
        kept, sent = len(paid(tmp_path / "data")), len(server.requests)
        assert kept > 20 and 0 <= sent - kept <= 8  # only what was in flight is lost
        assert grmforge("build", recipe).code == 0
        assert max(paid(tmp_path / "data").values()) == 1
        assert len(server.requests) - len({received.raw for received in server.requests}) <= 8


@pytest.mark.parametrize("pause_s", [0.001, 0.02, 0.1])
def test_twice_stops_now(tmp_path: Path, pause_s: float) -> None:
    with StandIn(latency_s=0.05) as server:
        with start("build", recipe_of(tmp_path, server)) as process:
            answers_come(server)
            said, seconds = stopped(process, pause_s)
        # The second one may meet a process that has said its last word: it then dies of it, 130 to any shell.
        assert process.returncode in (130, -signal.SIGINT), said
        assert "Traceback" not in said
        assert seconds < 3
