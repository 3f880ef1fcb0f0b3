"""The page of an evaluation: how good the judge is, how sure that is, what more samples buy, and what to look at."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from markupsafe import Markup

from pipelines.evaluation.accuracy import GREEDY, PASS
from pipelines.evaluation.answer_facts import AnswerFacts, answer_facts
from pipelines.evaluation.attention import attention
from pipelines.evaluation.charts import NARROW, WIDE, Chart, Series, curve_chart
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.figures import BLIND, Figures, difference_interval, named, percent, points, selector_named
from pipelines.evaluation.reliability import Reliability, reliability_of
from pipelines.evaluation.report_tables import (
    CostTable,
    FigureTable,
    attack_table,
    cost_table,
    figure_table,
    gain_table,
    group_columns,
    headline_table,
    numbers_of,
    section_columns,
)
from pipelines.evaluation.turned import turned_items
from pipelines.evaluation.wording import (
    claim_sentence,
    claims_verdict,
    extent_words,
    half_of,
    holds,
    kind_words,
    p_words,
    protocol_words,
    without_verdict,
)
from pipelines.reporting.meanings import meaning
from pipelines.reporting.pages import page
from schemas.evaluation import READABLE, Curve
from schemas.evaluation_manifest import BenchmarkEntry, EvaluationManifest
from storage.stages import Stage

MOST_BENCHMARKS = 16
"""Benchmarks that are shown in full; the headline figures of all stand in one table."""
_MOST_CLAIMS = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A benchmark as the page shows it."""

    entry: BenchmarkEntry
    headline: str
    charts: list[Chart]
    numbers: tuple[list[str], list[list[str]]]
    gains: FigureTable | None
    sections: FigureTable | None
    subsets: FigureTable | None
    groups: list[tuple[str, FigureTable]]
    attacks: FigureTable | None
    consistency: float | None
    reliability: Reliability | None
    costs: CostTable | None
    outcomes: list[tuple[str, int, str]]
    """(outcome, judgements, what it means)"""


def report_of(manifest: EvaluationManifest, stage: Stage) -> str:
    """Return report.html: no script, nothing from elsewhere, the same bytes for the same evaluation.

    Every text of the manifest and the tables is hostile; `page` escapes it, and the page's policy forbids the rest.
    """
    figures = Figures(stage.paths("figures"))
    facts = answer_facts(stage.paths("judgements"))
    shown = manifest.benchmarks[:MOST_BENCHMARKS]
    style = "".join(
        (resources.files(package) / "report.css").read_text("utf-8")
        for package in ("pipelines.reporting", "pipelines.evaluation")
    )
    return page(
        "report.html",
        {
            "style": Markup(style),
            "style_digest": Markup(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()),
            "manifest": manifest,
            "half": half_of(manifest),
            "titles": _titles(manifest),
            "numbers": list(numbers(manifest)),
            "headlines": headline_table(manifest, figures),
            "headline_names": [
                named(figure) for entry in manifest.benchmarks for figure in figures.headlines(entry.name)
            ],
            "attention": attention(manifest, figures, facts),
            "benchmarks": [_shown(manifest, figures, entry, facts.get(entry.name, AnswerFacts())) for entry in shown],
            "claims": [_claim_row(manifest, place) for place in range(len(manifest.claims[:_MOST_CLAIMS]))],
            "items": turned_items(stage.paths("items"), stage.paths("judgements"), [one.name for one in shown]),
            "recipe": json.dumps(manifest.recipe, indent=1, ensure_ascii=False),
            "protocol_words": protocol_words,
            "extent_words": extent_words,
            "kind_words": kind_words,
            "verdict": claims_verdict(manifest.claims),
            "readable_share": readable_share,
            "without_verdict": without_verdict,
        },
        "pipelines.evaluation",
    )


def readable_share(entry: BenchmarkEntry) -> float | None:
    """Return the share of the judgements that could be read."""
    paid = sum(entry.outcomes.values())
    return entry.outcomes.get(READABLE, 0) / paid if paid else None


def _titles(manifest: EvaluationManifest) -> dict[str, str]:
    """Return the page's sections, by anchor."""
    more = manifest.k_max > 1
    titles = {
        "evaluated": "What it was evaluated on",
        "curves": "What more samples buy" if more else "",
        "gain": "Where the gain comes from" if more else "",
        "claims": "What is shown, and what is not" if manifest.claims else "",
        "sections": "By section and subset",
        "kind": "What kind of judge it is",
        "calibration": "Can its votes be trusted?" if more else "",
        "cost": "Tokens and cost" if manifest.judge is not None else "",
        "items": "Items that more samples turned" if more else "",
        "unreadable": "What could not be read",
        "recipe": "Recipe",
    }
    return {anchor: title for anchor, title in titles.items() if title}


def numbers(manifest: EvaluationManifest) -> Iterator[tuple[str, str]]:
    """Yield (number, words) of what was evaluated, and what it took."""
    yield f"{sum(entry.items for entry in manifest.benchmarks):,}", "items"
    paid = sum(sum(entry.outcomes.values()) for entry in manifest.benchmarks)
    read = sum(entry.outcomes.get(READABLE, 0) for entry in manifest.benchmarks)
    yield f"{paid:,}", f"judgements, up to {manifest.k_max:,} a prompt"
    yield percent(read / paid if paid else None), "of them can be read"
    if (judge := manifest.judge) is not None:
        yield f"{judge.completion_tokens:,}", "tokens generated"
        cost = f"${judge.cost_usd:,.2f}" if judge.cost_usd else "–"
        yield cost, "paid for all of them, over all runs" if judge.cost_usd else "paid: the recipe names no prices"


def _shown(manifest: EvaluationManifest, figures: Figures, entry: BenchmarkEntry, facts: AnswerFacts) -> Shown:
    name, headline = entry.name, figures.headline(entry.name)
    checks = manifest.checks.get(name)
    checks = checks if isinstance(checks, Mapping) else {}
    columns = section_columns(manifest)
    groups = [
        (kind, table)
        for kind, names in figures.groups(name).items()
        if (table := figure_table(figures, name, names, group_columns(manifest))) is not None
    ]
    return Shown(
        entry=entry,
        headline=named(headline),
        charts=_charts(figures, name, headline) if manifest.k_max > 1 else [],
        numbers=numbers_of(figures, name, headline),
        gains=gain_table(figures, name, manifest.k_max),
        sections=figure_table(figures, name, figures.sections(name), columns),
        subsets=figure_table(figures, name, figures.subsets(name), columns),
        groups=groups,
        attacks=attack_table(figures, name),
        consistency=checks.get("consistency"),
        reliability=reliability_of(checks.get("calibration"), entry.clusters),
        costs=cost_table(manifest, figures, entry, facts),
        outcomes=[
            (outcome, count, meaning(outcome).words if outcome != READABLE else "")
            for outcome, count in sorted(entry.outcomes.items(), key=lambda one: -one[1])
        ],
    )


def _charts(figures: Figures, benchmark: str, figure: str) -> list[Chart]:
    """Return the curves of a benchmark in each layout."""
    voting = Series("voting", "voting", figures.curve(benchmark, figure), has_band=True, has_dots=True)
    readable = Series("readable only", "readable-only", figures.curve(benchmark, figure, VOTING, Curve.READABLE))
    series = [voting, *([readable] if readable.values else [])]
    for selector in figures.selectors(benchmark):
        name = selector_named(selector)
        kind = f"selector {selector.partition(' ')[0]}"
        series.append(Series(name, kind, figures.curve(benchmark, figure, selector), has_dots=True))
    for blind in BLIND:
        if found := figures.curve(benchmark, figure, blind):
            series.append(Series(selector_named(blind), "blind", found, is_level=True, is_shown_whole=False))
    if found := figures.curve(benchmark, figure, PASS):
        series.append(Series("pass@k", "pass", found, is_shown_whole=False))
    greedy = figures.value(benchmark, figure, GREEDY, 1)
    charts = (curve_chart(series, greedy, layout) for layout in (WIDE, NARROW))
    return [chart for chart in charts if chart is not None]


def _claim_row(manifest: EvaluationManifest, place: int) -> dict[str, Any]:
    claim = manifest.claims[place]
    return {
        "benchmark": claim.benchmark,
        "selector": selector_named(claim.selector),
        "k": claim.k,
        "difference": points(claim.difference),
        "interval": difference_interval(claim.low, claim.high),
        "p": p_words(claim.p),
        "p_holm": p_words(claim.p_holm),
        "holds": holds(claim),
        "smallest": f"{100 * claim.smallest:.2f}" if 0 < claim.smallest < 1 else "–",
        "sentence": claim_sentence(claim),
    }
