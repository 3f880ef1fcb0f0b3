"""A root in a bucket of object storage: each call is atomic, and its errors are one line with the way out.

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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import S3Store

from schemas.errors import RecipeError, StorageError
from schemas.record import content_id
from schemas.secrets import masked
from storage.files import Held, becoming, is_whole_copy, remove_here, shown_names, storage_errors
from storage.root import Root

RETRIES, RETRY_FOR = 100, timedelta(seconds=60)
"""Whichever comes first: a minute, with waits that grow to 15 s."""
RETRIES_AT_FIRST = 2
"""Of the call that looks whether the bucket is there at all."""
_REFUSED = re.compile(r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|\b40[13]\b|redentials")
_UNREACHABLE = re.compile(r"error sending request|onnect|timed out|dns", re.IGNORECASE)


@dataclass(frozen=True)
class BucketRoot(Root):
    """A root in a bucket: objects are put by one atomic call each, and read from copies where they never change."""

    address: str
    """s3://bucket/prefix"""
    store: S3Store
    is_local = False

    def where(self, key: str = "") -> str:
        return f"{self.address}/{key}" if key else self.address

    def place(self, key: str) -> Path:
        return self.path / "objects" / key

    def at(self, key: str) -> Path:
        copy = self.place(key)
        if not is_whole_copy(copy):
            what = f"{copy} (another place for copies: export GRMFORGE_CACHE=..)"
            with storage_errors(what), becoming(copy, durable=False) as temporary, temporary.open("wb") as file:
                file.writelines(self._chunks(key))
        return copy

    def drop_copy(self, key: str) -> None:
        remove_here(self.place(key))

    def stale_copies(self) -> Iterator[Path]:
        copies = self.place("")
        for top in sorted(copies.iterdir()) if copies.is_dir() else ():
            current = {self.place(key) for key in self.every(top.name)}
            there = (path for path in sorted(top.rglob("*")) if path.is_file() and not path.name.startswith("."))
            yield from (path for path in there if path not in current)

    def scratch(self, key: str) -> Path:
        path = self.path / "machine" / key
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def exists(self, key: str) -> bool:
        return self.held(key) is not None

    def held(self, key: str) -> Held | None:
        with self._errors(key), self._missing_passed_over():
            meta = obstore.head(self.store, key)
            return Held(int(meta["size"]), meta["last_modified"].timestamp(), key, 1)
        return None

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return bytes(obstore.get(self.store, key).bytes())

    def sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(key):
            digest.update(chunk)
        return digest.hexdigest()

    def write(self, key: str, data: bytes | Path) -> None:
        with self._errors(key):
            obstore.put(self.store, key, data)

    def create(self, key: str, data: bytes) -> bool:
        with self._errors(key), contextlib.suppress(exceptions.AlreadyExistsError):
            obstore.put(self.store, key, data, mode="create")
            return True
        return False

    def replace_if(self, key: str, old: bytes, new: bytes) -> bool:
        with self._errors(key), self._missing_passed_over(), contextlib.suppress(exceptions.PreconditionError):
            current = obstore.get(self.store, key)
            if bytes(current.bytes()) == old:
                obstore.put(self.store, key, new, mode={"e_tag": current.meta["e_tag"]})
                return True
        return False

    @contextlib.contextmanager
    def replacing(self, key: str) -> Iterator[Path]:
        copy = self.place(key)
        with storage_errors(str(copy)), becoming(copy, durable=False) as temporary:
            yield temporary
            self.write(key, temporary)

    def names(self, key: str, suffix: str = "") -> list[str]:
        with self._errors(key):
            objects = obstore.list_with_delimiter(self.store, key or None)["objects"]
        return shown_names((meta["path"].rpartition("/")[2] for meta in objects), suffix)

    def folders(self, key: str) -> list[str]:
        with self._errors(key):
            prefixes = obstore.list_with_delimiter(self.store, key or None)["common_prefixes"]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in prefixes)

    def every(self, folder: str) -> Iterator[str]:
        with self._errors(folder):
            yield from (meta["path"] for page in obstore.list(self.store, f"{folder}/") for meta in page)

    def touch(self, key: str) -> None:
        with contextlib.suppress(StorageError):
            self.write(key, self.read(key))  # object storage has no other way to make an object young

    def remove(self, key: str) -> None:
        with self._errors(key):
            obstore.delete(self.store, key)
        self.drop_copy(key)

    def remove_folder(self, folder: str) -> None:
        self.remove(f"{folder}/manifest.json")
        with self._errors(folder):
            for page in obstore.list(self.store, f"{folder}/"):
                obstore.delete(self.store, [meta["path"] for meta in page])
        self.drop_copy(folder)

    def link(self, key: str, to: str) -> None:
        with self._errors(to):
            obstore.copy(self.store, key, to)
        self.drop_copy(to)

    def _chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes, some at a time."""
        with self._errors(key):
            yield from map(bytes, obstore.get(self.store, key))

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Turn the client's error into a StorageError that names the object and the way out."""
        try:
            yield
        except StorageError:
            raise
        except (exceptions.BaseError, OSError) as error:
            what = self.where(key) if key else f"root {self.address}"
            raise StorageError(f"{what}: {self._way_out(error)}") from error

    @contextlib.contextmanager
    def _missing_passed_over(self) -> Iterator[None]:
        """Swallow the error of an object that is missing, but not that of a missing bucket."""
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise

    def _way_out(self, error: Exception) -> str:
        message = str(error)
        bucket = self.address.split("/")[2]
        if "NoSuchBucket" in message:
            return f"there is no bucket {bucket}; make it, or name another root, and run the same command again"
        if isinstance(error, FileNotFoundError):
            return "No such object"
        is_refused = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
        if is_refused or _REFUSED.search(message):
            return (
                f"bucket {bucket} refuses these credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and "
                "AWS_SESSION_TOKEN), or AWS_PROFILE, with the right to read, write, list and delete, and run again"
            )
        if _UNREACHABLE.search(message):
            return (
                "the object storage cannot be reached; check AWS_ENDPOINT_URL and AWS_REGION, and run the same command "
                "again: every answer so far is kept"
            )
        return _first_words(error)


def _first_words(error: Exception) -> str:
    """Return the part of the client's message that is meant for people."""
    return " ".join(str(error).partition("Debug source")[0].split())[:300]


def bucket_root(address: str) -> BucketRoot:
    """Return the root at s3://bucket/prefix.

    Address, region and keys of the storage are read from the usual variables (AWS_ENDPOINT_URL, AWS_REGION, ..), from
    an instance's role, or, where boto3 is installed, from AWS_PROFILE. Raises RecipeError, and StorageError where
    nothing can be written there.
    """
    parts = urlsplit(address)
    is_strange = parts.query or parts.fragment or "@" in parts.netloc or "%" in parts.path
    if not parts.netloc or is_strange or ".." in parts.path.split("/"):
        raise RecipeError(f"root {masked(address)!r}: write it as s3://bucket/prefix, every character as it is")
    plain = f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    # A process may have no home: it is looked for last.
    cache = os.environ.get("GRMFORGE_CACHE") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "grmforge"
    )
    path = Path(cache).absolute() / content_id("root", plain)[:16]
    impatient = BucketRoot(path, plain, _store(plain, RETRIES_AT_FIRST))
    probe = f".probe-{secrets.token_hex(4)}"
    with impatient._errors(""):
        obstore.put(impatient.store, probe, b"")
        obstore.delete(impatient.store, probe)
    return replace(impatient, store=_store(plain, RETRIES))


def _store(address: str, retries: int) -> S3Store:
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
    except exceptions.BaseError as error:  # only one of the two keys, or no such region
        raise RecipeError(f"root {address}: {_first_words(error)}") from None
