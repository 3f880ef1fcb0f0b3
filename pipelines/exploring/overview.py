"""What a snapshot holds and what became of its rows: all that report.html shows, as data, each count with its rows."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipelines.exploring.columns import Codes, Numbers
from pipelines.exploring.opening import Opened
from pipelines.reporting.attention import attention
from pipelines.reporting.checks import leak_rows, trace_ngrams
from pipelines.reporting.contamination import contamination_rows, contamination_sentences
from pipelines.reporting.label_checks import JUDGE_HEAD, LABEL_HEAD, judge_rows, label_rows, label_sentences
from pipelines.reporting.meanings import SURPLUS, meaning, sets_made, verdict_meaning
from pipelines.reporting.report import MODEL_HEAD, glossary_of, in_both, model_rows, numbers
from pipelines.reporting.reviews import REVIEW_HEAD, review_rows
from pipelines.reporting.source_funnels import ACCEPTED, SourceFunnel, judged_outcomes, source_funnels, together
from schemas.errors import RecipeError
from schemas.manifest import Input, Manifest
from schemas.trajectory import Outcome

Link = dict[str, Any]
Table = dict[str, Any]

SOURCE_HEAD = ["source", "from", "revision", "licence", "rows", "kept", "dropped", "unreadable", "beyond limit"]


def overview_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return the overview of a snapshot; of an evaluation, `evaluation_answer` has it."""
    if opened.is_evaluation:
        raise RecipeError(f"{opened.name} is an evaluation, and has no overview; /api/evaluation has its figures")
    return opened.once("overview", lambda: _overview(opened))


def _overview(opened: Opened) -> dict[str, Any]:
    manifest: Manifest = opened.version.manifest  # type: ignore[assignment]  # no evaluation comes here
    funnels, checks = source_funnels(manifest, opened.version.files), manifest.checks
    return {
        "title": opened.name,
        "created_at": manifest.created_at,
        "facts": [
            f"seed {manifest.seed}",
            f"grmforge {manifest.package_version}",
            f"content {manifest.content_hash}",
        ],
        "tiles": list(numbers(manifest, funnels)),
        "attention": attention(manifest, funnels),
        "funnel": [band for band in _bands(funnels) if band["links"]],
        "published": [
            {"name": path, "table": name, "count": entry.rows, "where": [["status", "is", part]] if part else []}
            for path, entry in manifest.tables.items()
            for name, _, part in [path.partition("/")]
            if name in opened.views
        ],
        "outcomes": _outcomes(opened),
        "reasons": [
            {"source": funnel.source, "reason": reason, "count": count, "meaning": meaning(reason).words}
            | _rejected(funnel.source, reason)
            for funnel in funnels
            for reason, count in funnel.rejected.items()
        ],
        "positions": [
            dict(zip(("source", "_", "n_responses"), group.rpartition("/"), strict=True)) | found
            for group, found in sorted((checks.get("positions") or {}).items())
        ],
        "lengths": [{"source": source, **found} for source, found in sorted((checks.get("lengths") or {}).items())],
        "scores": _scores(opened),
        "cost": {"head": MODEL_HEAD, "rows": list(model_rows(manifest))},
        "tables": [table for table in _tables(manifest, funnels) if table["rows"]],
        "sentences": list(_sentences(manifest, funnels)),
        "glossary": glossary_of(funnels, manifest.recipe),
        "recipe": json.dumps(manifest.recipe, indent=1, ensure_ascii=False),
    }


def _bands(funnels: Sequence[SourceFunnel]) -> Iterator[dict[str, Any]]:
    """Yield the flows: rows to sets, questions' answers to verdicts, judged answers to what is accepted."""
    rows = [link for funnel in funnels for link in _rows_to_sets(funnel)]
    yield {"title": "From rows read to sets kept", "unit": "rows and sets", "links": rows}
    graded = [link for funnel in funnels for link in _graded(funnel)]
    yield {"title": "Answers to questions, as they were graded", "unit": "answers", "links": graded}
    judged = [link for funnel in funnels for link in _judged(funnel)]
    yield {"title": "From judged answers to accepted ones", "unit": "answers", "links": judged}
    chosen = [link for funnel in funnels for link in _chosen_for_rl(funnel)]
    yield {"title": "Sets chosen for rl", "unit": "sets", "links": chosen}


def _link(source: str, to: str, kind: str, count: int, words: str, table: str | None, *where: Sequence[Any]) -> Link:
    said: Link = {"from": source, "to": to, "kind": kind, "count": count, "meaning": words, "table": table}
    return said | {"where": list(where)}


def _rows_to_sets(funnel: SourceFunnel) -> Iterator[Link]:
    of_source = ["source", "is", funnel.source]
    if funnel.mixed_in:  # general rows are never judged, and stand in rft alone
        for outcome, count in funnel.mixed_in.items():
            table, words = ("rft", "mixed into rft") if outcome == ACCEPTED else (None, meaning(SURPLUS).words)
            yield _link(
                funnel.source, "mixed into rft" if table else outcome, "kept" if table else "lost", count, words, table,
                of_source, ["mode", "is", "general"],
            )  # fmt: skip
    elif funnel.kept:
        words = "kept; test sets among them are never sampled"
        yield _link(funnel.source, "kept", "kept", funnel.kept, words, "sets", ["status", "is", "kept"], of_source)
    for reason, count in funnel.unreadable.items():
        words = f"rows that could not be read: {reason.replace('_', ' ')}"
        yield _link(funnel.source, f"unreadable: {reason}", "lost", count, words, None)
    for reason, count in funnel.dropped.items():
        where = ["status", "is", "dropped"], ["drop_reason", "is", reason], of_source
        yield _link(funnel.source, reason, "lost", count, meaning(reason).words, "sets", *where)


def _graded(funnel: SourceFunnel) -> Iterator[Link]:
    for verdict, count in together(funnel.graded.values()).items():
        kind, has_rows = "kept" if verdict == "right" else "left", verdict in ("right", "wrong", "undecided")
        where = [["status", "is", verdict], ["source", "is", funnel.source]] if has_rows else []
        words = verdict_meaning(verdict).words
        yield _link(funnel.source, verdict, kind, count, words, "answers" if has_rows else None, *where)


def _judged(funnel: SourceFunnel) -> Iterator[Link]:
    if funnel.accepted:
        where = ["status", "is", "accepted"], ["source", "is", funnel.source]
        yield _link(funnel.source, "accepted", "accepted", funnel.accepted, "in the RFT set", "trajectories", *where)
    for reason, count in funnel.rejected.items():
        kind = "lost" if reason in set(Outcome) else "left"
        found = _rejected(funnel.source, reason)
        yield _link(funnel.source, reason, kind, count, meaning(reason).words, found["table"], *found["where"])


def _rejected(source: str, reason: str) -> dict[str, Any]:
    where = [["status", "is", "rejected"], ["reject_reason", "is", reason], ["source", "is", source]]
    return {"table": "trajectories", "where": where}


def _chosen_for_rl(funnel: SourceFunnel) -> Iterator[Link]:
    for outcome, count in funnel.rl.items():
        if outcome == "kept":
            yield _link(funnel.source, "rl", "kept", count, "in rl", "rl", ["extra_info.source", "is", funnel.source])
        else:
            where = ["status", "is", "difficulty"], ["reject_reason", "is", outcome], ["source", "is", funnel.source]
            words = f"{meaning(outcome).words}; the rows are its samples"
            yield _link(funnel.source, outcome, "lost", count, words, "trajectories", *where)


def _outcomes(opened: Opened) -> list[dict[str, Any]]:
    """Return RFT's answers by source, mode, number of responses and what they amount to."""
    if "trajectories" not in opened.views:
        return []
    columns = opened.columns("trajectories")
    names = ("source", "mode", "reject_reason", "status")
    held = [columns.held(name) for name in names]
    sizes, statuses = columns.held("n_responses"), held[3]
    assert isinstance(sizes, Numbers) and isinstance(statuses, Codes)
    judged = np.isin(statuses.codes, [statuses.code("accepted"), statuses.code("rejected")])
    parts = [one.codes[judged].astype(np.int64) for one in held if isinstance(one, Codes)]
    keys = np.stack([*parts, sizes.numbers[judged].astype(np.int64)], axis=1)
    radix = keys.max(axis=0, initial=0) + 1
    packed, counts = np.unique(np.ravel_multi_index(tuple(keys.T), tuple(radix)), return_counts=True)
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for key, count in zip(zip(*np.unravel_index(packed, tuple(radix)), strict=True), counts.tolist(), strict=True):
        values = [None if not code else one.values[code - 1] for one, code in zip(held, map(int, key[:4]), strict=True)]  # type: ignore[union-attr]  # codes
        of_group = found.setdefault((values[0], values[1], int(key[4])), {})
        reason = values[2] or ACCEPTED
        of_group[reason] = of_group.get(reason, 0) + count
    return [
        {"source": source, "mode": mode, "n_responses": size, "outcome": outcome, "count": count}
        for (source, mode, size), reasons in sorted(found.items())
        for outcome, count in judged_outcomes(reasons).items()
        if count
    ]


def _scores(opened: Opened) -> list[dict[str, Any]]:
    """Return how often each score was given, by the outcome of its judgement."""
    if "trajectories" not in opened.views:
        return []
    columns = opened.columns("trajectories")
    outcomes = columns.held("outcome")
    assert isinstance(outcomes, Codes)
    counts: dict[tuple[int, float], int] = {}
    for shard, first in enumerate(columns.view.starts[:-1].tolist()):
        for batch in columns.batches(["scores"], shard):
            scores = batch.column("scores").combine_chunks()
            of_row = outcomes.codes[first : first + len(scores)][pc.list_parent_indices(scores).to_numpy()]
            pairs = np.stack([of_row.astype(float), pc.list_flatten(scores).to_numpy(zero_copy_only=False)])
            first += len(scores)
            for (code, score), count in zip(*_counted(pairs), strict=True):
                counts[int(code), score] = counts.get((int(code), score), 0) + count
    return [
        {"outcome": outcomes.values[code - 1], "score": score, "count": count}
        for (code, score), count in sorted(counts.items())
    ]


def _counted(pairs: np.ndarray) -> tuple[list[Any], list[int]]:
    values, counts = np.unique(pairs, axis=1, return_counts=True)
    return values.T.tolist(), counts.tolist()


def _tables(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Iterator[Table]:
    checks = manifest.checks
    published = list(funnels[0].published) if funnels else []
    yield _table(
        "Rows published, by source", "", ["source", *published],
        [[funnel.source, *(f"{rows:,}" for rows in funnel.published.values())] for funnel in funnels],
    )  # fmt: skip
    yield _table(
        "Benchmarks in the rows", "", ["source", "benchmark", "what became of them", "rows"],
        contamination_rows(checks),
    )  # fmt: skip
    yield _table(
        "What gives the right one away",
        "How well a small classifier that reads nothing finds the right text, by surface features and character "
        "n-grams: 0.5 is chance, 1.0 is always.",
        ["where", "tells", "sets", "AUC", "verdict", "best by"], leak_rows(checks),
    )  # fmt: skip
    yield _table(
        "What speaks most for a hint", "", ["oftener where hinted", "of hinted", "of others", "weight"],
        trace_ngrams(checks),
    )  # fmt: skip
    yield _table("How far the labels can be trusted", "", LABEL_HEAD, label_rows(checks))
    yield _table("The judges, as their votes show them", "", JUDGE_HEAD, judge_rows(checks))
    yield _table("What people found", "", REVIEW_HEAD, review_rows(checks))
    yield _table("Sources", "", SOURCE_HEAD, list(map(_source_row, manifest.inputs)))
    unreadable = [
        [one.source, reason.reason, f"{reason.rows:,}", "\n".join(map(_unreadable_row, reason.examples))]
        for one in manifest.inputs
        for reason in one.unreadable_reasons
    ]
    yield _table("Unreadable rows", "", ["source", "reason", "rows", "examples"], unreadable)


def _source_row(one: Input) -> list[str]:
    counts = (one.rows, one.kept, one.dropped, one.unreadable, one.sampled_out)
    restricted = "" if one.redistribution == "open" else f" ({one.redistribution})"
    return [one.source, one.origin, one.revision, one.license + restricted, *(f"{count:,}" for count in counts)]


def _unreadable_row(row: Mapping[str, str]) -> str:
    return f"{row.get('source_id', '')}: {row.get('detail', '')}"


def _table(title: str, note: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table; the columns whose cells all are numbers stand flush right."""
    right = [at for at in range(1, len(head)) if all(row[at][:1].isdigit() or not row[at].strip("–") for row in rows)]
    return {"title": title, "note": note, "head": list(head), "rows": [list(row) for row in rows], "numbers": right}


def _sentences(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Iterator[dict[str, Any]]:
    both = in_both(manifest)
    made = [f"{funnel.source}: {', '.join(sets_made(funnel))}" for funnel in funnels if funnel.questions is not None]
    for title, lines in (
        ("Sets made of questions", made),
        ("What was compared with benchmarks", contamination_sentences(manifest.checks)),
        ("What gives a hinted answer away", both["traces"]),
        ("How the labels were checked", label_sentences(manifest.checks)),
        ("What people found", both["reviews"]),
        ("Given criteria", [both["principles"]] if both["principles"] else []),
    ):
        if lines:
            yield {"title": title, "lines": list(lines)}
