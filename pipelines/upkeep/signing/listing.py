"""The signatures that a build under a root compares with: those that ship, and the root's own."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.curation.contamination.signatures import FOLDER, own_signature, read_signature, shipped_signatures
from storage.root import Root


@dataclass(frozen=True, slots=True)
class Listed:
    """One signature."""

    name: str
    is_shipped: bool
    is_replaced: bool
    """Whether the root has one of the same name, which builds take in its place."""
    rows: int
    source: str
    revision: str
    license: str
    bytes: int
    embedding: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def listed(root: Root | None) -> list[Listed]:
    """Return the signatures by name; of two of one name, the root's is the one that counts. Raises StorageError."""
    own = (
        {file.removesuffix(".parquet"): own_signature(root, file) for file in root.names(FOLDER, ".parquet")}
        if root
        else {}
    )
    found = [_listed(path, is_shipped=True, is_replaced=name in own) for name, path in shipped_signatures().items()]
    found += [_listed(path, is_shipped=False, is_replaced=False) for path in own.values()]
    return sorted(found, key=lambda signature: (signature.name, signature.is_shipped))


def _listed(path: Path, *, is_shipped: bool, is_replaced: bool) -> Listed:
    signature = read_signature(path)
    return Listed(
        signature.name,
        is_shipped,
        is_replaced,
        signature.rows,
        signature.source,
        signature.revision,
        signature.license,
        path.stat().st_size,
        signature.embedding or None,
    )
