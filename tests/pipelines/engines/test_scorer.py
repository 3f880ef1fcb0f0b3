"""The score engine against a real HTTP server on loopback that classifies, misbehaves, or is no classifier."""

import asyncio
import math
from collections.abc import Iterable
from statistics import fmean
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.protocol import Attempt, open_engine
from pipelines.engines.simulated.engine import SimulatedEngine
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection, Simulated
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.requests import Watcher
from tests.pipelines.engines.scorers import classified, score, scorer
from tests.pipelines.engines.stand_in_server import Answer, Reply, StandIn

KEY = "sk-secret-0123456789"
TRANSIENT, REQUEST, ENGINE = FaultKind.TRANSIENT, FaultKind.REQUEST, FaultKind.ENGINE


def attempts(model: ModelSection, *requests: Request, key: str | None = None) -> list[Attempt]:
    async def tried() -> list[Attempt]:
        engine = open_engine(model, key)
        try:
            return [await engine.complete(request) for request in requests]
        finally:
            await engine.close()

    return asyncio.run(tried())


def attempt(reply: Answer, **settings: Any) -> Attempt:
    with StandIn(then=reply) as server:
        model = scorer(server.url, **settings)
        return attempts(model, score(1, model))[0]


def run(model: ModelSection, count: int, budget: Budget | None = None) -> list[Completion]:
    kept: list[Completion] = []

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        kept.append(completion)
        return ()

    requests = (score(number, model) for number in range(count))
    dispatch(requests, open_engine(model, None), model, budget or Budget(), keep, Watcher())
    return kept


@pytest.mark.parametrize("ending", ["/v1", "/v1/", "", "/"])
def test_a_text_is_scored_wherever_the_base_url_ends(ending: str) -> None:
    with StandIn(then=classified([0.1 + 0.2])) as server:
        model = scorer(server.url.removesuffix("/v1") + ending, extra_body={"chat_template_kwargs": {"x": 1}})
        request = score(1, model)
        (answer,) = attempts(model, request, key=KEY)
    (received,) = server.requests
    assert (received.method, received.path) == ("POST", "/classify")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == request.body
    assert received.body == {
        "model": "meta-rm",
        "messages": [
            {"role": "user", "content": "Please score row 1"},
            {"role": "assistant", "content": "Scores: \\boxed{7, 3}"},
        ],
        "use_activation": False,
        "chat_template_kwargs": {"x": 1},
    }
    completion = answer.completion
    assert completion.text == "0.30000000000000004" and float(completion.text) == 0.1 + 0.2
    assert (completion.prompt_tokens, completion.completion_tokens) == (21, 0)
    assert completion.served_model == "meta-rm" and completion.fault is None


def test_two_classes_give_one_score() -> None:
    assert attempt(classified([-0.5, 1.25])).completion.text == "1.75"


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (classified([math.nan]), REQUEST, "sent nan in place of a score"),
        (classified([1.0, math.inf]), REQUEST, "sent 1.0, inf in place of a score"),
        (classified([None]), REQUEST, "sent None in place of a score"),
        (classified([True]), REQUEST, "sent True in place of a score"),
        (classified([0.5], [0.7]), ENGINE, "sent the scores of 2 texts, and one was asked for"),
        (classified([0.1, 0.2, 0.7]), ENGINE, "sent 3 scores for one text"),
        (classified([]), ENGINE, "sent 0 scores for one text"),
        (classified([0.5], model="llama-3"), ENGINE, "scores as 'llama-3', not as 'meta-rm'"),
        (stand_in.chat("Scores: \\boxed{7}", model="meta-rm"), ENGINE, "classifies nothing"),
        (stand_in.other_json(), ENGINE, "--runner pooling"),
        (stand_in.html_page(), ENGINE, "not as an OpenAI-compatible endpoint does"),
        (stand_in.html_page(404), ENGINE, "--runner pooling"),
        (Reply(404, b'{"detail":"Not Found"}'), ENGINE, "--runner pooling"),
        (stand_in.error(501, "The model does not support Classification API"), ENGINE, "--runner pooling"),
        (stand_in.no_such_model(), ENGINE, "check model and base_url"),
        (stand_in.wrong_key(), ENGINE, "api_key_env"),
        (stand_in.context_too_long(), REQUEST, "maximum context length"),
        (stand_in.server_error(), TRANSIENT, "HTTP 500"),
        (stand_in.rate_limited(), TRANSIENT, "HTTP 429"),
        (stand_in.half_json(), TRANSIENT, "breaks off"),
        (stand_in.reset(), TRANSIENT, "broke off"),
        (stand_in.error_inside(), TRANSIENT, "upstream is down"),
    ],
)
def test_what_is_no_score_is_a_fault_that_says_what_came(reply: Answer, kind: FaultKind, said: str) -> None:
    completion = attempt(reply).completion
    assert completion.text is None
    assert completion.fault is kind, completion.error
    assert said in (completion.error or "")


def test_an_endpoint_that_hangs_is_given_up_for_now() -> None:
    completion = attempt(stand_in.hang(), timeout_s=0.3).completion
    assert completion.fault is TRANSIENT and "did not answer in time" in (completion.error or "")


def test_a_name_that_means_the_same_model_is_taken() -> None:
    assert attempt(classified([0.5], model="org/meta-rm-8b")).completion.fault is None
    assert attempt(classified([0.5], model=None)).completion.text == "0.5"


def test_one_text_without_a_score_is_its_own_affair_and_all_of_them_are_the_models() -> None:
    def some(body: dict[str, Any]) -> Reply:
        return classified([math.nan] if "row 3" in str(body) else [0.5])

    with StandIn(then=some) as server:
        kept = run(scorer(server.url), 10)
    assert sorted(str(one.fault) for one in kept) == ["None"] * 9 + ["request"]
    with (
        StandIn(then=classified([math.nan])) as server,
        pytest.raises(EngineError, match=r"were all refused: .*in place of a score"),
    ):
        run(scorer(server.url), 200)


def test_a_failure_that_passes_is_tried_again() -> None:
    with StandIn(stand_in.server_error(), stand_in.reset(), then=classified([0.25])) as server:
        kept = run(scorer(server.url, max_concurrency=1), 3)
    assert [one.text for one in kept] == ["0.25"] * 3
    assert len(server.requests) == 5


def test_an_endpoint_that_classifies_nothing_is_set_aside_for_one_that_does() -> None:
    with StandIn(then=stand_in.html_page(404)) as wrong, StandIn(then=classified([0.25])) as right:
        kept = run(scorer(wrong.url, right.url), 20)
    assert [one.text for one in kept] == ["0.25"] * 20


def test_a_score_reserves_no_answer() -> None:
    with StandIn(then=classified([0.25])) as server:
        model = scorer(server.url, price_per_mtok={"input": 1.0, "output": 100.0})
        budget = Budget(max_tokens=2_000, max_cost_usd=0.002)
        assert len(run(model, 5, budget)) == 5
    assert budget.tokens == 5 * 21 and budget.cost_usd == pytest.approx(5 * 21e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"extra_body": {"truncate_prompt_tokens": 100}}, "cuts texts that are too long"),
        ({"extra_body": {"truncation_side": "left"}}, "cuts texts that are too long"),
        ({"batch": True}, 'batch = true needs engine = "openai"'),
    ],
)
def test_settings_that_no_scorer_can_have(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        scorer("http://localhost:1", **settings)


def test_a_model_that_is_loaded_here_takes_no_key_and_no_settings_of_a_server() -> None:
    with pytest.raises(ValidationError, match="takes no api_key_env"):
        ModelSection(engine="score", model="m", api_key_env="KEY")
    with pytest.raises(ValidationError, match=r"extra_body\.priority means nothing"):
        ModelSection(engine="score", model="m", extra_body={"priority": 1})
    with pytest.raises(ValidationError, match="needs a model name"):
        ModelSection(engine="score")


@pytest.mark.parametrize("auc", [0.5, 0.7, 0.9])
def test_a_simulated_scorer_has_the_auc_of_its_settings(auc: float) -> None:
    model = ModelSection(engine="simulated", simulated=Simulated(scorer_auc=auc))
    engine = SimulatedEngine(model)
    right, wrong = (
        [
            float(engine.answer(score(number, model, is_right=is_right)).text or "")
            for number in range(start, start + 700)
        ]
        for start, is_right in ((0, True), (700, False))
    )
    found = fmean((one > other) + (one == other) / 2 for one in right for other in wrong)
    assert found == pytest.approx(auc, abs=0.04)
    again = engine.answer(score(1, model))
    assert float(again.text or "") == right[1] and again.completion_tokens == 0


def test_a_simulated_scorer_has_no_fault_but_refusals_of_its_own() -> None:
    faults = {"failed": 0.2, "truncated": 0.5, "refused": 0.3}
    engine = SimulatedEngine(model := ModelSection(engine="simulated", simulated=Simulated(**faults)))
    kinds = [engine.answer(score(number, model)).fault for number in range(500)]
    assert set(kinds) == {None, REQUEST}
    assert kinds.count(REQUEST) == pytest.approx(100, abs=35)
