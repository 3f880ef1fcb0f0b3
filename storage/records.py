"""Records that are kept as one JSON object each, and say which format they have."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import StorageError
from schemas.record import FORMAT, canonical_json
from storage.files import check_version
from storage.root import Root


class KeptRecord(BaseModel):
    """A record that lies in a file as exactly its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: int = FORMAT

    @property
    def file_key(self) -> str:
        """Where it lies under the root."""
        raise NotImplementedError


Kept = TypeVar("Kept", bound=KeptRecord)


def write_record(root: Root, record: Kept, **changes: Any) -> Kept:
    """Write a record with these changes, and return it. Whatever follows may rely on it."""
    changed = record.model_copy(update=changes)
    root.write(changed.file_key, canonical_json(changed.model_dump(mode="json")))
    return changed


def read_record(root: Root, key: str, kind: type[Kept], way_out: str) -> Kept:
    """Return the record at a key. Raises StorageError, with the way out, for one that cannot be read."""
    try:
        tree = orjson.loads(root.read(key))
        check_version(tree["format"], root.where(key))
        return kind.model_validate(tree)
    except (orjson.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
        raise StorageError(f"{root.where(key)} cannot be read ({type(error).__name__}); {way_out}") from None
