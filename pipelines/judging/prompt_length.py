"""Sets that fit the judge's prompt: long tool results are shortened in it, then wrong responses left out of the set.

What is shortened is said in the prompt, and only there: tables hold every response whole.
"""

from dataclasses import replace
from typing import Any

from pipelines.judging.shown_text import response_text
from pipelines.judging.transcripts import is_conversation
from schemas.preference import DropReason, PreferenceSet, RowFacts, preference_set
from schemas.recipe import GrmSection

TEMPLATE_TOKENS = 640
"""Room for the words of a template and a hint."""
MARKER_TOKENS = 16
"""What stands around each response."""
RESULT_LIMITS = (4_000, 2_000, 1_000, 500, 250)
"""To how many characters tool results are shortened, the first of these that makes a prompt fit."""


def estimated_tokens(text: str) -> int:
    """Return a rough count of a text's tokens: a token for every four bytes of UTF-8."""
    return -(-len(text.encode()) // 4)


def set_tokens(preference: PreferenceSet, settings: GrmSection) -> int:
    """Return the estimated tokens of what a prompt shows of a set: with TEMPLATE_TOKENS it fits max_prompt_tokens."""
    return _question_tokens(preference, settings) + sum(_sizes(preference, settings, None))


def result_limit(preference: PreferenceSet, settings: GrmSection) -> int | None:
    """Return to how many characters tool results are shortened in a set's prompts, so that it fits; None: to none.

    A set that fits with no limit of RESULT_LIMITS is shown with the strictest one, where it is shown at all.
    """
    conversations = (is_conversation(response, settings.shown) for response in preference.responses)
    if settings.max_prompt_tokens is None or not any(conversations):
        return None
    room = _room(preference, settings, settings.max_prompt_tokens)
    limits = (None, *RESULT_LIMITS)
    return next((limit for limit in limits if sum(_sizes(preference, settings, limit)) <= room), RESULT_LIMITS[-1])


def fitted(preference: PreferenceSet, settings: GrmSection) -> PreferenceSet:
    """Return the set with as few wrong responses left out, longest first, as make its prompt fit max_prompt_tokens.

    Before one is left out, tool results are shortened. A set that does not fit even with one wrong response is dropped
    as too_long.
    """
    if preference.drop_reason is not None or settings.max_prompt_tokens is None:
        return preference
    room = _room(preference, settings, settings.max_prompt_tokens)
    sizes = _sizes(preference, settings, result_limit(preference, settings))
    kept = set(range(preference.n_responses))
    wrong = sorted((index for index in kept if index != preference.best), key=lambda index: (-sizes[index], index))
    for index in wrong:
        if sum(sizes[kept_index] for kept_index in kept) <= room or len(kept) <= 2:
            break
        kept.remove(index)
    if sum(sizes[index] for index in kept) > room:
        return preference.dropped(DropReason.TOO_LONG)
    if len(kept) == preference.n_responses:
        return preference
    facts: Any = {name: getattr(preference, name) for name in RowFacts.__annotations__}
    responses = [preference.responses[index] for index in sorted(kept)]
    shorter = preference_set(query=preference.query, responses=responses, label_source=preference.label_source, **facts)
    votes = None if preference.votes is None else tuple(preference.votes[index] for index in sorted(kept))
    retagged_best = None if preference.retagged_best is None else shorter.best  # a kept set has its old label confirmed
    return replace(shorter, cluster=preference.cluster, retagged_best=retagged_best, votes=votes)


def _room(preference: PreferenceSet, settings: GrmSection, max_prompt_tokens: int) -> int:
    """Return how many tokens are left to the responses."""
    return max_prompt_tokens - TEMPLATE_TOKENS - _question_tokens(preference, settings)


def _question_tokens(preference: PreferenceSet, settings: GrmSection) -> int:
    """Return the tokens of the question, and of its reference answer where a prompt shows that."""
    tokens = sum(estimated_tokens(turn.content) for turn in preference.query)
    if settings.reference != "none" and preference.reference is not None:
        tokens += estimated_tokens(preference.reference)
    return tokens


def _sizes(preference: PreferenceSet, settings: GrmSection, longest_result: int | None) -> list[int]:
    """Return the tokens of what a judge is shown of each response."""
    return [
        MARKER_TOKENS + estimated_tokens(response_text(response, settings.shown, longest_result))
        for response in preference.responses
    ]
