"""Each door as its trainer calls it, and what becomes there of a judgement that failed."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pipelines.serving.doors import JUDGE_KEYS
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat
from tests.pipelines.serving.service import SHOWN, Serving, by_worth, recipe_for, serving

PROMPT = "<|im_start|>user\nWhich is best?<|im_end|>\n<|im_start|>assistant\n"


def refuses_bad_groups(body: dict[str, Any]) -> Reply:
    """Judge, but refuse every part of a group in which a response says so."""
    return chat("no verdict") if "unreadable" in body["messages"][-1]["content"] else by_worth(body)


@contextmanager
def served(folder: Path, **serve: Any) -> Iterator[tuple[Serving, StandIn]]:
    with StandIn(then=refuses_bad_groups) as judge:
        recipe = recipe_for(folder, judge.url, {"k": 1, **serve}, grm={"resample_unreadable": 0})
        with serving(recipe, folder / "data") as service:
            yield service, judge


def together(service: Serving, path: str, bodies: list[Any]) -> list[tuple[int, Any]]:
    """Send calls at the same time, as the rollouts of a trainer do."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: service.call(path, body), bodies))


def openrlhf(*texts: str) -> list[Any]:
    return [{"query": [f"{PROMPT}{text}<|im_end|>\n"], "prompts": [PROMPT], "labels": ["7"]} for text in texts]


def slime(*texts: str) -> list[Any]:
    return [{"prompt": PROMPT, "response": text, "label": None} for text in texts]


def test_openrlhf_hands_over_one_query_a_request_and_the_group_is_judged_together(tmp_path: Path) -> None:
    with served(tmp_path, on_failure="raise", group_size=3) as (service, judge):
        told = together(service, "/get_reward", openrlhf("worth 4", "worth 10", "worth 7"))
        assert [status for status, _ in told] == [200] * 3
        assert [reply["rewards"] for _, reply in told] == [[4.0], [10.0], [7.0]]
        assert [reply["scores"] for _, reply in told] == [[pytest.approx(1 / 3)], [1.0], [pytest.approx(2 / 3)]]
        assert told[0][1]["extra_logs"] == {"judge_failed": [0.0], "judge_failed_share": [0.0], "judge_partial": [0.0]}
        (asked,) = judge.requests
        shown = SHOWN.findall(asked.body["messages"][-1]["content"])
        assert sorted(shown) == ["worth 10", "worth 4", "worth 7"], "without prompt and special tokens"

        status, reply = service.call("/get_reward", {"query": ["other text"], "prompts": [PROMPT], "labels": [None]})
        assert status == 400 and "does not hold" in reply["error"]["why"]


def test_slimes_remote_rm_gets_a_field_that_its_reward_key_picks(tmp_path: Path) -> None:
    with served(tmp_path, on_failure="raise") as (service, _):
        told = together(service, "/slime?size=2&run=a", slime("worth 4", "worth 10"))
        assert [(status, reply["reward"], reply["failed"]) for status, reply in told] == [
            (200, 4.0, False),
            (200, 10.0, False),
        ]
        assert told[0][1]["comparable"] == "within this group only"
        status, reply = service.call("/slime", slime("worth 4")[0])
        assert (status, reply["error"]["name"]) == (409, "size")


def test_a_response_full_of_blanks_or_tokens_holds_nobody_up(tmp_path: Path) -> None:
    with served(tmp_path, on_failure="group_mean", group_size=2) as (service, _):
        began = time.monotonic()
        bodies = slime(" " * 500_000 + "worth 4<|im_end|>\n", "<|x|>" * 100_000 + "worth 10")
        told = together(service, "/slime", bodies)
        assert [reply["reward"] for _, reply in told] == [4.0, 10.0]
        assert time.monotonic() - began < 30


def test_nemo_gym_compares_a_cohort_by_its_final_answers(tmp_path: Path) -> None:
    def answer(text: str) -> dict[str, Any]:
        thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "worth 1"}]}
        return {"output": [thought, {"type": "message", "content": [{"type": "output_text", "text": text}]}]}

    with served(tmp_path, on_failure="raise") as (service, judge):
        body = {
            "conversation_history": [{"role": "user", "content": "Which?"}],
            "response_objs": [*map(answer, ("worth 4", "worth 9"))],
        }
        status, reply = service.call("/compare", body)
        assert (status, reply["rewards"], reply["metrics"]["failed_share"]) == (200, [4.0, 9.0], 0.0)
        assert "summary" not in str(judge.requests[0].body)
        status, reply = service.call("/compare", body | {"response_objs": [answer("worth 4")]})
        assert (status, reply["error"]["name"]) == (502, "alone"), "one alone is no 3.0"
        status, reply = service.call("/compare", body | {"response_objs": ["text"]})
        assert status == 400


@pytest.mark.parametrize("path", ["/get_reward?size=2", "/slime?size=2"])
def test_where_a_trainer_takes_numbers_only_a_failure_fails_the_call_or_is_the_groups_mean(
    tmp_path: Path, path: str
) -> None:
    make = openrlhf if "get" in path else slime

    def numbers(told: list[tuple[int, Any]]) -> list[Any]:
        return [reply["rewards"][0] if "rewards" in reply else reply.get("reward") for _, reply in told]

    with served(tmp_path, on_failure="raise", group_wait_s=1) as (service, _):
        told = together(service, path, make("worth 4 unreadable", "worth 9"))
        assert [(status, reply["error"]["name"]) for status, reply in told] == [(502, "unreadable")] * 2
        assert all(reply["failed_share"] == 1.0 for _, reply in told)
        ((status, reply),) = together(service, path, make("worth 3"))
        assert (status, reply["error"]["name"]) == (502, "alone")
    with served(tmp_path, on_failure="group_mean", group_size=3) as (service, _):
        path = path.partition("?")[0]
        told = together(service, path, make("worth 4", " ", "worth 9"))
        assert numbers(told) == [4.0, 6.5, 9.0], "an empty response moves nothing"
        failed = [reply.get("failed", reply.get("extra_logs", {}).get("judge_failed", [0])[0]) for _, reply in told]
        assert [bool(one) for one in failed] == [False, True, False]
        told = together(service, path, make("worth 4 unreadable", "worth 8", "worth 9"))
        assert {status for status, _ in told} == {502}, "a group of failures has no mean"


@pytest.mark.parametrize("serve", [{}, {"on_failure": "skip"}])
@pytest.mark.parametrize("path", ["/get_reward", "/slime", "/compare"])
def test_without_a_choice_that_it_can_keep_a_door_for_numbers_stays_shut(
    tmp_path: Path, path: str, serve: dict[str, str]
) -> None:
    with served(tmp_path, group_size=2, **serve) as (service, judge):
        body: Any = {"/get_reward": openrlhf("worth 4")[0], "/slime": slime("worth 4")[0], "/compare": {}}[path]
        status, reply = service.call(path, body)
        assert (status, reply["error"]["name"]) == (409, "on_failure")
        assert not judge.requests


def test_groups_of_one_prompt_in_two_runs_do_not_mix_and_a_partial_group_says_so(tmp_path: Path) -> None:
    with served(tmp_path, on_failure="raise", group_size=3, group_wait_s=1.0) as (service, judge):
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(together, service, "/slime?run=a", slime("worth 4", "worth 10"))
            two = pool.submit(together, service, "/slime?run=b", slime("worth 1", "worth 2", "worth 3"))
            assert [(reply["reward"], reply["partial"]) for _, reply in one.result()] == [(4.0, True), (10.0, True)]
            assert [reply["partial"] for _, reply in two.result()] == [False] * 3
        assert len(judge.requests) == 2
        assert service.metric("partial_groups_total") == 1 and service.metric("group_wait_seconds_count") == 2


def test_openapi_knows_every_key_of_the_plain_door_and_no_other() -> None:
    described = json.loads(resources.files("pipelines.serving").joinpath("openapi.json").read_text("utf-8"))
    assert set(described["components"]["schemas"]["Call"]["properties"]) == set(JUDGE_KEYS)
