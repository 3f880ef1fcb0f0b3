"""What a failure means: pure rules from what an endpoint said, or how it broke off, to a fault.

Three kinds (schemas.generation.FaultKind). Transient: 429, 5xx, a reset, a time-out, half a JSON. The request's own:
400, a content filter, a prompt too long, an answer too large. The engine's: a key or model refused, no credit, a
certificate that does not match, a server that is no OpenAI-compatible endpoint.

A page of HTML or an unknown protocol is judged by what the endpoint said before: as its very first words they say
that the address is wrong, which every request would meet again; later they are a gateway's passing trouble.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson

from schemas.generation import FaultKind

SNIPPET_CHARACTERS = 200
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_STATUS = re.compile(r": (HTTP [0-9]{3})(?![0-9])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient_balance|insufficient balance|billing_hard_limit|exceeded your current quota", re.I
)
WRONG_KEY = re.compile(r"invalid_api_key|invalid api key|incorrect api key", re.I)
NO_MODEL = re.compile(r"model_not_found|does not exist|unknown model|model not found", re.I)
MODERATED = re.compile(r"content_filter|content_policy|moderation|flagged|safety", re.I)
TOO_BUSY = re.compile(r"rate.?limit|too many requests|overloaded|capacity", re.I)


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed try: its kind, one line that names the endpoint, and what the dispatcher should know."""

    kind: FaultKind
    message: str
    retry_after_s: float | None = None
    throttled: bool = False
    """Too much was asked at once."""
    unreachable: bool = False
    """Nobody answered at all: the endpoint is set aside for a while."""
    broke_off: bool = False
    """An answer may have been written, and may be billed, that never came whole."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """What it took, where the endpoint says so all the same."""


class Broken(StrEnum):
    """How an exchange broke off before there was an answer to read."""

    REFUSED = "cannot be reached"
    UNKNOWN_HOST = "no such host"
    RESET = "broke off the connection"
    TIMEOUT = "did not answer in time"
    CERTIFICATE = "its certificate does not match"
    PROXY = "its proxy refuses"
    NOT_TLS = "does not speak TLS"
    NOT_HTTP = "does not speak HTTP"
    TOO_LARGE = "its answer is too large"
    NOT_API = "answers, but not as an OpenAI-compatible endpoint does"
    HALF = "sent an answer that breaks off or cannot be read"
    NO_CHOICE = "sent an answer without a choice in it"


WAY_OUT = {
    Broken.REFUSED: "is the server up, and the port right?",
    Broken.UNKNOWN_HOST: "check the host in base_url",
    Broken.CERTIFICATE: "check the host in base_url, or add its authority to SSL_CERT_FILE",
    Broken.PROXY: "check HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY",
    Broken.NOT_TLS: "should base_url begin with http:// ?",
    Broken.NOT_HTTP: "check the port in base_url",
    Broken.NOT_API: "check base_url; it usually ends in /v1",
    Broken.TIMEOUT: "a larger timeout_s, or a smaller max_concurrency, may help",
    Broken.TOO_LARGE: "not asked again, since it would be paid for again",
}
_ALWAYS_ENGINE = frozenset({Broken.CERTIFICATE, Broken.PROXY, Broken.NOT_TLS})
_ENGINE_AT_FIRST = frozenset({Broken.NOT_HTTP, Broken.NOT_API})
_BROKE_OFF = frozenset({Broken.RESET, Broken.TIMEOUT, Broken.HALF, Broken.TOO_LARGE})
_GATEWAY_GAVE_UP = frozenset({504, 524})
"""A gateway waited for an answer that the server behind it may have gone on to write."""


def fault_of_break(endpoint: str, broken: Broken, detail: str = "", *, has_answered: bool) -> Fault:
    """Return the fault of an exchange that broke off; `has_answered` says whether the endpoint ever made sense."""
    kind = FaultKind.TRANSIENT
    if broken is Broken.TOO_LARGE:
        kind = FaultKind.REQUEST
    elif broken in _ALWAYS_ENGINE or (broken in _ENGINE_AT_FIRST and not has_answered):
        kind = FaultKind.ENGINE
    said = f" ({snippet(detail)})" if detail else ""
    way_out = f"; {WAY_OUT[broken]}" if broken in WAY_OUT else ""
    return Fault(
        kind,
        f"{endpoint}: {broken.value}{said}{way_out}",
        throttled=broken is Broken.TIMEOUT,
        unreachable=broken in (Broken.REFUSED, Broken.UNKNOWN_HOST),
        broke_off=broken in _BROKE_OFF,
    )


def fault_of_status(endpoint: str, status: int, body: bytes | str, retry_after: str | None = None) -> Fault:
    """Return the fault that an HTTP status and its body speak of. `retry_after` is that header, as sent."""
    said = error_text(body)
    kind, way_out = _kind_of_status(status, said)
    message = f"{endpoint}: HTTP {status}" + (f": {snippet(said)}" if said.strip() else "") + way_out
    throttled = kind is FaultKind.TRANSIENT and (status in (408, 429, 503, 504, 529) or bool(TOO_BUSY.search(said)))
    wait = seconds_of(retry_after) if kind is FaultKind.TRANSIENT else None
    return Fault(kind, message, wait, throttled=throttled, broke_off=status in _GATEWAY_GAVE_UP)


def reason_of(message: str) -> str:
    """Return why a request failed, without a word that an endpoint or a row said: `HTTP 429`, a `Broken`, `other`."""
    if status := _STATUS.search(message):
        return status.group(1)
    return next((broken.value for broken in Broken if f": {broken.value}" in message), "other")


def _kind_of_status(status: int, said: str) -> tuple[FaultKind, str]:
    """Return the kind of fault, and the way out to add to its message."""
    if status == 402 or (status < 500 and NO_CREDIT.search(said)):
        return FaultKind.ENGINE, "; the account has no credit left"
    if status == 403 and MODERATED.search(said):
        return FaultKind.REQUEST, ""
    if status in (401, 403, 407) or (status == 400 and WRONG_KEY.search(said)):
        return FaultKind.ENGINE, "; check the key in the environment variable that api_key_env names"
    if status == 404 or (status == 400 and NO_MODEL.search(said)):
        return FaultKind.ENGINE, "; check model and base_url (it usually ends in /v1)"
    if 300 <= status < 400 or status in (405, 410, 501, 505):
        return FaultKind.ENGINE, "; no chat completions here: check base_url (it usually ends in /v1)"
    if status in (408, 409, 425, 429) or status >= 500:
        return FaultKind.TRANSIENT, ""
    return FaultKind.REQUEST, ""


def fault_of_error(endpoint: str, error: Any) -> Fault:
    """Return the fault that a 200 carries inside itself: `{"error": {..}}`, as some gateways answer."""
    fields = error if isinstance(error, dict) else {}
    for name in ("code", "status", "status_code"):
        code = str(fields.get(name))
        if re.fullmatch("[45][0-9][0-9]", code):
            return fault_of_status(endpoint, int(code), _dumped(error), _text(fields.get("retry_after")))
    said = error_text(_dumped(error))
    if NO_CREDIT.search(said) or WRONG_KEY.search(said) or NO_MODEL.search(said):
        kind = FaultKind.ENGINE
    elif MODERATED.search(said) or re.search(r"context.?length|too long|invalid_request", said, re.I):
        kind = FaultKind.REQUEST
    else:
        kind = FaultKind.TRANSIENT
    throttled = kind is FaultKind.TRANSIENT and bool(TOO_BUSY.search(said))
    return Fault(kind, f"{endpoint}: an error inside an HTTP 200: {snippet(said)}", throttled=throttled)


def error_text(body: bytes | str) -> str:
    """Return what an error body says: its message, code and type where it is the usual JSON, else itself."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        tree = orjson.loads(text)
    except ValueError:
        return text
    error = tree.get("error", tree) if isinstance(tree, dict) else tree
    if not isinstance(error, dict):
        return str(error)
    parts = [error.get("message") or error.get("detail") or "", error.get("code"), error.get("type")]
    told = [str(part) for part in parts if part]
    return f"{told[0]} ({', '.join(told[1:])})" if len(told) > 1 else "".join(told) or text


def snippet(text: str) -> str:
    """Return the beginning of a foreign text, safe for one line of a terminal."""
    line = _INVISIBLE.sub(" ", text[: 4 * SNIPPET_CHARACTERS]).strip()
    return line if len(line) <= SNIPPET_CHARACTERS else line[: SNIPPET_CHARACTERS - 2] + ".."


def seconds_of(header: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, a number or an HTTP date; None when it makes no sense."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except (ValueError, IndexError, TypeError):
            return duration_of(header)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    return min(seconds, 1e9) if seconds >= 0 else None  # not a number is not at least 0 either


def duration_of(text: str) -> float | None:
    """Return the seconds of a duration as rate-limit headers write it ("1m2.5s", "20ms"); None for anything else."""
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def exhausted_for_s(headers: Mapping[str, str]) -> float | None:
    """Return for how long rate-limit headers say that nothing is left (x-ratelimit-remaining-..: 0); None otherwise."""
    waits = [
        duration_of(reset) or seconds_of(reset) or 0.0
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
        and (reset := headers.get(f"x-ratelimit-reset-{what}")) is not None
    ]
    return max(waits) if waits else None


def _dumped(value: Any) -> bytes | str:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate
        return str(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
