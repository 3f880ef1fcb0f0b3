"""Ctrl-C: once waits for what is paid for, twice does not, and neither loses what is on disk or shows a traceback."""

import signal
import time
from pathlib import Path
from subprocess import Popen

from tests.end_to_end.commands import data_files, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn, judged

SETS = 40


def slow_recipe(directory: Path, latency_s: float) -> Path:
    write_teleqna(directory / "teleqna.txt", SETS)
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": {"engine": "simulated", "max_concurrency": 8, "simulated": {"latency_s": latency_s}}},
    )


def until(process: "Popen[str]", beginning: str) -> None:
    """Read stderr up to a line that begins so."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(beginning):
            return
    raise AssertionError(f"no line begins with {beginning!r}")


def test_once_lets_what_is_in_flight_come_in(tmp_path: Path) -> None:
    recipe, root = slow_recipe(tmp_path, 1.0), tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        until(process, "sampling")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        until(process, "stopping: 8 in flight are waited for")
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert last.startswith("stopped: interrupted; what was in flight has come in, and every answer so far is kept"), err
    assert "the same command goes on from here; left: " in last
    assert "Traceback" not in err
    assert len(paid(root)) == 8
    assert not (root / "snapshots").exists()


def test_once_then_again_goes_on_to_the_same_files(tmp_path: Path) -> None:
    recipe, root = slow_recipe(tmp_path, 0.1), tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        until(process, "sampling")
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    kept = len(paid(root))
    assert kept > 0
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0
    assert f"{kept:,} were there already" in done.err
    assert set(paid(root).values()) == {1}
    assert grmforge("build", recipe, "--root", tmp_path / "whole").code == 0
    assert data_files(latest(root, "small")) == data_files(latest(tmp_path / "whole", "small"))


def test_twice_does_not_wait(tmp_path: Path) -> None:
    recipe, root = slow_recipe(tmp_path, 60.0), tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        until(process, "sampling")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        until(process, "stopping: ")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert (
        err.splitlines()[-1] == "stopped: interrupted; every answer so far is kept: the same command goes on from here"
    )
    assert "Traceback" not in err


def test_what_has_come_in_by_then_is_on_disk(tmp_path: Path) -> None:
    """A slow request holds the run up; the quick ones before it are kept whatever their flush was at."""
    with StandIn(*[judged] * 20, then=stand_in.hang()) as server:
        write_teleqna(tmp_path / "teleqna.txt", SETS)
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": 4}},
        )
        with start("build", recipe, "--root", tmp_path / "data") as process:
            while len(server.requests) < 24:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert len(paid(tmp_path / "data")) == 20


def test_nothing_in_flight_is_nothing_to_wait_for(tmp_path: Path) -> None:
    """An endpoint that is down for a while: every request waits for its next try."""
    with StandIn(then=stand_in.rate_limited("90")) as server:
        write_teleqna(tmp_path / "teleqna.txt", SETS)
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": 4}},
        )
        with start("build", recipe, "--root", tmp_path / "data") as process:
            while len(server.requests) < 8:
                time.sleep(0.01)
            time.sleep(1.0)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("stopped: interrupted; every answer so far is kept")
