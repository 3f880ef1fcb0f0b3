"""From the bytes of a 200 to a completion: what real servers send, and what they should not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.faults import Broken, Fault, fault_of_status, reason_of
from pipelines.engines.replies import read_reply
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection, Price
from tests.pipelines.engines import stand_in_server as server

MODEL = ModelSection(engine="openai", model="m", base_url=("http://x/v1",), price_per_mtok=Price(input=1, output=2))


def read(content: bytes, has_answered: bool = True) -> Completion | Fault:
    return read_reply(content, "r", MODEL, "http://x/v1", has_answered=has_answered)


def completion(reply: server.Reply) -> Completion:
    answer = read(reply.body)
    assert isinstance(answer, Completion)
    return answer


def fault(content: bytes, has_answered: bool = True) -> Fault:
    answer = read(content, has_answered)
    assert isinstance(answer, Fault)
    return answer


def broken(content: bytes) -> Broken:
    return Broken(reason_of(fault(content).message))


def test_a_good_answer() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    answer = completion(server.chat("fine", model="other-name", usage=usage))
    assert answer == Completion(
        "r",
        "fine",
        finish_reason="stop",
        served_model="other-name",
        prompt_tokens=1000,
        completion_tokens=500,
        cached_tokens=800,
        reasoning_tokens=100,
        cost_usd=0.002,
    )


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("no thoughts", "no thoughts", None),
        ("<think>hm</think>\n\nanswer", "answer", "hm"),
        ("\n<think>\nhm\n</think>answer", "answer", "hm"),
        ("hm, the template opened it</think>\nanswer", "answer", "hm, the template opened it"),
        ("<think>never ends \\boxed{1, 2}", "", "never ends \\boxed{1, 2}"),
        ("<think></think>answer", "answer", None),
        ("Response 1 says <think>x</think> aloud", "Response 1 says <think>x</think> aloud", None),
        ("", "", None),
    ],
)
def test_thoughts_are_split_off(content: str, text: str, reasoning: str | None) -> None:
    found = completion(server.chat(content))
    assert (found.text, found.reasoning) == (text, reasoning)


def test_reasoning_that_the_server_split_off() -> None:
    assert completion(server.chat("a", reasoning_content="thought")).reasoning == "thought"
    assert completion(server.chat("a", reasoning="thought")).reasoning == "thought"
    assert completion(server.chat("quotes </think> later", reasoning_content="t")).text == "quotes </think> later"
    cut = completion(server.chat(None, reasoning_content="thought on and on", finish_reason="length"))
    assert (cut.text, cut.reasoning, cut.finish_reason) == ("", "thought on and on", "length")


def test_contents_of_other_kinds() -> None:
    assert completion(server.chat(None)).text == ""
    parts = [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}]
    assert completion(server.chat(parts)).text == "one two"
    refused = completion(server.chat(None, refusal="I will not."))
    assert (refused.text, refused.finish_reason) == ("I will not.", "refusal")


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": "12"},
        {"prompt_tokens": -1, "completion_tokens": 1.5},
        {"prompt_tokens": 2**31, "completion_tokens": 2**63},  # tables hold the tokens of a response in 32 bits
        {"prompt_tokens": 10**30, "completion_tokens": True},
    ],
)
def test_usage_that_is_missing_or_nonsense(usage: dict[str, Any] | None) -> None:
    answer = completion(server.chat("fine", usage=usage))
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens, answer.cost_usd) == ("fine", None, None, None)


def test_lone_surrogates_and_wrong_utf8_are_replaced() -> None:
    surrogate = server.chat("x").body.replace(b'"x"', b'"\\ud800 fine"')
    assert completion(server.Reply(body=surrogate)).text == "\ufffd fine"
    wrong = server.chat("x").body.replace(b'"x"', b'"\xff fine"')
    assert completion(server.Reply(body=wrong)).text == "\ufffd fine"


def test_what_is_no_completion() -> None:
    assert broken(server.half_json().body) is Broken.HALF
    assert broken(server.html_page().body) is Broken.NOT_API
    assert broken(b"") is Broken.NOT_API
    assert broken(b"[1, 2]") is Broken.NOT_API
    assert broken(server.other_json().body) is Broken.NOT_API
    assert broken(server.empty_choices().body) is Broken.NO_CHOICE
    assert broken(b'{"choices": [null]}') is Broken.NO_CHOICE
    assert broken(b'{"choices": null}') is Broken.NO_CHOICE
    assert broken(b"[" * 100_000) is Broken.HALF
    assert "HTTP 502: upstream is down" in fault(server.error_inside(502).body).message
    inner = fault(b'{"choices": [{"error": {"code": 429}, "message": {"content": ""}}]}')
    assert "HTTP 429" in inner.message and inner.throttled


def test_a_page_is_the_wrong_address_only_before_the_first_answer() -> None:
    assert fault(server.html_page().body, has_answered=False).kind is FaultKind.ENGINE
    assert fault(server.html_page().body).kind is FaultKind.TRANSIENT


def test_an_answer_that_ends_in_an_error_may_be_billed() -> None:
    half = b"""{"choices": [{"finish_reason": "error", "error": {"code": 502}, "message": {"content": "Scores: "}}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 40}}"""
    found = fault(half)
    assert found.broke_off and "HTTP 502" in found.message
    assert (found.prompt_tokens, found.completion_tokens) == (30, 40)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSON.map(lambda tree: json.dumps(tree).encode()))
def test_no_body_raises(content: bytes) -> None:
    read(content)


@given(JSON, JSON, JSON, JSON)
def test_no_field_raises(content: object, reasoning: object, usage: object, finish: object) -> None:
    message = {"content": content, "reasoning_content": reasoning, "refusal": finish}
    tree = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, "model": content}
    answer = read(json.dumps(tree).encode())
    assert isinstance(answer, Completion)
    assert answer.text is not None
    answer.text.encode()


@pytest.mark.parametrize("levels", [300, 1000, 1020, 100_000])
def test_a_tree_of_many_levels_is_a_fault_like_any_other(levels: int) -> None:
    deep = b"[" * levels + b"]" * levels
    for body in (deep, b'{"choices": [], "error": ' + deep + b"}", b'{"usage": ' + deep + b"}"):
        assert fault(body).kind is FaultKind.TRANSIENT
        assert fault_of_status("http://x/v1", 500, body).kind is FaultKind.TRANSIENT
