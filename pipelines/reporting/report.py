"""The report of a snapshot, and its card.

The report is one self-contained page on what became of every row, and what to look at. The card, README.md, says what
the snapshot holds, in words, and in the YAML that `datasets.load_dataset` reads.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

from pipelines.reporting.attention import attention, incomplete_sets, simulated_models, wanted_sets
from pipelines.reporting.checks import leak_rows, principles_sentence, trace_ngrams, trace_sentences
from pipelines.reporting.contamination import contamination_rows, contamination_sentences
from pipelines.reporting.example_parts import Example, facts, headline, ids, parts_of
from pipelines.reporting.examples import examples_of
from pipelines.reporting.label_checks import (
    JUDGE_HEAD,
    LABEL_HEAD,
    NOISE,
    SUSPICION,
    judge_rows,
    label_rows,
    label_sentences,
)
from pipelines.reporting.meanings import MEANINGS, answer_groups, meaning, sets_made, verdict_meaning
from pipelines.reporting.pages import page
from pipelines.reporting.reviews import REVIEW_HEAD, review_rows, review_sentences
from pipelines.reporting.row_search import one_of_each
from pipelines.reporting.source_funnels import (
    SETS,
    TRACES,
    SourceFunnel,
    judged_outcomes,
    source_funnels,
    together,
    without,
)
from pipelines.reporting.visible import cut
from pipelines.reporting.ways_out import way_out
from schemas.manifest import Manifest
from schemas.preference import SETS_TABLE
from schemas.published import TABLES
from schemas.trajectory import Mode
from storage.stages import Stage

_LONGEST_TEXT = 800
"""Characters of each text of an example; longer ones are cut, in the page alone."""
_COMMONEST_REASONS = 2
MODEL_HEAD = ["role", "model", "engine", "requests", "cached", "failed", "prompt tokens", "answer tokens", "cost"]
_Part = tuple[str, str, str]
"""A part of a table in the card: split, published path, meaning."""
_SHOWN_CHECKS = frozenset(
    {
        *("positions", "lengths", "meta_rm", "leak_probe", "hint_traces", "composition", "principles", "reviews"),
        *("contamination", SUSPICION, NOISE),
    }
)


def report_of(manifest: Manifest, assembled: Stage) -> str:
    """Return report.html: no script, nothing from elsewhere, the same bytes for the same snapshot.

    Every text of the manifest and the tables is hostile; `page` escapes it, and the page's policy forbids the rest.
    """
    funnels, checks = source_funnels(manifest, assembled.paths), manifest.checks
    others = {name: value for name, value in checks.items() if name not in _SHOWN_CHECKS}
    style = (resources.files("pipelines.reporting") / "report.css").read_text("utf-8")
    values = {
        **in_both(manifest),
        "style": Markup(style),
        "style_digest": Markup(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()),
        "titles": _titles(manifest),
        "numbers": list(numbers(manifest, funnels)),
        "attention": attention(manifest, funnels),
        "funnels": funnels,
        "units": {source.source: source.unit for source in manifest.inputs},
        "glossary": glossary_of(funnels, manifest.recipe),
        "outcomes": list(_outcomes(funnels)),
        "ngrams": trace_ngrams(checks),
        "judges": [[cut(text, 100) for text in row] for row in judge_rows(checks)],
        "judge_head": JUDGE_HEAD,
        "positions": checks.get("positions") or {},
        "meta_rm": checks.get("meta_rm") or {},
        "lengths": checks.get("lengths") or {},
        "other_checks": json.dumps(others, indent=1) if others else "",
        "models": list(model_rows(manifest)),
        "model_head": MODEL_HEAD,
        "examples": _examples(funnels, assembled),
        "longest_text": _LONGEST_TEXT,
        "recipe": json.dumps(manifest.recipe, indent=1, ensure_ascii=False),
    }
    functions = (answer_groups, sets_made, meaning, verdict_meaning, without, headline, facts, ids, parts_of)
    return page("report.html", values | {function.__name__: function for function in functions})


def card_of(manifest: Manifest) -> str:
    """Return the card of a snapshot, README.md."""
    values = {
        "configs": list(_configs(manifest)),
        "warnings": [*simulated_models(manifest), *incomplete_sets(manifest)],
        "restricted": [source.source for source in manifest.inputs if source.redistribution == "restricted"],
    }
    return page("card.md", in_both(manifest) | values)


def in_both(manifest: Manifest) -> dict[str, Any]:
    """Return the values that the report and the card both show."""
    return {
        "manifest": manifest,
        "leaks": leak_rows(manifest.checks),
        "traces": trace_sentences(manifest.checks),
        "principles": principles_sentence(manifest.checks),
        "contamination": contamination_rows(manifest.checks),
        "compared": contamination_sentences(manifest.checks),
        "labels": label_rows(manifest.checks),
        "label_head": LABEL_HEAD,
        "label_sentences": label_sentences(manifest.checks),
        "reviews": review_sentences(manifest.checks),
        "review_head": REVIEW_HEAD,
        "review_rows": review_rows(manifest.checks),
    }


def _configs(manifest: Manifest) -> Iterator[tuple[str, list[_Part]]]:
    """Yield (config, parts) of every table that has rows: those that are split first, the sets last."""
    for table in sorted(TABLES, key=lambda table: ("train" not in table.parts, table is SETS_TABLE)):
        paths = {part: f"{table.name}/{part}" for part in table.parts}
        present = [(part, paths[part], words) for part, words in table.parts.items() if paths[part] in manifest.tables]
        if "train" not in table.parts:
            yield from ((path.replace("/", "_"), [("train", path, words)]) for _, path, words in present)
        elif present:
            yield table.name, present


def _titles(manifest: Manifest) -> dict[str, str]:
    """Return the page's sections, by anchor."""
    titles = {
        "funnel": "From rows read to rows published",
        "outcomes": "What the answers amount to",
        "contamination": "Benchmarks in the rows",
        "leaks": "What gives the right one away",
        "traces": "What gives a hinted answer away",
        "labels": "How far the labels can be trusted" if label_rows(manifest.checks) else "",
        "reviews": "What people found" if "reviews" in manifest.checks else "",
        "positions": "Where the best response stands",
        "meta-rm": "Meta RM" if "meta_rm" in wanted_sets(manifest) else "",
        "principles": "Given criteria" if "principles" in manifest.checks else "",
        "lengths": "Lengths",
        "models": "Models",
        "sources": "Sources",
        "unreadable": "Unreadable rows",
        "examples": "Examples",
        "recipe": "Recipe",
    }
    return {anchor: title for anchor, title in titles.items() if title}


def numbers(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Iterator[tuple[str, str]]:
    """Yield (number, words) of what a reader sees first."""
    rows = {path: entry.rows for path, entry in manifest.tables.items()}
    for name in (*SETS, TRACES):
        train, validation = (rows.get(f"{name}/{split}", 0) for split in ("train", "validation"))
        if train or validation or name in wanted_sets(manifest):
            yield f"{train:,}", f"{name} rows, and {validation:,} for validation"
    judged, accepted = sum(funnel.judged for funnel in funnels), sum(funnel.accepted for funnel in funnels)
    if judged:
        yield f"{accepted / judged:.0%}", f"of {judged:,} answers accepted"
    yield f"{rows.get('sets/kept', 0):,}", f"sets kept, {rows.get('sets/dropped', 0):,} dropped"
    unreadable, read = (sum(getattr(source, name) for source in manifest.inputs) for name in ("unreadable", "rows"))
    yield f"{unreadable:,}", f"of {read:,} rows unreadable"
    cost = sum(use.cost_usd for use in manifest.models)
    yield _cost(cost), "paid for all answers, over all runs" if cost else "paid: the recipe names no prices"


def glossary_of(funnels: Sequence[SourceFunnel], recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for every reason that occurs, and what to do about it with such a recipe."""
    dropped = together(funnel.dropped for funnel in funnels)
    rejected = together(counts for funnel in funnels for counts in (funnel.rejected, without(funnel.rl, "kept")))
    known = {reason: way_out(reason, recipe) for reason in {**dropped, **rejected} if reason in MEANINGS}
    return {
        reason: f"{meaning(reason).words}." + (f" {helps[:1].upper()}{helps[1:]}." if helps else "")
        for reason, helps in known.items()
    }


def _outcomes(funnels: Sequence[SourceFunnel]) -> Iterator[tuple[str, str, dict[str, int], str]]:
    """Yield (source, mode, answers by what they amount to, all of it in a line)."""
    for funnel in funnels:
        for mode, counts in funnel.answers.items():
            groups = judged_outcomes(counts)
            words = ", ".join(f"{rows:,} {name}" for name, rows in groups.items())
            yield funnel.source, mode, groups, f"{funnel.source}, {mode}: {words}"


def model_rows(manifest: Manifest) -> Iterator[list[str]]:
    for use in manifest.models:
        counts = (use.requests, use.cached, use.failed, use.prompt_tokens, use.completion_tokens)
        yield [use.role, cut(use.model, 200), use.engine, *(f"{count:,}" for count in counts), _cost(use.cost_usd)]


def _examples(funnels: Sequence[SourceFunnel], assembled: Stage) -> list[Example]:
    """Return accepted examples of each mode, and rejected ones of the commonest reasons, from first row groups."""
    commonest = list(together(funnel.rejected for funnel in funnels))[:_COMMONEST_REASONS]
    accepted, rejected = "trajectories/accepted", "trajectories/rejected"
    of_modes = one_of_each(assembled.paths(accepted), "mode", [mode.value for mode in Mode], "set_id")
    of_reasons = one_of_each(assembled.paths(rejected), "reject_reason", commonest, "set_id")
    return [*examples_of(accepted, of_modes, assembled.paths), *examples_of(rejected, of_reasons, assembled.paths)]


def _cost(usd: float) -> str:
    return f"${usd:,.2f}" if usd else "–"
