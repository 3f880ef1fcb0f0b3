"""A job: what one role is asked with. The body of a request, and what its id says of the model."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.engines.vllm.launch import flags_of_identity
from schemas.generation import Request, RequestTruth, ScoreTruth, request
from schemas.query import Message, Messages, wire
from schemas.recipe import GrmSection, ModelSection, Recipe, RubricsSection, Simulated, SynthesisSection
from schemas.record import canonical_json, content_id

WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".gguf", ".pt", ".pth", ".npz"})
CONFIG_SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".py", ".yaml"})
UNKNOWN_HEADER_BYTES = 4096
MAX_HEADER_BYTES = 100 * 2**20


@dataclass(frozen=True, kw_only=True)
class Job:
    """A role of the recipe, with the settings that decide how its answers are."""

    role: str
    model: ModelSection
    identity: dict[str, Any]
    section: str
    """Of the recipe, where `settings` stand."""
    settings: GrmSection | SynthesisSection | RubricsSection

    def body(self, messages: Messages, temperature: float | None = None) -> dict[str, Any]:
        """Return the body of a request; `temperature` is that of the settings unless given."""
        return request_body(
            self.model,
            messages,
            temperature=self.settings.temperature if temperature is None else temperature,
            max_tokens=self.settings.max_tokens,
        )

    def request(
        self, query_id: str, body: dict[str, Any], sample_index: int, truth: RequestTruth, repeat: int = 0
    ) -> Request:
        """Return the request with this body; `repeat` is the number of earlier ones with the same prompt."""
        made = request(
            role=self.role,
            identity=self.identity,
            query_id=query_id,
            body=body,
            sample_index=sample_index,
            truth=truth,
        )
        return replace(made, repeat=repeat) if repeat else made


@dataclass(frozen=True, kw_only=True)
class ScoringJob(Job):
    """A role that scores texts: the score of a conversation's last turn. It depends on no settings of the recipe."""

    def body(self, messages: Messages, temperature: float | None = None) -> dict[str, Any]:
        """Return the body of a request; nothing is drawn, so there is no temperature."""
        return score_body(self.model, messages)

    def scoring(self, query_id: str, messages: Messages, is_right: bool) -> Request:
        """Return the request for a score. `is_right` is for the simulated scorer alone, and never sent."""
        return request(
            role=self.role,
            identity=self.identity,
            query_id=query_id,
            body=self.body(messages),
            sample_index=0,
            truth=ScoreTruth(is_right),
            is_seeded=False,
        )


def scoring_job(recipe: Recipe, role: str) -> ScoringJob | None:
    """Return what a scorer is asked with; None where the recipe has no model for the role."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    return ScoringJob(
        role=role,
        model=model,
        identity=identity(model, Path(recipe.directory)),
        section="grm",
        settings=recipe.grm,
    )


def job_of(recipe: Recipe, role: str, section: Literal["synthesis", "rubrics"]) -> Job | None:
    """Return what a role is asked with, by a section of the recipe; None where the recipe has no model for it."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    return Job(
        role=role,
        model=model,
        identity=identity(model, Path(recipe.directory)),
        section=section,
        settings=getattr(recipe, section),
    )


def request_body(
    model: ModelSection, messages: Iterable[Message], *, temperature: float, max_tokens: int
) -> dict[str, Any]:
    """Return the body of a request as it is sent, except for the seed, which `schemas.generation.request` derives.

    `n` is never sent: every sample is a request of its own. `extra_body` comes last and wins. With
    `max_completion_tokens` in it, `max_tokens` is left out, since endpoints refuse the two together.
    """
    turns = tuple(messages)
    body: dict[str, Any] = {
        "model": model.model,
        "messages": wire(turns if model.system_role else _without_system_role(turns)),
        "temperature": temperature,
    }
    if "max_completion_tokens" not in model.extra_body:
        body["max_tokens"] = max_tokens
    if model.top_p is not None:
        body["top_p"] = model.top_p
    return body | model.extra_body


def score_body(model: ModelSection, messages: Iterable[Message]) -> dict[str, Any]:
    """Return the body of a request for the score of a conversation's last turn. It holds no sampling: nothing is drawn.

    The raw score is asked for, not its sigmoid, in which good texts run together near 1.
    """
    turns = tuple(messages)
    body = {
        "model": model.model,
        "messages": wire(turns if model.system_role else _without_system_role(turns)),
        "use_activation": False,
    }
    return body | model.extra_body


def _without_system_role(messages: Iterable[Message]) -> list[Message]:
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


def prompt_bytes(body: dict[str, Any]) -> int:
    """Return how many UTF-8 bytes the messages of a body hold. Estimates of tokens start from this."""
    total = 0
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, str):
            total += len(content) if content.isascii() else len(content.encode("utf-8", "replace"))
        else:
            total += len(canonical_json(content))
    return total


def identity(model: ModelSection, directory: Path) -> dict[str, Any]:
    """Return what identifies a model: never its endpoint, its key, or anything that an endpoint says of itself.

    A name and a revision. A local directory (relative to `directory`, where the recipe stands) is identified by the
    content of its configuration and the headers, sizes and mtimes of its weights, so it may be moved. The simulated
    engine is identified by all its settings. For a vLLM server of our own, the flags that change what the model says
    count too; without such flags the model is the same, whoever started its server.
    """
    if model.engine == "simulated":
        settings = model.simulated.model_dump(mode="json")
        if settings["scorer_auc"] == Simulated.model_fields["scorer_auc"].default:
            del settings["scorer_auc"]  # a setting younger than the stored answers of other simulated models
        return {"engine": "simulated", "model": model.model, "revision": model.revision, "settings": settings}
    flags = flags_of_identity(model, directory) if model.engine == "vllm" else []
    served = {"served_with": flags} if flags else {}
    place = directory / Path(model.model).expanduser()
    files = _model_files(place) if place.is_dir() else []
    return {"model": content_id("model", files) if files else model.model, "revision": model.revision, **served}


def _model_files(directory: Path) -> list[list[Any]]:
    """Return [name, size, mtime or None, digest] of a model directory's files; none where it holds no model."""
    files: list[list[Any]] = []
    for path in sorted(directory.iterdir()):
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
        return file.read(min(int.from_bytes(file.read(8), "little"), MAX_HEADER_BYTES))
