"""Sets that fit the judge's prompt: wrong responses are left out first, and nothing is ever truncated."""

from schemas.preference import DropReason, PreferenceSet, Response, preference_set

TEMPLATE_TOKENS = 500
"""Room for the words of a template and a hint."""


def estimated_tokens(text: str) -> int:
    """Return a rough count of a text's tokens: a token for every four bytes of UTF-8."""
    return -(-len(text.encode()) // 4)


def fitted(preference: PreferenceSet, max_prompt_tokens: int) -> PreferenceSet:
    """Return the set with as few wrong responses left out, longest first, as make its prompt fit.

    A set that does not fit even with one wrong response is dropped as too_long.
    """
    if preference.drop_reason is not None:
        return preference
    room = max_prompt_tokens - TEMPLATE_TOKENS - sum(estimated_tokens(turn.content) for turn in preference.query)
    sizes = [_shown_tokens(response) for response in preference.responses]
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


def _shown_tokens(response: Response) -> int:
    return sum(estimated_tokens(part) for part in response.content if part)
