"""What a request to forget concerns: sets, queries, and the rows of any table that hold something of them.

Ids decide. A query that only forgotten rows have takes all with it. One that others have too keeps what is known to be
theirs: their sets, and the answers that judged tables and tables of candidates give to them; an answer that nothing
claims goes. What has no id of its own is found by its words (`phrases`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import RecipeError
from storage.tables import Goes, Mask
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
        columns = {name: column for name in _IDS if (column := _column(table, name)) is not None}
        wanted = {"set_id": self.sets, "query_id": self.own, "rubric_id": self.rubrics}
        wanted["source"] = frozenset() if self.source is None else frozenset({self.source})
        masks = [among(column, wanted[name]) for name, column in columns.items()]
        if "given_ids" in table.column_names and self.criteria:
            masks.append(lists_with(table.column("given_ids"), self.criteria))
        if self.phrases:
            masks += [self.says(column) for column in texts_of(table)]
        return any_of(masks, table.num_rows)

    def origins(self, table: pa.Table) -> Mask:
        """Return which rows of a table of origins go: ids decide, since no text is in it."""
        return replace(self, phrases=()).rows(table)

    def answers(self, kept: frozenset[str]) -> Goes:
        """Return the rule for tables of answers and of requests; `kept` are others' answers to shared queries."""

        def goes(table: pa.Table) -> Mask:
            queries, requests = table.column("query_id"), table.column("request_id")
            shared = pc.and_(among(queries, self.shared), pc.invert(among(requests, kept)))
            texts = [name for name in ("request", "body", "text", "reasoning", "error") if name in table.column_names]
            words = [self.says(table.column(name)) for name in texts]
            return any_of([among(queries, self.own), shared, *words], table.num_rows)

        return goes

    def given(self, table: pa.Table) -> Mask:
        """Return which rows of a table of given criteria go."""
        masks = [
            among(table.column("query_id"), self.queries),
            lists_with(table.column("origins"), self.queries),
            lists_with(table.column("criterion_ids"), self.criteria),
            self.says(table.column("text")),
        ]
        return any_of(masks, table.num_rows)

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
    named = origins.filter((pl.col("set_id") == name) | (pl.col("query_id") == name))
    if not named.height:
        raise RecipeError(f"nothing here is, or has, the set or the query {name}; {_known(origins)}")
    is_query = name not in _ids(named, "set_id")
    rows = _of_same_rows(origins, named)
    blocked = _questions(rows) | ({name} if is_query else set())
    if blocked:
        rows = _of_same_rows(origins, pl.concat([rows, origins.filter(pl.col("query_id").is_in(list(blocked)))]))
        blocked |= _questions(rows)
    else:
        rows = named
    others = origins.join(rows, on=origins.columns, how="anti", nulls_equal=True)
    queries = _ids(rows, "query_id")
    return Concerned(None, _ids(rows, "set_id"), queries, queries - _ids(others, "query_id"), frozenset(blocked))


def concerned_again(tombstone: Tombstone) -> Concerned:
    """Return what an earlier request concerned, as far as its tombstone says."""
    source = tombstone.name if tombstone.kind == "source" else None
    queries = frozenset(tombstone.queries)
    return Concerned(source, frozenset(tombstone.sets), queries, queries, queries)


def any_of(masks: Sequence[Mask], rows: int) -> Mask:
    """Return which rows any mask has."""
    merged = pa.repeat(False, rows)
    for mask in masks:
        merged = pc.or_(merged, mask)
    return merged


def lists_with(column: Mask, ids: Iterable[str]) -> Mask:
    """Return which lists hold one of these ids."""
    wanted = set(ids)
    return pa.array([not wanted.isdisjoint(values or ()) for values in column.to_pylist()], pa.bool_())


def among(column: Mask, ids: Iterable[str]) -> Mask:
    """Return which values are one of these ids."""
    return pc.fill_null(pc.is_in(column, pa.array(sorted(ids), pa.string())), False)


def texts_of(table: pa.Table) -> list[Mask]:
    """Return all texts of a table but ids, a column each: nested ones as JSON of their row."""
    texts: list[Mask] = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_string(column.type) and not name.endswith("_id"):
            texts.append(column)
        elif pa.types.is_nested(column.type) and _has_text(column.type):
            frame = pl.DataFrame(pl.from_arrow(table.select([name])))
            texts.append(frame.select(pl.struct(name).struct.json_encode()).to_series().to_arrow())
    return texts


def _has_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or any(_has_text(kind.field(at).type) for at in range(kind.num_fields))


def _column(table: pa.Table, name: str) -> Mask | None:
    """Return a column of ids; RL's rows have theirs in `extra_info`."""
    if name in table.column_names:
        return table.column(name)
    if "extra_info" in table.column_names and table.schema.field("extra_info").type.get_field_index(name) >= 0:
        return pc.struct_field(table.column("extra_info"), name)
    return None


def _of_same_rows(origins: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return all that was made of the rows of sources that these were made of."""
    return origins.join(rows.select("source", "row_id").unique(), on=["source", "row_id"], how="semi")


def _questions(rows: pl.DataFrame) -> set[str]:
    return set(_ids(rows.filter(pl.col("set_id").is_null()), "query_id"))


def _ids(frame: pl.DataFrame, column: str) -> frozenset[str]:
    return frozenset(frame[column].drop_nulls().unique())


def _known(origins: pl.DataFrame) -> str:
    """Return what sources there are, as an error says it."""
    names = sorted(set(origins["source"]))
    if not names:
        return "the root holds no sets"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more} (grmforge inspect NAME --table sets --json shows set_ids)"
