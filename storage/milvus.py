"""Milvus itself: connecting, the lock of a local index, and its errors in one line.

A path that ends with .db is Milvus Lite, in this process; everything else is the address of a Milvus server. What
follows `connected` is the same calls for both.
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import RecipeError, StorageError
from storage.files import remove_here, storage_errors

if TYPE_CHECKING:
    from pymilvus import MilvusClient

EXTRA = 'rubrics need the extra: pip install -c constraints.txt -e ".[rubrics]"'

_REMOVE = "remove it and run again: it is made anew from rubrics/*.parquet"
_SERVER = "is the server up, the address right, and the token's variable set?"
_CONNECT_S = 30
_QUIET = {"grpc.keepalive_time_ms": 2**31 - 1}
"""Milvus Lite hangs up on a client that pings every 10 s, as pymilvus does while this process is busy elsewhere."""


def is_local(uri: str) -> bool:
    """Tell whether a URI is a path of Milvus Lite."""
    return uri.endswith(".db")


def connected(where: str, token: str | None) -> "MilvusClient":
    """Return a client of Milvus, Lite or server: the one place where one is made."""
    for name in ("milvus_lite", "grpc"):  # else they print tracebacks of what we report, or pymilvus mends
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise RecipeError(EXTRA) from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    try:
        with milvus_errors(where):
            return MilvusClient(
                where, token=token or "", timeout=_CONNECT_S, grpc_options=_QUIET if is_local(where) else {}
            )
    except StorageError:
        if is_local(where):
            check_unlocked(Path(where))  # another process may have just opened it: nothing is broken
        raise


def disconnected(client: "MilvusClient", where: str) -> None:
    """Let go of an index; others may open it then."""
    client.close()
    if is_local(where):
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_server(where)


def check_unlocked(path: Path) -> None:
    """Raise StorageError where another process holds a local index, which Milvus Lite would not say."""
    lock = path / "LOCK"
    if not path.exists() or (path.is_dir() and not lock.exists()):
        return
    if not path.is_dir():
        raise StorageError(f"{path}: not an index of Milvus Lite; {_REMOVE}")
    with storage_errors(str(lock)), lock.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"{path}: another process has it open; wait until it ends, or use a server ([rubrics] milvus)"
            ) from None


def remove_index(path: Path) -> None:
    """Remove a local index. Raises StorageError where another process holds it."""
    check_unlocked(path)
    remove_here(path)


@contextlib.contextmanager
def milvus_errors(where: str) -> Iterator[None]:
    """Turn an error of Milvus or gRPC into one line with the way out."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        message = " ".join(str(getattr(error, "message", "") or error).split())[:300]
        raise StorageError(f"{where}: {message}; {_REMOVE if is_local(where) else _SERVER}") from None
