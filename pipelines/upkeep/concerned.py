"""What a request to forget concerns: sets, queries, and the rows of any table that hold something of them.

Ids decide. A query that only forgotten rows have takes all with it. One that others have too keeps what is known to be
theirs: their sets, and the answers that judged tables and tables of candidates give to them; an answer that nothing
claims goes. What has no id of its own is found by its words (`phrases`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import RecipeError
from storage.row_removal import Mask
from storage.tombstones import Tombstone

_SHOWN = 20
_IDS = ("source", "set_id", "query_id", "rubric_id")


@dataclass(frozen=True)
class Concerned:
    """All that goes, by its ids."""

    source: str | None
    sets: frozenset[str]
    """Sets that nobody else has."""
    queries: frozenset[str]
    """Queries of these rows."""
    own: frozenset[str]
    """Of these, those that nobody else has."""
    blocked: frozenset[str] = frozenset()
    """Queries that must not come back as questions, or under any set."""
    rubrics: frozenset[str] = frozenset()
    criteria: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = field(default=(), repr=False)
    """Words that only what is forgotten has, for rows that no id gives away."""

    @property
    def shared(self) -> frozenset[str]:
        return self.queries - self.own

    def rows(self, table: pa.Table) -> Mask:
        """Return which rows of a table of ours hold something of what is concerned."""
        columns = {name: found for name in _IDS if (found := _column(table, name)) is not None}
        masks = [pa.repeat(False, table.num_rows)]
        if self.source is not None and "source" in columns:
            masks.append(_filled(pc.equal(columns["source"], self.source)))
        for name, ids in (("set_id", self.sets), ("query_id", self.own), ("rubric_id", self.rubrics)):
            if name in columns:
                masks.append(_among(columns[name], ids))
        if "given_ids" in table.column_names and self.criteria:
            masks.append(lists_with(table.column("given_ids"), self.criteria))
        if self.phrases:
            masks += [self.says(column) for column in texts_of(table)]
        return any_of(masks)

    def says(self, column: Mask) -> Mask:
        """Return which texts hold a phrase."""
        if not self.phrases or not len(column):
            return pa.repeat(False, len(column))
        texts = pl.Series(column.to_pylist(), dtype=pl.String)
        return texts.str.contains_any(list(self.phrases)).fill_null(False).to_arrow()


def concerned_by_source(origins: pl.DataFrame, source: str) -> Concerned:
    """Return what goes with a source. Raises RecipeError, which lists what there is, for an unknown one."""
    mine = origins.filter(source=source)
    others = origins.filter(pl.col("source") != source)
    if not mine.height:
        raise RecipeError(f"nothing here is of the source {source!r}; {_known(origins)}")
    queries, sets = _ids(mine, "query_id"), _ids(mine, "set_id")
    return Concerned(source, sets - _ids(others, "set_id"), queries, queries - _ids(others, "query_id"))


def concerned_by_id(origins: pl.DataFrame, name: str) -> Concerned:
    """Return what goes with a set_id, or a query_id with all its sets.

    A set that was made of a question goes with its question, and with all that was made of that. Raises RecipeError
    for an id that nothing here has.
    """
    found = origins.filter((pl.col("set_id") == name) | (pl.col("query_id") == name))
    if not found.height:
        raise RecipeError(f"nothing here is, or has, the set or the query {name}; {_known(origins)}")
    is_query = name not in _ids(found, "set_id")
    rows = origins.join(found.select("source", "row_id").unique(), on=["source", "row_id"], how="semi")
    questions = _ids(rows.filter(pl.col("set_id").is_null()), "query_id")
    blocked = questions | ({name} if is_query else set())
    if blocked:
        by_query = origins.filter(pl.col("query_id").is_in(list(blocked)))
        rows = origins.join(
            pl.concat([rows, by_query]).select("source", "row_id").unique(), on=["source", "row_id"], how="semi"
        )
        blocked |= _ids(rows.filter(pl.col("set_id").is_null()), "query_id")
    else:
        rows = found
    others = origins.join(rows, on=origins.columns, how="anti", nulls_equal=True)
    queries = _ids(rows, "query_id")
    return Concerned(None, _ids(rows, "set_id"), queries, queries - _ids(others, "query_id"), frozenset(blocked))


def concerned_again(tombstone: Tombstone) -> Concerned:
    """Return what an earlier request concerned, as far as its tombstone says."""
    source = tombstone.name if tombstone.kind == "source" else None
    queries = frozenset(tombstone.queries)
    return Concerned(source, frozenset(tombstone.sets), queries, queries, queries)


def any_of(masks: Iterable[Mask]) -> Mask:
    """Return which rows any mask has."""
    first, *others = masks
    for mask in others:
        first = pc.or_(first, mask)
    return first


def lists_with(column: Mask, ids: Iterable[str]) -> Mask:
    """Return which lists hold one of these ids."""
    wanted = set(ids)
    return pa.array([not wanted.isdisjoint(one or ()) for one in column.to_pylist()], pa.bool_())


def among(column: Mask, ids: Iterable[str]) -> Mask:
    """Return which values are one of these ids."""
    return _among(column, ids)


def texts_of(table: pa.Table) -> list[Mask]:
    """Return all texts of a table, a column each: nested ones as JSON of their row."""
    found: list[Mask] = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_string(column.type) and not name.endswith("_id"):
            found.append(column)
        elif pa.types.is_nested(column.type) and _has_text(column.type):
            found.append(pa.array(["\n".join(_texts(value)) for value in column.to_pylist()], pa.string()))
    return found


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_string(kind):
        return True
    return any(_has_text(kind.field(at).type) for at in range(kind.num_fields))


def _column(table: pa.Table, name: str) -> Mask | None:
    """Return a column of ids; RL's rows have theirs in `extra_info`."""
    if name in table.column_names:
        return table.column(name)
    if "extra_info" in table.column_names:
        kind = table.schema.field("extra_info").type
        if kind.get_field_index(name) >= 0:
            return pc.struct_field(table.column("extra_info"), name)
    return None


def _among(column: Mask, ids: Iterable[str]) -> Mask:
    return _filled(pc.is_in(column, pa.array(sorted(ids), pa.string())))


def _filled(mask: Mask) -> Mask:
    return pc.fill_null(mask, False)


def _ids(frame: pl.DataFrame, column: str) -> frozenset[str]:
    return frozenset(frame[column].drop_nulls().unique())


def _known(origins: pl.DataFrame) -> str:
    """Return what sources there are, as an error says it."""
    names = sorted(set(origins["source"]))
    if not names:
        return "the root holds no sets"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more} (grmforge inspect NAME --table sets --json shows set_ids)"
