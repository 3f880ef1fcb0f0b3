"""States and results of batches that make no sense, break off or never end: nothing is lost or bought twice."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.answering import Run, wait_for_batches
from pipelines.engines.batch.endpoint import BatchEndpoint, Trouble
from pipelines.engines.budget import Budget
from schemas.errors import EngineError, Waiting
from schemas.recipe import ModelSection
from storage.batch_jobs import jobs_of
from storage.root import write_record
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.batch_builds import KEY, ROWS, Build, build_of, stored
from tests.pipelines.engines.requests import Watcher
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply


def results(tmp_path: Path, rewrite: Callable[[list[bytes]], list[bytes]]) -> tuple[Build, BatchStandIn]:
    """Run a build whose first batch has its results rewritten, until it is answered."""
    with BatchStandIn() as server:
        server.rewrite = rewrite
        build = build_of(tmp_path, server)
        build.waits()
        try:
            build.run()
        except Waiting:
            watcher = build.watcher
            server.rewrite = lambda lines: lines
            build.run()
            build.watcher.warnings += watcher.warnings
    assert len(stored(build)) == ROWS
    return build, server


def test_unknown_and_doubled_lines_count_for_nothing(tmp_path: Path) -> None:
    foreign = json.dumps({"custom_id": "f" * 32, "response": {"status_code": 200, "body": {}}}).encode()

    def rewrite(lines: list[bytes]) -> list[bytes]:
        changed = json.loads(lines[0])
        changed["response"]["body"]["choices"][0]["message"]["content"] = "another answer"
        return [*lines, foreign, foreign, json.dumps(changed).encode()]

    build, server = results(tmp_path, rewrite)
    assert len(server.batches) == 1
    assert any("2 lines of its results answer nothing that was asked" in line for line in build.watcher.warnings)
    assert any("1 lines of its results answer what was answered" in line for line in build.watcher.warnings)
    assert "another answer" not in {completion.text for completion in stored(build).values()}


def test_garbled_and_missing_lines_are_asked_again(tmp_path: Path) -> None:
    def rewrite(lines: list[bytes]) -> list[bytes]:
        return [b"", b"[1]", b'{"custom_id": 7}', b"\xff\xfe", lines[0][:50], b"[" * 100_000, *lines[2:]]

    build, server = results(tmp_path, rewrite)
    assert sorted(server.paid.values()) == [1] * (ROWS - 2) + [2] * 2
    assert any("5 lines of its results cannot be read" in line for line in build.watcher.warnings)


def test_a_line_of_50_mb_is_refused_for_good(tmp_path: Path) -> None:
    build, server = results(tmp_path, lambda lines: [lines[0][:-1] + b" " * (50 * 2**20) + b"}", *lines[1:]])
    assert len(server.batches) == 1
    (refused,) = [completion for completion in stored(build).values() if completion.error]
    assert "too large" in (refused.error or "")


def test_lines_without_end_are_cut_off(tmp_path: Path) -> None:
    build, server = results(tmp_path, lambda lines: [*lines, *[b"{}"] * 1000])
    assert len(server.batches) == 1
    assert any("come after all that were to be expected" in line for line in build.watcher.warnings)


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    build, _ = results(
        tmp_path, lambda lines: [line.replace(b"Specific Criteria", b"\\ud800 Criteria") for line in lines]
    )
    assert all("\ufffd Criteria" in (completion.text or "") for completion in stored(build).values())


def test_a_download_that_breaks_off_is_made_again(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server)
        build.waits()
        server.next("GET /files/id/content", stand_in.cut_off(), done=True)
        server.next("GET /files/id/content", stand_in.server_error())
        assert len(build.run()[0]) == ROWS
    assert set(server.paid.values()) == {1}


def test_results_that_are_gone_are_named_and_not_bought_again(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server)
        build.waits()
        server.next("GET /files/id/content", stand_in.error(404, "No such File object"))
        with pytest.raises(EngineError, match=r"No such File object.*remove"):
            build.run()
        assert len(server.batches) == 1
        assert len(build.run()[0]) == ROWS


@pytest.mark.parametrize(
    "reply",
    [stand_in.html_page(), Reply(body=b'{"id": 7}'), stand_in.huge(), Reply(body=b'{"id": "batch_0", "status": 3}')],
    ids=["html", "no id", "50 MB", "status of another kind"],
)
def test_a_state_that_makes_no_sense_loses_nothing(tmp_path: Path, reply: Reply) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server)
        build.waits()
        for _ in range(4):
            server.next("GET /batches/id", reply)
        with pytest.raises((EngineError, Waiting)):
            build.run()
        server.recover()
        assert len(build.run()[0]) == ROWS
    assert set(server.paid.values()) == {1}


def test_a_batch_that_never_ends_is_said_to_be_overdue(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server)
        build.waits()
        (job,) = jobs_of(build.root, build.model.name)
        write_record(build.root, job, creating_at=time.time() - 60 * 3600)
        assert "60 hours old; cancel it at the endpoint" in build.waits()
        run = Run("run", Budget(), {"TEST_KEY": KEY}, Watcher(), wait=True)
        with pytest.raises(Waiting, match="60 hours old"):
            wait_for_batches(build.root, run, [build.model])


@pytest.mark.parametrize(("status", "said"), [(200, "did not answer in time"), (500, "HTTP 500")])
def test_a_reply_that_never_ends_is_bounded_in_seconds(status: int, said: str) -> None:
    """A byte now and then keeps every time-out between two bytes from ringing."""
    with BatchStandIn() as server:
        server.always("POST /batches", replace(stand_in.drip(), status=status), done=False)
        with BatchEndpoint(server.url, None, 0.3) as endpoint, pytest.raises(Trouble, match=said) as trouble:
            endpoint.create("file-1", "submission")
    assert trouble.value.may_have_worked


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_reply_of_50_mb_is_bounded_in_bytes(status: int) -> None:
    with BatchStandIn() as server:
        server.always("GET /batches/id", replace(stand_in.huge(), status=status), done=False)
        with BatchEndpoint(server.url, None, 5.0) as endpoint, pytest.raises(Trouble):
            endpoint.retrieve("batch_0")
        assert server.bytes_sent < 4 * 16 * 2**20, "four tries at most"


def test_no_redirect_is_followed_and_nothing_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organization")
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer another-key\nX-Of-Elsewhere: a secret")
    with BatchStandIn() as server, BatchStandIn() as elsewhere:
        away = Reply(307, headers={"location": f"{elsewhere.url}/batches"})
        server.always("POST /batches", away, done=False)
        with BatchEndpoint(server.url, KEY, 5.0) as endpoint, pytest.raises(Trouble, match="HTTP 307"):
            endpoint.create("file-1", "submission")
        assert elsewhere.calls == []
        (received,) = server.requests
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["idempotency-key"] == "submission"
    assert not {"openai-organization", "x-of-elsewhere"} & received.headers.keys()


@pytest.mark.parametrize("host", ["snow\u2603man", "a" * 70, ".a."])
def test_a_host_that_cannot_be_is_an_error(tmp_path: Path, host: str) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server, base_url=f"http://{host}/v1")
        with pytest.raises(EngineError, match="base_url"):
            build.run()


@pytest.mark.parametrize("output", ["..", 7, "x" * 1000])
def test_results_by_a_name_that_makes_no_sense_are_not_bought_again(tmp_path: Path, output: object) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server)
        build.waits()
        server.finish()
        name, server.batches["batch_0"]["output_file_id"] = server.batches["batch_0"]["output_file_id"], output
        with pytest.raises(EngineError, match="nothing is lost"):
            build.run()
        server.batches["batch_0"]["output_file_id"] = name
        assert len(build.run()[0]) == ROWS
    assert set(server.paid.values()) == {1}


def test_sending_at_once_beside_an_open_batch_is_said(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server, stand_in.StandIn() as at_once:
        build = build_of(tmp_path, server)
        build.waits()
        build.model = ModelSection(engine="openai", model="stand-in", base_url=(at_once.url,))
        _, watcher = build.run()
    assert any("batch_0 may hold answers" in warning for warning in watcher.warnings)


def test_a_line_that_ran_into_a_time_out_costs_nothing(tmp_path: Path) -> None:
    """A gateway that gives up may leave an answer to be billed; a batch has none, and bills what it gives."""
    with BatchStandIn(lambda body: stand_in.error(504, "upstream timed out")) as server:
        build = build_of(tmp_path, server, max_retries=0)
        build.waits()
        server.finish()
        budget = Budget()
        with contextlib.suppress(Waiting):
            build.run(budget)
    assert (budget.requests, budget.tokens) == (ROWS, 0)


def test_a_line_whose_answer_broke_off_is_priced(tmp_path: Path) -> None:
    """With what was reserved, or with the usage that stands beside it."""
    for usage, tokens in ((None, 100), ({"prompt_tokens": 30, "completion_tokens": 40}, 70)):

        def broken(body: dict[str, Any], usage: Any = usage) -> stand_in.Reply:
            return stand_in.chat("So far", finish_reason="error", usage=usage, body=body)

        with BatchStandIn(broken) as server:
            build = build_of(tmp_path / str(tokens), server, max_retries=0)
            build.waits(budget=Budget())
            server.finish()
            budget = Budget()
            with contextlib.suppress(Waiting):
                build.run(budget)
            assert budget.tokens == tokens * ROWS if usage else budget.tokens > tokens * ROWS
