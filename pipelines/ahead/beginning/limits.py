"""Limits that fit a context: how many tokens an answer may have, and how long a prompt may be."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.judging import prompt_length
from pipelines.judging.prompt_length import TEMPLATE_TOKENS, estimated_tokens
from pipelines.judging.prompts import Template
from schemas.errors import EngineError
from schemas.preference import PreferenceSet
from schemas.recipe import GrmSection

ANSWER_TOKENS = (1024, 768, 512, 384, 256, 192, 128)
"""Longest answers, of which the first that fits is taken; a judgement has two to four hundred tokens."""
SLACK_TOKENS = 16
HINT_TOKENS = 90
"""What a hint adds to a prompt."""
USUAL_RATIO = 1.25
"""Real tokens by estimated ones, where no endpoint has counted them."""
_OFTEN = 0.9
"""An answer has room beside the prompts of this share of the sets."""


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """The real tokens of a prompt: those that every prompt has, and more by what a set holds."""

    fixed: float
    by_estimate: float
    """Real tokens for each estimated one of a set."""

    def of(self, estimate: float) -> float:
        return self.fixed + self.by_estimate * estimate


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recipe says of lengths."""

    max_tokens: int
    max_prompt_tokens: int | None
    """As the recipe estimates a prompt; None where the context is not known."""
    kept: int
    """Sets whose prompt fits whole."""
    room: int | None
    """Tokens that an answer could have beside the longest of these; None where the context is not known."""


def set_tokens(preference: PreferenceSet) -> int:
    """Return the estimated tokens of what a prompt of a new recipe shows of a set."""
    return prompt_length.set_tokens(preference, GrmSection())


def template_tokens(template: Template) -> int:
    """Return the estimated tokens of a template's own words."""
    return estimated_tokens("".join([*(part.before for part in template.parts), template.ending]))


def prompt_tokens(template: Template, pairs: Sequence[tuple[int, int]]) -> PromptTokens:
    """Return the real tokens of prompts by pairs: the estimated tokens of a set, and those that the endpoint counted.

    Without pairs they are an estimate, too.
    """
    if not pairs:
        return PromptTokens(template_tokens(template) * USUAL_RATIO + HINT_TOKENS, USUAL_RATIO)
    (low, low_real), (high, high_real) = min(pairs), max(pairs)
    ratio = (high_real - low_real) / (high - low) if high - low >= 50 else USUAL_RATIO
    ratio = min(max(ratio, 0.5), 6.0)
    return PromptTokens(max(0.0, low_real - ratio * low) + HINT_TOKENS, ratio)


def limits_of(
    context: int | None,
    tokens: PromptTokens,
    sets: Sequence[PreferenceSet],
    where: str,
    max_tokens: int | None = None,
) -> Limits:
    """Return the limits that leave room for as many sets as possible. Raises EngineError where no set fits.

    An answer gets a quarter of the context at most, unless `max_tokens` says otherwise: a small model that never ends
    would waste the time.
    """
    if context is None:
        return Limits(max_tokens or ANSWER_TOKENS[0], None, len(sets), None)
    sizes = sorted(map(set_tokens, sets))
    usual = sizes[min(int(len(sizes) * _OFTEN), len(sizes) - 1)]
    lengths = [most for most in ANSWER_TOKENS if most <= context // 4] or [ANSWER_TOKENS[-1]]
    fitting = [most for most in lengths if tokens.of(usual) + most + SLACK_TOKENS <= context]
    answer = max_tokens or next(iter(fitting), lengths[len(lengths) // 2])
    longest = int((context - answer - SLACK_TOKENS - tokens.fixed) / tokens.by_estimate)
    kept = sum(size <= longest for size in sizes)
    if longest <= 0 or not kept:
        need = round(tokens.of(sizes[0])) + answer + SLACK_TOKENS
        raise EngineError(
            f"{where}: its context of {context:,} tokens is shorter than the prompts: the shortest of the sets needs "
            f"about {need:,}, {round(tokens.fixed):,} of them for the words of the prompt and {answer:,} for the "
            "answer; serve the model with a longer context (vLLM: --max-model-len, llama.cpp: -c), or take shorter "
            "responses"
        )
    room = int(context - SLACK_TOKENS - tokens.of(sizes[kept - 1]))
    return Limits(answer, TEMPLATE_TOKENS + longest, kept, room)
