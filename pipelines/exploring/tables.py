"""The tables of a version as the explorer shows them: all parts of a table together, each row with its number.

Rows are numbered from 0 in the order of the parts and their files. A version never changes, so neither do the numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from schemas.published import EVALUATION_TABLES, TABLES
from schemas.query import MESSAGES
from schemas.tables import COMMON, Column, Table
from storage.published import AnyVersion

STATUS = "status"
ROW = "_row"
"""A row's number, as a column."""
N_RESPONSES, ORDER = "n_responses", "order"
"""Of a trajectory: how long its order is."""
_LONG = frozenset(
    {
        *("text", "reasoning", "critique", "reference", "turns", "case", "given_principles", "own_rubric", "gold"),
        *("answer", "ground_truth"),
    }
)
_ORDER = ("trajectories", "sets", "answers", "rubrics", "rft", "rl", "meta_rm", "pairs", "traces")
_IDS = {
    **{"trajectories": "trajectory_id", "sets": "set_id", "answers": "answer_id", "rubrics": "rubric_id"},
    **{"rft": "example_id", "rl": "extra_info.set_id", "meta_rm": "trajectory_id", "traces": "trace_id"},
}
_DEFAULT = {
    "trajectories": "status outcome reject_reason source mode scores text",
    "sets": "status source query n_responses best drop_reason label_suspicion split",
    "answers": "status source origin model verdict answer gold form",
    "rubrics": "source origin case criteria label_consistency drop_reason",
    "rft": "status source mode n_responses best_position scores margin pass_count completion_tokens",
    "rl": "status extra_info.source extra_info.n_responses extra_info.pass_count extra_info.pass_samples prompt",
    "meta_rm": "status source label outcome policy origin margin set_correct set_readable",
    "pairs": "status source prompt chosen rejected margin",
    "traces": "status source verifier model origin pass_count pass_samples completion_tokens",
    "items": "benchmark item_id subset right_at_1 right_at_max query",
    "judgements": "benchmark item_id outcome scores sample_index text",
}
_FACETS = (
    *("status", "source", "extra_info.source", "benchmark", "subset", "mode", "purpose", "outcome", "reject_reason"),
    *("drop_reason", "verdict", "label", "n_responses", "extra_info.n_responses", "split", "domain", "model", "policy"),
    *("origin", "finish_reason", "verdict_form", "label_source", "contaminated_by", "form", "verifier", "license"),
    *("readable", "right_at_max", "right_greedy"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A column as the explorer shows it; a member of a struct is one, too: `extra_info.source`."""

    name: str
    type: pa.DataType
    meaning: str
    kind: str
    """id, choice (short texts, of which many rows share one), text (long ones), number, bool or list."""

    @property
    def words(self) -> str:
        """The type as people read it."""
        if self.type == MESSAGES:
            return "messages"
        kinds = {"bool": "bool", "list": "list", "number": "float" if pa.types.is_floating(self.type) else "int"}
        return "list" if pa.types.is_list(self.type) else kinds.get(self.kind, "string")


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of a table."""

    status: str | None
    path: str
    """Within the version."""
    rows: int


@dataclass(frozen=True)
class View:
    """A table of a version."""

    name: str
    columns: tuple[Shown, ...]
    shards: tuple[Shard, ...]

    @cached_property
    def starts(self) -> np.ndarray:
        """The number of each shard's first row, and behind the last one how many rows there are."""
        return np.concatenate([[0], np.cumsum([shard.rows for shard in self.shards], dtype=np.int64)])

    @property
    def rows(self) -> int:
        return int(self.starts[-1])

    @property
    def id(self) -> str:
        """The column that names a row; its number where several rows share one."""
        return _IDS.get(self.name, ROW)

    @cached_property
    def by_name(self) -> dict[str, Shown]:
        return {column.name: column for column in self.columns}

    @property
    def texts(self) -> list[str]:
        """The columns that words can be looked for in."""
        return [column.name for column in self.columns if column.kind == "text"]

    @property
    def any_text(self) -> list[str]:
        """The columns that hold all texts: what was read from a judge's `text` stands in it."""
        parts = ("principles", "critique") if self.name == "trajectories" else ()
        return [name for name in self.texts if name not in parts]

    @property
    def default(self) -> list[str]:
        return [name for name in _DEFAULT[self.name].split() if name in self.by_name]

    @property
    def facets(self) -> list[str]:
        """The columns whose values are worth counting beside the table."""
        return [name for name in _FACETS if name in self.by_name]


def views_of(version: AnyVersion) -> dict[str, View]:
    """Return the tables of a version that have rows, by name."""
    known = {table.name: table for table in (*TABLES, *EVALUATION_TABLES)}
    found = {}
    for name in (*_ORDER, *version.manifest.tables):
        if name in found or name not in _DEFAULT:
            continue
        shards = tuple(_shards(version, name, known[name]))
        if shards:
            columns = _shown(known[name].columns)
            status = [Shown(STATUS, pa.string(), "Which part of the table the row is in.", "choice")]
            of_order = [Shown(N_RESPONSES, pa.int32(), COMMON[N_RESPONSES].meaning, "number")]
            more = *(status if shards[0].status else ()), *(of_order if name == "trajectories" else ())
            found[name] = View(name, (*more, *columns), shards)
    return found


def _shards(version: AnyVersion, name: str, table: Table) -> Iterator[Shard]:
    for part in table.parts or (None,):
        if entry := version.manifest.tables.get(f"{name}/{part}" if part else name):
            yield from (Shard(part, file.path, file.rows) for file in entry.files)


def _shown(columns: Sequence[Column], above: str = "") -> Iterable[Shown]:
    for column in columns:
        name = above + column.name
        if isinstance(column.type, pa.StructType):
            yield from _shown(column.members(), f"{name}.")
        else:
            yield Shown(name, column.type, column.meaning, _kind(column.name, column.type))


def _kind(name: str, type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return "text" if isinstance(type_.value_type, pa.StructType) or name == "responses" else "list"
    if not pa.types.is_string(type_):
        return "bool" if pa.types.is_boolean(type_) else "number"
    if name in _LONG:
        return "text"
    return "id" if name.endswith("_id") and name not in ("source_id", "item_id") else "choice"
