"""The table of figures, read again: looked up by what it is a figure of."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.evaluation.accuracy import ACCURACY, AUC, GAINS, SUBSET
from pipelines.evaluation.attacks import ATTACKED, FLIPPED
from pipelines.evaluation.benchmarks.rules import TOTAL
from pipelines.evaluation.curves import META_RM, PERMUTED, SELECTORS, VOTING
from schemas.evaluation import FIGURES, Curve
from storage.tables import read_batches

HALF = "k/2"
_ROUNDING = 1e-9
BLIND = ("first_position", "longest")
"""Selectors that stand for a judge that does not read."""
NAMES = {
    "voting": "voting",
    "greedy": "greedy",
    "pass": "any sample right (pass@k)",
    "first_position": "first response shown",
    "longest": "longest response",
    META_RM: "Meta RM",
    PERMUTED: "Meta RM, scores permuted",
    "logprob": "log-probability",
}


class Value(NamedTuple):
    """A figure and its interval, 0 to 1; a difference from -1 to 1."""

    value: float
    low: float | None
    high: float | None
    items: int
    clusters: int


class Figures:
    """Every figure of an evaluation."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._values: dict[str, dict[tuple[str, str, str], dict[int, Value]]] = {}
        for batch in read_batches(paths, FIGURES):
            columns = (batch.column(name).to_pylist() for name in batch.schema.names)
            for row in zip(*columns, strict=True):
                one = dict(zip(batch.schema.names, row, strict=True))
                of_benchmark = self._values.setdefault(one["benchmark"], {})
                curve = of_benchmark.setdefault((one["figure"], one["selector"], one["curve"]), {})
                curve[one["k"]] = Value(one["value"], one["low"], one["high"], one["items"], one["clusters"])

    def curve(self, benchmark: str, figure: str, selector: str = VOTING, curve: str = Curve.ALL) -> dict[int, Value]:
        """Return a figure by k, the smallest k first; empty where there is none."""
        found = self._values.get(benchmark, {}).get((figure, selector, str(curve)), {})
        return dict(sorted(found.items()))

    def value(self, benchmark: str, figure: str, selector: str, k: int) -> Value | None:
        """Return one figure; None where there is none."""
        return self.curve(benchmark, figure, selector).get(k)

    def headline(self, benchmark: str) -> str:
        """Return which figure stands for the benchmark: its total, or accuracy where it has none."""
        return TOTAL if self.curve(benchmark, TOTAL) else ACCURACY

    def headlines(self, benchmark: str) -> list[str]:
        """Return the headline, and ROC-AUC beside it where the items have one response each."""
        return [self.headline(benchmark), *([AUC] if self.curve(benchmark, AUC) else [])]

    def sections(self, benchmark: str) -> list[str]:
        """Return the published figures and accuracy, in the benchmark's order, the headline first, without subsets."""
        names = [name for name in self._of_rule(benchmark) if not name.startswith(SUBSET)]
        total, accuracy = self.curve(benchmark, TOTAL), self.curve(benchmark, ACCURACY)
        if total and all(abs(total[k].value - accuracy[k].value) < _ROUNDING for k in total.keys() & accuracy.keys()):
            names.remove(ACCURACY)  # the total is the mean over all items
        names += self.headlines(benchmark)[1:]
        return sorted(names, key=lambda name: (name != self.headline(benchmark), name != ACCURACY, name == AUC))

    def subsets(self, benchmark: str) -> list[str]:
        """Return the figures of subsets that are no published figure themselves."""
        published = self.sections(benchmark)
        names = [name for name in self._of_rule(benchmark) if name.startswith(SUBSET)]
        return [name for name in names if name.removeprefix(SUBSET) not in published]

    def groups(self, benchmark: str) -> dict[str, list[str]]:
        """Return the figures of what kind of judge it is: {"domain": ["domain: code", ..]}."""
        of_rule = {*self._of_rule(benchmark), AUC}
        found: dict[str, list[str]] = {}
        for figure, _, _ in self._values.get(benchmark, {}):
            kind, _, name = figure.partition(": ")
            is_attack = kind in (ATTACKED, FLIPPED)
            if name and not is_attack and figure not in of_rule and figure not in found.get(kind, ()):
                found.setdefault(kind, []).append(figure)
        return found

    def attacks(self, benchmark: str) -> list[str]:
        """Return the attacks that the judge was put to, by name."""
        parts = (figure.partition(": ") for figure, _, _ in self._values.get(benchmark, {}))
        return list(dict.fromkeys(name for kind, _, name in parts if kind == ATTACKED))

    def selectors(self, benchmark: str) -> Iterator[str]:
        """Yield the selectors that let half of the samples vote, by their names in the table."""
        known = {selector for _, selector, _ in self._values.get(benchmark, {})}
        yield from (f"{name} {HALF}" for name in (*SELECTORS, PERMUTED) if f"{name} {HALF}" in known)

    def gains(self, benchmark: str) -> dict[str, dict[int, Value]]:
        """Return the parts of the gain over one sample, by k."""
        return {gain: found for gain in GAINS if (found := self.curve(benchmark, ACCURACY, gain))}

    def _of_rule(self, benchmark: str) -> list[str]:
        """Return the figures that the benchmark's rule gives; these alone have a curve of readable samples."""
        return [
            figure
            for figure, selector, curve in self._values.get(benchmark, {})
            if selector == VOTING and curve == Curve.READABLE
        ]


def named(figure: str) -> str:
    """Return a figure as people read it."""
    if figure == ACCURACY:
        return "accuracy over all items"
    return "ROC-AUC" if figure == AUC else figure.removeprefix(SUBSET)


def selector_named(selector: str) -> str:
    """Return a selector as people read it, without how many samples it lets vote."""
    name = selector.rpartition(" ")[0] or selector
    return NAMES.get(name, name)


def shown(figure: str, value: float | None) -> str:
    """Return a figure in per cent, ROC-AUC as a number."""
    return f"{value:.3f}" if figure == AUC and value is not None else percent(value)


def percent(share: float | None) -> str:
    """Return a share in per cent, one digit after the point; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """Return a difference of shares in points, with its sign."""
    return f"{100 * difference:+.2f}".replace("-", "−")


def interval_of(value: Value | None, figure: str = ACCURACY) -> str:
    """Return the interval of a figure in words; nothing where there is none."""
    if value is None or value.low is None or value.high is None:
        return ""
    if figure == AUC:
        return f"{value.low:.3f} to {value.high:.3f}"
    return f"{100 * value.low:.1f} to {100 * value.high:.1f}"


def difference_interval(low: float, high: float) -> str:
    """Return the interval of a difference, in points."""
    return f"{points(low)} to {points(high)}"
