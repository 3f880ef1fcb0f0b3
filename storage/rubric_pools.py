"""The two pools in Milvus: cases and criteria by their vectors.

A pool is an index, a copy: `complete` makes it hold exactly what it should, however the last attempt ended. Each row is
an id, a domain and a vector, and none of them ever changes, so what is there already is right. Texts stay in
rubrics/*.parquet.

A path that ends with .db is Milvus Lite, in this process; everything else is the address of a Milvus server. Both are
reached by `milvus.connected` and spoken to in the same calls. Milvus Lite searches by brute force until rows are
flushed and the collection is loaded afresh, and holds a lock on its directory until the block ends.

No BM25 index is kept in Milvus: at 100,000 rows Milvus Lite needs 200 ms a query for it, and scoring the words of the
dense candidates finds more than the fusion of both (docs/rubrics.md).
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.errors import StorageError
from storage.files import storage_errors
from storage.milvus import check_unlocked, connected, disconnected, is_local, milvus_errors
from storage.root import Root
from storage.rubric_tables import FOLDER, ModelIdentity, Vectors

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_ID_LENGTH = 64
_DOMAIN_LENGTH = 256
_UPSERT_ROWS = 4_096
_SEARCH_QUERIES = 256
_LISTED_ROWS = 8_192
_MOST_HITS = 16_384
"""Milvus's own ceiling for the hits of one query."""
_HNSW = {"M": 16, "efConstruction": 100}
_EF = 200
_MODEL = "grmforge.model"
"""The property of a collection that says what its vectors were made with. Milvus Lite keeps no descriptions."""
_CALL_S = 120
_LOAD_S = 1_800


class Pool(StrEnum):
    """What is searched."""

    CASES = "cases"
    CRITERIA = "criteria"


class Hit(NamedTuple):
    """A row that was found."""

    entry_id: str
    similarity: float
    """Cosine, larger is nearer."""


class Completed(NamedTuple):
    """What `complete` changed."""

    added: int
    removed: int


@dataclass(frozen=True)
class RubricPools(AbstractContextManager["RubricPools"]):
    """The open pools of one root and one embedding model. Use as a context manager: a local index is locked."""

    client: "MilvusClient"
    where: str
    """Path or address, as errors name it."""
    prefix: str

    def __exit__(self, *_: object) -> None:
        disconnected(self.client, self.where)

    def complete(
        self, pool: Pool, domains: Mapping[str, str], vectors_of: Callable[[Sequence[str]], Vectors]
    ) -> Completed:
        """Make a pool hold exactly these entries (id to domain), ready to be searched.

        Only the ids that are missing are asked of `vectors_of`, which returns a row of the model's width for each,
        in order. Killed at any moment, the next call goes on. Raises StorageError.
        """
        name = self._name(pool)
        present = set(self._ids(name))
        missing = sorted(domains.keys() - present)
        stale = sorted(present - domains.keys())
        with milvus_errors(self.where):
            if missing or stale:
                self.client.release_collection(name, timeout=_CALL_S)
            for start in range(0, len(stale), _UPSERT_ROWS):
                self.client.delete(name, ids=stale[start : start + _UPSERT_ROWS], timeout=_CALL_S)
            for start in range(0, len(missing), _UPSERT_ROWS):
                part = missing[start : start + _UPSERT_ROWS]
                self._upsert(name, part, domains, vectors_of(part))
            if missing or stale:
                self.client.flush(name, timeout=_LOAD_S)
            self.client.load_collection(name, timeout=_LOAD_S)
        return Completed(len(missing), len(stale))

    def _upsert(self, name: str, ids: Sequence[str], domains: Mapping[str, str], vectors: Vectors) -> None:
        fields = self.client.describe_collection(name, timeout=_CALL_S)["fields"]
        width = next(int(field["params"]["dim"]) for field in fields if field["name"] == "vector")
        if vectors.shape != (len(ids), width):
            raise StorageError(
                f"{self.where}: {len(ids)} vectors of width {width} are wanted, got {vectors.shape}: "
                "the embedding model is not the one that the index was made with"
            )
        rows = [
            {"id": entry_id, "domain": domains[entry_id][:_DOMAIN_LENGTH], "vector": vector}
            for entry_id, vector in zip(ids, vectors, strict=True)
        ]
        self.client.upsert(name, rows, timeout=_CALL_S)

    def search(self, pool: Pool, vectors: Vectors, limit: int, domain: str | None = None) -> list[list[Hit]]:
        """Return the nearest entries of each vector (a row each), nearest first, ties by id.

        The pool must be completed. Raises StorageError.
        """
        most = min(max(limit, 1), _MOST_HITS)
        nearest: list[list[Hit]] = []
        for start in range(0, len(vectors), _SEARCH_QUERIES):
            with milvus_errors(self.where):
                answers = self.client.search(
                    self._name(pool),
                    data=list(vectors[start : start + _SEARCH_QUERIES]),
                    limit=most,
                    anns_field="vector",
                    filter=f"domain == {json.dumps(domain[:_DOMAIN_LENGTH], ensure_ascii=False)}" if domain else "",
                    search_params={"metric_type": "COSINE", "params": {"ef": max(_EF, most)}},
                    timeout=_CALL_S,
                )
            for answer in answers:
                hits = [Hit(hit["id"], float(hit["distance"])) for hit in answer]
                nearest.append(sorted(hits, key=lambda hit: (-hit.similarity, hit.entry_id)))
        return nearest

    def rows(self, pool: Pool) -> int:
        """Return how many entries a pool holds."""
        return sum(1 for _ in self._ids(self._name(pool)))

    def _name(self, pool: Pool) -> str:
        return f"{self.prefix}_{pool.value}"

    def _ids(self, name: str) -> Iterator[str]:
        with milvus_errors(self.where):
            self.client.load_collection(name, timeout=_LOAD_S)
            pages = self.client.query_iterator(
                name, batch_size=_LISTED_ROWS, output_fields=["id"], timeout=_CALL_S, consistency_level="Strong"
            )
            while page := pages.next():
                yield from (row["id"] for row in page)
            pages.close()


def open_pools(
    root: Root, model: ModelIdentity, uri: str | None = None, token: str | None = None, prefix: str = "grmforge"
) -> RubricPools:
    """Return the pools of a root for one embedding model, made empty where there are none.

    `uri` is None for the root's own index, `rubrics/milvus-<model>.db`, a path that ends with .db for another file of
    Milvus Lite, or the address of a server. Raises StorageError where the index is damaged, locked by another
    process, out of reach, or made with another model; RecipeError where Milvus is not installed.
    """
    where = uri or str(root.scratch(f"{FOLDER}/milvus-{model.key}.db"))
    if is_local(where):
        check_unlocked(Path(where))
        if not Path(where).exists():
            _make_local(Path(where), model, prefix)
    with ExitStack() as until_prepared:
        pools = until_prepared.enter_context(RubricPools(connected(where, token), where, prefix))
        for pool in Pool:
            _prepare(pools, f"{prefix}_{pool.value}", model)
        until_prepared.pop_all()
    return pools


def _prepare(pools: RubricPools, name: str, model: ModelIdentity) -> None:
    """Make a collection that is absent, and check one that is there."""
    with milvus_errors(pools.where):
        if not pools.client.has_collection(name, timeout=_CALL_S):
            _create(pools.client, name, model)
            return
        described = pools.client.describe_collection(name, timeout=_CALL_S)
        made_with = described.get("properties", {}).get(_MODEL) or described.get("description", "")
        if made_with != model.described():
            raise StorageError(
                f"{pools.where}: the index {name} was made with {made_with or 'something else'}, not with "
                f"{model.described()}; name that model in [rubrics], or an index of its own for this one: "
                f"{'milvus = another path' if is_local(pools.where) else 'another prefix'}"
            )
        if not pools.client.list_indexes(name, timeout=_CALL_S):  # killed between the two calls of _create
            pools.client.create_index(name, _index(pools.client), timeout=_LOAD_S)


def _create(client: "MilvusClient", name: str, model: ModelIdentity) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=model.described())
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_ID_LENGTH)
    schema.add_field("domain", DataType.VARCHAR, max_length=4 * _DOMAIN_LENGTH)  # bytes
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=model.dimensions)
    client.create_collection(
        name,
        schema=schema,
        index_params=_index(client),
        properties={_MODEL: model.described()},
        consistency_level="Strong",
        timeout=_CALL_S,
    )


def _index(client: "MilvusClient") -> Any:
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=_HNSW)
    return index


def _make_local(path: Path, model: ModelIdentity, prefix: str) -> None:
    """Make an empty local index: under its name it stands whole or not at all."""
    staged = path.with_name(f".{path.stem}-{os.getpid()}.db")
    shutil.rmtree(staged, ignore_errors=True)
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    client = connected(str(staged), None)
    try:
        with milvus_errors(str(path)):
            for pool in Pool:
                _create(client, f"{prefix}_{pool.value}", model)
    finally:
        disconnected(client, str(staged))
    with storage_errors(str(path)):
        staged.rename(path)
