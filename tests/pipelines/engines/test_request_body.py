"""Bodies as they are sent."""

from typing import Any

import pytest

from pipelines.engines.jobs import prompt_bytes, request_body
from schemas.query import Message
from schemas.recipe import ModelSection


def section(**settings: Any) -> ModelSection:
    usual: dict[str, Any] = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    return ModelSection(**(usual | settings))


TURNS = (Message("system", "Be fair."), Message("user", "One?"), Message("assistant", "1"), Message("user", "Two?"))


def test_a_body_as_it_is_sent() -> None:
    assert request_body(section(top_p=0.9), TURNS[1:2], temperature=0.5, max_tokens=10) == {
        "model": "m",
        "messages": [{"role": "user", "content": "One?"}],
        "temperature": 0.5,
        "max_tokens": 10,
        "top_p": 0.9,
    }


def test_extra_body_wins_and_max_completion_tokens_takes_the_place_of_max_tokens() -> None:
    extra = {"max_completion_tokens": 99, "temperature": 1.0, "chat_template_kwargs": {"enable_thinking": False}}
    body = request_body(section(extra_body=extra), TURNS[1:2], temperature=0.5, max_tokens=10)
    assert "max_tokens" not in body
    assert body.items() >= extra.items()


@pytest.mark.parametrize("key", ["n", "stream", "seed", "messages", "model"])
def test_extra_body_cannot_take_over_what_is_ours(key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}' is not an extra"):
        section(extra_body={key: 2})


def test_a_system_message_is_folded_into_the_users_turn() -> None:
    body = request_body(section(system_role=False), TURNS, temperature=0.5, max_tokens=10)
    assert body["messages"] == [
        {"role": "user", "content": "Be fair.\n\nOne?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    lonely = request_body(section(system_role=False), TURNS[:1], temperature=0.5, max_tokens=10)
    assert lonely["messages"] == [{"role": "user", "content": "Be fair."}]


def test_prompts_are_measured_in_bytes() -> None:
    assert prompt_bytes({"messages": [{"role": "user", "content": "語x"}]}) == 4
    assert prompt_bytes({"messages": [{"role": "user", "content": [{"type": "text"}]}]}) > 0
    assert prompt_bytes({}) == 0
