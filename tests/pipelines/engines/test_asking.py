"""Asking: what is wanted twice is bought once, and what came of it is counted the same however often it is asked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.engines.asking import Answers, Asker
from pipelines.engines.jobs import job_of
from pipelines.synthesis.answers import answer_request, holds_answer
from schemas.generation import Completion, Request
from storage.root import Root
from tests.examples import a_run, simulated
from tests.pipelines.engines.stand_in_server import StandIn, chat, server_error
from tests.pipelines.synthesis.own_questions import a_question, openai, recipe


def asker(folder: Path, model: dict[str, Any]) -> Asker:
    made = recipe(model)
    job = job_of(made, "responder", "synthesis")
    assert job is not None
    return Asker(Root(folder), a_run(made)[0], job)


def wanted(one: Asker, *numbers: int, samples: int = 1) -> list[Request]:
    return [answer_request(one.job, a_question(number), index) for number in numbers for index in range(samples)]


def fetch(one: Asker, requests: Sequence[Request]) -> dict[str, Completion]:
    return one.fetch("answering", requests, holds_answer)


def test_equal_requests_are_sent_once_and_counted_once(tmp_path: Path) -> None:
    one = asker(tmp_path, simulated())
    requests = wanted(one, 1, 2, 1, 2, 1)
    assert set(fetch(one, requests)) == {request.request_id for request in requests}
    assert (one.answers.requests, one.answers.bought, one.run.budget.requests) == (2, 2, 2)


def test_what_was_answered_before_is_counted_and_not_bought(tmp_path: Path) -> None:
    facts = []
    for bought in (3, 0):
        one = asker(tmp_path, simulated(failed=0.3))
        fetch(one, wanted(one, 2, samples=3))
        assert (one.answers.bought, one.answers.cached, one.run.budget.requests) == (bought, 3 - bought, bought)
        facts.append(one.answers.facts(one.job))
    assert facts[0] == facts[1]
    assert facts[0]["requests"] == 3 and facts[0]["prompt_tokens"] > 0


def test_refused_requests_are_failures_with_their_error(tmp_path: Path) -> None:
    one = asker(tmp_path, simulated(failed=1.0))
    fetch(one, wanted(one, 1))
    assert one.answers.failed == one.answers.requests == 1
    assert one.answers.error is not None and "400" in one.answers.error
    assert one.answers.in_key("settings") == "settings", "the next build need not ask again"


def test_what_fails_for_a_passing_reason_is_given_up_and_sent_again_by_the_next_build(tmp_path: Path) -> None:
    with StandIn(server_error(), server_error(), then=chat("\\boxed{1}")) as server:
        first = asker(tmp_path, openai(server.url))
        [request] = wanted(first, 1)
        assert fetch(first, [request]) == {}
        assert list(first.answers.given_up) == [request.request_id]
        assert first.answers.failed == 1 and first.answers.in_key("settings") != "settings"
        again = asker(tmp_path, openai(server.url))
        assert fetch(again, [request])[request.request_id].text == "\\boxed{1}"
        assert not again.answers.given_up and not again.answers.failed


def test_of_an_equal_request_of_another_question_the_own_answer_counts(tmp_path: Path) -> None:
    with StandIn(chat("\\boxed{1}"), chat("\\boxed{2}"), then=chat("\\boxed{3}")) as server:
        one = asker(tmp_path, openai(server.url))
        request, neighbour = wanted(one, 1, 2)
        own, of_another = replace(request, query_id="00" * 16), replace(request, query_id="ff" * 16)
        fetch(one, [own])
        assert fetch(one, [of_another])[request.request_id].text == "\\boxed{2}"
        answers = fetch(one, [own, replace(neighbour, query_id="ff" * 16)])
        assert answers[request.request_id].text == "\\boxed{1}"


def test_nothing_to_ask_opens_no_model(tmp_path: Path) -> None:
    one = asker(tmp_path, openai("http://127.0.0.1:9"))
    assert fetch(one, []) == {}
    assert one.answers == Answers()


def test_steps_of_one_role_add_up_whether_they_were_taken_now_or_earlier(tmp_path: Path) -> None:
    first, second = asker(tmp_path, simulated()), asker(tmp_path, simulated())
    fetch(first, wanted(first, 1))
    fetch(second, wanted(second, 2, samples=2))
    earlier = Answers()
    earlier.recall(second.answers.facts())
    assert earlier.facts() == second.answers.facts()
    first.answers.add(second.answers)
    assert (first.answers.requests, first.answers.bought) == (3, 3)
    assert first.answers.prompt_tokens > second.answers.prompt_tokens > 0
