"""What an engine is: one try of one request in, one `Attempt` out. A failed request is data; a dead engine raises."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipelines.engines.vllm.command import served_with
from schemas.generation import Completion, FaultKind, Request
from schemas.query import Message, wire
from schemas.recipe import ModelSection
from schemas.record import canonical_json, content_id

WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".gguf", ".pt", ".pth", ".npz"})
CONFIG_SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".py", ".yaml"})
UNKNOWN_HEADER_BYTES = 4096
MAX_HEADER_BYTES = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one request: its completion, and what the dispatcher needs to know about the next try."""

    completion: Completion
    retry_after_s: float | None = None
    """How long the endpoint wants this request to wait; None leaves it to the dispatcher's own backing off."""
    throttled: bool = False
    """The endpoint was asked too much at once: 429, 503, or a time-out. Concurrency listens to this."""
    is_doubtful: bool = False
    """The request was refused without a code that says why: it may be the endpoint's trouble, and every row's."""
    broke_off: bool = False
    """The endpoint may have written, and may bill, an answer that never came whole: a cut, a reset, a time-out."""
    notice: str | None = None
    """Something about the endpoint that the user should read. Whoever says it sees to it that it is said once."""

    @property
    def may_succeed_later(self) -> bool:
        return self.completion.fault is FaultKind.TRANSIENT


class Engine(Protocol):
    """A model behind some transport."""

    async def complete(self, request: Request) -> Attempt:
        """Try a request once.

        Never raises for a failed request: its completion has an error and a fault. Raises EngineError only when the
        engine is gone, so that every further request would fail.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. The engine answers nothing afterwards."""
        ...


class Observer(Protocol):
    """Who watches a dispatch. Called in the dispatcher's own thread; each call should take microseconds."""

    def answered(self, completion: Completion) -> None:
        """A request came to its end: an answer, or an error that is not tried again."""
        ...

    def retried(self, reason: str) -> None:
        """A request failed for a passing reason, one line, and will be tried again."""
        ...

    def in_flight(self, requests: int, room: int) -> None:
        """So many requests are in flight, and so many may be. Ten times a second, and when all that is left waits."""
        ...

    def warn(self, text: str) -> None:
        """Something that the user should read now."""
        ...


def request_body(
    model: ModelSection, messages: Iterable[Message], *, temperature: float, max_tokens: int
) -> dict[str, Any]:
    """Return the body of a request as it is sent, save for the seed that `schemas.generation.request` derives.

    `n` is never sent: every sample is a request of its own. `extra_body` comes last and wins; with
    `max_completion_tokens` in it, `max_tokens` is left out, since endpoints refuse the two together.
    """
    turns = tuple(messages)
    body: dict[str, Any] = {
        "model": model.model,
        "messages": wire(turns if model.system_role else without_system_role(turns)),
        "temperature": temperature,
    }
    if "max_completion_tokens" not in model.extra_body:
        body["max_tokens"] = max_tokens
    if model.top_p is not None:
        body["top_p"] = model.top_p
    return body | model.extra_body


def without_system_role(messages: Iterable[Message]) -> list[Message]:
    """Return the conversation with each system message at the head of the user's next turn, or as a turn of its own."""
    folded: list[Message] = []
    instructions: list[str] = []
    for message in messages:
        if message.role == "system":
            instructions.append(message.content)
        elif message.role == "user" and instructions:
            folded.append(Message("user", "\n\n".join([*instructions, message.content])))
            instructions = []
        else:
            folded.append(message)
    if instructions:
        folded.append(Message("user", "\n\n".join(instructions)))
    return folded


def identity(model: ModelSection, directory: Path) -> dict[str, Any]:
    """Return what a request id says about the model, as the recipe gives it.

    Model and revision; a local directory (relative to `directory`, where the recipe stands) by the content of its
    configuration and the headers, sizes and mtimes of its weights, wherever it stands; the simulated engine by all its
    settings. Never the endpoint, the key, or anything that an endpoint says of itself. Of a server of our own, the
    flags that change what the model says (`vllm_command.TELLING_FLAGS`); without such flags the same model is the same,
    whoever started its server.
    """
    if model.engine == "simulated":
        settings = model.simulated.model_dump(mode="json")
        return {"engine": "simulated", "model": model.model, "revision": model.revision, "settings": settings}
    flags = served_with(model, directory) if model.engine == "vllm" else []
    served = {"served_with": flags} if flags else {}
    place = directory / Path(model.model).expanduser()
    if place.is_dir() and (files := _model_files(place)):
        return {"model": content_id("model", files), "revision": model.revision, **served}
    return {"model": model.model, "revision": model.revision, **served}


def _model_files(place: Path) -> list[list[Any]]:
    """Return [name, size, mtime or None, digest] of a model directory's files; none where it holds no model."""
    files: list[list[Any]] = []
    for path in sorted(place.iterdir()):
        if not path.is_file():
            continue
        stat = path.stat()
        if path.suffix in WEIGHT_SUFFIXES:
            files.append([path.name, stat.st_size, stat.st_mtime_ns, content_id("header", _header(path).hex())])
        elif path.suffix in CONFIG_SUFFIXES:
            # Configuration is read whole, so its mtime says nothing more and a fresh checkout keeps its answers.
            files.append([path.name, stat.st_size, None, content_id("config", path.read_bytes().hex())])
    return files if any(name == "config.json" or mtime is not None for name, _, mtime, _ in files) else []


def _header(path: Path) -> bytes:
    """Return the header of a safetensors file, or the first bytes of any other."""
    with path.open("rb") as file:
        if path.suffix != ".safetensors":
            return file.read(UNKNOWN_HEADER_BYTES)
        length = int.from_bytes(file.read(8), "little")
        return file.read(min(length, MAX_HEADER_BYTES))


def prompt_bytes(body: dict[str, Any]) -> int:
    """Return how many UTF-8 bytes the messages of a body hold: what token estimates start from."""
    total = 0
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, str):
            total += len(content) if content.isascii() else len(content.encode("utf-8", "replace"))
        else:
            total += len(canonical_json(content))
    return total


def cost_usd(model: ModelSection, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
    """Return what an answer cost in US dollars, in a batch half of it; None without a price or without counts."""
    price = model.price
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return (prompt_tokens * price.input + completion_tokens * price.output) / 1e6
