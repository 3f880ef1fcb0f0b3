"""The ingestion stage: a source's rows become sets or questions, or counted unreadable rows."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from pipelines.sources import general
from pipelines.sources.annotators import agreed_sets
from pipelines.sources.files import open_files
from pipelines.sources.registry import SOURCES
from schemas.errors import SourceError
from schemas.licenses import license_key
from schemas.manifest import TableFile
from schemas.preference import FORGOTTEN, SETS, DropReason, PreferenceSet, UnreadableRow, sets_table
from schemas.query import query_id, user
from schemas.question import QUESTIONS, Question, questions_table
from schemas.recipe import GeneralSection, Recipe, SourceSection
from schemas.record import content_id
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tombstones import Forgotten, forgotten

STAGE_VERSION = 3
EXAMPLES = 5
"""Unreadable rows shown for each reason."""
_BATCH = 2_048
# Keys of a section that say where its rows are or what happens to them later, not what they are.
_PLACE_KEYS = {"path", "hub", "config", "split", "hinted", "max_share", "limit"}
# Keys that count only where they are given, so that recipes without them keep their stages.
_CHOICES = ("where", "columns", "annotators")

# Schema, conversion and order of each table that a source may give.
_TABLES: dict[str, tuple[Any, Any, Any]] = {
    "sets": (SETS, sets_table, attrgetter("query_id", "set_id", "source_id")),
    "questions": (QUESTIONS, questions_table, attrgetter("query_id", "source_id")),
    "general": (GENERAL, general.general_table, attrgetter("query_id", "source_id")),
}


def ingest(recipe: Recipe, root: Root, section: SourceSection | GeneralSection) -> Stage:
    """Return the stage with the rows of one source: the table `sets`, `questions` or `general`.

    Sets are sorted by (query_id, set_id, source_id), the others by (query_id, source_id). Synthesis makes sets of
    questions. The stage's facts are the manifest's entry for this input: rows = sets + unreadable rows. Raises
    SourceError where the source as a whole cannot be read.
    """
    if isinstance(section, GeneralSection):
        source, name, limit, license = general.SOURCE, "general", None, section.license
        settings: list[Any] = [section.license]
    else:
        source, name, limit = SOURCES[section.kind], f"source-{section.source}", section.limit
        license = source.license or "by row"
        settings = [section.model_dump(mode="json", exclude={*_PLACE_KEYS, *_CHOICES}), limit]
    tombstones = forgotten(root)
    tombstones.check_sources([section.source])
    files = open_files(section, source.hub, source.patterns, recipe.at("."))
    licenses = recipe.build.license_keys if source.gives == "questions" else None
    chosen = {name: value for name in _CHOICES if (value := getattr(section, name, None))}
    settings += [files.revision, *([chosen] if chosen else []), *([tombstones.ids] if tombstones.ids else [])]
    settings += [] if licenses is None else [{"licenses": licenses}]
    key = stage_key(name, STAGE_VERSION, settings, [files.sha256])
    if finished := find_stage(root, key):
        return finished
    left_out: list[int] = []
    rows = list(source.read(section, files, left_out.append))
    if section.where is not None and not rows:
        raise SourceError(f"{section.source}: where leaves out all {sum(left_out):,} rows of {files.origin}")
    n_before = len(rows)
    if getattr(section, "annotators", False):
        rows = agreed_sets(rows, section.min_margin)  # type: ignore[union-attr]  # of sections with `annotators`
    n_read = len(rows)
    if limit is not None and n_read > limit:
        rows = sorted(rows, key=_limit_order)[:limit]
    rows = [_licensed(_unless_forgotten(row, tombstones), licenses) for row in rows]
    unreadable = [row for row in rows if isinstance(row, UnreadableRow)]
    if source.gives != "general" and len(unreadable) == len(rows):
        first = f"; the first: {unreadable[0].source_id}: {unreadable[0].detail}" if unreadable else ""
        raise SourceError(f"{section.source}: no row of {files.origin} could be read{first}")
    facts = {
        "source": section.source,
        "kind": source.kind,
        "license": license,
        "redistribution": source.redistribution,
        "unit": source.unit,
        "origin": files.origin,
        "revision": files.revision,
        "sha256": files.sha256,
        "rows": len(rows),
        "sampled_out": n_read - len(rows),
        **({"left_out": sum(left_out)} if left_out else {}),
        **({"merged": n_before - n_read} if n_before > n_read else {}),
        "unreadable": len(unreadable),
        "unreadable_reasons": _reasons(unreadable),
    }
    return finish_stage(root, key, {source.gives: _written(root, key, source.gives, rows)}, facts)


def _licensed(row: Any, allowed: list[str] | None) -> Any:
    """Return the row. A question of a refused licence is dropped before anybody is paid to answer it."""
    is_refused = allowed is not None and isinstance(row, Question) and license_key(row.license) not in allowed
    return row.dropped(DropReason.LICENSE) if is_refused else row


def _unless_forgotten(row: Any, tombstones: Forgotten) -> Any:
    """Return the row, or an unreadable row where it was forgotten.

    Ids of content say which row it was, since the source's own id may be a person's name. The reason that somebody
    wrote down for the root is not shown in a published manifest.
    """
    if isinstance(row, UnreadableRow) or not tombstones.ids:
        return row
    tombstone = tombstones.row(row.query_id, *([row.set_id] if isinstance(row, PreferenceSet) else []))
    if tombstone is None:
        return row
    return UnreadableRow(f"{tombstone.kind} {tombstone.name}", FORGOTTEN, f"forgotten on {tombstone.at[:10]}")


def _limit_order(row: Any) -> tuple[str, str]:
    """Return what a limit sorts by. The rows with the smallest hashes stay.

    A larger limit keeps every row of a smaller one, and repeats of a query stay together. A question in another form
    counts as the bare one, so that all forms of a data set are left with the same questions.
    """
    if isinstance(row, UnreadableRow):
        identifier = row.source_id
    else:
        stem = row.stem if isinstance(row, Question) else None
        identifier = row.query_id if stem is None else query_id(user(stem))
    return content_id("limit", identifier), row.source_id


def _written(root: Root, key: str, table: str, rows: list[Any]) -> list[TableFile]:
    schema, converted, order = _TABLES[table]
    records = sorted((row for row in rows if not isinstance(row, UnreadableRow)), key=order)
    with TableWriter(root, key, table, schema) as writer:
        for start in range(0, len(records), _BATCH):
            writer.write(converted(records[start : start + _BATCH]))
    return writer.files


def _reasons(unreadable: list[UnreadableRow]) -> list[dict[str, Any]]:
    ordered = sorted(unreadable, key=attrgetter("reason", "source_id"))
    return [
        {
            "reason": reason,
            "rows": len(rows := list(group)),
            "examples": [{"source_id": row.source_id, "detail": row.detail} for row in rows[:EXAMPLES]],
        }
        for reason, group in groupby(ordered, key=attrgetter("reason"))
    ]
