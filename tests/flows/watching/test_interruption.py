"""Ctrl-C, SIGTERM, SIGHUP: once waits for what is paid for, twice does not, and neither loses what is on disk."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from typing import Any

import polars as pl
import pytest

from flows.watching.interruption import SIGNALS, Ended
from tests.end_to_end.commands import GRMFORGE, data_files, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

SETS = 40
IN_FLIGHT = 8
CTRL_C, TERM, HUP = (
    (signal.SIGINT, 130, "interrupted"),
    (signal.SIGTERM, 143, "ended by SIGTERM"),
    (signal.SIGHUP, 129, "ended by SIGHUP"),
)
KEPT = "every answer so far is kept: the same command goes on from here"


def recipe_at(server: StandIn, directory: Path, sets: int = SETS, **judge: Any) -> Path:
    write_teleqna(directory / "teleqna.txt", sets)
    model = {"engine": "openai", "model": "m", "base_url": server.url, "max_concurrency": IN_FLIGHT, **judge}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": model},
    )


def held(gate: threading.Event) -> Callable[[dict[str, Any]], Reply]:
    """Return a judge that answers only once the gate is open."""
    return lambda body: replace(judged(body), after=gate)


def until(process: "Popen[str]", beginning: str) -> None:
    """Read stderr up to a line that begins so."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(beginning):
            return
    raise AssertionError(f"no line begins with {beginning!r}")


def last_event(root: Path) -> dict[str, Any]:
    """Return how the only run of a root ended, by its log."""
    (log,) = (root / "runs").glob("*.jsonl")
    event: dict[str, Any] = json.loads(log.read_text("utf-8").splitlines()[-1])
    return event


def on_disk(root: Path, answers: int, seconds: float = 30.0) -> float:
    """Return after how many seconds so many answers stand under a root."""
    began = time.monotonic()
    while len(paid(root)) < answers:
        assert time.monotonic() - began < seconds, f"{len(paid(root))} of {answers} answers are on disk"
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.mark.parametrize(("number", "code", "words"), [CTRL_C, TERM, HUP])
def test_once_lets_what_is_in_flight_come_in(tmp_path: Path, number: int, code: int, words: str) -> None:
    gate, root = threading.Event(), tmp_path / "data"
    with StandIn(then=held(gate)) as server, start("build", recipe_at(server, tmp_path), "--root", root) as process:
        server.wait_for(IN_FLIGHT)
        process.send_signal(number)
        until(process, f"stopping: {IN_FLIGHT} in flight are waited for")
        gate.set()
        _, err = process.communicate(timeout=30)
        assert len(server.requests) == IN_FLIGHT
    assert process.returncode == code, err
    last = err.splitlines()[-1]
    assert last.startswith(f"stopped: {words}; what was in flight has come in, and {KEPT}"), err
    assert "; left: " in last
    assert "Traceback" not in err
    assert len(paid(root)) == IN_FLIGHT
    assert not (root / "snapshots").exists()
    ended = last_event(root)
    assert (ended["event"], ended["how"], ended["requests"]) == ("run_ended", "interrupted", IN_FLIGHT)


def test_once_then_again_goes_on_to_the_same_files(tmp_path: Path) -> None:
    gate, root = threading.Event(), tmp_path / "data"
    with StandIn(*[judged] * 20, then=held(gate)) as server:
        recipe = recipe_at(server, tmp_path)
        with start("build", recipe, "--root", root) as process:
            server.wait_for(20 + IN_FLIGHT)
            process.send_signal(signal.SIGTERM)
            until(process, "stopping: ")
            gate.set()
            process.communicate(timeout=30)
        assert process.returncode == 143
        assert len(paid(root)) == 20 + IN_FLIGHT
        done = grmforge("build", recipe, "--root", root)
        assert done.code == 0
        assert f"{20 + IN_FLIGHT:,} were there already" in done.err
        assert set(paid(root).values()) == {1}
        assert grmforge("build", recipe, "--root", tmp_path / "whole").code == 0
    assert data_files(latest(root, "small")) == data_files(latest(tmp_path / "whole", "small"))


@pytest.mark.parametrize(("number", "code", "words"), [CTRL_C, TERM])
def test_twice_does_not_wait(tmp_path: Path, number: int, code: int, words: str) -> None:
    """What came in before is kept, whatever its flush was at."""
    root = tmp_path / "data"
    with (
        StandIn(*[judged] * 20, then=stand_in.hang()) as server,
        start("build", recipe_at(server, tmp_path), "--root", root) as process,
    ):
        server.wait_for(20 + IN_FLIGHT)
        process.send_signal(number)
        until(process, "stopping: ")
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert err.splitlines()[-1] == f"stopped: {words}; {KEPT}"
    assert "Traceback" not in err
    assert len(paid(root)) == 20
    assert last_event(root)["how"] == "interrupted"


def test_what_has_come_in_is_on_disk_before_the_rest_is_waited_for(tmp_path: Path) -> None:
    """20 answers, 8 requests that hang: all 20 are kept by a SIGKILL that follows at once, and by the end in time."""
    root = tmp_path / "data"
    with StandIn(*[judged] * 20, then=stand_in.hang()) as server:
        recipe = recipe_at(server, tmp_path)
        with start("build", recipe, "--root", root, env={"GRMFORGE_STOP_WAIT_S": "1.5"}) as process:
            server.wait_for(20 + IN_FLIGHT)
            began = time.monotonic()
            process.send_signal(signal.SIGHUP)
            on_disk(root, 20)
            assert process.poll() is None
            _, err = process.communicate(timeout=30)
    assert 1.5 <= time.monotonic() - began < 6.0
    assert process.returncode == 129, err
    assert "not all that was in flight came in within 1.5 s; every answer so far is kept" in err.splitlines()[-1]
    assert len(paid(root)) == 20
    assert last_event(root)["how"] == "interrupted"


def test_eight_seconds_are_waited_and_docker_kills_after_ten(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with (
        StandIn(*[judged] * 20, then=stand_in.hang()) as server,
        start("build", recipe_at(server, tmp_path), "--root", root) as process,
    ):
        server.wait_for(20 + IN_FLIGHT)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        until(process, "stopped: ended by SIGTERM; not all that was in flight came in within 8 s")
        assert 8.0 <= time.monotonic() - began < 10.0
        assert len(paid(root)) == 20
        assert last_event(root)["how"] == "interrupted"
        process.communicate(timeout=30)
    assert process.returncode == 143


def test_a_wait_that_is_no_number_is_said(tmp_path: Path) -> None:
    with StandIn() as server:
        recipe = recipe_at(server, tmp_path)
        done = grmforge("build", recipe, "--root", tmp_path / "data", env={"GRMFORGE_STOP_WAIT_S": "nan"})
        assert server.requests == []
    said = "error: GRMFORGE_STOP_WAIT_S=nan: give the seconds that a stopped run may wait, such as 25"
    assert (done.code, done.errors) == (2, [said])


def test_nothing_in_flight_is_nothing_to_wait_for(tmp_path: Path) -> None:
    """An endpoint that is down for a while: every request waits for its next try."""
    with StandIn(then=stand_in.rate_limited("90")) as server:
        recipe = recipe_at(server, tmp_path, max_concurrency=4)
        with start("build", recipe, "--root", tmp_path / "data") as process:
            server.wait_for(64)  # so many may wait before no new one is pulled
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 143, err
    # The last reply may have been on its way when the signal came.
    assert (
        err.splitlines()[-1]
        .replace("what was in flight has come in, and ", "")
        .startswith(f"stopped: ended by SIGTERM; {KEPT}")
    )


def test_requests_that_wait_for_their_next_try_are_not_waited_for(tmp_path: Path) -> None:
    """The last one in flight is told to come again in 90 seconds, after the signal."""
    gate = threading.Event()
    late = replace(stand_in.rate_limited("90"), after=gate)
    with StandIn(then=late) as server, start("build", recipe_at(server, tmp_path), "--root", tmp_path / "d") as process:
        server.wait_for(IN_FLIGHT)
        process.send_signal(signal.SIGINT)
        until(process, "stopping: ")
        gate.set()
        _, err = process.communicate(timeout=15)
    assert process.returncode == 130, err


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a recipe that needs a while at every stage, and the answers to all that it asks for."""
    directory = tmp_path_factory.mktemp("answered")
    write_teleqna(directory / "teleqna.txt", 300)
    recipe = write_recipe(
        directory / "recipe.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": {"engine": "simulated", "max_concurrency": 200}},
    )
    assert grmforge("build", recipe, "--root", directory / "data").code == 0
    return recipe, directory / "data" / "generations"


@contextmanager
def build_at(stage: str, recipe: Path, root: Path) -> Iterator["Popen[str]"]:
    """Give a build that has just begun a stage."""
    with start("build", recipe, "--root", root) as process:
        until(process, stage)
        yield process


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "number", "code", "words"),
    [("reading", *TERM), ("curating", *HUP), ("judging rft", *TERM), ("assembling", *HUP), ("publishing", *TERM)],
)
def test_at_every_stage_it_ends_in_order(
    answered: tuple[Path, Path], tmp_path: Path, stage: str, number: int, code: int, words: str
) -> None:
    """Over answers that stand there already: sampling is stopped by the tests above."""
    recipe, generations = answered
    root = tmp_path / "data"
    shutil.copytree(generations, root / "generations")
    with build_at(stage, recipe, root) as process:
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    if process.returncode == 0:
        pytest.skip("the build was through before the signal came")
    assert process.returncode == code, err
    assert err.splitlines()[-1] == f"stopped: {words}; {KEPT}"
    ended = last_event(root)
    assert (ended["event"], ended["how"]) == ("run_ended", "interrupted")
    assert grmforge("build", recipe, "--root", root).code == 0


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended)])
def test_a_signal_inside_polars_waits_until_it_is_done(number: int, ends: type[BaseException]) -> None:
    """Its Rust panics at an exception of the Python that it calls, and the run would not end in its own words."""
    seen = []

    def tell_to_end(value: int) -> int:
        if value == 1:
            os.kill(os.getpid(), number)
        seen.append(value)
        return value

    with pytest.raises(ends), SIGNALS.handled(signal.SIGINT, signal.SIGTERM):
        pl.Series(range(100)).map_elements(tell_to_end, return_dtype=pl.Int64)
        time.sleep(5)
    assert seen == list(range(100))


def test_an_ignored_hangup_stays_ignored(tmp_path: Path) -> None:
    """As nohup starts it."""
    gate, root = threading.Event(), tmp_path / "data"
    with StandIn(then=held(gate)) as server:
        recipe = recipe_at(server, tmp_path, sets=4)
        command = ["sh", "-c", 'trap "" HUP; exec "$0" "$@"', GRMFORGE, "build", str(recipe), "--root", str(root)]
        with Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            server.wait_for(IN_FLIGHT)
            process.send_signal(signal.SIGHUP)
            gate.set()
            _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert latest(root, "small").rows("rft/train") > 0


def test_a_terminal_that_closes_ends_the_run_in_order(tmp_path: Path) -> None:
    """Its SIGHUP comes from the kernel, and nothing can be written to it any more."""
    gate, root = threading.Event(), tmp_path / "data"
    main, terminal = os.openpty()
    with (
        StandIn(*[judged] * 20, then=held(gate)) as server,
        Popen(
            [GRMFORGE, "build", str(recipe_at(server, tmp_path)), "--root", str(root)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        ) as process,
    ):
        os.close(terminal)
        reader = threading.Thread(target=_drained, args=(main, gone := threading.Event()))
        reader.start()
        server.wait_for(20 + IN_FLIGHT)
        gone.set()
        reader.join(30)
        os.close(main)
        on_disk(root, 20)
        gate.set()
        process.wait(30)
    assert process.returncode == 129
    assert len(paid(root)) == 20 + IN_FLIGHT
    assert last_event(root)["how"] == "interrupted"


def _drained(terminal: int, gone: threading.Event) -> None:
    """Read what is written to a terminal, so that the writer never waits."""
    os.set_blocking(terminal, False)
    while not gone.is_set():
        try:
            os.read(terminal, 2**16)
        except BlockingIOError:
            time.sleep(0.005)
