"""What is seen of a run: a bar that fits its terminal and leaves no trace, lines elsewhere."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from rich.console import Console

from flows.watching.progress import Bar, Lines, display_for, fitting
from flows.watching.tally import StageTally
from schemas.generation import Completion
from schemas.trajectory import Outcome
from tests.end_to_end.commands import GRMFORGE, write_recipe
from tests.end_to_end.questions import write_teleqna

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def busy_stage(name: str = "sampling rft with Qwen/Qwen3-32B") -> StageTally:
    stage = StageTally(name, 57_000, time.monotonic() - 10)
    for _ in range(4_120):
        stage.count(Completion("r", "text", cost_usd=0.0003))
        stage.outcomes[Outcome.CORRECT] += 1
    stage.flying = 256
    stage.retries["HTTP 429"] = 12
    return stage


def console(width: int) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=True, width=width, height=20, color_system=None), written


@pytest.mark.parametrize("width", [30, 60, 100, 200])
def test_the_bar_fits_its_terminal(width: int) -> None:
    place, written = console(width)
    bar = Bar(place)
    bar.began(busy_stage())
    first, second = (ESCAPES.sub("", line).rstrip("\r ") for line in written.getvalue().split("\n")[:2])
    assert max(len(first), len(second)) <= width
    assert re.search("7%  2:[01][0-9] left", first)
    assert set("━╸╺") & set(first)
    assert second.startswith("4,120 of 57,000")
    assert ("12 retries" in second) == (width >= 100)
    bar.close(None)


def test_long_and_wide_names_are_cut_and_not_wrapped() -> None:
    place, written = console(60)
    bar = Bar(place)
    bar.began(busy_stage("sampling rft with " + "模型" * 40))
    lines = written.getvalue().rstrip("\n").split("\n")
    assert len(lines) == 2
    assert "…" in lines[0] and "left" in lines[0]
    bar.close(None)


def test_hostile_names_move_no_cursor() -> None:
    name = "sampling rft with sim|\n---\n\x1b[31m"
    said: list[str] = []
    lines = Lines(said.append)
    place, written = console(80)
    bar = Bar(place)
    for stage in (busy_stage(name), StageTally(name, None, time.monotonic() - 75)):
        for display in (lines, bar):
            display.began(stage)
            display.show(stage)
            display.ended(stage)
            display.warn(name)
    bar.close(None)
    assert all(line.isprintable() and "\\x1b[31m" in line for line in said)
    assert "\x1b[31m" not in written.getvalue() and "\n---\n" not in written.getvalue()


def test_a_stage_without_a_total_shows_how_long_it_takes() -> None:
    place, written = console(60)
    bar = Bar(place)
    stage = StageTally("curating", None, time.monotonic() - 75)
    bar.began(stage)
    assert "curating  1:15" in ESCAPES.sub("", written.getvalue())
    bar.ended(stage)
    assert "curating: 1:15" in written.getvalue()
    bar.close(None)


def test_what_fits_is_shown_whole_and_in_order() -> None:
    assert fitting(["4,120 of 57,000", "412/s", "67% correct"], 24) == "4,120 of 57,000  412/s"
    assert fitting(["4,120 of 57,000"], 3) == ""


def test_what_is_no_terminal_gets_lines() -> None:
    assert isinstance(display_for(Console(file=io.StringIO())), Lines)
    assert isinstance(display_for(Console(file=io.StringIO(), force_terminal=True)), Bar)
    said: list[str] = []
    lines = Lines(said.append)
    stage = busy_stage()
    lines.began(stage)
    lines.show(stage)
    lines.warn("budget: 80 %")
    lines.ended(stage)
    assert said[0] == "sampling rft with Qwen/Qwen3-32B: 57,000 answers wanted"
    assert "4,120 of 57,000 done" in said[1] and " left" in said[1]
    assert said[2] == "warning: budget: 80 %"
    assert " left" not in said[3]


def test_on_a_real_terminal_the_bar_moves_and_goes_away(tmp_path: Path) -> None:
    """A terminal of 60 columns, as the kernel gives it: what is printed there in the end is lines, no half bar."""
    write_teleqna(tmp_path / "teleqna.txt", 60)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": {"engine": "simulated", "max_concurrency": 16, "simulated": {"latency_s": 0.1}}},
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with subprocess.Popen(
        [GRMFORGE, "build", str(recipe), "--root", str(tmp_path / "data")],
        env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        seen = bytearray()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                seen += os.read(ours, 65_536)
            except OSError:  # the other side has closed
                break
        assert process.wait(10) == 0
    os.close(ours)
    text = seen.decode()
    pictures = text.count(" left")
    assert pictures >= 5, "the bar moved"
    assert "readable" in text and "tokens/s" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor is back"
    shown = ESCAPES.sub("", text.rsplit("\x1b[2K", 1)[-1])
    assert "sampling" not in shown or "done" in shown
