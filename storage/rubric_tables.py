"""The rubrics of a root, which criteria each question was given, and the vectors of texts.

    rubrics/*.parquet                      the truth that every index is a copy of
    rubrics/given/<settings>/*.parquet     one file for each run that had new questions
    rubrics/vectors/<model>/*.parquet      by text and model: no text is embedded twice

The pools grow from night to night. What a question was given must not change with them, since a changed prompt is paid
for again: so it is kept, and the next run gives it the same.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import StorageError
from schemas.record import content_id, table_schema
from schemas.rubric import RUBRICS, Rubric, rubrics_of, rubrics_table
from storage.root import Root
from storage.tables import add_numbered, put_table, read_folder

FOLDER = "rubrics"
GIVEN_FOLDER = f"{FOLDER}/given"

Vectors = npt.NDArray[np.float32]

GIVEN = table_schema(
    "given_criteria",
    [
        pa.field("query_id", pa.string()),
        pa.field("criterion_ids", pa.list_(pa.string())),
        pa.field("text", pa.string()),
        pa.field("origins", pa.list_(pa.string())),
    ],
)


def read_rubrics(root: Root) -> list[Rubric]:
    """Return every rubric of a root once, by rubric_id; of one written again, what was written last."""
    latest = {rubric.rubric_id: rubric for rubric in rubrics_of(read_folder(root, FOLDER, RUBRICS))}
    return [latest[rubric_id] for rubric_id in sorted(latest)]


def add_rubrics(root: Root, rubrics: Iterable[Rubric]) -> int:
    """Write the rubrics that a root does not hold yet, or holds with other findings; return how many.

    One file a call, whole or not at all. Equal rubrics given again are no file.
    """
    known = {rubric.rubric_id: rubric for rubric in read_rubrics(root)}
    given = {rubric.rubric_id: rubric for rubric in rubrics}
    new = [given[rubric_id] for rubric_id in sorted(given) if known.get(rubric_id) != given[rubric_id]]
    if new:
        add_numbered(root, FOLDER, rubrics_table(new), content_id("rubrics", new))
    return len(new)


@dataclass(frozen=True, slots=True)
class Given:
    """What one question was given."""

    criterion_ids: tuple[str, ...]
    text: str
    """The criteria as they are shown."""
    origins: tuple[str, ...]
    """Queries and clusters whose labelled answers had a part in them, ascending."""


def read_given(root: Root, settings_id: str, own: Mapping[str, Set[str]]) -> dict[str, Given]:
    """Return what the questions of `own` were given under these settings; of what was given twice, the first.

    `own` has, for each question, the queries that are near-duplicates of it now. What one of these had a part in is
    given no longer: a run over fewer rows could not know of it.
    """
    kept: dict[str, Given] = {}
    columns = read_folder(root, f"{GIVEN_FOLDER}/{settings_id}", GIVEN).to_pydict()
    for query_id, ids, text, origins in zip(*columns.values(), strict=True):
        if query_id in own and query_id not in kept and own[query_id].isdisjoint(origins):
            kept[query_id] = Given(tuple(ids), text, tuple(origins))
    return kept


def add_given(root: Root, settings_id: str, given: Mapping[str, Given]) -> None:
    """Write what further questions are given, whole or not at all."""
    if not given:
        return
    rows = sorted(given.items())
    columns = {name: [getattr(criteria, name) for _, criteria in rows] for name in GIVEN.names[1:]}
    table = pa.table({"query_id": [query_id for query_id, _ in rows], **columns}, GIVEN)
    add_numbered(root, f"{GIVEN_FOLDER}/{settings_id}", table, content_id("given", [list(row) for row in rows]))


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which embedding model made a vector. Vectors of two models are never compared."""

    name: str
    """As the recipe gives it."""
    revision: str
    """Its commit, its package's version, or the hash of its files; empty where the recipe leaves it open."""
    dimensions: int

    @property
    def key(self) -> str:
        """A short hash, for names of files."""
        return content_id("embedding", self.name, self.revision, self.dimensions)[:12]

    def described(self) -> str:
        """Return the identity as people read it and as an index carries it."""
        return f"{self.name}{f'@{self.revision}' if self.revision else ''} ({self.dimensions} dimensions)"


def text_id(text: str) -> str:
    """Return the id that a text's vector is kept under."""
    return content_id("text", text)


class VectorCache:
    """The vectors that a root holds of one model."""

    def __init__(self, root: Root, model: ModelIdentity) -> None:
        self._root = root
        self._model = model
        self._folder = f"{FOLDER}/vectors/{model.key}"
        self._schema = table_schema(
            "vectors", [pa.field("text_id", pa.string()), pa.field("vector", pa.list_(pa.float32(), model.dimensions))]
        )
        self._table = read_folder(root, self._folder, self._schema)

    def missing(self, ids: Sequence[str]) -> list[int]:
        """Return where in `ids` those stand that have no vector here, the first of equal ones only."""
        unknown = pc.is_null(self._places(ids)).to_pylist()
        first = {text: place for place, text in reversed(list(enumerate(ids)))}
        return sorted(place for place in first.values() if unknown[place])

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """Return the vectors of these ids, a row each. All of them must be here."""
        column = self._table.column("vector").take(self._places(ids))
        values: Vectors = np.concatenate(
            [np.asarray(chunk.flatten(), np.float32) for chunk in column.chunks] or [np.empty(0, np.float32)]
        )
        return values.reshape(len(ids), self._model.dimensions)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors, one file a call. Raises StorageError for vectors of another width than the model's."""
        if vectors.shape != (len(ids), self._model.dimensions):
            raise StorageError(
                f"{self._model.described()}: {len(ids)} vectors came as {vectors.shape}; "
                "the embedding model is not what it is named"
            )
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, self._model.dimensions)
        table = pa.table([pa.array(ids, pa.string()), column], schema=self._schema)
        put_table(self._root, f"{self._folder}/{content_id('vectors', list(ids))}.parquet", table, "none")
        self._table = pa.concat_tables([self._table, table])

    def _places(self, ids: Sequence[str]) -> pa.Array:
        return pc.index_in(pa.array(ids, pa.string()), value_set=self._table.column("text_id"))
