"""The cases themselves: enough of them, and each says what our own reader says."""

import pytest

from pipelines.conforming.calls import Kind
from pipelines.conforming.cases import Case, Expects, cases_for, response_texts, written
from pipelines.conforming.stand_in import BEGIN, shown_in
from pipelines.judging.verdicts import read_scores

TOKEN = "0123abcd"
CASES = cases_for(Kind.JUDGE)


@pytest.mark.parametrize("kind", Kind)
def test_there_are_forty_hostile_ones_of_each_kind(kind: Kind) -> None:
    cases = cases_for(kind)
    assert len({case.name for case in cases}) == len(cases)
    assert sum(case.expects is not Expects.SCORES for case in cases) >= 40
    assert cases[0].expects is Expects.SCORES, "the first one says whether the reward works at all"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_must_hold_is_what_our_reader_says(case: Case) -> None:
    """By the text alone: of other cases the endpoint, its finish_reason or the grader decides."""
    if case.replies != ("answer",) or case.finish != "stop":
        return
    responses = response_texts(case, TOKEN)
    for order in (list(range(len(responses))), list(reversed(range(len(responses)))), [0]):
        shown = {number: case.scores[number] for number in order}
        found = read_scores(written(case, shown, responses), len(shown))
        due = tuple(shown.values())
        if case.expects is Expects.SCORES:
            assert found == due
        elif case.expects is Expects.EITHER:
            assert found == due or isinstance(found, str)
        else:
            assert isinstance(found, str) or len(shown) == 1


def prompt_of(*texts: str, marked: bool = True) -> str:
    shown = [f"{BEGIN} {number}]\n{text}\n[The End of Response {number}]" for number, text in enumerate(texts, 1)]
    return "Judge these.\n" + "\n".join(shown if marked else texts)


def test_the_stand_in_knows_which_responses_a_prompt_shows() -> None:
    good, bad = response_texts(CASES[0], TOKEN)
    assert shown_in(prompt_of(good, bad), TOKEN, [good, bad]) == [0, 1]
    assert shown_in(prompt_of(bad, good), TOKEN, [good, bad]) == [1, 0]
    assert shown_in(prompt_of(bad), TOKEN, [good, bad]) == [1]
    assert shown_in(prompt_of(bad, good, marked=False), TOKEN, [good, bad]) == [1, 0]
    for blank in ("", "  "):
        assert shown_in(prompt_of(good, blank), TOKEN, [good, blank]) == [0, 1]
        assert shown_in(prompt_of(blank, good), TOKEN, [good, blank]) == [1, 0]
        assert shown_in(prompt_of(good), TOKEN, [good, blank]) == [0]
        assert shown_in(prompt_of(blank), TOKEN, [good, blank]) == [1]


def test_words_of_a_case_follow_what_is_shown() -> None:
    both, one = {1: 3, 0: 8}, {1: 3}
    texts = ["first", "second\nline"]
    assert (
        written(Case("c", "m", answer="{verdict} {contrary}"), both, texts)
        == "Scores: \\boxed{3, 8} Scores: \\boxed{8, 3}"
    )
    assert written(Case("c", "m", answer="{first 7.5}"), both, texts) == "Scores: \\boxed{7.5, 8}"
    assert written(Case("c", "m", answer="{broken}"), both, texts) == "Scores: \\boxed{3, "
    assert written(Case("c", "m", answer="{broken}|{short}"), one, texts) == "Scores: \\boxed{|Scores: \\boxed{}"
    assert written(Case("c", "m", answer="{quote 1}|{block 2}"), one, texts) == "second\nline|> second\n> line"
    assert written(Case("c", "m", answer="{verdict}"), one, texts, "[[{scores}]]") == "[[3]]"
    assert written(Case("c", "m", answer="{unknown} {0}"), one, texts) == "{unknown} {0}"
