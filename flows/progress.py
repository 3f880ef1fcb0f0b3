"""What a person sees of a running build: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from schemas.generation import Completion
from schemas.trajectory import Outcome

LINE_EVERY_S = 10.0


class Tally:
    """Counts that both kinds of progress show."""

    def __init__(self) -> None:
        self.name = ""
        self.total: int | None = None
        self.begin("", None)

    def begin(self, name: str, total: int | None) -> None:
        self.name, self.total = name, total
        self.started = time.monotonic()
        self.bought = self.found = self.failed = self.retries = self.flying = 0
        self.cost_usd = 0.0
        self.outcomes: Counter[str] = Counter()

    @property
    def answers(self) -> int:
        return self.bought + self.found

    @property
    def rate(self) -> float:
        """Answers bought a second."""
        return self.bought / max(time.monotonic() - self.started, 1e-9)

    @property
    def correct_share(self) -> float:
        return self.outcomes[Outcome.CORRECT] / max(self.outcomes.total(), 1)

    def line(self) -> str:
        """Return the state in one line."""
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.answers:,}{of} answers", f"{self.found:,} were there already"]
        if self.bought:
            parts += [f"{self.rate:,.0f}/s", f"{self.correct_share:.0%} correct"]
            left = (self.total or 0) - self.answers
            if left > 0:
                parts.append(f"{_duration(left / self.rate)} left")
        if self.retries:
            parts.append(f"{self.retries:,} retries")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.cost_usd:
            parts.append(f"${self.cost_usd:,.4f}")
        return f"{self.name}: {', '.join(parts)}"


class LineProgress:
    """A line when a stage begins and ends, and every ten seconds while it asks for answers."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._tally = Tally()
        self._said = 0.0

    def __enter__(self) -> "LineProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def stage(self, name: str, total: int | None) -> None:
        self._end()
        self._tally.begin(name, total)
        self._said = time.monotonic()
        self._say(f"{name}: {total:,} answers wanted" if total else name)

    def found(self, completion: Completion) -> None:
        self._tally.found += 1

    def answered(self, completion: Completion) -> None:
        self._tally.bought += 1
        self._tally.failed += completion.error is not None
        self._tally.cost_usd += completion.cost_usd or 0.0
        if time.monotonic() - self._said >= LINE_EVERY_S:
            self._said = time.monotonic()
            self._say(self._tally.line())

    def judged(self, outcome: str) -> None:
        self._tally.outcomes[outcome] += 1

    def retried(self, reason: str) -> None:
        self._tally.retries += 1

    def in_flight(self, requests: int, room: int) -> None:
        self._tally.flying = requests

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}")

    def said(self, text: str) -> None:
        self._say(text)

    def _end(self) -> None:
        if self._tally.answers:
            self._say(self._tally.line())
        self._tally.begin("", None)


class BarProgress(LineProgress):
    """A bar with rate, share of correct answers, and time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(lambda text: console.print(escape(text), highlight=False))
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._shown = 0.0

    def __enter__(self) -> "BarProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        super().__exit__(kind, error, trace)

    def stage(self, name: str, total: int | None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        super().stage(name, total)
        if total:
            self._task = self._bar.add_task(escape(name), total=total, note="")

    def found(self, completion: Completion) -> None:
        super().found(completion)
        self._show()

    def answered(self, completion: Completion) -> None:
        super().answered(completion)
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if self._task is None or now - self._shown < 0.1:
            return
        self._shown = now
        tally = self._tally
        note = f"{tally.rate:,.0f}/s  {tally.correct_share:.0%} correct  {tally.flying} in flight"
        if tally.retries:
            note += f"  {tally.retries:,} retries"
        if tally.cost_usd:
            note += f"  ${tally.cost_usd:,.4f}"
        # Answers to samples that were drawn again come on top of the total.
        self._bar.update(self._task, completed=min(tally.answers, tally.total or 0), note=note)


def progress_for(console: Console) -> LineProgress:
    """Return a bar for a terminal, and lines for anything else."""
    if console.is_terminal:
        return BarProgress(console)
    return LineProgress(lambda text: print(text, file=sys.stderr, flush=True))


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
