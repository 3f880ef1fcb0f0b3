"""Answers by batch, against a real batch interface on loopback that fails in every way one does."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.budget import Budget
from schemas.errors import BudgetReached, EngineError, Waiting
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import Price
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.batch_builds import KEY, ROWS, build_of, stored
from tests.pipelines.engines.requests import ask, row_of
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, judged


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
