"""A root in a bucket: the same keys as under a directory, each object put by one atomic call.

Files that never change once they are there - Parquet files and journal segments, by far the most - are read from copies
on this machine; everything that may change is read from the bucket each time. A file is written here first, and becomes
an object when it is whole.

    <cache>/<hash of the address>/objects/<key>     copies
                                 /machine/<key>     what is this machine's alone: logs, locks, indexes, unsent answers
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore import exceptions

from schemas.errors import RecipeError, StorageError
from schemas.record import content_id
from schemas.secrets import masked
from storage.root import Held, Root, storage_errors

if TYPE_CHECKING:
    from obstore.store import S3Store

CACHE_VARIABLE = "GRMFORGE_CACHE"
RETRIES, RETRY_FOR = 100, timedelta(seconds=60)
"""Whichever comes first: a minute, with waits that grow to 15 s."""
RETRIES_AT_FIRST = 2
"""Of the call that looks whether the bucket is there at all."""
_REFUSED = re.compile(r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|\b40[13]\b|redentials")
_UNREACHABLE = re.compile(r"error sending request|onnect|timed out|dns", re.IGNORECASE)


@dataclass(frozen=True)
class ObjectRoot(Root):
    """A bucket and a prefix, addressed by `/`-separated keys; `path` is where this machine keeps what is its own."""

    address: str
    """s3://bucket/prefix"""
    store: "S3Store"

    @property
    def is_local(self) -> bool:
        return False

    def where(self, key: str = "") -> str:
        return f"{self.address}/{key}" if key else self.address

    def place(self, key: str) -> Path:
        return self.path / "objects" / key

    def at(self, key: str) -> Path:
        copy = self.place(key)
        if not _is_whole(copy):
            what = f"{copy} (another place for copies: export {CACHE_VARIABLE}=..)"
            with storage_errors(what), _becoming(copy) as temporary, temporary.open("wb") as file:
                file.writelines(self._chunks(key))
        return copy

    def _chunks(self, key: str) -> Iterator[bytes]:
        with self._errors(key):
            for chunk in obstore.get(self.store, key):
                yield bytes(chunk)

    def drop_copy(self, key: str) -> None:
        with storage_errors(str(self.place(key))):
            self.place(key).unlink(missing_ok=True)

    def scratch(self, key: str) -> Path:
        path = self.path / "machine" / key
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        with self._errors(key):
            try:
                return int(obstore.head(self.store, key)["size"])
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return bytes(obstore.get(self.store, key).bytes())

    def sha256(self, key: str) -> str:
        found = hashlib.sha256()
        for chunk in self._chunks(key):
            found.update(chunk)
        return found.hexdigest()

    def write(self, key: str, data: bytes) -> None:
        with self._errors(key):
            obstore.put(self.store, key, data)

    def create(self, key: str, data: bytes) -> bool:
        with self._errors(key):
            try:
                obstore.put(self.store, key, data, mode="create")
            except exceptions.AlreadyExistsError:
                return False
        return True

    def replace_if(self, key: str, old: bytes, new: bytes) -> bool:
        with self._errors(key):
            try:
                found = obstore.get(self.store, key)
                if bytes(found.bytes()) != old:
                    return False
                obstore.put(self.store, key, new, mode={"e_tag": found.meta["e_tag"]})
            except FileNotFoundError as error:
                self._check_bucket(error)
                return False
            except exceptions.PreconditionError:
                return False
        return True

    @contextlib.contextmanager
    def replacing(self, key: str) -> Iterator[Path]:
        copy = self.place(key)
        with storage_errors(str(copy)), _becoming(copy) as temporary:
            yield temporary
            with self._errors(key):
                obstore.put(self.store, key, temporary)

    def names(self, key: str, suffix: str = "") -> list[str]:
        found = self._listed(key)["objects"]
        names = [one["path"].rpartition("/")[2] for one in found]
        return sorted(name for name in names if name.endswith(suffix) and not name.startswith("."))

    def folders(self, key: str) -> list[str]:
        return sorted(path.rstrip("/").rpartition("/")[2] for path in self._listed(key)["common_prefixes"])

    def held(self, key: str) -> Held | None:
        with self._errors(key):
            try:
                found = obstore.head(self.store, key)
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None
        return Held(int(found["size"]), found["last_modified"].timestamp(), key, 1)

    def every(self, folder: str) -> Iterator[str]:
        with self._errors(folder):
            pages = obstore.list(self.store, f"{folder}/")
            yield from (one["path"] for page in pages for one in page)

    def remove_folder(self, folder: str) -> None:
        self.remove(f"{folder}/manifest.json")
        with self._errors(folder):
            for page in obstore.list(self.store, f"{folder}/"):
                obstore.delete(self.store, [one["path"] for one in page])
        with storage_errors(str(self.place(folder))), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.place(folder))

    def touch(self, key: str) -> None:
        with contextlib.suppress(StorageError):
            self.write(key, self.read(key))  # the storage has no other way to make an object young

    def remove(self, key: str) -> None:
        with self._errors(key):
            obstore.delete(self.store, key)
        self.drop_copy(key)

    def link(self, key: str, to: str) -> None:
        with self._errors(to):
            obstore.copy(self.store, key, to)
        self.drop_copy(to)

    def _listed(self, key: str) -> "obstore.ListResult[Sequence[obstore.ObjectMeta]]":
        with self._errors(key):
            return obstore.list_with_delimiter(self.store, key or None)

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Turn what the client says into a StorageError that names the object and the way out."""
        try:
            yield
        except StorageError:
            raise
        except (exceptions.BaseError, OSError) as error:
            what = self.where(key) if key else f"root {self.address}"
            raise StorageError(f"{what}: {self._way_out(error)}") from error

    def _check_bucket(self, error: Exception) -> None:
        """Raise the error where it is the bucket that is not there, rather than an object in it."""
        if "NoSuchBucket" in str(error):
            raise error

    def _way_out(self, error: Exception) -> str:
        said = str(error)
        bucket = self.address.split("/")[2]
        if "NoSuchBucket" in said:
            return f"there is no bucket {bucket}; make it, or name another root, and run the same command again"
        if isinstance(error, FileNotFoundError):
            return "No such object"
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError) or _REFUSED.search(
            said
        ):
            return (
                f"bucket {bucket} refuses these credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and "
                "AWS_SESSION_TOKEN), or AWS_PROFILE, with the right to read, write, list and delete, and run again"
            )
        if _UNREACHABLE.search(said):
            return (
                "the object storage cannot be reached; check AWS_ENDPOINT_URL and AWS_REGION, and run the same command "
                "again: every answer so far is kept"
            )
        return _first_words(error)


def _first_words(error: Exception) -> str:
    """Return what the client says to people; what follows is for its makers."""
    return " ".join(str(error).partition("Debug source")[0].split())[:300]


_MARKS = {".parquet": b"PAR1", ".arrow": b"ARROW1"}
"""What a table's file begins and ends with."""


def _is_whole(copy: Path) -> bool:
    """Say whether a copy is there, and no table's file that lost its beginning or its end: then it is fetched anew."""
    mark = _MARKS.get(copy.suffix)
    if mark is None or not copy.is_file():
        return copy.is_file()
    with copy.open("rb") as file:
        begins = file.read(len(mark))
        file.seek(max(0, copy.stat().st_size - len(mark)))
        return begins == file.read() == mark


@contextlib.contextmanager
def _becoming(path: Path) -> Iterator[Path]:
    """Give a temporary path, which takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def open_bucket(address: str) -> ObjectRoot:
    """Return the root at s3://bucket/prefix. Raises RecipeError, and StorageError where it cannot be written.

    Address, region and keys of the storage are read from the usual variables (AWS_ENDPOINT_URL, AWS_REGION, ..), from
    an instance's role, or, where boto3 is installed, from AWS_PROFILE.
    """
    parts = urlsplit(address)
    strange = parts.query or parts.fragment or "@" in parts.netloc or "%" in parts.path
    if not parts.netloc or strange or ".." in parts.path.split("/"):
        raise RecipeError(f"root {masked(address)!r}: write it as s3://bucket/prefix, every character as it is")
    plain = f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    root = ObjectRoot(_cache() / content_id("root", plain)[:16], plain, _store(plain, RETRIES))
    probe, impatient = f".probe-{secrets.token_hex(4)}", _store(plain, RETRIES_AT_FIRST)
    with root._errors(""):
        obstore.put(impatient, probe, b"")
        obstore.delete(impatient, probe)
    return root


def _store(address: str, retries: int) -> "S3Store":
    from obstore.store import S3Store

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise RecipeError(f"AWS_ENDPOINT_URL={masked(endpoint)}: write it as http://host:port or https://host")
    provider = None
    if os.environ.get("AWS_PROFILE") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        try:
            from obstore.auth.boto3 import Boto3CredentialProvider
        except ImportError:
            raise RecipeError("AWS_PROFILE is read by boto3: pip install boto3, or export the keys") from None
        provider = Boto3CredentialProvider()
    try:
        return S3Store.from_url(
            address,
            config={"endpoint": endpoint} if endpoint else None,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": timedelta(minutes=5)},
            retry_config={"max_retries": retries, "retry_timeout": RETRY_FOR},
            credential_provider=provider,
        )
    except exceptions.BaseError as error:  # one key of the two, a region that is none
        raise RecipeError(f"root {address}: {_first_words(error)}") from None


def _cache() -> Path:
    """Return the directory on this machine under which every bucket has one."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "grmforge"
