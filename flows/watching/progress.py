"""What a person sees of a running build: two lines that stay in place on a terminal, plain lines elsewhere.

Names of stages hold the recipe's names, so nothing is shown but what `flat` leaves of it.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import accumulate

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from flows.watching.tally import StageTally, duration
from pipelines.reporting.visible import flat

LINE_EVERY_S = 10.0
PICTURES_A_SECOND = 5
WIDEST_BAR = 60
NARROWEST_BAR = 8
GAP = 2
WORTH_A_LINE_S = 1.0
"""A stage that calls no model leaves a line behind when it took at least this long."""


class Display:
    """Shows a run to someone. Its methods are called one at a time, `show` from a thread of its own."""

    every_s = LINE_EVERY_S
    """Seconds between two looks at a stage."""

    def began(self, stage: StageTally) -> None: ...
    def show(self, stage: StageTally) -> None: ...
    def ended(self, stage: StageTally) -> None: ...
    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...

    def stopping(self, in_flight: int) -> None:
        """Nothing further is sent. The run waits for what is in flight."""

    def close(self, error: BaseException | None) -> None:
        """The run is over; `error` says why, where it failed."""


class Lines(Display):
    """A line when a stage begins and ends, and every ten seconds while it asks for answers."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, text: str) -> None:
        self._say(flat(text))

    def began(self, stage: StageTally) -> None:
        self.say(f"{stage.name}: {stage.total:,} answers wanted" if stage.total else stage.name)

    def show(self, stage: StageTally) -> None:
        self.say(stage.line() if stage.total else f"{stage.name}: {duration(stage.seconds)} so far")

    def ended(self, stage: StageTally) -> None:
        if stage.answers:
            self.say(stage.line(over=True))

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")

    def stopping(self, in_flight: int) -> None:
        self.say(stopping_words(in_flight))


class Bar(Display):
    """A bar with the time left, and below it what is known of the stage; finished stages stand above as lines."""

    every_s = 1 / PICTURES_A_SECOND

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._spinner = Spinner("dots")
        self._stopping = ""

    def began(self, stage: StageTally) -> None:
        self._live.start()
        self.show(stage)

    def show(self, stage: StageTally) -> None:
        self._live.update(self._picture(stage), refresh=True)

    def ended(self, stage: StageTally) -> None:
        if stage.answers:
            self._print(stage.line(over=True))
        elif stage.seconds >= WORTH_A_LINE_S:
            self._print(f"{stage.name}: {duration(stage.seconds)}")

    def warn(self, text: str) -> None:
        self._print(f"warning: {text}", "yellow")

    def stopping(self, in_flight: int) -> None:
        self._stopping = stopping_words(in_flight)

    def close(self, error: BaseException | None) -> None:
        self._live.update("")
        self._live.stop()

    def say(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(flat(text), style), soft_wrap=True)

    def _picture(self, stage: StageTally) -> Group | Table:
        width = self._console.width - 1  # a full last column would make some terminals wrap
        if not stage.total:
            return _row(self._spinner, Text(_cut(stage.name, width - 12)), Text(duration(stage.seconds), "dim"))
        left = stage.seconds_left
        facts = f"{stage.settled / stage.total:4.0%}  {'-:--' if left is None else duration(left)} left"
        name = _cut(stage.name, width - len(facts) - NARROWEST_BAR - 2 * GAP)
        room = width - Text(name).cell_len - len(facts) - 2 * GAP
        bar = ProgressBar(stage.total, stage.settled, width=max(NARROWEST_BAR, min(WIDEST_BAR, room)))
        below = Text(self._stopping, "yellow") if self._stopping else Text(flat(fitting(stage.parts(), width)), "dim")
        below.truncate(width, overflow="ellipsis")
        return Group(_row(Text(name, "bold"), bar, Text(facts)), below)


def display_for(console: Console) -> Display:
    """Return a bar for a terminal that can move its cursor, and lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return Bar(console)
    return Lines(lambda text: print(text, file=sys.stderr, flush=True))


def fitting(parts: Sequence[str], width: int) -> str:
    """Return as many of the phrases, from the first, as fit into a line of so many columns."""
    lines = accumulate(parts, lambda line, part: f"{line}{' ' * GAP}{part}")
    return max((line for line in lines if len(line) <= width), key=len, default="")


def stopping_words(in_flight: int) -> str:
    return f"stopping: {in_flight:,} in flight are waited for; Ctrl-C again stops now"


def _row(*cells: Text | ProgressBar | Spinner) -> Table:
    row = Table.grid(padding=(0, GAP, 0, 0))
    for _ in cells:
        row.add_column(no_wrap=True)
    row.add_row(*cells)
    return row


def _cut(text: str, width: int) -> str:
    cut = Text(flat(text))
    cut.truncate(max(1, width), overflow="ellipsis")
    return cut.plain
