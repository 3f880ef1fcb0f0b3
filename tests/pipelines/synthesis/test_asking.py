"""Asking: what is asked twice is bought once, and what was asked is counted the same however often it is."""

from pathlib import Path

from pipelines.synthesis.answers import answer_request
from pipelines.synthesis.asking import Asked, answers_of
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.engines.stand_in_server import StandIn, chat, server_error
from tests.pipelines.synthesis.own_questions import a_question, openai, recipe, role


def test_equal_requests_are_asked_once_and_counted_once(tmp_path: Path) -> None:
    asked, run = role(recipe(simulated()), "responder")
    requests = [answer_request(asked.job, a_question(number), 0) for number in (1, 2, 1, 2, 1)]
    answers = answers_of(Root(tmp_path), run, asked, "answering", requests)
    assert set(answers) == {one.request_id for one in requests}
    assert (asked.requests, asked.bought, run.budget.requests) == (2, 2, 2)


def test_what_was_answered_before_is_counted_and_not_bought(tmp_path: Path) -> None:
    facts = []
    for bought in (3, 0):
        asked, run = role(recipe(simulated(failed=0.3)), "responder")
        answers_of(
            Root(tmp_path), run, asked, "answering", [answer_request(asked.job, a_question(2), n) for n in range(3)]
        )
        assert (asked.bought, run.budget.requests) == (bought, bought)
        facts.append(asked.facts())
    assert facts[0] == facts[1]
    assert facts[0]["requests"] == 3 and facts[0]["prompt_tokens"] > 0


def test_refused_requests_are_failures_with_their_error(tmp_path: Path) -> None:
    asked, run = role(recipe(simulated(failed=1.0)), "responder")
    answers_of(Root(tmp_path), run, asked, "answering", [answer_request(asked.job, a_question(1), 0)])
    assert asked.failed == asked.requests == 1
    assert asked.error is not None and "400" in asked.error
    assert not asked.given_up


def test_what_fails_for_a_passing_reason_is_given_up_and_asked_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with StandIn(server_error(), server_error(), then=chat("\\boxed{1}")) as server:
        made = recipe(openai(server.url))
        asked, run = role(made, "responder")
        request = answer_request(asked.job, a_question(1), 0)
        assert answers_of(root, run, asked, "answering", [request]) == {}
        assert list(asked.given_up) == [request.request_id]
        assert asked.failed == 1
        again, run = role(made, "responder")
        assert answers_of(root, run, again, "answering", [request])[request.request_id].text == "\\boxed{1}"
        assert not again.given_up and not again.failed


def test_nothing_to_ask_opens_no_model(tmp_path: Path) -> None:
    asked, run = role(recipe(openai("http://127.0.0.1:9")), "responder")
    assert answers_of(Root(tmp_path), run, asked, "answering", []) == {}
    assert asked.facts()["requests"] == 0


def test_steps_of_one_role_add_up_whether_they_were_taken_now_or_earlier(tmp_path: Path) -> None:
    first, run = role(recipe(simulated()), "responder")
    second = Asked(first.job)
    answers_of(Root(tmp_path), run, first, "answering", [answer_request(first.job, a_question(1), 0)])
    answers_of(Root(tmp_path), run, second, "answering", [answer_request(first.job, a_question(2), n) for n in (0, 1)])
    earlier = Asked(first.job)
    earlier.recall(second.facts())
    assert earlier.facts() == second.facts()
    first.add(second)
    assert (first.requests, first.bought) == (3, 3)
    assert first.prompt_tokens > second.prompt_tokens > 0
