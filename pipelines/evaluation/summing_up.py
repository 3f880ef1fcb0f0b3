"""From stored answers to the tables and facts of an evaluation, a benchmark at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers
from pipelines.evaluation.accuracy import evaluated
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.attacks import attack_figures, attacked_rows, can_be_attacked
from pipelines.evaluation.breakdowns import breakdowns, calibrated, consistency
from pipelines.evaluation.claims import Claim, Compared, claims
from pipelines.evaluation.curves import VOTING, Rows, greedy_cells
from pipelines.evaluation.judgements import Judgements, Pool, read_judgements
from pipelines.evaluation.meta_rm import MetaRm
from pipelines.evaluation.own_sets import is_trained_on
from pipelines.evaluation.prompts import Prompt, prompts_of
from pipelines.evaluation.reading import SNAPSHOT, ReadBenchmark
from pipelines.evaluation.reward_model import RewardModel
from pipelines.evaluation.samples import Judge
from pipelines.evaluation.tables import credits_table, figures_table, items_table
from pipelines.judging.samples import SamplingJob
from schemas.evaluation import Row
from schemas.recipe import Recipe
from storage.root import Root

Write = Callable[[str, pa.Table], None]


class Attack(NamedTuple):
    """The rows of a benchmark with their wrong responses dressed up."""

    places: list[int]
    """Numbers of the rows that can be attacked."""
    rows: list[Row]
    prompts: Sequence[Prompt]


def attack_on(read: ReadBenchmark, attack: str) -> Attack:
    """Return a benchmark's rows under an attack, and their prompts."""
    places = [place for place, row in enumerate(read.rows) if can_be_attacked(row, read.protocol)]
    rows = attacked_rows([read.rows[place] for place in places], attack)
    return Attack(places, rows, prompts_of(rows, read.protocol, read.title))


class Judged(NamedTuple):
    """A benchmark that the judge was asked about."""

    read: ReadBenchmark
    prompts: Sequence[Prompt]
    judge: Judge
    greedy: SamplingJob | None
    attacks: Mapping[str, Attack]
    meta_rm: MetaRm | None


class Scored(NamedTuple):
    """What a judge said of one benchmark."""

    read: ReadBenchmark
    pools: Sequence[Pool]
    greedy: Sequence[Pool] | None
    outcomes: Mapping[str, int]
    """Samples by `readable`, or by why they give no scores."""
    tokens: int
    cost_usd: float
    attacks: Mapping[str, tuple[Attack, Sequence[Pool]]]
    """Each attack, and the greedy answers about its rows."""
    is_graded: bool = True
    """Whether the scores are on the scale of 1 to 10."""


def sum_up(
    recipe: Recipe,
    root: Root,
    run: Run,
    judged: Sequence[Judged],
    trained: frozenset[str],
    write: Write,
    answers: Answers,
    scores: Answers,
) -> dict[str, Any]:
    """Write every table; return the facts: entries of the benchmarks, claims and checks.

    `answers` counts what the judge took, `scores` what the Meta RM did.
    `trained` are the questions that the judge was trained on, in plain form.
    """
    scored = (_scored(root, run, one, write, answers, scores) for one in judged)
    facts = computed(recipe, scored, trained, write)
    return answers.facts() | facts


def _scored(root: Root, run: Run, one: Judged, write: Write, answers: Answers, scores: Answers) -> Scored:
    """Read the judgements of a benchmark."""
    read = one.read
    run.watcher.stage(f"computing {read.title}", None)

    def of(judge: Judge, rows: Sequence[Row], prompts: Sequence[Prompt], meta_rm: MetaRm | None = None) -> Judgements:
        made = read_judgements(
            root, judge, rows, prompts, read.protocol, lambda table: write("judgements", table), meta_rm
        )
        answers.recall(made.facts)
        scores.recall(made.meta_rm_facts)
        return made

    judgements = of(one.judge, read.rows, one.prompts, one.meta_rm)
    greedy, attacks = None, {}
    if one.greedy is not None:
        greedy = of(one.greedy, read.rows, one.prompts).pools
        attacks = {name: (each, of(one.greedy, each.rows, each.prompts).pools) for name, each in one.attacks.items()}
    tokens, cost_usd = judgements.facts["completion_tokens"], judgements.facts["cost_usd"]
    is_graded = not isinstance(one.judge, RewardModel)
    return Scored(read, judgements.pools, greedy, judgements.outcomes, tokens, cost_usd, attacks, is_graded)


def computed(recipe: Recipe, scored: Iterable[Scored], trained: frozenset[str], write: Write) -> dict[str, Any]:
    """Compute and write every figure; return the facts: entries of the benchmarks, claims and checks."""
    entries, checks, k_max = [], {}, 1
    compared: list[tuple[str, int, Compared]] = []
    for one in scored:
        read = one.read
        rows = Rows(read.benchmark, read.protocol, read.rows, one.pools, recipe.build.seed, one.is_graded)
        title, k_max = read.title, max(k_max, rows.samples)
        entry, checks[title], comparison = _computed(recipe, rows, one, trained, write)
        entries.append(entry)
        if comparison is not None:
            compared.append((title, max(1, rows.samples // 2), comparison))
    whose = [(title, k) for title, k, comparison in compared for _ in comparison.names]
    made = claims([comparison for _, _, comparison in compared])
    claimed = [_claim(title, k, claim) for (title, k), claim in zip(whose, made, strict=True)]
    return {"benchmarks": entries, "claims": claimed, "checks": checks, "k_max": k_max}


def _claim(title: str, k: int, claim: Claim) -> dict[str, Any]:
    return {
        "benchmark": title,
        "selector": claim.name,
        "against": VOTING,
        "k": k,
        "difference": float(claim.difference),
        "low": float(claim.low),
        "high": float(claim.high),
        "p": float(claim.p),
        "p_holm": float(claim.corrected),
        "smallest": float(claim.smallest),
    }


def _computed(
    recipe: Recipe, rows: Rows, one: Scored, trained: frozenset[str], write: Write
) -> tuple[dict[str, Any], dict[str, Any], Compared | None]:
    """Write the tables of one benchmark; return its entry, its checks and its comparisons."""
    read, settings = one.read, recipe.evaluate
    beside = None if one.greedy is None else greedy_cells(rows, one.greedy)
    clusters, in_training = read.clusters, is_trained_on(read.rows, trained)
    if read.section.kind == SNAPSHOT and "train" in read.section.splits:
        in_training = [False] * len(in_training)  # asked for by name
    limited = read.left_out > 0
    found = evaluated(rows, clusters, beside, settings.replicates, settings.compare, limited=limited)
    by_k = {k: found.cells[VOTING, k] for k in (1, rows.samples) if (VOTING, k) in found.cells}
    figures = [*found.figures]
    if by_k:
        figures += breakdowns(rows, clusters, by_k, in_training, settings.replicates)
    if beside is not None:
        for name, (attack, pools) in one.attacks.items():
            after = greedy_cells(replace(rows, rows=attack.rows, pools=pools), pools)[:, 0]
            whose = [clusters[place] for place in attack.places]
            figures += attack_figures(name, beside[attack.places, 0], after, whose, settings.replicates, rows.seed)
    write("figures", figures_table(read.title, read.protocol, figures))
    write("credits", credits_table(read, found.cells, clusters))
    readable = rows.gathered([_readable(pool.scores) for pool in one.pools])
    write("items", items_table(rows, read.title, clusters, readable, found.cells, beside))
    checks = {"consistency": consistency(rows), "calibration": calibrated(rows, clusters, max(1, rows.samples // 2))}
    return _entry(one, readable, sum(in_training)), checks, found.compared


def _readable(scores: np.ndarray) -> Floats:
    """Return how many samples of each row can be read, and how many there are, [rows, 2]."""
    can = ~np.isnan(scores[..., 0])
    return np.stack([can.sum(axis=(1, 2)), np.full(len(can), can[0].size)], axis=1).astype(np.float64)


def _entry(one: Scored, readable: Floats, in_training: int) -> dict[str, Any]:
    read = one.read
    return {
        "name": read.title,
        "kind": read.section.kind,
        "protocol": read.protocol.value,
        "is_published_protocol": read.protocol is read.benchmark.published,
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
        "outcomes": dict(sorted(one.outcomes.items())),
        "never_readable": int((readable[:, 0] == 0).sum()),
        "in_training": in_training,
        "tokens": one.tokens,
        "cost_usd": one.cost_usd,
    }
