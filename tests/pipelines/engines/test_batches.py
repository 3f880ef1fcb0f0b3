"""Answers by batch, against a real batch interface on loopback that fails in every way one does."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.answering import Run, answer, wait_for_batches
from pipelines.engines.batch.desk import BatchDesk, open_desk
from pipelines.engines.batch.endpoint import BatchEndpoint, Trouble
from pipelines.engines.budget import Budget
from schemas.errors import BudgetReached, EngineError, StorageError, Waiting
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection, Price
from storage.batch_jobs import BatchedRequest, intend, jobs_of
from storage.generations import Generations
from storage.root import Root, write_record
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.requests import Watcher, ask, row_of
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, judged

KEY = "sk-batch-secret-0123456789"
ROWS = 12


@dataclass
class Build:
    """What runs of one build share: a root, a model, and rows to ask about."""

    root: Root
    model: ModelSection
    rows: int = ROWS
    again: Callable[[Request, Completion], Iterable[Request]] = lambda request, completion: ()

    def run(self, budget: Budget | None = None, **settings: Any) -> tuple[dict[int, Completion], Watcher]:
        """Answer every row once more; returns each row's completion. Raises what `answer` raises."""
        handed: dict[int, Completion] = {}

        def keep(request: Request, completion: Completion) -> Iterable[Request]:
            handed[row_of(request)] = completion
            return self.again(request, completion)

        self.watcher = Watcher()
        run = Run(f"run-{time.time_ns()}", budget or Budget(), {"TEST_KEY": KEY}, self.watcher, **settings)
        wanted: Iterator[Request] = (ask(row, self.model) for row in range(self.rows))
        answer(self.root, run, self.model, wanted, keep)
        return handed, self.watcher

    def waits(self, **settings: Any) -> str:
        """Run, and return what it waits for."""
        with pytest.raises(Waiting) as waiting:
            self.run(**settings)
        return str(waiting.value)


def build_of(tmp_path: Path, server: BatchStandIn, **settings: Any) -> Build:
    usual: dict[str, Any] = {
        "engine": "openai",
        "model": "stand-in",
        "base_url": server.url,
        "api_key_env": "TEST_KEY",
        "batch": True,
        "timeout_s": 5.0,
    }
    return Build(Root.open(str(tmp_path / "data")), ModelSection(**(usual | settings)))


def stored(build: Build) -> dict[str, Completion]:
    generations = Generations(build.root)
    return {key: value for bucket in range(256) for key, value in generations.lookup(bucket).items()}


def test_a_batch_holds_exactly_the_bodies_and_the_next_run_picks_it_up(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server, price_per_mtok=Price(input=2.0, output=4.0), extra_body={"top_k": 3})
        line = build.waits()
        assert "batch_0: 0 of 12 done (in_progress)" in line
        assert "--wait" in line
        wanted = {ask(row, build.model).request_id: ask(row, build.model) for row in range(ROWS)}
        assert {one["custom_id"] for one in server.lines} == set(wanted)
        for one in server.lines:
            assert one["method"] == "POST"
            assert one["url"] == "/v1/chat/completions"
            assert one["body"] == wanted[one["custom_id"]].body
        assert server.batches["batch_0"]["endpoint"] == "/v1/chat/completions"
        assert {received.headers["authorization"] for received in server.received} == {f"Bearer {KEY}"}

        assert "batch_0" in build.waits()
        server.batches["batch_0"]["request_counts"]["completed"] = 7
        assert "7 of 12 done" in build.waits()
        server.finish()
        handed, watcher = build.run()
    assert len(handed) == ROWS
    assert any("12 of 12 answered" in line for line in watcher.lines)
    assert set(server.paid.values()) == {1}
    for completion in handed.values():
        assert completion.text
        assert completion.prompt_tokens and completion.completion_tokens
        halved = (completion.prompt_tokens * 1.0 + completion.completion_tokens * 2.0) / 1e6
        assert completion.cost_usd == pytest.approx(halved)
    assert build.run()[0] == handed
    assert len(server.batches) == 1
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path


def test_answers_are_those_of_requests_sent_at_once(tmp_path: Path) -> None:
    """Whoever switches `batch` on or off finds what was bought before."""
    with BatchStandIn() as server, stand_in.StandIn() as at_once:
        batched = build_of(tmp_path / "a", server)
        batched.waits()
        handed, _ = batched.run()
        single = build_of(tmp_path / "b", server, base_url=at_once.url, batch=False)
        same, _ = single.run()
        single.model = batched.model
        found, _ = single.run()
    assert handed == same == found
    assert len(server.batches) == 1


def test_many_requests_make_several_batches(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server, batch_requests=5)
        line = build.waits()
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [5, 5, 2]
        assert all(f"batch_{number}" in line for number in range(3))
        assert len(build.run()[0]) == ROWS
    assert set(server.paid.values()) == {1}


def test_follow_ups_form_the_next_batch(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        build = build_of(tmp_path, server)

        def again(request: Request, completion: Completion) -> Iterable[Request]:
            if request.sample_index == 0 and row_of(request) < 3:
                yield ask(row_of(request), build.model, sample=1)

        build.again = again
        build.waits()
        assert "of 3 done" in build.waits()
        build.run()
    assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [ROWS, 3]
    assert set(server.paid.values()) == {1}


def test_a_failed_line_goes_into_the_next_batch_and_a_refused_one_is_stored(tmp_path: Path) -> None:
    tried: Counter[int] = Counter()

    def answered(body: dict[str, Any]) -> Reply | None:
        row = int(str(body["messages"][-1]["content"]).rsplit(" ", 1)[1])
        tried[row] += 1
        if row == 3:
            return stand_in.context_too_long()
        if row in (4, 5, 6) and tried[row] == 1:
            return {4: stand_in.server_error(), 5: stand_in.error_inside(), 6: None}[row]
        return judged(body)

    with BatchStandIn(answered) as server:
        build = build_of(tmp_path, server)
        build.waits()
        assert "of 3 done" in build.waits()
        handed, _ = build.run()
        assert handed[3].fault is FaultKind.REQUEST
        assert "context length" in (handed[3].error or "")
        assert all(handed[row].text for row in range(ROWS) if row != 3)
        assert build.run()[0] == handed
        assert sorted(server.paid.values()) == [1] * 9 + [2] * 3

        # Refused once more, it is final for this build, however often the command is repeated until it ends.
        build.waits(retry_failed=True)
        handed, _ = build.run(retry_failed=True)
        assert handed[3].fault is FaultKind.REQUEST
        assert tried[3] == 2


def test_a_line_that_never_comes_is_given_up_and_asked_again_by_the_next_build(tmp_path: Path) -> None:
    with BatchStandIn(lambda body: None if "row 2" in str(body) else judged(body)) as server:
        build = build_of(tmp_path, server, max_retries=1)
        build.waits()
        build.waits()
        handed, _ = build.run()
        assert handed[2].fault is FaultKind.TRANSIENT
        assert "in 2 batches" in (handed[2].error or "")
        assert len(server.batches) == 2
        assert "of 1 done" in build.waits()


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_a_broken_off_batch_has_done_is_kept(tmp_path: Path, status: str) -> None:
    with BatchStandIn(lambda body: judged(body) if "row 1" in str(body) else None, holds=True) as server:
        build = build_of(tmp_path, server)
        build.waits()
        server.finish(status)
        assert "of 9 done" in build.waits()
        assert len(stored(build)) == 3, "rows 1, 10 and 11"
        server.answer = judged
        server.finish()
        assert len(build.run()[0]) == ROWS


def test_a_batch_that_is_refused_as_a_whole_says_why_and_costs_nothing(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        errors = {"data": [{"code": "model_not_found", "message": f"no such model for {KEY}"}]}
        server.refuse_as_a_whole = lambda lines: errors
        build = build_of(tmp_path, server)
        build.waits()
        with pytest.raises(EngineError, match=r"no such model for \*\*\*"):
            build.run()
        server.refuse_as_a_whole = lambda lines: None
        build.waits()
        assert len(build.run()[0]) == ROWS
    assert set(server.paid.values()) == {1}


def test_a_full_queue_is_met_with_smaller_batches_one_at_a_time(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        full = {"data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]}
        server.refuse_as_a_whole = lambda lines: full if len(lines) > 4 else None
        build = build_of(tmp_path, server)
        for _ in range(20):
            try:
                handed, _ = build.run()
                break
            except Waiting:
                open_now = [one for one in server.batches.values() if one["status"] == "in_progress"]
                assert len(open_now) <= 1
        assert len(handed) == ROWS
    assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [12, 6, 3, 3, 3, 3]
    assert set(server.paid.values()) == {1}


def test_every_line_refused_stops_the_build(tmp_path: Path) -> None:
    with BatchStandIn(lambda body: stand_in.refused_400("temperature must be 1")) as server:
        build = build_of(tmp_path, server)
        build.rows = 70
        build.waits()
        with pytest.raises(EngineError, match=r"temperature must be 1.*none of them is kept as refused"):
            build.run()
    assert stored(build) == {}


def test_a_fault_that_every_line_meets_stops_the_build(tmp_path: Path) -> None:
    with BatchStandIn(lambda body: stand_in.wrong_key(f"Incorrect API key provided: {KEY}")) as server:
        build = build_of(tmp_path, server)
        build.waits()
        with pytest.raises(EngineError, match=r"Incorrect API key provided: \*\*\*"):
            build.run()


# -- Budgets --


def test_a_ceiling_holds_over_what_is_open(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server)
        assert "waits for the budget" in build.waits(budget=Budget(max_requests=5))
        build.waits(budget=Budget(max_requests=5))
        assert len(server.lines) == 5, "running it again must not buy more while the first five are open"
        server.finish()
        with pytest.raises(BudgetReached, match="5 requests of max_requests = 5"):
            build.run(Budget(max_requests=5))
        assert len(stored(build)) == 5
        assert "of 5 done" in build.waits(budget=Budget(max_requests=5))
        assert len(server.lines) == 10


def test_a_cost_is_reserved_before_a_batch_and_settled_at_half_price(tmp_path: Path) -> None:
    with BatchStandIn(holds=True) as server:
        build = build_of(tmp_path, server, price_per_mtok=Price(output=10_000.0))  # 100 tokens: $1, in a batch $0.50
        budget = Budget(max_cost_usd=3.0)
        build.waits(budget=budget)
        assert len(server.lines) == 6
        server.finish()
        budget = Budget(max_cost_usd=3.0)
        with pytest.raises(Waiting):
            build.run(budget)
        bought = sum(completion.cost_usd or 0.0 for completion in stored(build).values())
        assert budget.cost_usd == pytest.approx(bought)
        assert set(server.paid.values()) == {1}


def test_a_ceiling_that_lets_nothing_through_is_a_budget_reached(tmp_path: Path) -> None:
    with BatchStandIn() as server:
        with pytest.raises(BudgetReached):
            build_of(tmp_path, server).run(Budget(max_tokens=10))
        assert server.calls == []


# -- Creating, whatever happens --


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


# -- Hostile results --


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
