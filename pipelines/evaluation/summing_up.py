"""From stored answers to the tables and facts of an evaluation, a benchmark at a time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers
from pipelines.evaluation.accuracy import VOTING, evaluated
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.breakdowns import breakdowns, calibrated, consistency
from pipelines.evaluation.claims import Compared, claims
from pipelines.evaluation.curves import Rows, greedy_cells
from pipelines.evaluation.judgements import Judgements, read_judgements
from pipelines.evaluation.own_sets import is_trained_on
from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.reading import SNAPSHOT, ReadBenchmark
from pipelines.evaluation.tables import credits_table, figures_table, items_table
from pipelines.judging.samples import SamplingJob
from schemas.recipe import Recipe
from storage.root import Root

Write = Callable[[str, pa.Table], None]


class Judged(NamedTuple):
    """A benchmark that the judge was asked about."""

    read: ReadBenchmark
    prompts: Sequence[Prompt]
    judge: SamplingJob
    greedy: SamplingJob | None


def sum_up(
    recipe: Recipe,
    root: Root,
    run: Run,
    judged: Sequence[Judged],
    trained: frozenset[str],
    write: Write,
    answers: Answers,
) -> dict[str, Any]:
    """Write every table; return the facts: entries of the benchmarks, claims and checks. `answers` counts what it took.

    `trained` are the questions that the judge was trained on, in plain form.
    """
    entries, checks = [], {}
    compared: list[tuple[str, Compared]] = []
    for one in judged:
        run.watcher.stage(f"computing {one.read.title}", None)
        entry, of_one, comparison = _one(recipe, root, run, one, trained, write, answers)
        entries.append(entry)
        checks[one.read.title] = of_one
        if comparison is not None:
            compared.append((one.read.title, comparison))
    titles = [title for title, comparison in compared for _ in comparison.names]
    half = max(1, recipe.evaluate.k_max // 2)
    made = [
        {
            "benchmark": title,
            "selector": claim.name,
            "against": VOTING,
            "k": half,
            "difference": float(claim.difference),
            "low": float(claim.low),
            "high": float(claim.high),
            "p": float(claim.p),
            "p_holm": float(claim.corrected),
            "smallest": float(claim.smallest),
        }
        for title, claim in zip(titles, claims([comparison for _, comparison in compared]), strict=True)
    ]
    return answers.facts() | {"benchmarks": entries, "claims": made, "checks": checks}


def _one(
    recipe: Recipe, root: Root, run: Run, one: Judged, trained: frozenset[str], write: Write, answers: Answers
) -> tuple[dict[str, Any], dict[str, Any], Compared | None]:
    read, settings = one.read, recipe.evaluate
    judgements = _judgements(root, one, one.judge, write, answers)
    rows = Rows(read.benchmark, read.protocol, read.rows, judgements.pools, recipe.build.seed)
    beside = None
    if one.greedy is not None:
        beside = greedy_cells(rows, _judgements(root, one, one.greedy, write, answers).pools)
    clusters, in_training = read.clusters, is_trained_on(read.rows, trained)
    if read.section.kind == SNAPSHOT and "train" in read.section.splits:
        in_training = [False] * len(in_training)  # asked for by name
    found = evaluated(rows, clusters, beside, settings.replicates, settings.compare)
    by_k = {k: cells for (selector, k), cells in found.cells.items() if selector == VOTING and k in _ends(rows)}
    figures = [*found.figures, *breakdowns(rows, clusters, by_k, in_training, settings.replicates)]
    write("figures", figures_table(read.title, read.protocol, figures))
    write("credits", credits_table(read, found.cells, clusters))
    readable = rows.gathered([_readable(pool.scores) for pool in judgements.pools])
    write("items", items_table(rows, read.title, clusters, readable, found.cells, beside))
    if sum(in_training):
        run.watcher.warn(
            f"{read.title}: {sum(in_training):,} of {len(read.rows):,} questions stand in the training rows of "
            f"{recipe.build.name}: figures with and without them are in the report"
        )
    checks = {"consistency": consistency(rows), "calibration": calibrated(rows, clusters, max(1, rows.samples // 2))}
    return _entry(one, judgements, readable, in_training), checks, found.compared


def _ends(rows: Rows) -> tuple[int, int]:
    return 1, rows.samples


def _judgements(root: Root, one: Judged, judge: SamplingJob, write: Write, answers: Answers) -> Judgements:
    made = read_judgements(
        root, judge, one.read.rows, one.prompts, one.read.protocol, lambda table: write("judgements", table)
    )
    answers.recall(made.facts)
    return made


def _readable(scores: np.ndarray) -> Floats:
    """Return how many samples of each row can be read, and how many there are, [rows, 2]."""
    can = ~np.isnan(scores[..., 0])
    return np.stack([can.sum(axis=(1, 2)), np.full(len(can), can[0].size)], axis=1).astype(np.float64)


def _entry(one: Judged, judgements: Judgements, readable: Floats, in_training: Sequence[bool]) -> dict[str, Any]:
    read = one.read
    return {
        "name": read.title,
        "kind": read.section.kind,
        "protocol": read.protocol.value,
        "origin": read.origin,
        "revision": read.revision,
        "license": read.license,
        "redistribution": read.benchmark.redistribution,
        "rows": len(read.rows) + read.left_out + len(read.unreadable),
        "items": len(read.rows),
        "left_out": read.left_out,
        "unreadable": len(read.unreadable),
        "unreadable_reasons": read.reasons(),
        "sha256": read.sha256,
        "is_whole": read.is_whole,
        "clusters": len(set(read.clusters)),
        "samples": int(readable[:, 1].sum()),
        "outcomes": dict(sorted(judgements.outcomes.items())),
        "never_readable": int((readable[:, 0] == 0).sum()),
        "in_training": sum(in_training),
        "tokens": judgements.facts["completion_tokens"],
        "cost_usd": judgements.facts["cost_usd"],
    }
