"""What a failure means: pure rules from what an endpoint sent, or how it broke off, to a fault.

There are three kinds (schemas.generation.FaultKind). Transient: 429, 5xx, a reset, a time-out, half a JSON. The
request's own: 400, a content filter, a prompt too long, an answer too large. The engine's: a key or model refused, no
credit, a certificate that does not match, a server that is no OpenAI-compatible endpoint.

Status, `code` and `type` decide, never the message: endpoints quote prompts in it, and a prompt may say anything. This
is what servers send:

    OpenAI       429 code insufficient_quota · 401 invalid_api_key · 404 model_not_found · 400 context_length_exceeded
    Azure        400 code content_filter, innererror.code ResponsibleAIPolicyViolation · 404 DeploymentNotFound
    vLLM, SGLang 400 {"object": "error", "type": "BadRequestError", "code": 400} or the same under "error" · 404
    llama-server 400 type exceed_context_size_error · 503 while it loads       TGI  {"error": "..", "error_type": ".."}
    LiteLLM      code "401", type auth_error · 400 or 429 type budget_exceeded · 400 for an unknown model, in words
    OpenRouter   code 402 · 403 with metadata.reasons: moderated · the same inside a 200
    Gemini       [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]

A 400 that gives its reason in words only is doubtful: it may be this row's fault or every row's. The dispatcher stores
it once the endpoint has answered another request.

A page of HTML or an unknown protocol is judged by what the endpoint sent before. As its very first words they mean that
the address is wrong, which every request would meet again; later they are a gateway's passing trouble.
"""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from pipelines.engines.waits import seconds_of
from schemas.generation import Completion, FaultKind

SNIPPET_CHARACTERS = 200
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_STATUS = re.compile(r": (HTTP [0-9]{3})(?![0-9])")

# Codes and types as `_names` gives them: their letters and digits, in lower case.
NO_CREDIT = re.compile(
    "^(insufficient(quota|balance|credits|funds|userquota)|billing(error|hardlimitreached|notactive)|budgetexceeded"
    "|exceededcurrentquotaerror|arrearage|paymentrequired)$"
)
WRONG_KEY = re.compile(
    "^((invalid|incorrect|expired)apikey|apikey(invalid|expired)|auth(entication)?error|invalidauthentication(error)?"
    "|unauthenticated|accountdeactivated)$"
)
NO_MODEL = re.compile(
    "^(modelnotfound(error|exception)?|deploymentnotfound|model(notavailable|decommissioned|deprecated)"
    "|(unknown|invalid)model)$"
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
    """What it took, where the endpoint gives that even so."""

    def completion(self, request_id: str) -> Completion:
        """Return the completion of a request that failed like this."""
        return Completion(
            request_id,
            error=self.message,
            fault=self.kind,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )


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
_BASE_URL = "base_url (it usually ends in /v1)"
_CHECK_KEY = "; check the key in the environment variable that api_key_env names"
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
    quoted = f" ({snippet(detail)})" if detail else ""
    way_out = f"; {WAY_OUT[broken]}" if broken in WAY_OUT else ""
    return Fault(
        kind,
        f"{endpoint}: {broken.value}{quoted}{way_out}",
        throttled=broken is Broken.TIMEOUT,
        unreachable=broken in (Broken.REFUSED, Broken.UNKNOWN_HOST),
        broke_off=broken in _BROKE_OFF,
    )


def fault_of_status(
    endpoint: str, status: int, body: bytes | str, retry_after: str | None = None, unknown: str | None = None
) -> Fault:
    """Return the fault of an HTTP status and its body. `retry_after` is that header, as sent.

    `unknown` is the way out where the endpoint does not know the call or the model; that of chats unless given.
    """
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        return _fault_of_error(endpoint, status, _unwrapped(orjson.loads(text)), text, retry_after, unknown)
    except (ValueError, RecursionError):  # no JSON, or a thousand levels of it
        return _fault_of_error(endpoint, status, text, text, retry_after, unknown)


def fault_of_error(endpoint: str, error: Any) -> Fault:
    """Return the fault that a 200 carries inside itself: `{"error": {..}}`, as some gateways answer."""
    fields = error if isinstance(error, dict) else {}
    text = json_of(error).decode()
    for name in ("code", "status", "status_code"):
        code = str(fields.get(name))
        if re.fullmatch("[45][0-9][0-9]", code):
            retry_after = str(wait) if (wait := fields.get("retry_after")) is not None else None
            return _fault_of_error(endpoint, int(code), _unwrapped(error), text, retry_after)
    words, names = _words(_unwrapped(error), text), _names(error)
    kind, way_out = _kind_of_status(500, names)  # no status goes with these words
    if kind is FaultKind.TRANSIENT and (_is_of_the_row(names) or "invalidrequesterror" in names):
        kind = FaultKind.REQUEST
    return Fault(
        kind,
        f"{endpoint}: an error inside an HTTP 200: {snippet(words)}{way_out}",
        throttled=kind is FaultKind.TRANSIENT and bool(TOO_BUSY.search(words)),
        is_doubtful=kind is FaultKind.REQUEST and not _is_of_the_row(names),
    )


def reason_of(message: str) -> str:
    """Return why a request failed, without a word of the endpoint or the row: `HTTP 429`, a `Broken`, `other`."""
    if status := _STATUS.search(message):
        return status.group(1)
    return next((broken.value for broken in Broken if f": {broken.value}" in message), "other")


def _fault_of_error(
    endpoint: str, status: int, error: Any, text: str, retry_after: str | None, unknown: str | None = None
) -> Fault:
    """Return the fault of a status and its error object; `text` is the body that holds it."""
    words, names = _words(error, text), _names(error)
    kind, way_out = _kind_of_status(status, names, unknown)
    passes = kind is FaultKind.TRANSIENT
    return Fault(
        kind,
        f"{endpoint}: HTTP {status}" + (f": {snippet(words)}" if words.strip() else "") + way_out,
        seconds_of(retry_after) if passes else None,
        throttled=passes and (status in (408, 429, 503, 504, 529) or bool(TOO_BUSY.search(words))),
        is_doubtful=kind is FaultKind.REQUEST and status != 413 and not _is_of_the_row(names),
        broke_off=status in _GATEWAY_GAVE_UP,
    )


def _kind_of_status(status: int, names: Set[str], unknown: str | None = None) -> tuple[FaultKind, str]:
    """Return the kind of fault, and the way out to add to its message. The first rule that applies counts."""
    is_moderated = status < 500 and status not in (401, 404) and _any_is(MODERATED, names)
    is_no_chat = 300 <= status < 400 or status in (405, 410, 501, 505)
    no_model = unknown or f"check model and {_BASE_URL}"
    no_call = unknown or f"no chat completions here: check {_BASE_URL}"
    rules = (
        (status == 402 or _any_is(NO_CREDIT, names), FaultKind.ENGINE, "; the account has no credit left"),
        (_any_is(WRONG_KEY, names), FaultKind.ENGINE, _CHECK_KEY),
        (is_moderated, FaultKind.REQUEST, ""),
        (status in (401, 403, 407), FaultKind.ENGINE, _CHECK_KEY),
        (status == 404 or _any_is(NO_MODEL, names), FaultKind.ENGINE, f"; {no_model}"),
        (is_no_chat, FaultKind.ENGINE, f"; {no_call}"),
        (status in (408, 409, 424, 425, 429, 499) or status >= 500, FaultKind.TRANSIENT, ""),
        (True, FaultKind.REQUEST, ""),
    )
    return next((kind, way_out) for applies, kind, way_out in rules if applies)


def _unwrapped(tree: Any) -> Any:
    """Return the error object of a body that was JSON, or whatever stands in its place."""
    if isinstance(tree, list) and len(tree) == 1:
        tree = tree[0]
    if not isinstance(tree, dict) or "error" not in tree:
        return tree
    error = tree["error"]
    beside = {name: tree[name] for name in ("code", "type", "error_type") if name in tree}
    return beside | error if isinstance(error, dict) else {"message": error, **beside} if beside else error


def _words(error: Any, text: str) -> str:
    """Return the message, code and type of an error object; of any other thing itself, and of an empty one its text."""
    if not isinstance(error, dict):
        return str(error)
    message, *names = (error.get("message") or error.get("detail"), error.get("code"), error.get("type"))
    words = [str(part) for part in (message, *names) if part]
    return f"{words[0]} ({', '.join(words[1:])})" if len(words) > 1 else "".join(words) or text


def _names(error: Any) -> frozenset[str]:
    """Return the codes and types of an error object: what the server's own code writes, never what it quotes."""
    if not isinstance(error, dict):
        return frozenset()
    details = error.get("details")
    parts = [error, error.get("innererror"), *(details if isinstance(details, list) else [])]
    fields = ("code", "type", "status", "error_type", "error_code", "reason")
    texts = [part.get(name) for part in parts if isinstance(part, dict) for name in fields]
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("reasons"):
        texts.append("moderation")  # OpenRouter's only sign of it
    return frozenset(
        re.sub("[^a-z0-9]", "", text.lower()) for text in texts if isinstance(text, str) and len(text) <= LONGEST_NAME
    )


def _any_is(pattern: re.Pattern[str], names: Set[str]) -> bool:
    return any(map(pattern.search, names))


def _is_of_the_row(names: Set[str]) -> bool:
    """Say whether codes and types blame what the request says, and not how it is sent."""
    return _any_is(MODERATED, names) or _any_is(TOO_LONG, names)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that it came from, outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def json_of(value: Any) -> bytes:
    """Return a foreign tree as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return json.dumps(value).encode()


def without_key(text: str, key: str | None) -> str:
    """Return a foreign text with our key, which some endpoints repeat, struck out."""
    return text.replace(key, "***") if key else text


def snippet(text: str) -> str:
    """Return the beginning of a foreign text, safe for one line of a terminal."""
    line = _INVISIBLE.sub(" ", text[: 4 * SNIPPET_CHARACTERS]).strip()
    return line if len(line) <= SNIPPET_CHARACTERS else line[: SNIPPET_CHARACTERS - 2] + ".."
