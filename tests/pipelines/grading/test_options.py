import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grading.verification import grade
from schemas.question import AnswerForm, Gold, Verdict

TEXTS = ("The UE", "The core network", "The base station", "3", "None of the above")
THIRD = Gold(AnswerForm.OPTION, "3", TEXTS)
"""Its number is another option's text."""


def verdict(text: str, gold: Gold = THIRD) -> Verdict:
    return grade(gold, text).verdict


@pytest.mark.parametrize(
    "text",
    [
        "Answer: C",
        r"\boxed{\text{(C)}}",
        "Answer: option 3",
        "I weigh them.\n**Answer: option 3: The base station**",
        "The correct option is (c) the base station.",
        "The answer is the base station.",
        "Option 1 is wrong. Option 3 is the correct one.",
        "It must be that one.\noption 3",
        "答案是选项 3",
    ],
)
def test_number_letter_and_text_are_understood(text: str) -> None:
    assert verdict(text) is Verdict.RIGHT


@pytest.mark.parametrize(
    "text", ["Answer: option 2", "Answer: A", "Answer: the core network", "The answer is none of the above."]
)
def test_another_option_is_wrong(text: str) -> None:
    assert verdict(text) is Verdict.WRONG


@pytest.mark.parametrize(
    "text",
    [
        "Answer: option 3: The UE",  # options in another order than the text
        "Answer: option 1: The base station",
        "Answer: 3",  # the third option, or the one that reads "3"?
        "Answer: options 3 and 4",
        "Answer: C or D",
        "Answer: not the base station",
        "Answer: option 3 is wrong",
        "Answer: option 9",
        "Answer: 3 dB",
        "Answer: the base station, not the UE",
    ],
)
def test_a_contradiction_or_a_hedge_is_undecided(text: str) -> None:
    assert verdict(text) is Verdict.UNDECIDED


@pytest.mark.parametrize("text", ["", "I cannot tell.", "Option 3 may be right, but", "<think>Answer: option 3"])
def test_a_text_that_picks_none_has_no_answer(text: str) -> None:
    assert verdict(text) is Verdict.NO_ANSWER


@given(st.permutations(["attach", "detach", "paging", "handover"]), st.integers(1, 4), st.integers(1, 4))
def test_number_and_text_together_are_right_only_where_both_are(texts: list[str], number: int, of_text: int) -> None:
    gold = Gold(AnswerForm.OPTION, "2", tuple(texts))
    found = verdict(f"Answer: option {number}: {texts[of_text - 1]}", gold)
    if number != of_text:
        assert found is Verdict.UNDECIDED
    else:
        assert found is (Verdict.RIGHT if number == 2 else Verdict.WRONG)


FREQUENCIES = Gold(AnswerForm.OPTION, "2", ("15 kHz", "30 kHz", "60 kHz", "3"))


@pytest.mark.parametrize(
    "text",
    [
        "The answer is that it is wrong that 30 kHz",
        "The answer is that it is not true that 30 kHz",
        "it is not true that 30 kHz",
        "The answer is false: 30 kHz",
        "It is wrong to say that option 2 is correct",
        "Many believe option 2 is correct.",
        "If option 2 is correct then all fails",
        "option 2 is correct only for LTE; I would go for 60 kHz",
        "Option 2 is correct? No, option 3.",
        "Option 2 is correct. Wait, no: option 3.",
        "The answer is option 2. No, it is option 3.",
    ],
)
def test_an_option_denied_or_taken_back_is_not_picked(text: str) -> None:
    assert verdict(text, FREQUENCIES) in (Verdict.NO_ANSWER, Verdict.UNDECIDED)


@pytest.mark.parametrize(
    "text",
    ["1) 15 kHz\n3) 60 kHz\n2) 30 kHz", "15 kHz\n30 kHz", "A: 15 kHz\nB: 30 kHz", "option 1: 15 kHz\noption 2: 30 kHz"],
)
def test_the_options_over_again_are_no_answer(text: str) -> None:
    assert verdict(text, FREQUENCIES) is Verdict.NO_ANSWER


def test_a_number_that_is_another_options_text_is_undecided() -> None:
    assert verdict("option 3: 3", Gold(AnswerForm.OPTION, "3", ("3", "2", "1"))) is Verdict.UNDECIDED
