"""The ingestion stage: a source's rows become sets or questions, or counted unreadable rows.

Rows pass by a few at a time, and are sorted through a temporary file (`storage.spill`): a source may be larger than
memory.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources import general
from pipelines.sources.annotators import agreed_rows
from pipelines.sources.files import open_files
from pipelines.sources.limiting import Smallest
from pipelines.sources.registry import SOURCES
from pipelines.sources.unreadable import Unreadable
from schemas.errors import SourceError
from schemas.licenses import license_key
from schemas.manifest import TableFile
from schemas.preference import FORGOTTEN, SETS, DropReason, PreferenceSet, UnreadableRow, sets_table
from schemas.question import QUESTIONS, Question, questions_table
from schemas.recipe import GeneralSection, Recipe, SourceSection
from schemas.training import GENERAL
from storage.ahead import ahead
from storage.root import Root
from storage.spill import Spill
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import many_records
from storage.tombstones import Forgotten, forgotten

STAGE_VERSION = 3
_BATCH = 1_024
"""Rows that are Python's at a time."""
_NUMBER = pa.field("number", pa.int64())
"""Which row of the source it is, beside the table's own columns while it is sorted."""
# Keys of a section that say where its rows are or what happens to them later, not what they are.
_PLACE_KEYS = {"path", "hub", "config", "split", "hinted", "max_share", "limit"}
# Keys that count only where they are given, so that recipes without them keep their stages.
_CHOICES = ("where", "columns", "annotators")


class _Form(NamedTuple):
    """A table that a source may give."""

    schema: pa.Schema
    converted: Callable[[Any], pa.Table]
    order: tuple[str, ...]


_FORMS = {
    "sets": _Form(SETS, sets_table, ("query_id", "set_id", "source_id")),
    "questions": _Form(QUESTIONS, questions_table, ("query_id", "source_id")),
    "general": _Form(GENERAL, general.general_table, ("query_id", "source_id")),
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
    merged: list[int] = []
    rows: Iterator[Any] = source.read(section, files, left_out.append)
    if getattr(section, "annotators", False):
        rows = agreed_rows(rows, section.min_margin, root, merged.append)  # type: ignore[union-attr]  # it has the key

    def allowed(row: Any) -> Any:
        return _licensed(_unless_forgotten(row, tombstones), licenses)

    form, smallest = _FORMS[source.gives], Smallest(limit)
    with many_records(), Spill(root, form.schema.append(_NUMBER)) as spill:
        n_read, unreadable, kept = _spilled(rows, allowed, form, spill, smallest)
        if section.where is not None and not n_read:
            raise SourceError(f"{section.source}: where leaves out all {sum(left_out):,} rows of {files.origin}")
        n_rows = n_read if kept is None else len(kept)
        if source.gives != "general" and unreadable.rows == n_rows:
            row = unreadable.first
            first = f"; the first: {row.source_id}: {row.detail}" if row else ""
            raise SourceError(f"{section.source}: no row of {files.origin} could be read{first}")
        written = _written(root, key, source.gives, spill, kept)
    facts = {
        "source": section.source,
        "kind": source.kind,
        "license": license,
        "redistribution": source.redistribution,
        "unit": source.unit,
        "origin": files.origin,
        "revision": files.revision,
        "sha256": files.sha256,
        "rows": n_rows,
        "sampled_out": n_read - n_rows,
        **({"left_out": sum(left_out)} if left_out else {}),
        **({"merged": sum(merged)} if any(merged) else {}),
        "unreadable": unreadable.rows,
        "unreadable_reasons": unreadable.reasons(),
    }
    return finish_stage(root, key, {source.gives: written}, facts)


def _spilled(
    rows: Iterator[Any], allowed: Callable[[Any], Any], form: _Form, spill: Spill, smallest: Smallest
) -> tuple[int, Unreadable, pa.Array | None]:
    """Write the rows that may stay to the spill.

    Return how many there are, the unreadable ones of those that stay, and the numbers of all that stay, None for all.
    """
    n_read, waiting, unreadable = 0, dict[int, UnreadableRow](), Unreadable()
    while batch := list(islice(rows, _BATCH)):
        stays = smallest.may_stay(n_read, batch)
        numbered = [(number, allowed(row)) for number, row in enumerate(batch, n_read) if stays[number - n_read]]
        n_read += len(batch)
        if smallest.limit is None:
            _add(unreadable, (row for _, row in numbered))
        else:
            waiting |= {number: row for number, row in numbered if isinstance(row, UnreadableRow)}
        readable = [(number, row) for number, row in numbered if not isinstance(row, UnreadableRow)]
        table = form.converted([row for _, row in readable])
        spill.write(table.append_column(_NUMBER, pa.array([number for number, _ in readable], pa.int64())))
    kept = smallest.rows(n_read)
    _add(unreadable, waiting.values() if kept is None else (waiting[number] for number in kept if number in waiting))
    return n_read, unreadable, None if kept is None else kept.to_arrow()


def _add(unreadable: Unreadable, rows: Iterable[Any]) -> None:
    for row in rows:
        if isinstance(row, UnreadableRow):
            unreadable.add(row)


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


def _written(root: Root, key: str, name: str, spill: Spill, kept: pa.Array | None) -> list[TableFile]:
    """Write the rows in order, of those in `kept` where it is given."""
    form = _FORMS[name]
    with TableWriter(root, key, name, form.schema) as writer:
        for table in ahead(spill.ranges(*form.order)):
            if kept is not None:
                table = table.filter(pc.is_in(table.column(_NUMBER.name), kept))
            writer.write(table.drop_columns([_NUMBER.name]))
    return writer.files
