"""The openai engine against a real HTTP server on loopback that fails in every way one does."""

import gzip
import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.engines.live.exchange import MAX_ANSWER_BYTES
from pipelines.engines.protocol import open_engine
from schemas.errors import EngineError
from schemas.generation import FaultKind, Truth
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.http_engines import KEY, attempt, attempts, section
from tests.pipelines.engines.requests import ask
from tests.pipelines.engines.stand_in_server import Answer, Reply, StandIn


def test_a_good_answer_and_exactly_the_body_on_the_wire() -> None:
    with StandIn() as server:
        model = section(server.url, extra_body={"top_k": 20}, system_role=False)
        secret = Truth("set-of-the-truth", 2, 1, None, True)
        request = ask(1, model, prompt="grüße 語 [The Begin of Response 2]", truth=secret)
        (answer,) = attempts(model, request, key=KEY)
    assert answer.completion.fault is None
    assert "Scores: \\boxed{" in (answer.completion.text or "")
    assert answer.completion.served_model == "stand-in"
    assert answer.completion.prompt_tokens and answer.completion.completion_tokens
    (received,) = server.requests
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == request.body
    assert set(received.body) == {"model", "messages", "temperature", "max_tokens", "top_k", "seed"}
    wire = received.raw + repr(received.headers).encode()
    for hidden in ("set-of-the-truth", "truth", "best_position", "hinted", request.query_id, request.request_id):
        assert hidden.encode() not in wire


def test_without_a_key_none_is_sent_and_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    with StandIn() as server:
        model = section(server.url)
        attempts(model, ask(1, model))
    assert "authorization" not in server.requests[0].headers


def test_answers_as_servers_vary_them() -> None:
    thought = attempt(lambda body: stand_in.judged(body, thinks=True)).completion
    assert thought.reasoning == "Compare them." and (thought.text or "").startswith("Specific Criteria:")
    assert attempt(stand_in.chat("fine", reasoning_content="hm")).completion.reasoning == "hm"
    empty = attempt(stand_in.chat(None)).completion
    assert (empty.text, empty.fault) == ("", None)
    bare = attempt(stand_in.chat("fine", usage=None, model="another")).completion
    assert (bare.prompt_tokens, bare.served_model) == (None, "another")
    assert attempt(stand_in.chat(None, refusal="No.")).completion.finish_reason == "refusal"


WELL = stand_in.chat("fine")
TRANSIENT, REQUEST, ENGINE = FaultKind.TRANSIENT, FaultKind.REQUEST, FaultKind.ENGINE


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ([stand_in.rate_limited()], TRANSIENT, "HTTP 429"),
        ([stand_in.no_credit()], ENGINE, "no credit"),
        ([stand_in.server_error(500)], TRANSIENT, "HTTP 500"),
        ([stand_in.server_error(503)], TRANSIENT, "HTTP 503"),
        ([stand_in.context_too_long()], REQUEST, "maximum context length"),
        ([stand_in.content_filtered()], REQUEST, "content_filter"),
        ([stand_in.wrong_key()], ENGINE, "api_key_env"),
        ([stand_in.no_such_model()], ENGINE, "does not exist"),
        ([stand_in.reset()], TRANSIENT, "broke off"),
        ([stand_in.cut_off()], TRANSIENT, "breaks off"),
        ([stand_in.half_json()], TRANSIENT, "cannot be read"),
        ([stand_in.html_page()], ENGINE, "base_url"),
        ([WELL, stand_in.html_page()], TRANSIENT, "OpenAI-compatible"),
        ([WELL, stand_in.html_page(502)], TRANSIENT, "HTTP 502"),
        ([stand_in.html_page(404)], ENGINE, "HTTP 404"),
        ([stand_in.other_json()], ENGINE, "another kind"),
        ([WELL, stand_in.other_json()], TRANSIENT, "OpenAI-compatible"),
        ([stand_in.empty_choices()], TRANSIENT, "without a choice"),
        ([stand_in.error_inside(502)], TRANSIENT, "upstream is down"),
        ([stand_in.error_inside(400)], REQUEST, "upstream is down"),
        ([stand_in.error_inside(401)], ENGINE, "upstream is down"),
        ([stand_in.other_protocol()], ENGINE, "does not speak HTTP"),
        ([WELL, stand_in.other_protocol()], TRANSIENT, "does not speak HTTP"),
        ([Reply(status=204)], ENGINE, "OpenAI-compatible"),
        ([Reply(302, headers={"location": "/login"}), stand_in.html_page(405)], ENGINE, ""),
    ],
)
def test_every_way_to_fail_is_a_fault_in_one_line(script: list[Answer], kind: FaultKind, said: str) -> None:
    completion = attempt(*script).completion
    assert completion.fault is kind, completion.error
    assert completion.text is None
    assert completion.error is not None
    assert completion.error.startswith("http://127.0.0.1:")
    assert said in completion.error
    assert "\n" not in completion.error


def test_retry_after_and_throttling_come_through() -> None:
    limited = attempt(stand_in.rate_limited("86400"))
    assert (limited.retry_after_s, limited.throttled) == (86_400, True)
    assert attempt(stand_in.server_error()).throttled is False


def test_an_answer_of_50_mb_is_not_read() -> None:
    with StandIn(stand_in.huge(50)) as server:
        model = section(server.url)
        (answer,) = attempts(model, ask(1, model))
    assert answer.completion.fault is FaultKind.REQUEST
    assert f"{MAX_ANSWER_BYTES:,}" in (answer.completion.error or "")
    assert server.bytes_sent < 2 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("reply", [stand_in.hang(), stand_in.drip()], ids=["hangs", "drips"])
def test_an_answer_that_never_ends_times_out(reply: Reply) -> None:
    answer = attempt(reply, timeout_s=0.3)
    assert (answer.completion.fault, answer.throttled) == (FaultKind.TRANSIENT, True)
    assert "did not answer in time" in (answer.completion.error or "")


def test_an_answer_in_chunks() -> None:
    body = stand_in.chat("fine").body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    assert (
        attempt(Reply(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)).completion.text == "fine"
    )


def test_a_compressed_answer_that_unfolds_without_end_is_not_kept() -> None:
    packed = gzip.compress(b" " * 2 * MAX_ANSWER_BYTES)
    assert len(packed) < 2**16
    bomb = Reply(body=packed, headers={"content-type": "application/json", "content-encoding": "gzip"})
    completion = attempt(bomb).completion
    assert completion.fault is FaultKind.REQUEST
    assert "too large" in (completion.error or "")


def test_no_key_follows_a_redirect() -> None:
    with StandIn() as elsewhere:
        away = Reply(307, headers={"location": f"{elsewhere.url}/chat/completions"})
        completion = attempt(away, key=KEY).completion
        assert not elsewhere.requests
    assert completion.fault is FaultKind.ENGINE
    assert f"HTTP 307: {elsewhere.url}" in (completion.error or "")


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn() as proxy, StandIn() as near:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://me:word@").removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        far, direct = section("http://model.invalid/v1"), section(near.url)
        attempts(far, ask(1, far), key=KEY)
        attempts(direct, ask(1, direct))
    (through,) = proxy.requests
    assert through.path == "http://model.invalid/v1/chat/completions"
    assert through.headers["authorization"] == f"Bearer {KEY}"
    assert through.headers["proxy-authorization"] == "Basic bWU6d29yZA=="
    assert near.requests[0].path == "/v1/chat/completions"


@pytest.mark.parametrize("password", ["me:word@", ""])
def test_a_proxy_that_refuses_is_said_and_neither_password_nor_key_is_given_away(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("://", f"://{password}").removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        model = section("https://model.invalid/v1")
        completion = attempts(model, ask(1, model), key=KEY)[0].completion
    (asked,) = proxy.requests
    assert KEY not in repr(asked.headers)
    assert asked.headers.get("proxy-authorization") == ("Basic bWU6d29yZA==" if password else None)
    assert completion.fault is FaultKind.ENGINE
    assert completion.error is not None
    assert "its proxy refuses" in completion.error and "NO_PROXY" in completion.error
    assert "word" not in completion.error and KEY not in completion.error


def test_a_proxy_that_is_not_spoken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(EngineError, match="socks5 is not spoken"):
        open_engine(section("https://model.invalid/v1"), None)


@pytest.mark.parametrize("url", ["http://", "http://host:99999/v1", "http://[half/v1"])
def test_an_address_that_makes_no_sense_is_said(url: str) -> None:
    """The recipe refuses it, before there is an engine."""
    with pytest.raises(ValidationError, match="write it as http://host:port/v1"):
        section(url)


def test_passwords_in_addresses_and_broken_keys_are_said_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="api_key_env"):  # of which a recipe's error shows the message alone
        section("http://me:word@host/v1")
    with pytest.raises(EngineError, match="line break") as raised:
        open_engine(section("http://host/v1"), KEY + "\n")
    assert KEY not in str(raised.value)


def test_azure_takes_the_key_in_a_header_of_its_own_and_its_version_in_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with StandIn() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        model = section("http://mine.openai.azure.com/openai/deployments/judge?api-version=2024-10-21")
        attempts(model, ask(1, model), key=KEY)
    (received,) = proxy.requests
    assert received.path.endswith("/openai/deployments/judge/chat/completions?api-version=2024-10-21")
    assert received.headers["api-key"] == KEY
    assert "authorization" not in received.headers


def test_a_certificate_that_does_not_match() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("elsewhere.pem"))
    with StandIn(tls=context) as server:
        model = section(server.url)
        (answer,) = attempts(model, ask(1, model))
    assert answer.completion.fault is FaultKind.ENGINE
    assert "certificate does not match" in (answer.completion.error or "")


def test_tls_where_there_is_none() -> None:
    with StandIn() as server:
        model = section(server.url.replace("http:", "https:"))
        (answer,) = attempts(model, ask(1, model))
    assert answer.completion.fault is FaultKind.ENGINE
    assert "http://" in (answer.completion.error or "")


@pytest.mark.parametrize("reply", [stand_in.wrong_key(f"Incorrect key: {KEY}"), stand_in.error_inside(401, KEY)])
def test_no_message_repeats_the_key(reply: Reply) -> None:
    error = attempt(reply, key=KEY).completion.error
    assert error is not None
    assert KEY not in error
    assert "***" in error


@pytest.mark.parametrize(("status", "kind"), [(500, TRANSIENT), (400, REQUEST), (401, ENGINE)])
def test_the_status_of_an_error_page_of_50_mb_decides(status: int, kind: FaultKind) -> None:
    assert attempt(Reply(status, b"trouble", megabytes=50)).completion.fault is kind
