"""What an endpoint takes: a regex, a grammar, a JSON schema, a seed, log-probabilities.

One tiny real request tries each. An answer that ignores what was asked for counts as not taken. Nothing here is stored:
no build asks such a thing.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.engines.faults import Broken
from pipelines.engines.jobs import request_body
from pipelines.engines.protocol import open_engine
from pipelines.engines.replies import is_same_model
from schemas.errors import EngineError
from schemas.gbnf import gbnf_of
from schemas.generation import Completion, FaultKind, request
from schemas.query import user
from schemas.recipe import ModelSection

TINY_TOKENS = 24
_REGEX = "blue [0-9]{3} green"
_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_QUESTION = "Tell me a few words about any town that comes to your mind."


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether an endpoint takes something."""

    is_taken: bool
    says: str
    """In a few words: yes, ignored, refused and why, or that no answer came in time."""


@dataclass(frozen=True)
class Abilities:
    """What an endpoint takes, and how it answers a tiny request."""

    regex: Ability
    grammar: Ability
    json_schema: Ability
    seed: Ability
    logprobs: Ability
    seconds: float
    """Of the first request."""
    answered: bool
    """Whether a plain request got an answer in time."""
    other_name: str | None
    """The name under which the model answers, where it has nothing to do with the one that was asked for."""

    def by_name(self) -> dict[str, Ability]:
        """Return each of them, in the order in which they are shown."""
        return {name: getattr(self, name) for name in ("regex", "grammar", "json_schema", "seed", "logprobs")}


def abilities_of(model: ModelSection, key: str | None, seconds: float) -> Abilities:
    """Return what the endpoint takes, by requests that may take so long.

    A plain request goes first and alone, since some servers only then get ready. Raises EngineError where the endpoint
    answers no chat at all: the key or the model is refused, or there is no such call.
    """
    schema = {"type": "json_schema", "json_schema": {"name": "colour", "strict": True, "schema": _SCHEMA}}
    extras: list[Mapping[str, Any]] = [
        {},
        {"structured_outputs": {"regex": _REGEX}},
        {"grammar": gbnf_of(_REGEX)},
        {"response_format": schema},
        {"logprobs": True},
    ]
    began = time.monotonic()
    (first,) = tiny_answers(model, key, [{}], seconds)
    taken = time.monotonic() - began
    if first.fault in (FaultKind.ENGINE, FaultKind.REQUEST):
        raise EngineError(first.error or "the endpoint refuses a plain request")
    if first.fault is not None:
        if not is_late(first.error):
            raise EngineError(f"{first.error}: the endpoint answers no plain request; see its log, then try again")
        unknown = Ability(False, "unknown: no answer in time")
        return Abilities(unknown, unknown, unknown, unknown, unknown, taken, False, None)
    again, regex, grammar, json_schema, logprobs = tiny_answers(model, key, extras, seconds)
    served = first.served_model
    return Abilities(
        regex=_ability(regex, _keeps_to_the_regex),
        grammar=_ability(grammar, _keeps_to_the_regex),
        json_schema=_ability(json_schema, _is_the_colour),
        seed=_ability(again, lambda text: text == first.text, "ignored: the same seed gave other words"),
        logprobs=_ability(logprobs, lambda _: logprobs.logprob is not None),
        seconds=taken,
        answered=True,
        other_name=served if served and not is_same_model(model.model, served) else None,
    )


def tiny_answers(
    model: ModelSection,
    key: str | None,
    extras: Sequence[Mapping[str, Any]],
    seconds: float,
    *,
    prompt: str = _QUESTION,
    max_tokens: int = TINY_TOKENS,
) -> list[Completion]:
    """Return the answers to one prompt with these keys in its body, asked at once. A failed one has its error."""
    bounded = model.model_copy(update={"timeout_s": seconds})
    body = request_body(bounded, user(prompt), temperature=1.0, max_tokens=max_tokens)
    # One identity and index: the requests without further keys have the same seed.
    requests = [
        request(role="init", identity={}, query_id="0" * 32, body=body | dict(extra), sample_index=0)
        for extra in extras
    ]

    async def ask() -> list[Completion]:
        engine = open_engine(bounded, key)
        try:
            attempts = await asyncio.gather(*map(engine.complete, requests))
        finally:
            await engine.close()
        return [attempt.completion for attempt in attempts]

    return asyncio.run(ask())


def is_late(error: str | None) -> bool:
    """Say whether an error is that no answer came in time."""
    return error is not None and Broken.TIMEOUT in error


def _ability(completion: Completion, keeps_to: Callable[[str], bool], ignored: str = "ignored") -> Ability:
    if completion.fault is FaultKind.TRANSIENT:
        return Ability(False, "unknown: no answer in time" if is_late(completion.error) else "unknown: no answer")
    if completion.text is None:
        return Ability(False, f"no: refused ({completion.error})")
    return Ability(True, "yes") if keeps_to(completion.text) else Ability(False, f"no: {ignored}")


def _keeps_to_the_regex(text: str) -> bool:
    return re.fullmatch(_REGEX, text.strip()) is not None


def _is_the_colour(text: str) -> bool:
    """Say whether it is the JSON that was asked for, or its beginning: some servers let a model fill it with spaces."""
    written = "".join(text.split())
    return written != "" and '{"colour":"blue"}'.startswith(written)
