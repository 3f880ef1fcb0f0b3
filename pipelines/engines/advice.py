"""What may help a role whose answers are of no use: only what its recipe lacks, the likeliest first."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pipelines.engines.jobs import Job
from schemas.generation import Completion
from schemas.recipe import GrmSection, ModelSection
from schemas.recipe.tree import FORM_KEYS

_OFTEN = 0.2
"""Share of the answers from which on a fault is worth a word."""
_NEARLY = 0.95
"""An answer that was cut off at less than this share of `max_tokens` was ended by the model's context."""
_THINKING_KEYS = frozenset({"chat_template_kwargs", "enable_thinking", "thinking", "reasoning", "reasoning_effort"})
_LENGTH_KEYS = ("max_tokens", "max_completion_tokens")
_CONTEXT_FLAG = "--max-model-len"
_FORM_FAULTS = ("unparsed", "wrong_count", "out_of_range", "contradictory", "draft_verdict")
"""Outcomes that a server cannot give which keeps an answer to the form of `structured_output`."""


@dataclass(slots=True)
class Seen:
    """What is known of the answers that a role gave."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasoning: int = 0
    """Answers with thoughts of their own."""
    has_system_turn: bool = False
    longest_prompt: int = 0
    """In tokens, of the prompts whose answer was cut off."""
    longest_cut: int = 0
    """In tokens, of the answers that were cut off."""

    def see(self, outcome: str, completion: Completion, messages: Iterable[Mapping[str, Any]] = ()) -> None:
        """Count an answer by its outcome, such as `unparsed`; `messages` are those of its request."""
        self.outcomes[outcome] += 1
        self.has_system_turn |= any(turn.get("role") == "system" for turn in messages)
        self.reasoning += bool(completion.reasoning)
        if outcome == "truncated":
            self.longest_prompt = max(self.longest_prompt, completion.prompt_tokens or 0)
            self.longest_cut = max(self.longest_cut, completion.completion_tokens or 0)

    def is_often(self, *outcomes: str) -> bool:
        """Say whether these outcomes together are worth a word."""
        return sum(self.outcomes[outcome] for outcome in outcomes) >= max(1, _OFTEN * self.outcomes.total())


def advice(job: Job, seen: Seen, context: int | None = None) -> Iterator[str]:
    """Yield what may help, the likeliest first, another model last.

    `context` is how many tokens prompt and answer may have together, where the endpoint says it.
    """
    if seen.outcomes["refused"] * 2 > seen.outcomes.total():  # no form or length changes that
        yield "a model that answers this material"
        return
    model = f"[models.{job.role}]"
    extra, given = job.model.extra_body, job.settings.model_fields_set
    is_cut, thinks = seen.is_often("truncated"), seen.reasoning >= max(1, _OFTEN * seen.outcomes.total())
    if is_cut:
        yield _longer(job, seen, context or context_of(job.model))
    is_held = isinstance(job.settings, GrmSection) and job.settings.structured_output != "none"
    if (thinks or (is_cut and not is_held)) and not _THINKING_KEYS & extra.keys() and job.model.engine != "simulated":
        yield (
            f"in {model} extra_body = {{ chat_template_kwargs = {{ enable_thinking = false }} }}, where the chat "
            "template has such a switch"
        )
    yield from _forms(job, seen)
    if job.section == "grm" and not {"template", "compare_principles"} & given:
        yield "[grm] template, a prompt of your own"
    if seen.has_system_turn and "system_role" not in job.model.model_fields_set:
        yield f"system_role = false in {model}, where the model does not know that role"
    temperature = job.settings.temperature
    if "temperature" not in given and temperature > 0 and "temperature" not in extra:
        yield f"a lower [{job.section}] temperature than {temperature:g}"
    yield "a model that answers this material" if seen.is_often("refused") else "another model"


def context_of(model: ModelSection) -> int | None:
    """Return the context that the flags of a server of our own give it; None where they say nothing."""
    if model.engine != "vllm":
        return None
    words = [word for argument in (*model.vllm.command, *model.vllm.args) for word in argument.split("=", 1)]
    following = [after for word, after in pairwise(words) if word == _CONTEXT_FLAG]
    return int(following[-1]) if following and following[-1].isdecimal() else None


def _longer(job: Job, seen: Seen, context: int | None) -> str:
    """Return what gives answers more room: `max_tokens`, unless the model's context ended them."""
    extra, settings = job.model.extra_body, job.settings
    key = next((key for key in _LENGTH_KEYS if key in extra), None)
    most = extra[key] if key else settings.max_tokens
    where = f"extra_body.{key} in [models.{job.role}]" if key else f"[{job.section}] max_tokens"
    is_number = isinstance(most, int) and not isinstance(most, bool)
    cut_by_context = is_number and not seen.reasoning and 0 < seen.longest_cut < _NEARLY * most
    is_full = is_number and context is not None and seen.longest_prompt + most > _NEARLY * context
    if not cut_by_context and not is_full:
        return f"a higher {where} than {most}"
    length = f" of {context:,} tokens" if context else ""
    shorter = "shorter prompts"
    if isinstance(settings, GrmSection):
        limit = settings.max_prompt_tokens
        shorter = f"a lower [grm] max_prompt_tokens{f' than {limit}' if limit else ''}"
    return (
        f"a longer context of the server, or {shorter}: prompt and answer fill the context{length}, so a higher "
        f"{where} gives no more room"
    )


def _forms(job: Job, seen: Seen) -> Iterator[str]:
    """Yield how the server may keep the judge to the form, or to a shorter one, or why it may not do so."""
    settings, model = job.settings, job.model
    if not isinstance(settings, GrmSection):
        return
    form, at_openai = settings.structured_output, model.engine == "openai" and not model.base_url
    if form == "none":
        if not FORM_KEYS & model.extra_body.keys():
            forms = '"json_schema"' if at_openai else '"regex" (vLLM), "grammar" (llama.cpp) or "json_schema"'
            yield f"[grm] structured_output = {forms}, which has the server keep to the form: docs/structured_output.md"
        return
    if seen.is_often("truncated") and form in ("regex", "grammar"):
        has_text = settings.structured_text is not None
        shorter = "a shorter [grm] structured_text" if has_text else "[grm] structured_text, a shorter form"
        yield f"{shorter}: docs/structured_output.md"
    if seen.is_often(*_FORM_FAULTS) and not at_openai:
        other = '"regex" (or "grammar" for llama.cpp)' if form == "json_schema" else '"json_schema"'
        yield (
            f'[grm] structured_output = {other}, since the server does not keep its answers to "{form}" '
            "(vLLM takes a regex from 0.11 on)"
        )
