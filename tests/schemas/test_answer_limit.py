"""How long an answer may get, by its body: the largest of all that servers may obey, thoughts and copies included."""

from typing import Any

import pytest

from schemas.answer_limit import NoLimit, answer_limit


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 200}, 200),
        ({"max_tokens": 100, "max_completion_tokens": 200}, 200),
        ({"max_tokens": 100.0}, 100),
        ({"max_tokens": 100, "options": {"num_predict": 300}}, 300),
        ({"max_tokens": 100, "maxOutputTokens": 300}, 300),
        ({"max_tokens": 100, "best_of": 3}, 300),
        ({"max_tokens": 100, "thinking": {"type": "enabled", "budget_tokens": 50}}, 150),
        ({"max_tokens": 100, "google": {"thinking_config": {"thinkingBudget": 50}}}, 150),
        ({"max_tokens": 100, "reasoning": {"max_tokens": 50}, "best_of": 2}, 300),
        ({"max_tokens": 100, "thinking_budget": 0, "reasoning_effort": "high"}, 100),
        ({"max_tokens": 100, "chat_template_kwargs": {"enable_thinking": True}}, 100),
        ({"max_tokens": 100, "response_format": {"json_schema": {"max_tokens": "integer"}}}, 100),
    ],
)
def test_what_is_asked(body: dict[str, Any], tokens: int) -> None:
    assert answer_limit({"model": "m", "temperature": 0.5, "messages": [{"max_tokens": -1}]} | body) == tokens


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "no max_tokens"),
        ({"max_tokens": None}, "max_tokens = None"),
        ({"max_tokens": -1}, "max_tokens = -1"),
        ({"max_tokens": "100"}, "max_tokens = '100'"),
        ({"max_tokens": 1.5}, "max_tokens = 1.5"),
        ({"max_tokens": 2**70}, f"max_tokens = {2**70}"),
        ({"max_tokens": float("inf")}, "max_tokens = inf"),
        ({"max_tokens": [100]}, "max_tokens = [100]"),
        ({"max_tokens": 100, "best_of": -1}, "best_of = -1"),
        ({"max_tokens": 100, "thinking_budget": -1}, "thinking_budget = -1"),
        ({"max_tokens": 100, "parameters": {"max_new_tokens": -1}}, "parameters.max_new_tokens = -1"),
    ],
)
def test_what_leaves_it_open_is_named(body: dict[str, Any], key: str) -> None:
    with pytest.raises(NoLimit) as open_end:
        answer_limit(body)
    assert open_end.value.key == key
