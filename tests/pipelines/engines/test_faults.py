"""What a failure means: every status, body and break to its kind, in one line that names the endpoint."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from json import dumps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.faults import (
    Broken,
    fault_of_break,
    fault_of_error,
    fault_of_status,
    reason_of,
    snippet,
)
from pipelines.engines.waits import duration_of, exhausted_for_s, seconds_of
from schemas.generation import FaultKind

URL = "http://somewhere:8000/v1"
TRANSIENT, REQUEST, ENGINE = FaultKind.TRANSIENT, FaultKind.REQUEST, FaultKind.ENGINE


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"error": {"message": "context length", "code": "context_length_exceeded"}}', REQUEST),
        (400, '{"error": {"message": "flagged", "code": "content_filter"}}', REQUEST),
        (400, '{"error": {"message": "API key not valid", "code": "invalid_api_key"}}', ENGINE),
        (400, '{"error": {"message": "The model `x` does not exist"}}', REQUEST),
        (401, "", ENGINE),
        (402, "", ENGINE),
        (403, "", ENGINE),
        (403, '{"error": {"message": "input was flagged", "code": "moderation_blocked"}}', REQUEST),
        (403, '{"error": {"message": "input was flagged by moderation"}}', ENGINE),
        (404, '{"error": {"message": "safety", "code": "content_filter"}}', ENGINE),
        (424, '{"error": "Request failed during generation", "error_type": "generation"}', TRANSIENT),
        (425, "", TRANSIENT),
        (499, "", TRANSIENT),
        (404, '{"error": {"message": "no such model"}}', ENGINE),
        (404, "<html>nginx</html>", ENGINE),
        (302, "", ENGINE),
        (405, "", ENGINE),
        (408, "", TRANSIENT),
        (409, "", TRANSIENT),
        (413, "", REQUEST),
        (422, '{"detail": [{"msg": "field required"}]}', REQUEST),
        (429, "", TRANSIENT),
        (429, '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}', ENGINE),
        (500, "", TRANSIENT),
        (502, "<html>bad gateway</html>", TRANSIENT),
        (503, "", TRANSIENT),
        (529, "", TRANSIENT),
    ],
)
def test_kinds_of_statuses(status: int, body: str, kind: FaultKind) -> None:
    fault = fault_of_status(URL, status, body)
    assert fault.kind is kind
    assert fault.message.startswith(f"{URL}: HTTP {status}")
    assert "\n" not in fault.message


SAID = (
    "model_not_found: the model `m` does not exist; invalid_api_key, Incorrect API key provided; insufficient_quota;"
    " You exceeded your current quota; content_filter, flagged by moderation; context_length_exceeded; rate limit"
)
"""What a prompt may say, and an error quote of it."""


@pytest.mark.parametrize("form", ["openai", "top", "string", "list", "html", "detail"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, REQUEST), (422, REQUEST), (403, ENGINE), (429, TRANSIENT), (500, TRANSIENT), (413, REQUEST)],
)
def test_no_word_of_a_message_decides(form: str, status: int, kind: FaultKind) -> None:
    fields = {"message": SAID, "type": "invalid_request_error", "param": None, "code": None}
    body = {
        "openai": dumps({"error": fields}),
        "top": dumps({"object": "error", **fields, "code": status}),
        "string": dumps({"error": SAID, "error_type": "validation"}),
        "list": dumps([{"error": {**fields, "code": status, "status": "INVALID_ARGUMENT"}}]),
        "html": f"<html><h1>{SAID}</h1></html>",
        "detail": dumps({"detail": [{"msg": SAID, "type": SAID, "input": SAID}]}),
    }[form]
    fault = fault_of_status(URL, status, body)
    assert fault.kind is kind
    assert fault.is_doubtful == (status in (400, 422))
    assert fault_of_error(URL, {"message": SAID, "type": SAID, "code": None}).kind is TRANSIENT


INVALID: dict[str, object] = {"type": "invalid_request_error"}
POLICY = {"code": "ResponsibleAIPolicyViolation"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "is_doubtful"),
    [
        # OpenAI and those that follow it word for word (Groq, DeepSeek, Together, Fireworks)
        (400, INVALID | {"param": "messages", "code": "context_length_exceeded"}, REQUEST, False),
        (400, INVALID | {"param": "temperature", "code": "unsupported_value"}, REQUEST, True),
        (400, INVALID | {"code": "content_policy_violation"}, REQUEST, False),
        (400, INVALID | {"code": "invalid_prompt"}, REQUEST, False),
        (400, INVALID | {"code": "billing_hard_limit_reached"}, ENGINE, False),
        (400, INVALID | {"code": "model_decommissioned"}, ENGINE, False),
        (400, INVALID | {"code": "model_not_available"}, ENGINE, False),
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, ENGINE, False),
        (429, {"type": "insufficient_quota", "code": None}, ENGINE, False),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, TRANSIENT, False),
        (403, {"type": "request_forbidden", "code": "unsupported_country_region_territory"}, ENGINE, False),
        # Azure
        (400, {"type": None, "code": "content_filter", "innererror": POLICY}, REQUEST, False),
        (400, {"code": "BadRequest", "innererror": POLICY}, REQUEST, False),
        (404, {"code": "DeploymentNotFound"}, ENGINE, False),
        (429, {"code": "429"}, TRANSIENT, False),
        (401, {"code": "401"}, ENGINE, False),
        # vLLM, SGLang, llama-server
        (400, {"type": "BadRequestError", "param": None, "code": 400}, REQUEST, True),
        (404, {"type": "NotFoundError", "param": None, "code": 404}, ENGINE, False),
        (500, {"type": "InternalServerError", "param": None, "code": 500}, TRANSIENT, False),
        (400, {"type": "exceed_context_size_error", "code": 400, "n_ctx": 4096}, REQUEST, False),
        (401, {"type": "authentication_error", "code": 401}, ENGINE, False),
        (503, {"type": "unavailable_error", "code": 503}, TRANSIENT, False),
        # LiteLLM
        (400, {"type": "budget_exceeded", "param": None, "code": "400"}, ENGINE, False),
        (429, {"type": "budget_exceeded", "param": None, "code": "429"}, ENGINE, False),
        (400, {"type": "None", "param": "None", "code": "400"}, REQUEST, True),
        (401, {"type": "auth_error", "param": "None", "code": "401"}, ENGINE, False),
        # OpenRouter, Anthropic's layer, Gemini's
        (402, {"code": 402, "metadata": {}}, ENGINE, False),
        (403, {"code": 403, "metadata": {"reasons": ["violence"], "flagged_input": ".."}}, REQUEST, False),
        (403, {"code": 403, "metadata": None}, ENGINE, False),
        (529, {"type": "overloaded_error"}, TRANSIENT, False),
        (413, {"type": "request_too_large"}, REQUEST, False),
        (400, {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}, ENGINE, False),
        (400, {"code": 400, "status": "INVALID_ARGUMENT", "details": "odd"}, REQUEST, True),
    ],
)
def test_what_servers_send(status: int, body: dict[str, object], kind: FaultKind, is_doubtful: bool) -> None:
    for tree in (
        {"error": {"message": SAID, **body}},
        {"message": SAID, **body},
        [{"error": {"message": SAID, **body}}],
    ):
        fault = fault_of_status(URL, status, dumps(tree))
        assert (fault.kind, fault.is_doubtful) == (kind, is_doubtful), tree


def test_only_being_asked_too_much_is_throttling() -> None:
    assert [status for status in range(400, 600) if fault_of_status(URL, status, "").throttled] == [
        408,
        429,
        503,
        504,
        529,
    ]
    assert fault_of_status(URL, 500, '{"error": "model overloaded"}').throttled
    assert fault_of_break(URL, Broken.TIMEOUT, has_answered=True).throttled
    assert not fault_of_break(URL, Broken.RESET, has_answered=True).throttled


@pytest.mark.parametrize(
    ("broken", "at_first", "later"),
    [
        (Broken.REFUSED, TRANSIENT, TRANSIENT),
        (Broken.UNKNOWN_HOST, TRANSIENT, TRANSIENT),
        (Broken.RESET, TRANSIENT, TRANSIENT),
        (Broken.TIMEOUT, TRANSIENT, TRANSIENT),
        (Broken.CERTIFICATE, ENGINE, ENGINE),
        (Broken.NOT_TLS, ENGINE, ENGINE),
        (Broken.NOT_HTTP, ENGINE, TRANSIENT),
        (Broken.NOT_API, ENGINE, TRANSIENT),
        (Broken.HALF, TRANSIENT, TRANSIENT),
        (Broken.NO_CHOICE, TRANSIENT, TRANSIENT),
        (Broken.TOO_LARGE, REQUEST, REQUEST),
    ],
)
def test_kinds_of_breaks(broken: Broken, at_first: FaultKind, later: FaultKind) -> None:
    assert fault_of_break(URL, broken, has_answered=False).kind is at_first
    fault = fault_of_break(URL, broken, "detail\nof it", has_answered=True)
    assert fault.kind is later
    assert fault.message.startswith(URL)
    assert "detail of it" in fault.message
    assert fault.unreachable == (broken in (Broken.REFUSED, Broken.UNKNOWN_HOST))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 502, "message": "upstream"}, TRANSIENT),
        ({"code": "429", "message": "slow down"}, TRANSIENT),
        ({"code": 400, "message": "bad"}, REQUEST),
        ({"code": 401, "message": "key"}, ENGINE),
        ({"code": "rate_limit_exceeded", "message": "rate limit"}, TRANSIENT),
        ({"message": "context length exceeded"}, TRANSIENT),
        ({"message": "long", "code": "context_length_exceeded"}, REQUEST),
        ({"message": "no", "type": "invalid_request_error"}, REQUEST),
        ({"message": "no", "code": "model_not_found"}, ENGINE),
        ({"message": "no", "code": 403, "metadata": {"reasons": ["hate"], "flagged_input": "x"}}, REQUEST),
        ({"code": "insufficient_quota", "message": "pay"}, ENGINE),
        ("something", TRANSIENT),
        (["odd"], TRANSIENT),
        ({"message": "\ud800"}, TRANSIENT),
    ],
)
def test_errors_inside_a_200(error: object, kind: FaultKind) -> None:
    assert fault_of_error(URL, error).kind is kind


def test_retry_after_as_number_and_as_date() -> None:
    assert seconds_of("17") == 17
    assert seconds_of("0.5") == 0.5
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert seconds_of(in_a_minute) == pytest.approx(60, abs=2)
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_of("20ms") == pytest.approx(0.02)
    for nonsense in ("", "soon", "-5", "nan", None):
        assert seconds_of(nonsense) is None
    assert seconds_of("inf") == 1e9


def test_retry_after_counts_only_where_another_try_follows() -> None:
    assert fault_of_status(URL, 429, "", "30").retry_after_s == 30
    assert fault_of_status(URL, 400, "", "30").retry_after_s is None


def test_rate_limit_headers() -> None:
    assert duration_of("1m2.5s") == 62.5
    assert duration_of("6m0s") == 360
    assert duration_of("in a while 5s") is None
    left = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "8s"}
    assert exhausted_for_s(left) is None
    assert exhausted_for_s(left | {"x-ratelimit-remaining-requests": "0"}) == 8
    tokens = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "250ms"}
    assert exhausted_for_s(tokens) == 0.25
    assert exhausted_for_s({"x-ratelimit-remaining-tokens": "0"}) is None


@given(st.text())
def test_foreign_text_becomes_one_harmless_line(text: str) -> None:
    line = snippet(text)
    assert len(line) <= 200
    assert not any(ord(character) < 32 or ord(character) == 127 for character in line)
    line.encode()


@given(st.integers(300, 599), st.binary(max_size=300), st.none() | st.text(max_size=30))
def test_no_status_and_no_body_raises(status: int, body: bytes, retry_after: str | None) -> None:
    fault_of_status(URL, status, body, retry_after)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (fault_of_status("http://e/v1", 429, '{"error": {"message": "prompt: HTTP 500"}}').message, "HTTP 429"),
        (
            fault_of_break("http://e/v1", Broken.TIMEOUT, "a detail", has_answered=True).message,
            "did not answer in time",
        ),
        ("somebody said something", "other"),
    ],
)
def test_a_reason_repeats_no_word_of_the_endpoint(message: str, reason: str) -> None:
    assert reason_of(message) == reason
