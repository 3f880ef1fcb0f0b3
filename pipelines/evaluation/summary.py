"""An evaluation in a few lines, as `grmforge evaluate` ends."""

from collections.abc import Iterator, Sequence

from pipelines.evaluation.accuracy import GREEDY
from pipelines.evaluation.answer_facts import answer_facts
from pipelines.evaluation.attention import attention
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.figures import Figures, Value, interval_of, named, percent, shown
from pipelines.evaluation.wording import claim_sentence, claims_verdict, half_of, holds
from pipelines.reporting.visible import aligned, one_line
from schemas.evaluation import READABLE
from schemas.evaluation_manifest import BenchmarkEntry, EvaluationManifest
from storage.evaluations import Evaluation

_CELL = 40
"""Columns that a name may take."""
_LINE = 240


def lines_of(evaluation: Evaluation) -> list[str]:
    """Return what an evaluation found, for a terminal: the headline figures, what is shown, what wants attention."""
    manifest = evaluation.manifest
    figures = Figures(evaluation.files("figures"))
    lines = aligned(list(_table(manifest, figures)), 2)
    if manifest.claims:
        lines += ["", claims_verdict(manifest.claims)]
        lines += [f"  {one_line(claim_sentence(claim), _LINE)}" for claim in manifest.claims if holds(claim)]
    facts = answer_facts(evaluation.files("judgements"))
    if sentences := attention(manifest, figures, facts, figures_are="in the report"):
        lines += ["", "know this before you believe the figures:"]
        lines += [f"  {one_line(sentence, _LINE)}" for sentence in sentences]
    return lines


def _table(manifest: EvaluationManifest, figures: Figures) -> Iterator[Sequence[str]]:
    half = half_of(manifest)
    columns = [("1 sample", VOTING, 1), (f"vote of {half}", VOTING, half), ("greedy", GREEDY, 1)]
    if half == 1:
        del columns[1]
    yield ("benchmark", "figure", *(title for title, _, _ in columns), "readable", "items")
    for entry in manifest.benchmarks:
        for figure in figures.headlines(entry.name):
            words = [_words(figure, figures.value(entry.name, figure, selector, k)) for _, selector, k in columns]
            names = one_line(entry.name, _CELL), one_line(named(figure), _CELL)
            yield (*names, *words, percent(_readable(entry)), f"{entry.items:,}")


def _words(figure: str, value: Value | None) -> str:
    if value is None:
        return "–"
    ends = interval_of(value, figure)
    return shown(figure, value.value) + (f" ({ends})" if ends else "")


def _readable(entry: BenchmarkEntry) -> float | None:
    paid = sum(entry.outcomes.values())
    return entry.outcomes.get(READABLE, 0) / paid if paid else None
