"""The report of a snapshot: one self-contained page on what became of every row, and what to look at."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

from pipelines.reporting.answered import answer_groups, sets_made
from pipelines.reporting.attention import attention
from pipelines.reporting.example_parts import Example, facts, headline, ids, parts_of
from pipelines.reporting.examples import examples_of
from pipelines.reporting.leaks import leak_rows, trace_ngrams, trace_sentences
from pipelines.reporting.meanings import MEANINGS, meaning, verdict_meaning
from pipelines.reporting.pages import page
from pipelines.reporting.principles import principles_sentence
from pipelines.reporting.row_search import one_of_each
from pipelines.reporting.source_funnels import (
    SETS,
    TRACES,
    SourceFunnel,
    judged_outcomes,
    source_funnels,
    together,
)
from pipelines.reporting.visible import cut
from schemas.manifest import Manifest
from schemas.trajectory import Mode
from storage.stages import Stage

_LONGEST_TEXT = 1_500
"""Characters of each text of an example; longer ones are cut, in the page alone."""
_COMMONEST_REASONS = 4
_SHOWN_CHECKS = frozenset({"positions", "lengths", "meta_rm", "leak_probe", "hint_traces", "composition", "principles"})


def report_of(manifest: Manifest, assembled: Stage) -> str:
    """Return report.html: no script, nothing from elsewhere, the same bytes for the same snapshot.

    Every text of the manifest and the tables is hostile; `page` escapes it, and the page's policy forbids the rest.
    """
    funnels, checks = source_funnels(manifest, assembled.paths), manifest.checks
    others = {name: value for name, value in checks.items() if name not in _SHOWN_CHECKS}
    style = (resources.files("pipelines.reporting") / "report.css").read_text("utf-8")
    values = {
        "style": Markup(style),
        "style_digest": Markup(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()),
        "manifest": manifest,
        "titles": _titles(manifest),
        "numbers": list(_numbers(manifest, funnels)),
        "attention": attention(manifest, funnels),
        "funnels": funnels,
        "units": {one.source: one.unit for one in manifest.inputs},
        "glossary": _glossary(funnels),
        "outcomes": list(_outcomes(funnels)),
        "reasons": _reasons(funnels),
        "leaks": leak_rows(checks),
        "traces": trace_sentences(checks),
        "ngrams": trace_ngrams(checks),
        "positions": checks.get("positions") or {},
        "meta_rm": checks.get("meta_rm") or {},
        "principles": principles_sentence(checks),
        "lengths": checks.get("lengths") or {},
        "other_checks": json.dumps(others, indent=1) if others else "",
        "models": list(_models(manifest)),
        "examples": _examples(funnels, assembled),
        "longest_text": _LONGEST_TEXT,
        "recipe": json.dumps(manifest.recipe, indent=1, ensure_ascii=False),
    }
    functions = (answer_groups, sets_made, meaning, verdict_meaning, without, headline, facts, ids, parts_of)
    return page("report.html", values | {function.__name__: function for function in functions})


def _titles(manifest: Manifest) -> dict[str, str]:
    """Return the page's sections, by anchor."""
    titles = {
        "funnel": "From rows read to rows published",
        "outcomes": "What the answers amount to",
        "leaks": "What gives the right one away",
        "traces": "What gives a hinted answer away",
        "positions": "Where the best response stands",
        "meta-rm": "Meta RM" if _wants(manifest, "meta_rm") else "",
        "principles": "Given criteria" if "principles" in manifest.checks else "",
        "lengths": "Lengths",
        "models": "Models",
        "sources": "Sources",
        "unreadable": "Unreadable rows",
        "examples": "Examples",
        "recipe": "Recipe",
    }
    return {anchor: title for anchor, title in titles.items() if title}


def _numbers(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Iterator[tuple[str, str]]:
    """Yield (number, words) of what a reader sees first."""
    rows = {path: entry.rows for path, entry in manifest.tables.items()}
    for name in (*SETS, TRACES):
        train, validation = (rows.get(f"{name}/{split}", 0) for split in ("train", "validation"))
        if train or validation or _wants(manifest, name):
            yield f"{train:,}", f"{name} rows, and {validation:,} for validation"
    judged, accepted = sum(funnel.judged for funnel in funnels), sum(funnel.accepted for funnel in funnels)
    if judged:
        yield f"{accepted / judged:.0%}", f"of {judged:,} answers accepted"
    yield f"{rows.get('sets/kept', 0):,}", f"sets kept, {rows.get('sets/dropped', 0):,} dropped"
    unreadable, read = (sum(getattr(source, name) for source in manifest.inputs) for name in ("unreadable", "rows"))
    yield f"{unreadable:,}", f"of {read:,} rows unreadable"
    cost = sum(use.cost_usd for use in manifest.models)
    yield _cost(cost), "paid for all answers, over all runs" if cost else "paid: the recipe names no prices"


def _glossary(funnels: Sequence[SourceFunnel]) -> dict[str, str]:
    """Return the words for every reason that occurs."""
    dropped = together(funnel.dropped for funnel in funnels)
    rejected = together(counts for funnel in funnels for counts in (funnel.rejected, without(funnel.rl, "kept")))
    glossary = {}
    for reason in (reason for reason in {**dropped, **rejected} if reason in MEANINGS):
        words, way_out = meaning(reason)
        glossary[reason] = f"{words}. {way_out[:1].upper()}{way_out[1:]}." if way_out else f"{words}."
    return glossary


def _outcomes(funnels: Sequence[SourceFunnel]) -> Iterator[tuple[str, str, dict[str, int], str]]:
    """Yield (source, mode, answers by what they amount to, all of it in a line)."""
    for funnel in funnels:
        for mode, counts in funnel.answers.items():
            groups = judged_outcomes(counts)
            words = ", ".join(f"{rows:,} {name}" for name, rows in groups.items())
            yield funnel.source, mode, groups, f"{funnel.source}, {mode}: {words}"


def _reasons(funnels: Sequence[SourceFunnel]) -> dict[str, Any]:
    """Return the table of every reject_reason by source; nothing where nothing was rejected."""
    totals = together(funnel.rejected for funnel in funnels)
    rows = [
        [reason, *(f"{funnel.rejected.get(reason, 0):,}" for funnel in funnels), f"{total:,}"]
        for reason, total in totals.items()
    ]
    return {"head": ["reason", *(funnel.source for funnel in funnels), "all"], "rows": rows} if rows else {}


def _models(manifest: Manifest) -> Iterator[list[str]]:
    for use in manifest.models:
        counts = (use.requests, use.cached, use.failed, use.prompt_tokens, use.completion_tokens)
        yield [use.role, cut(use.model, 200), use.engine, *(f"{count:,}" for count in counts), _cost(use.cost_usd)]


def _examples(funnels: Sequence[SourceFunnel], assembled: Stage) -> list[Example]:
    """Return accepted examples of each mode, and rejected ones of the commonest reasons, from first row groups."""
    commonest = list(together(funnel.rejected for funnel in funnels))[:_COMMONEST_REASONS]
    wanted = (("accepted", "mode", [mode.value for mode in Mode]), ("rejected", "reject_reason", commonest))
    found: list[Example] = []
    for status, column, values in wanted:
        path = f"trajectories/{status}"
        chosen = one_of_each(assembled.paths(path), column, values, "set_id")
        found += examples_of(path, chosen, assembled.paths)
    return found


def without(counts: Mapping[str, int], outcome: str) -> dict[str, int]:
    """Return the counts of all other outcomes."""
    return {name: rows for name, rows in counts.items() if name != outcome}


def _wants(manifest: Manifest, name: str) -> bool:
    """Return whether the recipe asks for a set."""
    return name in manifest.recipe.get("build", {}).get("sets", [])


def _cost(usd: float) -> str:
    return f"${usd:,.2f}" if usd else "–"
