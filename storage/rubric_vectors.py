"""Vectors of texts, kept by text and model: no text is embedded twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import StorageError
from schemas.record import content_id, table_schema
from storage.root import Root
from storage.rubric_tables import FOLDER
from storage.table_files import put_table, read_folder

Vectors = npt.NDArray[np.float32]


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
