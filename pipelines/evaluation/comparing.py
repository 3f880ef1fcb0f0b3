"""Two evaluations side by side: paired differences over the items that both have.

Of each benchmark that both evaluated in the same way, the new credit of every shared item less the old one, for the
vote of one sample, the vote of half of the samples (of the evaluation that has fewer), and the greedy answer. Items of
one question stay together in intervals and tests. Holm's correction covers every difference that is computed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from pipelines.evaluation.accuracy import ACCURACY, GREEDY
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.benchmarks.benchmark import Benchmark
from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from pipelines.evaluation.benchmarks.rules import TOTAL
from pipelines.evaluation.claims import Compared, claims, compared
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.reading import OWN, SNAPSHOT
from pipelines.evaluation.resampling import Clusters
from schemas.evaluation import CREDITS, ITEMS
from schemas.evaluation_manifest import BenchmarkEntry
from storage.evaluations import Evaluation
from storage.tables import read_frame

_ITEM = ["benchmark", "item_id", "query_id", "subset", "cluster", "right"]
_CREDIT = ["benchmark", "item_id", "selector", "k", "cells"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a figure of the new evaluation is from that of the old one, on the items that both have."""

    selector: str
    k: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    """Of the sign-flip test; never 0."""
    p_holm: float
    """The same, corrected for every difference of the comparison."""
    smallest: float
    """The smallest difference that these items show with 80 % power."""


@dataclass(frozen=True, slots=True)
class BenchmarkComparison:
    """One benchmark in both evaluations."""

    benchmark: str
    protocol: str
    figure: str
    """`total`, or `accuracy` where the shared items are a part of the benchmark."""
    shared: int
    clusters: int
    only_old: int
    only_new: int
    changed: int
    """Items of the same id with another question, other right responses or another subset; they are left out."""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """What is different between two evaluations."""

    old: str
    new: str
    old_judge: str
    new_judge: str
    benchmarks: tuple[BenchmarkComparison, ...]
    not_compared: tuple[str, ...]
    """Why a benchmark of either is left out, a sentence each."""

    def as_json(self) -> dict[str, Any]:
        """Return it as data, for scripts."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A benchmark's shared items, and the credits of both evaluations."""

    found: BenchmarkComparison
    selectors: list[tuple[str, int]]
    subsets: list[str]
    clusters: list[str]
    cells: tuple[Floats, Floats]
    """[items, selectors, cells] of the old and of the new one."""
    limited: bool
    """Whether items of the benchmark are missing in either."""


def compare_evaluations(old: Evaluation, new: Evaluation) -> EvaluationComparison:
    """Return what is different in `new`. Raises StorageError where a file of either cannot be read."""
    before, after = ({entry.name: entry for entry in one.manifest.benchmarks} for one in (old, new))
    reasons = {name: _not_comparable(before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])}
    left_out = [f"{name}: {why}" for name, why in reasons.items() if why]
    comparable = [name for name, why in reasons.items() if not why]
    items = [read_frame(one.files("items"), ITEMS, _ITEM) for one in (old, new)]
    credits = [read_frame(one.files("credits"), CREDITS, _CREDIT) for one in (old, new)]
    most = min(old.manifest.k_max, new.manifest.k_max)
    made: list[tuple[BenchmarkComparison, Sequence[tuple[str, int]], tuple[Floats, Floats], Compared]] = []
    for name in comparable:
        if any(frame.filter(pl.col("benchmark") == name).is_empty() for frame in credits):
            left_out.append(f"{name}: not compared: no single response is right or wrong by a reward model's score")
            continue
        limited = any(entry.left_out for entry in (before[name], after[name]))
        pair = _pair(after[name], items, credits, max(1, most // 2), limited)
        if pair is None:
            left_out.append(f"{name}: not compared: the two share no item")
            continue
        made.append(_tested(pair, _benchmark(after[name].kind)))
    return EvaluationComparison(
        old=f"{old.manifest.name}@{old.manifest.version}",
        new=f"{new.manifest.name}@{new.manifest.version}",
        old_judge=_judge(old),
        new_judge=_judge(new),
        benchmarks=tuple(_with_differences(made)),
        not_compared=tuple(left_out),
    )


def _judge(evaluation: Evaluation) -> str:
    manifest = evaluation.manifest
    return f"{manifest.judge_name} as {manifest.judge.role}" if manifest.judge else manifest.judge_name


def _benchmark(kind: str) -> Benchmark:
    return BENCHMARKS[OWN if kind == SNAPSHOT else kind]


def _not_comparable(before: BenchmarkEntry | None, after: BenchmarkEntry | None) -> str:
    """Say why a benchmark is not compared; nothing where it can be."""
    if before is None or after is None:
        return f"not compared: only the {'new' if before is None else 'old'} evaluation has it"
    for what in ("kind", "protocol"):
        one, other = getattr(before, what), getattr(after, what)
        if one != other:
            return f"not compared: its {what} was {one}, and is {other}"
    if after.kind != SNAPSHOT and after.kind not in BENCHMARKS:
        return f"not compared: this grmforge does not know the kind {after.kind}"
    return ""


def _pair(
    entry: BenchmarkEntry, items: Sequence[pl.DataFrame], credits: Sequence[pl.DataFrame], half: int, limited: bool
) -> _Pair | None:
    """Return the shared items of a benchmark, in the order of the new evaluation; None where there is none."""
    mine = pl.col("benchmark") == entry.name
    before, after = (frame.filter(mine) for frame in items)
    both = after.join(before, on="item_id", suffix="_before", maintain_order="left")
    same = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_before") for name in ("query_id", "subset", "right"))
    shared = both.filter(same)
    if shared.is_empty():
        return None
    old, new = (frame.filter(mine & pl.col("item_id").is_in(shared["item_id"].to_list())) for frame in credits)
    selectors = _selectors(old, new, half)
    return _Pair(
        BenchmarkComparison(
            benchmark=entry.name,
            protocol=entry.protocol,
            figure=ACCURACY,
            shared=shared.height,
            clusters=shared["cluster"].n_unique(),
            only_old=before.height - both.height,
            only_new=after.height - both.height,
            changed=both.height - shared.height,
            differences=(),
        ),
        selectors,
        shared["subset"].to_list(),
        shared["cluster"].to_list(),
        (_cells(old, shared, selectors), _cells(new, shared, selectors)),
        limited or shared.height < max(before.height, after.height),
    )


def _selectors(old: pl.DataFrame, new: pl.DataFrame, half: int) -> list[tuple[str, int]]:
    """Return the (selector, k) that both have: voting at 1 and at the largest k up to the half, and greedy."""
    known = [set(frame.select("selector", "k").unique().iter_rows()) for frame in (old, new)]
    both = known[0] & known[1]
    votes = sorted(k for selector, k in both if selector == VOTING and k <= half)
    found = [(VOTING, k) for k in dict.fromkeys([*votes[:1], *votes[-1:]])]
    return [*found, *([(GREEDY, 1)] if (GREEDY, 1) in both else [])]


def _cells(credits: pl.DataFrame, shared: pl.DataFrame, selectors: Sequence[tuple[str, int]]) -> Floats:
    columns = []
    for selector, k in selectors:
        of_one = credits.filter((pl.col("selector") == selector) & (pl.col("k") == k))
        cells = shared.select("item_id").join(of_one, on="item_id", how="left", maintain_order="left")["cells"]
        columns.append(np.array(cells.to_list(), np.float64))
    return np.stack(columns, axis=1)


def _tested(
    pair: _Pair, benchmark: Benchmark
) -> tuple[BenchmarkComparison, Sequence[tuple[str, int]], tuple[Floats, Floats], Compared]:
    """Return the comparison with its figure, what is compared, the figure in both evaluations, and the test."""
    clusters = Clusters(pair.clusters, pair.subsets)
    in_all = Counter(pair.subsets)
    counts = {subset: in_all[subset] for subset in clusters.subsets}
    shares: Floats = np.array(list(counts.values()), np.float64) / len(pair.subsets)

    def by_name(_: Sequence[str], means: Floats) -> dict[str, Floats]:
        published = benchmark.figures(counts, means, limited=pair.limited)
        accuracy = {ACCURACY: (means[..., 0] * shares).sum(axis=-1)}
        return {name: np.asarray(values, np.float64) for name, values in (accuracy | published).items()}

    before, after = (by_name(clusters.subsets, clusters.means(cells)) for cells in pair.cells)
    figure = TOTAL if TOTAL in before else ACCURACY
    names = [f"{selector} {k}" for selector, k in pair.selectors]
    test = compared(names, by_name, figure, clusters, pair.cells[1] - pair.cells[0])
    assert test is not None  # the figure is among those of the same rows
    return replace(pair.found, figure=figure), pair.selectors, (before[figure], after[figure]), test


def _with_differences(
    made: Sequence[tuple[BenchmarkComparison, Sequence[tuple[str, int]], tuple[Floats, Floats], Compared]],
) -> Iterator[BenchmarkComparison]:
    """Yield the comparisons with their differences, corrected over all of them."""
    corrected = iter(claims([test for *_, test in made]))
    for found, selectors, (before, after), _ in made:
        differences = []
        for place, (selector, k) in enumerate(selectors):
            claim = next(corrected)
            differences.append(
                Difference(
                    selector,
                    k,
                    float(before[place]),
                    float(after[place]),
                    claim.difference,
                    claim.low,
                    claim.high,
                    claim.p,
                    claim.corrected,
                    claim.smallest,
                )
            )
        yield replace(found, differences=tuple(differences))
