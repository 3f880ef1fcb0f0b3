"""Sets that fit the judge's prompt: wrong responses are left out first, and nothing is ever truncated."""

from schemas.preference import DropReason, PreferenceSet, Response, preference_set
from schemas.recipe import GrmSection

TEMPLATE_TOKENS = 640
"""Room for the words of a template and a hint."""
MARKER_TOKENS = 16
"""What stands around each response."""


def estimated_tokens(text: str) -> int:
    """Return a rough count of a text's tokens: a token for every four bytes of UTF-8."""
    return -(-len(text.encode()) // 4)


def fitted(preference: PreferenceSet, grm: GrmSection) -> PreferenceSet:
    """Return the set with as few wrong responses left out, longest first, as make its prompt fit max_prompt_tokens.

    A set that does not fit even with one wrong response is dropped as too_long.
    """
    if preference.drop_reason is not None or grm.max_prompt_tokens is None:
        return preference
    room = grm.max_prompt_tokens - TEMPLATE_TOKENS - sum(estimated_tokens(turn.content) for turn in preference.query)
    if grm.reference != "none" and preference.reference is not None:
        room -= estimated_tokens(preference.reference)
    sizes = [MARKER_TOKENS + _shown_tokens(response, grm.shown) for response in preference.responses]
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
    return preference_set(
        query=preference.query,
        responses=[preference.responses[index] for index in sorted(kept)],
        source=preference.source,
        source_id=preference.source_id,
        source_revision=preference.source_revision,
        license=preference.license,
        domain=preference.domain,
        label_source=preference.label_source,
        reference=preference.reference,
        benchmark=preference.benchmark,
        split=preference.split,
    )


def _shown_tokens(response: Response, shown: str) -> int:
    """Return the tokens of what a judge is shown of a response."""
    if shown == "turns" and response.turns:
        return estimated_tokens(response.turns)
    reasoning = response.reasoning if shown == "reasoning" else None
    return estimated_tokens(response.text) + estimated_tokens(reasoning or "")
