"""What a request to forget concerns: sets, queries, and the rows of any table that hold something of them.

Ids decide. A query that only forgotten rows have takes all with it. One that others have too keeps what is known to be
theirs: their sets, and the answers that judged tables and tables of candidates give to them; an answer that nothing
claims goes.

What has no id of its own is found by its words. Two things travel under other ids: criteria of a rubric, into the
prompts of other questions; and the lone run of an agent, into the prompt that writes a rubric for another task. A
phrase is the longest piece of such a text that JSON writes as it is, and that nothing else here says.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import RecipeError, StorageError
from schemas.preference import SETS, PreferenceSet, sets_of
from schemas.rubric import Rubric
from storage.root import Root
from storage.stages import every_stage
from storage.tables import Goes, Mask, read_batches
from storage.tombstones import Tombstone

SHORTEST = 16
"""Characters that a phrase must have: fewer occur by chance. Shorter texts are found by ids alone."""
LONGEST = 200
_BREAK = re.compile(r'[\x00-\x1f"\\\[(]+')
"""Characters that JSON escapes, or that a marker in a prompt begins with."""
_SHOWN = 20
_IDS = ("source", "set_id", "query_id", "rubric_id")


@dataclass(frozen=True)
class Concerned:
    """The ids of everything that goes."""

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
    """Words that occur only in what is forgotten. They find the rows that no id finds."""

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
        masks += [self.says(column) for column in (texts_of(table) if self.phrases else ())]
        return any_of(masks, table.num_rows)

    def origins(self, table: pa.Table) -> Mask:
        """Return which rows of a table of origins go: ids decide, since no text is in it."""
        return replace(self, phrases=()).rows(table)

    def answers(self, kept: frozenset[str]) -> Goes:
        """Return the rule for tables of answers and of requests; `kept` are others' answers to shared queries."""

        def goes(table: pa.Table) -> Mask:
            queries, requests = table.column("query_id"), table.column("request_id")
            shared = pc.and_(among(queries, self.shared), pc.invert(among(requests, kept)))
            words = [
                self.says(table.column(name))
                for name in ("request", "body", "text", "reasoning", "error")
                if name in table.column_names
            ]
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
    if not (named := origins.filter((pl.col("set_id") == name) | (pl.col("query_id") == name))).height:
        raise RecipeError(f"nothing here is, or has, the set or the query {name}; {_known(origins)}")
    is_query = name not in _ids(named, "set_id")
    rows = _of_same_rows(origins, named)
    if blocked := _questions(rows) | ({name} if is_query else set()):
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
    return reduce(pc.or_, masks, pa.repeat(False, rows))


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
    return pa.types.is_string(kind) or any(_has_text(kind.field(number).type) for number in range(kind.num_fields))


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
    if not (names := sorted(set(origins["source"]))):
        return "the root holds no sets"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more} (grmforge inspect NAME --table sets --json shows set_ids)"


def phrases_of_rubrics(resting: Sequence[Rubric], drafts: Iterable[str], left: Sequence[Rubric]) -> list[str]:
    """Return the phrases of criteria that only these rubrics have; `drafts` are answers that rubrics were read from."""
    others = {criterion.text for rubric in left for criterion in rubric.criteria}
    elsewhere = "\n".join(others)
    drafted = {text for draft in drafts for text in _criteria_in(draft)}
    texts = ({criterion.text for rubric in resting for criterion in rubric.criteria} | drafted) - others
    return sorted(words for text in texts if (words := phrase(text)) and words not in elsewhere)


def _criteria_in(draft: str) -> Iterator[str]:
    """Yield what a draft's criteria say, read as leniently as can be: a run that was killed may have tried them."""
    try:
        listed = json.loads(draft[draft.find("{") : draft.rfind("}") + 1])["criteria"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for criterion in listed if isinstance(listed, list) else ():
        if isinstance(criterion, dict) and isinstance(criterion.get("text"), str):
            yield " ".join(criterion["text"].split())


def phrases_of_runs(root: Root, concerned: Concerned) -> list[str]:
    """Return the phrases of lone responses under instructions, which prompts for other tasks' rubrics may show."""
    texts: set[str] = set()
    for table in _tables_of_sets(root):
        for lone in sets_of(table.filter(pc.equal(table.column("n_responses"), 1))):
            if lone.set_id in concerned.sets and any(message.role == "system" for message in lone.query):
                texts.update(_texts_of_run(lone))
    phrases = {words for text in texts if (words := phrase(text))}
    for table in _tables_of_sets(root) if phrases else ():
        phrases -= _phrases_in(table.filter(pc.invert(concerned.rows(table))), phrases)
    return sorted(phrases)


def phrase(text: str) -> str | None:
    """Return the piece of a text that it is found by; None where no piece is long enough."""
    longest = max(_BREAK.split(text), key=len).strip()[:LONGEST].strip()
    return longest if len(longest) >= SHORTEST else None


def _texts_of_run(run: PreferenceSet) -> Iterator[str]:
    """Yield what a run says, turn by turn, and what its user asked."""
    yield from (message.content for message in run.query if message.role != "system")
    for response in run.responses:
        yield response.text
        with contextlib.suppress(ValueError):
            turns = [turn for turn in json.loads(response.turns or "[]") if isinstance(turn, dict)]
            yield from (turn["content"] for turn in turns if isinstance(turn.get("content"), str))


def _phrases_in(rows: pa.Table, phrases: set[str]) -> set[str]:
    """Return those of the phrases that a text of these rows holds."""
    seen: set[str] = set()
    for column in texts_of(rows):
        if left := sorted(phrases - seen):  # polars refuses to look for nothing
            texts = pl.Series(column.to_pylist(), dtype=pl.String)
            seen.update(texts.str.extract_many(left, overlapping=True).explode().drop_nulls().unique())
    return seen


def _tables_of_sets(root: Root) -> Iterator[pa.Table]:
    """Yield the tables of sets of every source's stages, some thousands of rows at a time."""
    for _, stage in every_stage(root, ("source-", "synthesized-")):
        with contextlib.suppress(StorageError):  # a damaged stage goes as a whole
            if stage is not None:
                yield from read_batches(stage.paths("sets"), SETS)
