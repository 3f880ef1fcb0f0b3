"""Creating a batch: whatever breaks meanwhile, every request is in one batch, and in no second one."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.engines.batch.desk import BatchDesk, open_desk
from pipelines.engines.budget import Budget
from schemas.errors import EngineError, StorageError, Waiting
from storage.batch_jobs import BatchedRequest, intend, jobs_of
from storage.root import write_record
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.batch_builds import KEY, ROWS, Build, build_of
from tests.pipelines.engines.requests import Watcher, ask
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[tuple[BatchStandIn, BatchDesk, Build]]:
    """A desk whose endpoint settles at once."""
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server, timeout_s=1.0)
        with open_desk(build.root, "run", build.model, KEY, Budget(), Watcher(), set()) as desk:
            yield server, replace(desk, settle_s=0.2), build


def submitted(desk: BatchDesk, build: Build) -> None:
    desk.submit((ask(row, build.model) for row in range(ROWS)), lambda request, completion: ())


@pytest.mark.parametrize("done", [True, False], ids=["created all the same", "not created"])
@pytest.mark.parametrize(
    "reply",
    [stand_in.server_error(), stand_in.html_page(), Reply(body=b"{}"), stand_in.half_json(), stand_in.cut_off()],
    ids=["500", "html", "no id", "half", "cut"],
)
def test_a_create_that_breaks_creates_one_batch(
    quick: tuple[BatchStandIn, BatchDesk, Build], reply: Reply, done: bool
) -> None:
    server, desk, build = quick
    server.next("POST /batches", reply, done=done)
    with pytest.raises(Waiting):
        submitted(desk, build)
    assert len(server.batches) == 1
    assert set(server.paid.values()) == {1}


def test_a_rate_limited_create_is_made_again(quick: tuple[BatchStandIn, BatchDesk, Build]) -> None:
    server, desk, build = quick
    server.next("POST /batches", stand_in.rate_limited("0.1"))
    with pytest.raises(Waiting):
        submitted(desk, build)
    assert len(server.batches) == 1
    assert "GET /batches" not in server.calls


def test_a_file_holds_no_more_bytes_than_the_endpoint_takes(quick: tuple[BatchStandIn, BatchDesk, Build]) -> None:
    server, desk, build = quick
    desk = replace(desk, most_bytes=1000)
    with pytest.raises(Waiting):
        submitted(desk, build)
    assert all(len(file) <= 1000 for file in server.files.values())
    assert 2 <= len(server.batches) < ROWS
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("call", ["POST /files", "POST /batches"])
def test_a_refused_key_is_an_error_and_leaves_nothing_open(
    quick: tuple[BatchStandIn, BatchDesk, Build], call: str
) -> None:
    server, desk, build = quick
    server.next(call, stand_in.wrong_key(f"Incorrect API key provided: {KEY}"))
    with pytest.raises(EngineError, match=r"\*\*\*"):
        submitted(desk, build)
    assert jobs_of(build.root, build.model.name) == []
    with pytest.raises(Waiting):
        submitted(desk, build)
    assert set(server.paid.values()) == {1}


def lost(build: Build, server: BatchStandIn, *, created: bool) -> None:
    """Leave a job as a crash during the call that creates it does, an hour ago."""
    batched = [BatchedRequest(ask(row, build.model), 1, 0.0, 1) for row in range(ROWS)]
    job = intend(build.root, build.model.name, server.url, time.time() - 3600, batched)
    job = write_record(build.root, job, file_id="file-lost", creating_at=time.time() - 3600)
    server.files["file-lost"] = b"".join(
        json.dumps({"custom_id": one.request.request_id, "body": one.request.body}).encode() + b"\n" for one in batched
    )
    if created:
        metadata = {"grmforge_submission": job.submission}
        server.create({"input_file_id": "file-lost", "metadata": metadata})


def test_a_lost_batch_is_found_on_a_later_page(tmp_path: Path) -> None:
    with BatchStandIn(holds=True, page=2) as server:
        build = build_of(tmp_path, server)
        lost(build, server, created=True)
        server.files["other"] = b""
        for _ in range(5):
            server.create({"input_file_id": "other", "metadata": None})
        assert "batch_0" in build.waits()
    assert server.calls.count("GET /batches") == 3
    assert set(server.paid.values()) == {1}


def test_a_batch_that_was_never_created_is_asked_anew(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server)
        lost(build, server, created=False)
        build.waits()
    assert set(server.paid.values()) == {1}


def test_an_endpoint_that_lists_nothing_is_never_asked_twice(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server)
        lost(build, server, created=True)
        server.next("GET /batches", stand_in.error(404, "no such page"))
        with pytest.raises(EngineError, match=r"batch_id into .*remove"):
            build.run()
        assert set(server.paid.values()) == {1}
        build.waits()
    assert set(server.paid.values()) == {1}


def test_a_damaged_job_is_named(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server)
        build.waits()
        (job,) = (tmp_path / "data/batches").glob("*/job.json")
        job.write_bytes(job.read_bytes()[:40])
        with pytest.raises(StorageError, match="may be paid for"):
            build.run()


def test_another_endpoint_is_not_asked_for_what_lies_in_a_batch(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server, BatchStandIn() as other:
        build = build_of(tmp_path, server)
        build.waits()
        moved = build_of(tmp_path, other)
        assert server.url in moved.waits()
        assert other.calls == []
        server.finish()
        build.run()
        assert len(moved.run()[0]) == ROWS
