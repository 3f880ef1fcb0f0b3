"""Signatures of benchmarks: what is kept of their queries so that copies are found, and no text can be read.

A signature is one Parquet file: a row a query, in the order of the rows' hashes, and the benchmark's name, source,
revision and licence in the schema's metadata. Some ship with grmforge; a root holds its own in `signatures/`.

The hashes of 3- and 5-grams have 32 bits, so a text may share one by chance; see `matching` for why no row is dropped
for that. Authors who ask that their rows are not republished mean the text: of a set of hashes nobody reads it off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.curation.contamination.normalising import WORDS_VERSION, Words, grams_of, whole_hashes, words_of
from schemas.errors import DamagedError, SourceError, StorageError
from storage.files import becoming, sha256_of
from storage.root import Root

FOLDER = "signatures"
"""Where a root holds its own."""
SHIPPED = Path(__file__).parent / "shipped"
FORMAT = 1
SHORTEST = 13
"""Words of the shortest query that grams are taken of. A shorter one is found only where it is all that a text says."""
_WAY_OUT = "make it anew with `grmforge signatures add`, or remove the file"

SIGNATURES = pa.schema(
    [
        pa.field("row", pa.uint64()),  # hash of all words of the query, in order: what `contaminated_row` shows in hex
        pa.field("words", pa.int32()),
        pa.field("grams3", pa.list_(pa.uint32())),  # ascending, each once; none of a query under 13 words
        pa.field("grams5", pa.list_(pa.uint32())),  # the same
        pa.field("grams13", pa.list_(pa.uint32())),  # in the query's order: it says which words each covers
        pa.field("embedding", pa.list_(pa.float32())),  # null, but in a signature that was made with embeddings
    ]
)


@dataclass(frozen=True)
class Signature:
    """A benchmark's queries, as hashes."""

    name: str
    source: str
    """Hub id or file name that the queries were read from."""
    revision: str
    license: str
    table: pa.Table
    """Of SIGNATURES."""
    content: str
    """SHA-256 of the file; empty for one that is in no file yet."""
    embedding: str = ""
    """The model of the column `embedding`; empty where there is none."""
    made_from: str = ""
    """What it takes to make it anew, as JSON; empty in one that ships."""

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)


def sign(
    name: str,
    queries: Sequence[str],
    *,
    source: str,
    revision: str,
    license: str,
    embedding: str = "",
    vectors: Sequence[Sequence[float]] | None = None,
) -> Signature:
    """Return the signature of these queries. Equal ones, and those without a word, leave one row, and none.

    `vectors` has an embedding for each query, made by the model `embedding`. Raises SourceError where no query has a
    word.
    """
    words = words_of(pl.Series(queries, dtype=pl.String))
    rows, counts = whole_hashes(words), words.counts
    _, firsts = np.unique(rows, return_index=True)
    chosen = firsts[counts[firsts] > 0]
    if not len(chosen):
        raise SourceError(f"{source}: a benchmark without rows ({len(queries):,} queries, and no word in them)")
    table = pa.table(
        [
            rows[chosen],
            counts[chosen].astype(np.int32),
            *(_lists(words, n, is_set=n < SHORTEST).take(pa.array(chosen)) for n in (3, 5, SHORTEST)),
            pa.nulls(len(chosen), SIGNATURES.field("embedding").type)
            if vectors is None
            else pa.array([vectors[row] for row in chosen], SIGNATURES.field("embedding").type),
        ],
        schema=SIGNATURES,
    )
    return Signature(name, source, revision, license, table, "", embedding)


def _lists(words: Words, n: int, *, is_set: bool) -> pa.ListArray:
    """Return the hashes of each text's n-grams: ascending and each once, or in the order of the text."""
    grams = grams_of(words, n)
    is_long = words.counts[grams.texts] >= SHORTEST
    texts, hashes = grams.texts[is_long], grams.hashes[is_long]
    if is_set:
        keys = np.unique(texts.astype(np.uint64) << np.uint64(32) | hashes)
        texts, hashes = (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)
    ends = np.searchsorted(texts, np.arange(len(words.counts) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(hashes))


def write_signature(signature: Signature, path: Path) -> Signature:
    """Write a signature as one whole file, equal ones as equal bytes. Returns it with its content."""
    metadata = {
        "grmforge.signature": str(FORMAT),
        "words": str(WORDS_VERSION),
        "name": signature.name,
        "source": signature.source,
        "revision": signature.revision,
        "license": signature.license,
        "embedding": signature.embedding,
        "made_from": signature.made_from,
        "rows": str(signature.rows),
    }
    table = signature.table.cast(SIGNATURES).replace_schema_metadata(metadata)
    with becoming(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True, write_statistics=False)
    return read_signature(path)


def put_signature(root: Root, signature: Signature) -> Signature:
    """Write a signature into a root, in place of one of the same name."""
    key = key_of(signature.name)
    with root.replacing(key) as temporary:
        write_signature(signature, temporary)
    return read_signature(root.at(key))


def key_of(name: str) -> str:
    """Return the key of a benchmark's signature in a root."""
    return f"{FOLDER}/{name}.parquet"


def read_signature(path: Path) -> Signature:
    """Return the signature in a file. Raises StorageError that names the file and the way out."""
    if not path.is_file():
        raise StorageError(f"{path}: there is no such file; {_WAY_OUT}")
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path}: damaged ({' '.join(str(error).split())}); {_WAY_OUT}") from None
    facts = {key.decode(): value.decode("utf-8", "replace") for key, value in (table.schema.metadata or {}).items()}
    _check_versions(facts, path)
    missing = [field.name for field in SIGNATURES if field.name not in table.column_names]
    if missing or facts.get("rows") != str(table.num_rows):
        fault = f"it has no column {missing[0]!r}" if missing else "rows are missing"
        raise DamagedError(f"{path}: damaged ({fault}); {_WAY_OUT}")
    if not table.num_rows:
        raise StorageError(f"{path}: the signature of a benchmark without rows; {_WAY_OUT}")
    try:
        table = table.select(SIGNATURES.names).cast(SIGNATURES)
    except pa.ArrowException as error:
        raise DamagedError(f"{path}: damaged ({error}); {_WAY_OUT}") from None
    name, source, revision, license = (facts.get(key, "unknown") for key in ("name", "source", "revision", "license"))
    made = facts.get("embedding", ""), facts.get("made_from", "")
    return Signature(name, source, revision, license, table, sha256_of(path), *made)


def _check_versions(facts: Mapping[str, str], path: Path) -> None:
    """Raise StorageError where a file is no signature, or one that cannot be compared with texts of this version."""
    if "grmforge.signature" not in facts:
        raise StorageError(f"{path}: is no signature of a benchmark; {_WAY_OUT}")
    for key, known in (("grmforge.signature", FORMAT), ("words", WORDS_VERSION)):
        if facts.get(key) != str(known):
            version = facts.get(key, "unknown")
            is_newer = version.isdecimal() and int(version) > known
            upgrade = "upgrade grmforge, or " if is_newer else ""
            raise StorageError(f"{path}: a signature of version {version}, and {known} is due: {upgrade}{_WAY_OUT}")


def shipped_signatures() -> dict[str, Path]:
    """Return the files of the signatures that ship, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.parquet"))}


def known_signatures(root: Root) -> dict[str, Path]:
    """Return the files of all signatures by name: those that ship, and in place of them those of the root."""
    own = {file.removesuffix(".parquet"): own_signature(root, file) for file in root.names(FOLDER, ".parquet")}
    return dict(sorted((shipped_signatures() | own).items()))


def own_signature(root: Root, file: str) -> Path:
    """Return a root's signature as it is now. It may be another under the same name than this machine's copy."""
    root.drop_copy(f"{FOLDER}/{file}")
    return root.at(f"{FOLDER}/{file}")
