"""The contamination stage: which rows of a source hold a query of a benchmark, in a table beside the source's own."""

import difflib
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.contamination.comparing import compared
from pipelines.curation.contamination.index import Index, index_of
from pipelines.curation.contamination.signatures import Signature, known_signatures, read_signature
from schemas.errors import RecipeError
from schemas.preference import SETS
from schemas.recipe import DecontaminateSection
from schemas.record import table_schema
from schemas.training import GENERAL
from storage.files import sha256_of
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches, read_frame

STAGE_VERSION = 2
HITS = table_schema(
    "hits",
    [
        pa.field("row", pa.int64()),  # its number in the source's table
        pa.field("tier", pa.string()),
        pa.field("benchmark", pa.string()),
        pa.field("benchmark_row", pa.string()),
        pa.field("overlap", pa.float64()),
    ],
)
"""The strongest hit of each row that has any."""


class Comparison:
    """The benchmarks that a recipe's rows are compared with. Their signatures are read when a source needs them."""

    def __init__(self, section: DecontaminateSection, root: Root) -> None:
        """Raises RecipeError where the recipe names a signature that is not there."""
        self._section = section
        self._root = root
        paths = known_signatures(root)
        for key, names in (("benchmarks", section.benchmarks or ()), ("allow", section.allow)):
            for name in names:
                _check_known(f"decontaminate.{key}", name, paths)
        wanted = paths if section.benchmarks is None else section.benchmarks
        self._paths = {name: paths[name] for name in sorted(set(wanted) - set(section.allow))}

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """By name, ascending. Raises StorageError for a damaged file."""
        return {name: read_signature(path) for name, path in self._paths.items()}

    @property
    def described(self) -> list[dict[str, Any]]:
        """Each benchmark as the check `contamination` names it."""
        return [
            {"benchmark": one.name, "rows": one.rows, "source": one.source, "revision": one.revision}
            for one in self.signatures.values()
        ]

    @property
    def settings(self) -> list[Any]:
        """What the hits depend on, apart from the rows."""
        return [self._section.shingles, self._section.similarity, self._contents(self._paths)]

    def stage(self, source: Stage, own: str = "") -> Stage | None:
        """Return the stage with the hits of a source's rows; None where there is nothing to compare them with.

        `own` is the signature of the source itself, where it is a benchmark.
        """
        key = self._key(source, own)
        if key is None:
            return None
        if found := find_stage(self._root, key):
            return found
        with TableWriter(self._root, key, "hits", HITS) as writer:
            for hits in self._hits(source, own):
                writer.write(hits)
        return finish_stage(self._root, key, {"hits": writer.files}, {}, [source])

    def is_compared(self, source: Stage, own: str = "") -> bool:
        """Say whether `stage` has nothing to do."""
        key = self._key(source, own)
        return key is None or find_stage(self._root, key) is not None

    def _key(self, source: Stage, own: str) -> str | None:
        """Return the key of the stage with the hits of a source's rows; None where there is nothing to compare with."""
        names = tuple(name for name in self._paths if name != own)
        settings = [self._section.shingles, self._section.similarity, self._contents(names)]
        name = source.key.split("/")[1].removeprefix("source-")
        return stage_key(f"contamination-{name}", STAGE_VERSION, settings, [source.content]) if names else None

    def _contents(self, names: Iterable[str]) -> list[list[str]]:
        return [[name, self._hashes[name]] for name in names]

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {name: sha256_of(path) for name, path in self._paths.items()}

    def _hits(self, source: Stage, own: str) -> Iterator[pa.Table]:
        """Yield the hits of a source's sets or general rows, a row group at a time."""
        start = 0
        for batch in read_batches(source.paths("sets"), SETS, ["query", "responses"]):
            queries, responses = (batch.column(name).combine_chunks() for name in ("query", "responses"))
            yield _counted_from(start, compared(self._index, _contents(queries), _answers(responses), own))
            start += batch.num_rows
        for batch in read_batches(source.paths("general"), GENERAL, ["prompt", "completion"]):
            prompts, completions = (batch.column(name).combine_chunks() for name in ("prompt", "completion"))
            yield _counted_from(start, compared(self._index, _contents(prompts), _listed(completions), own))
            start += batch.num_rows

    @cached_property
    def _index(self) -> Index:
        return index_of(list(self.signatures.values()), self._section.shingles, self._section.similarity)


def _check_known(key: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise RecipeError(f"{key}: there is no signature {name!r}; {meant} `grmforge signatures add` makes others")


def hits_in(stage: Stage | None) -> pl.DataFrame:
    """Return the columns of HITS."""
    return read_frame([] if stage is None else stage.paths("hits"), HITS, HITS.names)


def _counted_from(start: int, hits: pl.DataFrame) -> pa.Table:
    return hits.with_columns(pl.col("row") + start).to_arrow().cast(HITS)


def _contents(messages: pa.ListArray) -> pa.ListArray:
    """Return the texts of each row's messages."""
    return _relisted(messages, messages.flatten().field("content"))


def _answers(responses: pa.ListArray) -> pa.ListArray:
    """Return all that each response says: its text, the way to it, and its turns, whose line ends are no words."""
    flat = responses.flatten()
    turns = pc.replace_substring_regex(flat.field("turns"), r"\\[nrt]", " ")
    parts = [
        pc.fill_null(part.cast(pa.large_string()), "") for part in (flat.field("text"), flat.field("reasoning"), turns)
    ]
    return _relisted(responses, pc.binary_join_element_wise(*parts, pa.scalar("\n", pa.large_string())))


def _listed(texts: pa.Array) -> pa.ListArray:
    """Return each text as a list of its own."""
    return pa.ListArray.from_arrays(pa.array(range(len(texts) + 1), pa.int32()), texts)


def _relisted(lists: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """Return lists as long as these, of other values."""
    lengths = pc.fill_null(lists.value_lengths(), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, values)
