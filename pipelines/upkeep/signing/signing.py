"""Signing: the signature of all that a benchmark asks, in the root that keeps it; and signing anew by revision."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.curation.contamination.signatures import (
    FOLDER,
    Signature,
    key_of,
    own_signature,
    put_signature,
    read_signature,
    shipped_signatures,
    sign,
)
from pipelines.sources.files import newest_commit
from pipelines.upkeep.signing.asked import Asked, asked_by, opened
from pipelines.upkeep.signing.wanted import Wanted
from schemas.errors import SourceError
from storage.root import Root


@dataclass(frozen=True)
class Signed:
    """A benchmark that was signed."""

    signature: Signature
    asked: Asked
    where: str
    """How people find the signature."""
    bytes: int
    replaces: str
    """What of this name was compared with before; empty where nothing was."""

    def as_json(self) -> dict[str, Any]:
        signature = self.signature
        return {
            "name": signature.name,
            "rows": self.asked.rows,
            "queries": signature.rows,
            "fields": self.asked.fields,
            "source": signature.source,
            "revision": signature.revision,
            "license": signature.license,
            "embedding": signature.embedding or None,
            "left_out": {reason: asdict(rows) for reason, rows in self.asked.left_out.items()},
            "where": self.where,
            "bytes": self.bytes,
            "replaces": self.replaces or None,
        }


def add_signature(root: Root, wanted: Wanted) -> Signed:
    """Sign a benchmark and keep its signature in the root, in place of one of the same name.

    Raises SourceError where nothing of it can be signed, RecipeError where the embedding model is not there, and
    StorageError.
    """
    asked = asked_by(wanted)
    signature = signature_of(wanted, asked)
    key = key_of(wanted.name)
    replaces = "the earlier one of this root" if root.exists(key) else ""
    if not replaces and wanted.name in shipped_signatures():
        replaces = f"the one that ships, which stays in the package; remove {root.where(key)} to go back to it"
    root.drop_copy(key)
    put_signature(root, signature)
    return Signed(signature, asked, root.where(key), root.size(key) or 0, replaces)


def signature_of(wanted: Wanted, asked: Asked) -> Signature:
    """Return the signature of what a benchmark asks."""
    embedding, vectors = "", None
    if wanted.embeddings:
        from pipelines.rubrics.embedding import PACKAGED, open_embedder

        embedder = open_embedder(PACKAGED, None, Path())
        embedding, vectors = embedder.identity.described(), embedder.vectors(asked.queries).tolist()
    signature = sign(
        wanted.name,
        asked.queries,
        source=asked.source,
        revision=asked.revision,
        license=wanted.known.license if wanted.known else "unknown",
        embedding=embedding,
        vectors=vectors,
    )
    return replace(signature, made_from=wanted.model_copy(update={"sha256": asked.sha256}).model_dump_json())


def renew_signatures(root: Root, say: Callable[[str], None]) -> None:
    """Sign anew each benchmark of a root whose files are others than those that were signed, and say so.

    What cannot be reached stays as it is, and that is said, too. Raises StorageError for a damaged signature.
    """
    for name in (file.removesuffix(".parquet") for file in root.names(FOLDER, ".parquet")):
        signature = read_signature(own_signature(root, f"{name}.parquet"))
        try:
            wanted = Wanted.model_validate_json(signature.made_from)
        except ValidationError:
            say(f"signature {name}: it does not say what it was made of, and stays as it is")
            continue
        try:
            if _is_current(wanted, signature):
                continue
            signed = add_signature(root, wanted)
        except SourceError as error:
            say(f"signature {name} stays as it is, {signature.revision}: {error}")
            continue
        new = signed.signature
        say(f"signature {name} made anew: {signature.revision} -> {new.revision}, {new.rows:,} queries")


def _is_current(wanted: Wanted, signature: Signature) -> bool:
    """Say whether a signature was made of the files as they are now. A hub is asked only for its commits."""
    if wanted.path is not None:
        return ",".join(files.sha256 for files in opened(wanted)) == wanted.sha256
    return ", ".join(newest_commit(section, "") or "" for section in wanted.sections) == signature.revision
