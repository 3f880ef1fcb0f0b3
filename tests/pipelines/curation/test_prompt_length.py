"""Sets that are too long: wrong responses go first, the best never, and no text is cut."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.prompt_length import (
    MARKER_TOKENS,
    RESULT_LIMITS,
    TEMPLATE_TOKENS,
    estimated_tokens,
    fitted,
    result_limit,
)
from pipelines.judging.prompts import hint_text, load_template, render
from pipelines.judging.shown_text import show
from schemas.preference import DropReason, PreferenceSet, Response
from schemas.recipe import GrmSection
from tests.examples import a_set


def of_lengths(best: int, *wrong: int, **given: object) -> PreferenceSet:
    texts = [Response("b" * best, 1.0), *(Response(str(i) + "w" * (size - 1), 0.0) for i, size in enumerate(wrong))]
    return a_set(1, responses=texts, **given)


def room(tokens: int, responses: int, **given: object) -> GrmSection:
    """Return settings that leave so many tokens to the texts of so many responses."""
    query = sum(estimated_tokens(turn.content) for turn in a_set(1).query)
    return GrmSection(max_prompt_tokens=TEMPLATE_TOKENS + query + tokens + responses * MARKER_TOKENS, **given)


def test_what_fits_stays_as_it_is() -> None:
    preference = of_lengths(400, 400, 400)
    assert fitted(preference, room(300, 3)) is preference
    assert fitted(preference, GrmSection()) is preference


def test_the_longest_wrong_response_is_left_out_first() -> None:
    short = fitted(of_lengths(2_000, 800, 1_200, 400), room(800, 3))
    assert sorted(len(response.text) for response in short.responses) == [400, 800, 2_000]
    assert short.best is not None
    assert len(short.responses[short.best].text) == 2_000
    assert short.set_id != of_lengths(2_000, 800, 1_200, 400).set_id


def test_a_set_that_does_not_fit_with_one_wrong_response_is_too_long_and_whole() -> None:
    dropped = fitted(of_lengths(2_000, 800, 1_200), room(400, 2))
    assert dropped.drop_reason is DropReason.TOO_LONG
    assert dropped.n_responses == 3
    single = a_set(1, n=1, responses=[Response("x" * 4_000)])
    assert fitted(single, room(100, 1)).drop_reason is DropReason.TOO_LONG
    assert fitted(single, room(1_000, 1)) is single
    tied = a_set(1).dropped(DropReason.TIE)
    assert fitted(tied, GrmSection(max_prompt_tokens=1)) is tied


def test_only_what_the_judge_is_shown_counts() -> None:
    texts = [Response(f"{index}" * 40, float(index), reasoning="r" * 40_000) for index in range(3)]
    preference = a_set(1, responses=texts, reference="f" * 4_000)
    assert fitted(preference, room(30, 3)) is preference
    assert fitted(preference, room(30, 3, reference="prompt")).drop_reason is DropReason.TOO_LONG
    assert fitted(preference, room(30, 3, shown="reasoning")).drop_reason is DropReason.TOO_LONG


@given(st.lists(st.integers(1, 6_000), min_size=2, max_size=7), st.integers(0, 6_000))
def test_the_best_response_never_goes_and_what_is_kept_fits(sizes: list[int], tokens: int) -> None:
    preference = of_lengths(*sizes)
    grm = GrmSection(max_prompt_tokens=TEMPLATE_TOKENS + tokens + 1)
    short = fitted(preference, grm)
    if short.drop_reason:
        assert short.n_responses == len(sizes)
        return
    assert short.best is not None
    assert short.responses[short.best].text == "b" * sizes[0]
    assert {response.text for response in short.responses} <= {response.text for response in preference.responses}
    shown = show(short)
    order = tuple(range(short.n_responses))
    for name in ("grm", "grm_no_principles"):
        [prompt] = render(load_template(name), shown, order, hint=hint_text(shown, order))
        assert estimated_tokens(prompt.content) <= TEMPLATE_TOKENS + tokens + 1 + 2 * short.n_responses


def conversation(reward: float, *results: int, said: int = 40, mark: str = "x") -> Response:
    """Return a conversation whose tool results have these lengths."""
    turns: list[dict[str, Any]] = [{"role": "assistant", "content": mark * said}]
    turns += [{"role": "tool", "content": mark * length} for length in results]
    return Response("", reward, turns=json.dumps(turns))


def test_long_tool_results_are_shortened_in_the_prompt_before_a_response_is_left_out() -> None:
    responses = [conversation(1.0, 8_000, 300), conversation(0.0, 6_000, mark="y"), conversation(0.0, 100, mark="z")]
    preference = a_set(1, responses=responses)
    settings = room(1_500, 3)
    assert fitted(preference, settings) is preference
    assert result_limit(preference, settings) == 2_000
    shown = show(preference, longest_result=2_000)
    assert sum("characters of this result are left out here" in text for text in shown.responses) == 2
    assert result_limit(preference, room(5_000, 3)) is None
    assert result_limit(preference, GrmSection()) is None


def test_a_conversation_that_does_not_fit_shortened_is_too_long_and_whole() -> None:
    single = a_set(1, n=1, responses=[conversation(0.0, 8_000, said=4_000)])
    dropped = fitted(single, room(1_000, 1))
    assert dropped.drop_reason is DropReason.TOO_LONG
    assert dropped.responses == single.responses
    assert fitted(single, room(1_100, 1)) is single
    assert result_limit(single, room(1_100, 1)) == RESULT_LIMITS[-1]


def test_shortening_leaves_out_no_more_responses_than_it_must() -> None:
    responses = [conversation(1.0, 4_000), conversation(0.0, 4_000, said=4_000, mark="y"), conversation(0.0, 10)]
    short = fitted(a_set(1, responses=responses), room(400, 3))
    assert short.n_responses == 2
    assert {response.turns for response in short.responses} == {responses[0].turns, responses[2].turns}
    assert result_limit(short, room(400, 3)) == 1_000


def test_texts_are_never_shortened() -> None:
    assert result_limit(of_lengths(9_000, 9_000), room(10, 2)) is None
