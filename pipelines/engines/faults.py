"""What a failure means: pure rules from what an endpoint said, or how it broke off, to a fault.

Three kinds (schemas.generation.FaultKind). Transient: 429, 5xx, a reset, a time-out, half a JSON. The request's own:
400, a content filter, a prompt too long, an answer too large. The engine's: a key or model refused, no credit, a
certificate that does not match, a server that is no OpenAI-compatible endpoint.

Status, `code` and `type` decide, never the message: endpoints quote prompts in it, and a prompt may say anything. What
servers send:

    OpenAI       429 code insufficient_quota · 401 invalid_api_key · 404 model_not_found · 400 context_length_exceeded
    Azure        400 code content_filter, innererror.code ResponsibleAIPolicyViolation · 404 DeploymentNotFound
    vLLM, SGLang 400 {"object": "error", "type": "BadRequestError", "code": 400} or the same under "error" · 404
    llama-server 400 type exceed_context_size_error · 503 while it loads       TGI  {"error": "..", "error_type": ".."}
    LiteLLM      code "401", type auth_error · 400 or 429 type budget_exceeded · 400 for an unknown model, in words
    OpenRouter   code 402 · 403 with metadata.reasons: moderated · the same inside a 200
    Gemini       [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]

A 400 that says its reason in words only is doubtful: it may be this row's fault or every row's. The dispatcher stores
it once the endpoint has answered another request.

A page of HTML or an unknown protocol is judged by what the endpoint said before: as its very first words they say
that the address is wrong, which every request would meet again; later they are a gateway's passing trouble.
"""

import re
from collections.abc import Mapping, Set
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

# Codes and types as `_names` gives them: their letters and digits, in lower case.
NO_CREDIT = frozenset(
    re.findall(
        r"\w+",
        "insufficientquota insufficientbalance insufficientcredits insufficientfunds insufficientuserquota "
        "billingerror billinghardlimitreached billingnotactive budgetexceeded exceededcurrentquotaerror arrearage "
        "paymentrequired",
    )
)
WRONG_KEY = frozenset(
    re.findall(
        r"\w+",
        "invalidapikey incorrectapikey expiredapikey apikeyinvalid apikeyexpired authenticationerror autherror "
        "invalidauthentication invalidauthenticationerror unauthenticated accountdeactivated",
    )
)
NO_MODEL = frozenset(
    re.findall(
        r"\w+",
        "modelnotfound modelnotfounderror modelnotfoundexception deploymentnotfound modelnotavailable "
        "modeldecommissioned modeldeprecated unknownmodel invalidmodel",
    )
)
MODERATED = re.compile(
    "content(filter|policy|moderation)|moderation|moderated|responsibleai|safety|flagged|datainspection|invalidprompt"
)
TOO_LONG = re.compile(
    "context(length|size|window)|(string|prompt|request|payload)too(long|large)|stringabovemax|(max)?tokenslimit"
)
LONGEST_NAME = 64
"""Characters of a code or type; what is longer is prose."""
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
    is_doubtful: bool = False
    """Refused without a code that says why: every other request may be refused as well."""
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
_KEY = "; check the key in the environment variable that api_key_env names"
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
    names = _names(_error_of(body))
    kind, way_out = _kind_of_status(status, names)
    message = f"{endpoint}: HTTP {status}" + (f": {snippet(said)}" if said.strip() else "") + way_out
    throttled = kind is FaultKind.TRANSIENT and (status in (408, 429, 503, 504, 529) or bool(TOO_BUSY.search(said)))
    wait = seconds_of(retry_after) if kind is FaultKind.TRANSIENT else None
    is_doubtful = kind is FaultKind.REQUEST and status != 413 and not _is_of_the_row(names)
    broke_off = status in _GATEWAY_GAVE_UP
    return Fault(kind, message, wait, throttled=throttled, is_doubtful=is_doubtful, broke_off=broke_off)


def reason_of(message: str) -> str:
    """Return why a request failed, without a word that an endpoint or a row said: `HTTP 429`, a `Broken`, `other`."""
    if status := _STATUS.search(message):
        return status.group(1)
    return next((broken.value for broken in Broken if f": {broken.value}" in message), "other")


def _kind_of_status(status: int, names: Set[str]) -> tuple[FaultKind, str]:
    """Return the kind of fault, and the way out to add to its message."""
    if status == 402 or names & NO_CREDIT:
        return FaultKind.ENGINE, "; the account has no credit left"
    if names & WRONG_KEY:
        return FaultKind.ENGINE, _KEY
    if status < 500 and status not in (401, 404) and any(map(MODERATED.search, names)):
        return FaultKind.REQUEST, ""
    if status in (401, 403, 407):
        return FaultKind.ENGINE, _KEY
    if status == 404 or names & NO_MODEL:
        return FaultKind.ENGINE, "; check model and base_url (it usually ends in /v1)"
    if 300 <= status < 400 or status in (405, 410, 501, 505):
        return FaultKind.ENGINE, "; no chat completions here: check base_url (it usually ends in /v1)"
    if status in (408, 409, 424, 425, 429, 499) or status >= 500:
        return FaultKind.TRANSIENT, ""
    return FaultKind.REQUEST, ""


def fault_of_error(endpoint: str, error: Any) -> Fault:
    """Return the fault that a 200 carries inside itself: `{"error": {..}}`, as some gateways answer."""
    fields = error if isinstance(error, dict) else {}
    for name in ("code", "status", "status_code"):
        code = str(fields.get(name))
        if re.fullmatch("[45][0-9][0-9]", code):
            return fault_of_status(endpoint, int(code), _dumped(error), _text(fields.get("retry_after")))
    said, names = error_text(_dumped(error)), _names(error)
    kind, way_out = _kind_of_status(500, names)  # as words that no status goes with
    if kind is FaultKind.TRANSIENT and (_is_of_the_row(names) or "invalidrequesterror" in names):
        kind = FaultKind.REQUEST
    throttled = kind is FaultKind.TRANSIENT and bool(TOO_BUSY.search(said))
    message = f"{endpoint}: an error inside an HTTP 200: {snippet(said)}{way_out}"
    is_doubtful = kind is FaultKind.REQUEST and not _is_of_the_row(names)
    return Fault(kind, message, throttled=throttled, is_doubtful=is_doubtful)


def error_text(body: bytes | str) -> str:
    """Return what an error body says: its message, code and type where it is the usual JSON, else itself."""
    error = _error_of(body)
    if not isinstance(error, dict):
        return str(error)
    parts = [error.get("message") or error.get("detail") or "", error.get("code"), error.get("type")]
    told = [str(part) for part in parts if part]
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return f"{told[0]} ({', '.join(told[1:])})" if len(told) > 1 else "".join(told) or text


def _error_of(body: bytes | str) -> Any:
    """Return the error object of a body, or whatever stands in its place; the text of a body that is no JSON."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        tree = orjson.loads(text)
    except ValueError:
        return text
    if isinstance(tree, list) and len(tree) == 1:
        tree = tree[0]
    if not isinstance(tree, dict) or "error" not in tree:
        return tree
    error = tree["error"]
    beside = {name: tree[name] for name in ("code", "type", "error_type") if name in tree}
    return beside | error if isinstance(error, dict) else {"message": error, **beside} if beside else error


def _names(error: Any) -> frozenset[str]:
    """Return the codes and types of an error object: what the server's own code writes, never what it quotes."""
    if not isinstance(error, dict):
        return frozenset()
    inner = error.get("innererror")
    details = error.get("details")
    parts = [error, inner if isinstance(inner, dict) else {}]
    parts += [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    fields = ("code", "type", "status", "error_type", "error_code", "reason")
    texts = [text for part in parts for name in fields if isinstance(text := part.get(name), str)]
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("reasons"):
        texts.append("moderation")  # OpenRouter's only sign of it
    return frozenset(re.sub("[^a-z0-9]", "", text.lower()) for text in texts if len(text) <= LONGEST_NAME)


def _is_of_the_row(names: Set[str]) -> bool:
    """Say whether codes and types lay a refusal to what the request says, and not to how it is asked."""
    return any(MODERATED.search(name) or TOO_LONG.search(name) for name in names)


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
