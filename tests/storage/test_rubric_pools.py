"""The pools, in a real Milvus Lite: complete however the last run ended, never another model's, errors in one line."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import StorageError
from storage.root import Root
from storage.rubric_pools import Completed, Pool, RubricPools, open_pools
from storage.rubric_tables import ModelIdentity
from tests.storage.pools import MODEL, WIDTH, entries, vectors_of


def held(pools: RubricPools, pool: Pool = Pool.CASES) -> list[str]:
    """Return the ids in a pool, as a search for all of them finds them."""
    return sorted(hit.entry_id for hit in pools.search(pool, vectors_of(["x"]), 10_000)[0])


def test_a_pool_is_made_to_hold_what_it_should_and_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    asked: list[str] = []

    def asking(ids: list[str]) -> np.ndarray:  # type: ignore[type-arg]
        asked.extend(ids)
        return vectors_of(ids)

    root = Root(tmp_path)
    with open_pools(root, MODEL) as pools:
        assert pools.complete(Pool.CASES, entries(100), vectors_of) == Completed(100, 0)
        assert pools.complete(Pool.CASES, entries(100), vectors_of) == Completed(0, 0)
        assert pools.rows(Pool.CRITERIA) == 0
    with open_pools(root, MODEL) as pools:
        assert pools.complete(Pool.CASES, entries(100, start=20), asking) == Completed(20, 20)
        assert held(pools) == sorted(entries(100, start=20))
        assert pools.rows(Pool.CASES) == 100
    assert asked == sorted(entries(20, start=100))


def test_a_search_is_batched_by_cosine_nearest_first_and_within_a_domain(tmp_path: Path) -> None:
    ids = sorted(entries(600))
    with open_pools(Root(tmp_path), MODEL) as pools:
        pools.complete(Pool.CASES, entries(600), vectors_of)
        found = pools.search(Pool.CASES, vectors_of(ids), 5)
        of_one = pools.search(Pool.CASES, vectors_of(ids[:9]), 7, domain="domain 1")
    assert [hits[0].entry_id for hits in found] == ids
    assert all(abs(hits[0].similarity - 1) < 1e-5 for hits in found)
    assert all(hits == sorted(hits, key=lambda hit: -hit.similarity) for hits in found)
    exact = vectors_of(ids) @ vectors_of(ids).T
    assert np.allclose([hit.similarity for hit in found[7]], np.sort(exact[7])[::-1][:5], atol=1e-5)
    assert all(len(hits) == 7 and {entries(600)[hit.entry_id] for hit in hits} == {"domain 1"} for hits in of_one)


def test_equal_similarities_stand_by_id(tmp_path: Path) -> None:
    with open_pools(Root(tmp_path), MODEL) as pools:
        pools.complete(Pool.CASES, entries(20), lambda ids: vectors_of(["same"] * len(ids)))
        assert [hit.entry_id for hit in pools.search(Pool.CASES, vectors_of(["same"]), 20)[0]] == sorted(entries(20))


@pytest.mark.parametrize("domain", ['a "quoted" one', "النطاق 📡", "back\\slash", "d" * 5_000])
def test_a_domain_may_be_any_text(tmp_path: Path, domain: str) -> None:
    with open_pools(Root(tmp_path), MODEL) as pools:
        pools.complete(Pool.CASES, {**entries(3), "other": domain}, vectors_of)
        assert [hit.entry_id for hit in pools.search(Pool.CASES, vectors_of(["x"]), 5, domain)[0]] == ["other"]


def test_an_index_of_another_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    root, own = Root(tmp_path), str(tmp_path / "own.db")
    for first in (MODEL, ModelIdentity("hashes", "2", WIDTH)):  # each in a file of its own
        with open_pools(root, first) as pools:
            pools.complete(Pool.CASES, entries(3), vectors_of)
    with open_pools(root, MODEL, own) as pools:
        pools.complete(Pool.CASES, entries(3), vectors_of)
    wanted = r"own\.db: the index grmforge_cases was made with hashes@1 \(8 dimensions\), not with .*\[rubrics\]"
    for other in (ModelIdentity("hashes", "2", WIDTH), ModelIdentity("hashes", "1", 5)):
        with pytest.raises(StorageError, match=wanted):
            open_pools(root, other, own)
    with open_pools(root, MODEL, own) as pools:
        assert pools.rows(Pool.CASES) == 3


def test_vectors_of_a_wrong_width_are_refused_and_the_pool_stays_as_it_was(tmp_path: Path) -> None:
    with open_pools(Root(tmp_path), MODEL) as pools:
        pools.complete(Pool.CASES, entries(3), vectors_of)
        with pytest.raises(StorageError, match=r"2 vectors of width 8 are wanted, got \(2, 5\)"):
            pools.complete(Pool.CASES, entries(5), lambda ids: np.zeros((len(ids), 5), np.float32))
        assert pools.complete(Pool.CASES, entries(3), vectors_of) == Completed(0, 0)
        assert held(pools) == sorted(entries(3))


HOLD = """
import sys, time
from storage.root import Root
from storage.rubric_pools import open_pools
from tests.storage.pools import MODEL
with open_pools(Root.open(sys.argv[1]), MODEL):
    print("held", flush=True)
    time.sleep(60)
"""


def test_an_index_that_another_process_holds_is_named_and_free_when_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match=r"milvus-\w+\.db: another process has it open; wait .*server"):
            open_pools(Root(tmp_path), MODEL)
        holder.kill()
    with open_pools(Root(tmp_path), MODEL) as pools:
        assert pools.rows(Pool.CASES) == 0


def test_an_index_that_is_none_is_an_error_of_one_line_and_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "own.db"
    file.write_bytes(b"no index" * 100)
    with pytest.raises(StorageError, match=r"own\.db: not an index of Milvus Lite; remove it and run again") as caught:
        open_pools(Root(tmp_path), MODEL, str(file))
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == b"no index" * 100


@pytest.mark.parametrize("pattern", ["schema.json", "manifest.json", "*.parquet", "*.idx"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "removed"])
def test_damage_is_an_error_or_mended_never_a_wrong_answer(tmp_path: Path, pattern: str, damage: str) -> None:
    root = Root(tmp_path)
    with open_pools(root, MODEL) as pools:
        pools.complete(Pool.CASES, entries(50), vectors_of)
    damaged = [path for path in tmp_path.rglob(pattern) if "cases" in str(path)]
    assert damaged
    for path in damaged:
        match damage:
            case "cut":
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            case "garbage":
                path.write_bytes(b"\0\xff" * path.stat().st_size)
            case _:
                path.unlink()
    try:
        with open_pools(root, MODEL) as pools:
            pools.complete(Pool.CASES, entries(50), vectors_of)
            assert held(pools) == sorted(entries(50))
    except StorageError as error:
        assert re.search(r"milvus-\w+\.db: .*remove it and run again", str(error))
        assert "\n" not in str(error)


FILL = """
import sys
from storage.root import Root
from storage.rubric_pools import Pool, open_pools
from tests.storage.pools import MODEL, entries, vectors_of
with open_pools(Root.open(sys.argv[1]), MODEL) as pools:
    def shown(ids):
        print(len(ids), flush=True)
        return vectors_of(ids)
    pools.complete(Pool.CASES, entries(int(sys.argv[2])), shown)
"""


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 3])
def test_what_a_kill_left_is_completed_without_duplicates(tmp_path: Path, parts: int) -> None:
    """The kill comes with a part in between: one is written, and there is more to come."""
    rows = 4_096 * (parts + 1) + 99
    command = [sys.executable, "-c", FILL, str(tmp_path), str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as filling:
        assert filling.stdout is not None
        for _ in range(parts):
            assert filling.stdout.readline()
        filling.send_signal(signal.SIGKILL)
    with open_pools(Root(tmp_path), MODEL) as pools:
        added, removed = pools.complete(Pool.CASES, entries(rows), vectors_of)
        assert rows - 4_096 * parts <= added <= rows
        assert removed == 0
        assert pools.rows(Pool.CASES) == rows
        ids = sorted(entries(rows))[::199]
        assert [hits[0].entry_id for hits in pools.search(Pool.CASES, vectors_of(ids), 3)] == ids


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """Give the address of a Milvus server: $GRMFORGE_MILVUS, or the engine of Milvus Lite in a process of its own,
    behind Milvus's gRPC protocol.
    """
    if given := os.environ.get("GRMFORGE_MILVUS"):
        yield given
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder), "--host", "127.0.0.1"]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the stand-in Milvus server did not start")


def test_a_server_is_used_by_its_address_with_the_same_calls(tmp_path: Path) -> None:
    root, prefix = Root(tmp_path / "root"), f"test_{secrets.token_hex(4)}"
    with milvus_server(tmp_path / "server") as uri:
        with open_pools(root, MODEL, uri, token="root:Milvus", prefix=prefix) as pools:
            assert pools.complete(Pool.CASES, entries(300), vectors_of) == Completed(300, 0)
        with open_pools(root, MODEL, uri, prefix=prefix) as pools:
            assert pools.complete(Pool.CASES, entries(290, start=20), vectors_of) == Completed(10, 20)
            assert held(pools) == sorted(entries(290, start=20))
        with open_pools(root, MODEL, uri, prefix=f"{prefix}_another") as pools:
            assert pools.rows(Pool.CASES) == 0
        other = ModelIdentity("other", "", WIDTH)
        with pytest.raises(StorageError, match=r"made with hashes@1 .*another prefix"):
            open_pools(root, other, uri, prefix=prefix)
        with open_pools(root, MODEL, uri, prefix=prefix) as pools:
            for name in pools.client.list_collections():
                if name.startswith(prefix):
                    pools.client.drop_collection(name)
    assert not root.at("rubrics").exists()


def test_a_server_that_is_not_there_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:9: .*is the server up"):
        open_pools(Root(tmp_path), MODEL, "http://127.0.0.1:9")
