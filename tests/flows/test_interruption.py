"""Ctrl-C: once waits for what is paid for, twice does not, and neither loses what is on disk or shows a traceback."""

import signal
import time
from pathlib import Path
from subprocess import Popen

from tests.end_to_end.commands import data_files, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna

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
    assert last.startswith("stopped: interrupted; what was in flight has come in and every answer is kept"), err
    assert "run again to go on; left: " in last
    assert "Traceback" not in err
    assert len(paid(root)) == 8
    assert not (root / "snapshots").exists()

    (tmp_path / "other").mkdir()
    quick = slow_recipe(tmp_path / "other", 0.0)
    assert grmforge("build", quick, "--root", tmp_path / "whole").code == 0


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
    assert err.splitlines()[-1] == "stopped: interrupted; every answer so far is kept: run again to go on"
    assert "Traceback" not in err
