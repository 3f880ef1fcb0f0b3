"""The ingestion stage: a source's rows become sets or questions, or counted unreadable rows."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from pipelines.sources import general
from pipelines.sources.files import SourceFiles, open_files
from pipelines.sources.general import GeneralRow
from pipelines.sources.registry import SOURCES
from schemas.errors import SourceError
from schemas.licenses import license_key
from schemas.preference import FORGOTTEN, SETS, DropReason, PreferenceSet, UnreadableRow, sets_table
from schemas.query import messages_array, query_id, user
from schemas.question import QUESTIONS, Question, questions_table
from schemas.recipe import GeneralSection, Recipe, SourceSection
from schemas.record import content_id
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableFile, TableWriter
from storage.tombstones import Forgotten, forgotten

Row = PreferenceSet | Question | UnreadableRow

STAGE_VERSION = 3
EXAMPLES = 5
"""Unreadable rows shown for each reason."""
_BATCH = 2_048
_PLACE_KEYS = {"path", "hub", "hinted", "max_share", "limit"}
"""Keys of a section that say where its rows are or what happens to them later, not what they are."""


def ingest(recipe: Recipe, root: Root, section: SourceSection) -> Stage:
    """Return the stage with the table `sets` of one source, sorted by (query_id, set_id, source_id).

    A source of questions has the table `questions` in its place, sorted by (query_id, source_id), for synthesis. Its
    facts are the manifest's entry for this input: rows = sets + unreadable rows. Raises SourceError where the source
    as a whole cannot be read.
    """
    facts = SOURCES[section.kind]
    gone = forgotten(root)
    gone.check_sources([section.source])
    files = open_files(section, facts.hub, facts.patterns, recipe.at("."))
    settings = [section.model_dump(mode="json", exclude=_PLACE_KEYS), section.limit, files.revision, *_told(gone)]
    asks_for_licensed = facts.gives == "questions" and recipe.build.licenses is not None
    settings += [{"licenses": recipe.build.license_keys}] if asks_for_licensed else []
    key = stage_key(f"source-{section.source}", STAGE_VERSION, settings, [files.sha256])
    if found := find_stage(root, key):
        return found
    rows, sampled_out = _sampled(facts.read(section, files), section.limit)
    rows = [_unless_forgotten(row, gone) for row in rows]
    if asks_for_licensed:
        rows = _licensed(rows, recipe.build.licenses or ())
    unreadable = [row for row in rows if isinstance(row, UnreadableRow)]
    if len(unreadable) == len(rows):
        raise SourceError(
            f"{section.source}: no row of {files.origin} could be read"
            + (f"; the first: {unreadable[0].source_id}: {unreadable[0].detail}" if unreadable else "")
        )
    table = _write_questions if facts.gives == "questions" else _write_sets
    counts = {
        "source": section.source,
        "kind": facts.kind,
        "license": facts.license or "by row",
        "redistribution": facts.redistribution,
        "unit": facts.unit,
    }
    counts |= _input_facts(files, len(rows), sampled_out, unreadable)
    return finish_stage(root, key, {facts.gives: table(root, key, rows)}, counts)


def _told(gone: Forgotten) -> list[list[str]]:
    """Return what a fingerprint says of forgotten rows: nothing, where there are none."""
    return [gone.ids] if gone.ids else []


def _licensed(rows: Iterable[Row], allowed: Sequence[str]) -> list[Row]:
    """Return the rows, questions of a licence that the recipe refuses dropped before anybody is paid to answer them."""
    keys = {license_key(name) for name in allowed}
    return [
        row.dropped(DropReason.LICENSE) if isinstance(row, Question) and license_key(row.license) not in keys else row
        for row in rows
    ]


_Read = TypeVar("_Read", PreferenceSet | Question | UnreadableRow, GeneralRow | UnreadableRow)


def _unless_forgotten(row: _Read, gone: Forgotten) -> _Read | UnreadableRow:
    """Return the row, or that it was forgotten: by an id of its content, since its own may be a person's name.

    Nor is the reason told, which somebody wrote down for the root, and nobody for a published manifest.
    """
    if isinstance(row, UnreadableRow) or not gone.ids:
        return row
    one = gone.row(row.query_id, *([row.set_id] if isinstance(row, PreferenceSet) else []))
    return row if one is None else UnreadableRow(f"{one.kind} {one.name}", FORGOTTEN, f"forgotten on {one.at[:10]}")


def _write_sets(root: Root, key: str, rows: Iterable[Row]) -> list[TableFile]:
    sets = [row for row in rows if isinstance(row, PreferenceSet)]
    sets.sort(key=lambda row: (row.query_id, row.set_id, row.source_id))
    with TableWriter(root, key, "sets", SETS) as writer:
        for start in range(0, len(sets), _BATCH):
            writer.write(sets_table(sets[start : start + _BATCH]))
    return writer.files


def _write_questions(root: Root, key: str, rows: Iterable[Row]) -> list[TableFile]:
    questions = [row for row in rows if isinstance(row, Question)]
    questions.sort(key=lambda row: (row.query_id, row.source_id))
    with TableWriter(root, key, "questions", QUESTIONS) as writer:
        for start in range(0, len(questions), _BATCH):
            writer.write(questions_table(questions[start : start + _BATCH]))
    return writer.files


def ingest_general(recipe: Recipe, root: Root, section: GeneralSection) -> Stage:
    """Return the stage with the table `general`, sorted by (query_id, source_id)."""
    gone = forgotten(root)
    gone.check_sources(["general"])
    files = open_files(section, general.HUB, general.PATTERNS, recipe.at("."))
    key = stage_key("general", STAGE_VERSION, [section.license, files.revision, *_told(gone)], [files.sha256])
    if found := find_stage(root, key):
        return found
    read = [_unless_forgotten(row, gone) for row in general.read(section, files)]
    rows = sorted((row for row in read if isinstance(row, GeneralRow)), key=lambda row: (row.query_id, row.source_id))
    unreadable = [row for row in read if isinstance(row, UnreadableRow)]
    with TableWriter(root, key, "general", GENERAL) as writer:
        for start in range(0, len(rows), _BATCH):
            writer.write(_general_table(rows[start : start + _BATCH]))
    counts = {
        "source": "general",
        "kind": "general",
        "license": section.license,
        "redistribution": "open",
        "unit": "row",
    }
    return finish_stage(root, key, {"general": writer.files}, counts | _input_facts(files, len(read), 0, unreadable))


def _sampled(rows: Iterable[Row], limit: int | None) -> tuple[list[Row], int]:
    """Return at most `limit` rows, those with the smallest hashes, and how many were left out.

    A larger limit keeps every row of a smaller one; repeats of a query stay together, and all forms of
    a data set are left with the same questions.
    """
    every = list(rows)
    if limit is None or len(every) <= limit:
        return every, 0
    every.sort(key=_limit_order)
    return every[:limit], len(every) - limit


def _limit_order(row: Row) -> tuple[str, str]:
    return content_id("limit", _limit_id(row)), row.source_id


def _limit_id(row: Row) -> str:
    """Return what a limit chooses by: of a question in another form, the bare one that all forms share."""
    if isinstance(row, UnreadableRow):
        return row.source_id
    if isinstance(row, Question) and row.stem is not None:
        return query_id(user(row.stem))
    return row.query_id


def _input_facts(files: SourceFiles, rows: int, sampled_out: int, unreadable: list[UnreadableRow]) -> dict[str, Any]:
    """Return what the manifest says of an input, whatever its kind."""
    reasons: dict[str, list[UnreadableRow]] = {}
    for row in sorted(unreadable, key=lambda row: row.source_id):
        reasons.setdefault(row.reason, []).append(row)
    return {
        "origin": files.origin,
        "revision": files.revision,
        "sha256": files.sha256,
        "rows": rows,
        "sampled_out": sampled_out,
        "unreadable": len(unreadable),
        "unreadable_reasons": [
            {
                "reason": reason,
                "rows": len(found),
                "examples": [{"source_id": row.source_id, "detail": row.detail} for row in found[:EXAMPLES]],
            }
            for reason, found in sorted(reasons.items())
        ],
    }


def _general_table(rows: list[GeneralRow]) -> pa.Table:
    columns = {
        "query_id": pa.array([row.query_id for row in rows], pa.string()),
        "source": pa.array(["general"] * len(rows), pa.string()),
        "source_id": pa.array([row.source_id for row in rows], pa.string()),
        "license": pa.array([row.license for row in rows], pa.string()),
        "prompt": messages_array([row.prompt for row in rows]),
        "completion": pa.array([row.completion for row in rows], pa.string()),
    }
    return pa.table([columns.get(field.name, pa.nulls(len(rows), field.type)) for field in GENERAL], schema=GENERAL)
