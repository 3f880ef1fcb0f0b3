"""Leases: one holder at a time, whatever clocks say and whoever dies."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
import pytest

from benchmarks.loopback_s3 import LoopbackS3
from schemas.errors import ForgeError, StorageError
from storage.leases import Holder, Lease, held, take
from storage.root import Root

KEY = "leases/small.json"
TERM_S = 2.0


def silent(seconds: float, holder: Holder | None) -> None: ...


def taken(root: Root, run_id: str = "a run", term_s: float = TERM_S) -> Lease:
    lease = take(root, "small", run_id, term_s, watching=silent)
    assert isinstance(lease, Lease)
    return lease


def holder_of(root: Root) -> Holder:
    tree = orjson.loads(root.read(KEY))
    del tree["format"]
    return Holder(**tree)


def rewrite(root: Root, **changes: object) -> None:
    """Change what the lease says, as a machine whose clock is wrong would have written it."""
    root.write(KEY, replace(holder_of(root), **changes).as_json())  # type: ignore[arg-type]


def shifted(text: str, **by: float) -> str:
    return (datetime.fromisoformat(text) + timedelta(**by)).isoformat()


@pytest.fixture(params=["directory", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    if request.param == "directory":
        return Root.open(str(tmp_path / "data"))
    s3: LoopbackS3 = request.getfixturevalue("s3")
    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    return Root.open(f"s3://forge/{tmp_path.name}")


def test_one_holds_it_and_the_next_learns_who(root: Root) -> None:
    with taken(root, "first") as lease:
        lease.check()
        other = take(root, "small", "second", TERM_S, watching=silent)
        assert isinstance(other, Holder)
        assert (other.run_id, other.pid) == ("first", os.getpid())
        assert "run first since " in other.in_words()
        assert isinstance(take(root, "other", "second", watching=silent), Lease), "each name has its own"
    assert holder_of(root).released
    with taken(root, "second"):
        assert holder_of(root).run_id == "second"


def test_it_is_renewed_while_it_is_held(root: Root) -> None:
    with taken(root):
        first = holder_of(root)
        time.sleep(2 * TERM_S)
        later = holder_of(root)
        assert later.renewals > first.renewals
        assert later.is_in_time
        assert isinstance(take(root, "small", "second", TERM_S, watching=silent), Holder)


def test_one_whose_holder_died_is_taken_over_after_a_watch(root: Root) -> None:
    dead = taken(root, "dead")
    watched: list[tuple[float, Holder | None]] = []
    rewrite(root, expires_at=shifted(dead.holder.expires_at, hours=-1))
    with take(root, "small", "next", TERM_S, watching=lambda *told: watched.append(told)) as lease:  # type: ignore[union-attr]
        assert isinstance(lease, Lease)
        assert holder_of(root).run_id == "next"
        with pytest.raises(StorageError, match=r"leases/small\.json is that of run next .*publishes nothing further"):
            dead.check()
    ((seconds, holder),) = watched
    assert seconds == pytest.approx(0.3 * TERM_S)
    assert holder is not None
    assert holder.run_id == "dead"


@pytest.mark.parametrize("hours", [-100_000, -1, 1, 100_000])
def test_a_clock_that_jumps_takes_no_lease_from_a_living_holder(root: Root, hours: float) -> None:
    """The taker's clock is wrong by hours: for it the lease is long over, or ends at a time that no term reaches."""
    with taken(root, "first") as lease:
        rewrite(root, expires_at=shifted(lease.holder.expires_at, hours=hours))
        other = take(root, "small", "second", TERM_S, watching=silent)
        assert isinstance(other, Holder)
        assert other.run_id == "first"
        lease.check()


def test_a_clock_that_jumped_does_not_lock_a_name_for_good(root: Root) -> None:
    dead = taken(root, "dead")
    rewrite(root, expires_at=shifted(dead.holder.expires_at, hours=100_000))
    assert isinstance(take(root, "small", "next", TERM_S, watching=silent), Lease)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"token": 1}', b"null"])
def test_a_damaged_lease_is_one_that_nobody_renews(root: Root, damage: bytes) -> None:
    root.write(KEY, damage)
    assert isinstance(take(root, "small", "next", TERM_S, watching=silent), Lease)


@pytest.mark.parametrize("days", [1, 365])
def test_a_term_that_no_lease_has_is_damage_and_not_watched_for_hours(root: Root, days: int) -> None:
    """Its last renewal is just now, so that whoever believed the term would leave it alone for as long."""
    dead = taken(root, "dead")
    rewrite(root, term_s=86_400.0 * days, expires_at=shifted(dead.holder.expires_at, days=days, seconds=-TERM_S - 1))
    assert held(root) == []
    watched: list[tuple[float, Holder | None]] = []
    assert isinstance(take(root, "small", "next", TERM_S, watching=lambda *told: watched.append(told)), Lease)
    assert watched == [(pytest.approx(0.3 * TERM_S), None)]


def test_a_holder_who_lost_it_is_told_at_its_next_renewal(root: Root) -> None:
    told: list[ForgeError] = []
    lease = taken(root, "first")
    lease.on_lost = told.append
    with lease:
        rewrite(root, token="another's", run_id="second")
        time.sleep(3 * TERM_S / 10)
        assert "that of run second" in str(told[0])
        with pytest.raises(StorageError, match="run second"):
            lease.check()
    assert holder_of(root).run_id == "second", "what is another's is not released"
    assert not holder_of(root).released


def test_a_root_that_refuses_ends_the_lease_with_its_term(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path / "data"))
    told: list[ForgeError] = []
    lease = taken(root)
    lease.on_lost = told.append
    with lease:
        (tmp_path / "data/leases").rename(tmp_path / "data/gone")
        (tmp_path / "data/leases").write_bytes(b"no folder")
        with pytest.raises(StorageError):
            lease.check()
        time.sleep(1.5 * TERM_S)
        assert "could not be renewed" in str(told[0])


def race(place: str, run_id: str, go: Connection, said: Connection) -> None:
    root = Root(Path(place))
    go.recv()
    for turn in range(20):
        lease = take(root, f"turn-{turn}", run_id, 60.0, watching=silent)
        said.send(isinstance(lease, Lease))
    go.recv()  # whoever takes after its process has gone takes it rightly


def take_and_stay(place: str, run_id: str, go: Connection, said: Connection) -> None:
    lease = take(Root(Path(place)), "small", run_id, TERM_S, watching=silent)
    assert isinstance(lease, Lease)
    with lease:
        said.send(True)
        go.recv()


def processes(
    place: Path, work: Callable[..., None], count: int
) -> list[tuple[multiprocessing.context.ForkServerProcess, Connection, Connection]]:
    context = multiprocessing.get_context("forkserver")  # it imports this module once for all of them
    context.set_forkserver_preload([__name__])
    started = []
    for number in range(count):
        (go, going), (saying, said) = context.Pipe(), context.Pipe()
        process = context.Process(target=work, args=(str(place), f"run {number}", going, said))
        process.start()
        started.append((process, go, saying))
    return started


@pytest.mark.slow
@pytest.mark.parametrize("there", ["nothing", "a dead lease"])
def test_of_processes_that_take_at_once_one_wins(tmp_path: Path, there: str) -> None:
    root = Root.open(str(tmp_path))
    if there != "nothing":
        for turn in range(20):
            dead = take(root, f"turn-{turn}", "dead", 0.1, watching=silent)
            assert isinstance(dead, Lease)
        time.sleep(0.2)
    started = processes(tmp_path, race, 4)
    for _, go, _ in started:
        go.send(None)
    won = [[said.recv() for _ in range(20)] for _, _, said in started]
    for process, go, _ in started:
        go.send(None)
        process.join(30)
        assert process.exitcode == 0
    assert [sum(turns) for turns in zip(*won, strict=True)] == [1] * 20


def test_a_killed_process_loses_it(tmp_path: Path) -> None:
    ((process, _go, said),) = processes(tmp_path, take_and_stay, 1)
    assert said.recv()
    root = Root.open(str(tmp_path))
    assert isinstance(take(root, "small", "second", TERM_S, watching=silent), Holder)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    watched: list[Holder | None] = []
    assert held(root) == []
    assert isinstance(take(root, "small", "second", TERM_S, watching=lambda _, holder: watched.append(holder)), Lease)
    assert not watched, "its process has gone from this machine: there is nothing to wait for"


def test_a_pid_that_was_given_away_again_is_not_its_holder(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    lease = taken(root, term_s=60.0)
    assert held(root) == [lease.holder]
    boot, namespace, began = lease.holder.process.split(" ")
    rewrite(root, process=f"{boot} {namespace} {int(began) - 1}")
    assert held(root) == []
    assert isinstance(take(root, "small", "second", watching=silent), Lease)


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"process": ""}, {"process": "a-boot pid:[1] 5"}])
def test_of_a_process_elsewhere_nobody_knows_whether_it_died(tmp_path: Path, changes: dict[str, str]) -> None:
    """On another machine, after a reboot, in another container, or of a grmforge that left no mark."""
    root = Root.open(str(tmp_path))
    taken(root, term_s=60.0)
    rewrite(root, pid=2**22 + 1, **changes)
    assert len(held(root)) == 1
    assert isinstance(take(root, "small", "second", watching=silent), Holder)


def test_a_lease_of_an_older_grmforge_is_read(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    lease = taken(root, term_s=60.0)
    tree = orjson.loads(root.read(KEY))
    del tree["process"]
    root.write(KEY, orjson.dumps(tree))
    assert held(root) == [replace(lease.holder, process="")]


def test_times_are_in_utc(tmp_path: Path) -> None:
    with taken(Root.open(str(tmp_path))) as lease:
        assert datetime.fromisoformat(lease.holder.taken_at).tzinfo == UTC
