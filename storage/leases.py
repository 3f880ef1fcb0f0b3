"""Leases: an object that says who works on something now, renewed while they do, and taken over once nobody does.

    leases/<name>.json   {format, token, host, pid, run_id, taken_at, expires_at, term_s, renewals, released, process}

Every change puts one whole object in the place of the one that was read (`Root.replace_if`), so of any number that take
a lease at once, one gets it. No lease is ever deleted, since two could then make it anew.

Clocks may be wrong. By its clock a taker only believes that a lease is alive. It believes that a lease is dead when
nobody has renewed it while it watched, or at once where the holder's process ran on this machine and has ended. A
holder counts its own time by the monotonic clock, and `check` asks the root itself.

A process leaves a mark, "<boot id> <pid namespace> <start time>": a pid alone means another process after a reboot, in
another container, or once it was given away again. Linux says so in /proc; other systems leave the mark empty.
"""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from schemas.errors import ForgeError, StorageError
from schemas.recipe.stages import LONGEST_LEASE_S
from schemas.record import FORMAT
from storage.root import Root

FOLDER = "leases"
TERM_S = 600.0
_RENEWALS = 10
"""Renewals in the term of a lease."""
_WATCHED = 3
"""Times that a holder would have renewed its lease while a taker watches whether it does."""
_ENDED = ("Z", "X", "x")
"""States of a process that has ended, though its parent has not looked yet."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, as its object says."""

    token: str
    host: str
    pid: int
    run_id: str
    taken_at: str
    """Time by the holder's clock, ISO 8601; so is `expires_at`."""
    expires_at: str
    term_s: float
    renewals: int = 0
    released: bool = False
    process: str = ""
    """Its mark, which tells the process from a later one of the same pid; empty where the system has none."""

    def in_words(self) -> str:
        return f"run {self.run_id} since {self.taken_at} on host {self.host} (process {self.pid})"

    @property
    def has_died(self) -> bool:
        """Whether its process ran on this machine and is known to have ended; False where nobody can tell."""
        here = _mark_of(os.getpid())
        if self.host != socket.gethostname() or not here or here.split()[:2] != self.process.split()[:2]:
            return False
        try:
            os.kill(self.pid, 0)
            return _stat(self.pid)[0] in _ENDED or _mark_of(self.pid) not in ("", self.process)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError, IndexError):
            return False

    def renewed(self) -> "Holder":
        return replace(self, expires_at=_stamp(timedelta(seconds=self.term_s)), renewals=self.renewals + 1)

    def as_json(self) -> bytes:
        return orjson.dumps({"format": FORMAT} | asdict(self), option=orjson.OPT_APPEND_NEWLINE)

    @property
    def is_in_time(self) -> bool:
        """Whether its term is running by this machine's clock. One that ends later than any term could is not."""
        left = datetime.fromisoformat(self.expires_at) - datetime.now(UTC)
        return timedelta() < left <= timedelta(seconds=self.term_s)


class Lease:
    """A lease that this process holds. As a context manager it is renewed by a thread, and released at the end."""

    def __init__(self, root: Root, key: str, holder: Holder) -> None:
        self.holder = holder
        self.on_lost: Callable[[ForgeError], None] | None = None
        """Called once, by the thread, where the lease turns out to be another's."""
        self._root = root
        self._key = key
        self._turn = threading.Lock()
        self._over = threading.Event()
        self._lost: StorageError | None = None
        self._good_until = time.monotonic() + holder.term_s
        self._thread = threading.Thread(target=self._renew_now_and_then, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        # Where it cannot be written, on a full disk perhaps, it runs out by itself.
        with self._turn, contextlib.suppress(StorageError):
            if self._lost is None:
                self._put(replace(self.holder, released=True))

    def check(self) -> None:
        """Renew the lease. Raises StorageError where it is another's by now, or the root does not say."""
        with self._turn:
            if self._lost is None:
                self._renew()
            if self._lost is not None:
                raise self._lost

    def _renew_now_and_then(self) -> None:
        while not self._over.wait(self.holder.term_s / _RENEWALS):
            with self._turn:
                try:
                    self._renew()
                except StorageError as error:  # it may be better the next time
                    if time.monotonic() > self._good_until:
                        self._lost = StorageError(f"the lease could not be renewed in its term: {error}")
            if self._lost is not None:
                if self.on_lost is not None:
                    self.on_lost(self._lost)
                return

    def _renew(self) -> None:
        if not self._put(self.holder.renewed()):
            other = _holder(_read(self._root, self._key))
            whose = f"is that of {other.in_words()} now" if other else "has gone"
            self._lost = StorageError(f"{self._key} {whose}: this run stops, and publishes nothing further")

    def _put(self, holder: Holder) -> bool:
        """Put the lease in the place of what this process wrote last, and say whether it was still there."""
        if not self._root.replace_if(self._key, self.holder.as_json(), holder.as_json()):
            current = _read(self._root, self._key)
            there = _holder(current)
            # Our write may have come through though the call failed.
            is_ours = there is not None and there.token == holder.token
            if not is_ours or not self._root.replace_if(self._key, current or b"", holder.as_json()):
                return False
        self.holder = holder
        self._good_until = time.monotonic() + holder.term_s
        return True


def take(
    root: Root, name: str, run_id: str, term_s: float = TERM_S, *, watching: Callable[[float, Holder | None], None]
) -> Lease | Holder:
    """Return the lease of a name, or who holds it.

    A holder who seems to be dead is watched first. `watching` gets the seconds that this takes, and the holder, None
    where the lease is damaged. Raises StorageError where the root cannot be read or written.
    """
    key = key_of(name)
    token = secrets.token_hex(16)
    while True:
        host, pid, now = socket.gethostname(), os.getpid(), _stamp()
        mine = Holder(token, host, pid, run_id, now, now, term_s, process=_mark_of(pid)).renewed()
        current = _read(root, key)
        if current is None:
            if root.create(key, mine.as_json()):
                return Lease(root, key, mine)
            continue
        holder = _holder(current)
        if holder is not None and holder.token == token:  # our write came through though the call failed
            return Lease(root, key, holder)
        is_over = holder is not None and (holder.released or holder.has_died)
        if holder is not None and holder.is_in_time and not is_over:
            return holder
        if not is_over:
            seconds = (holder.term_s if holder else term_s) / _RENEWALS * _WATCHED
            watching(seconds, holder)
            time.sleep(seconds)
            later = _read(root, key)
            holder = _holder(later)
            if later != current and holder is not None and not holder.released:
                return holder
        mine = replace(mine, taken_at=_stamp()).renewed()  # it may have waited
        if root.replace_if(key, current, mine.as_json()):
            return Lease(root, key, mine)


def key_of(name: str) -> str:
    """Return where the lease of a name lies."""
    return f"{FOLDER}/{name}.json"


def held(root: Root) -> list[Holder]:
    """Return who works under a root now, as far as clocks tell."""
    holders = filter(None, (_holder(root.read(f"{FOLDER}/{name}")) for name in root.names(FOLDER, ".json")))
    return [holder for holder in holders if not holder.released and holder.is_in_time and not holder.has_died]


def _read(root: Root, key: str) -> bytes | None:
    return root.read(key) if root.exists(key) else None


def _holder(data: bytes | None) -> Holder | None:
    """Return what a lease says; None where it is damaged, or something else."""
    try:
        tree = {"process": ""} | orjson.loads(data or b"")  # leases of an older grmforge have no process
        holder = Holder(**{name: tree[name] for name in Holder.__slots__})
        is_whole = datetime.fromisoformat(holder.expires_at).tzinfo is not None and 0 < holder.term_s <= LONGEST_LEASE_S
        return holder if is_whole and isinstance(holder.pid, int) and isinstance(holder.process, str) else None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _stamp(later: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + later).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mark_of(pid: int) -> str:
    """Return the mark of a process in this one's pid namespace; empty where the system does not tell."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink()  # a pid that we can see is in our own namespace
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {namespace} {_stat(pid)[19]}"
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


def _stat(pid: int) -> list[str]:
    """Return the fields of a process from its state on: the name before it may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
