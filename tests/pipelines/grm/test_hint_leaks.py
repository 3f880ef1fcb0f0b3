"""A hinted answer must read as if it had not been told; telecom texts must not look like leaks."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grm.hint_leaks import hint_leaks, leaks_hint

CRITERIA = "Specific Criteria:\n1. Accuracy (weight: 60%): right\n2. Clarity (weight: 40%): easy\n\n"


def answer(analysis: str) -> str:
    return f"{CRITERIA}Analysis:\n{analysis}\n\nScores: \\boxed{{3, 8}}"


@pytest.mark.parametrize(
    "phrase",
    [
        "As the hint says, the second is better.",
        "According to the hint, it wins.",
        "The Hint confirms this.",
        "As hinted, the second one wins.",
        "I was told that response 2 is better.",
        "We are told that Response 2 is the best one.",
        "I have been informed which response is preferred.",
        "The prompt states that response 2 is better.",
        "The instructions already say that the best response is the second.",
        "This is as indicated by the reference label.",
        "Given that Response 2 is known to be the best, it scores high.",
        "Given that Response 2 is the best one, it scores high.",
        "Response 2 is already known to be correct.",
        "Response 2 has been marked as the best.",
        "It is known that Response 2 is slightly better.",
        "Since it is the known best response, it gets 8.",
        "The known result is in its favour.",
        "According to the provided answer, it is 42.",
        "The reference answer is 42, so it is right.",
        "By the ground truth label it wins.",
        "By the answer key it wins.",
        "The annotators preferred the second one.",
        "The correct score is given as 1.",
    ],
)
def test_speaking_of_the_hint_leaks(phrase: str) -> None:
    assert leaks_hint(answer(f"Accuracy: the first is wrong. {phrase} Clarity: both are clear."))


@pytest.mark.parametrize(
    "text",
    [
        "Accuracy: the paging hint tells the UE which beam to monitor.",
        "Accuracy: the gNB sends a hint of the cell's load; the hint bit is set in the message.",
        "Accuracy: the hint field of the header has two bits.",
        "Accuracy: paging hints are provided by the AMF.",
        "Accuracy: ground truth positions come from RTK measurements.",
        "Accuracy: we are told that x = 3, so 2x = 6 and Response 2 is correct.",
        "Accuracy: the user was told to restart the phone, and the agent did so.",
        "Accuracy: Response 1 names the wrong timer. Response 2 is correct. Clarity: Response 2 is better.",
        "Accuracy: the reference signal (DM-RS) is known to the receiver.",
        "Accuracy: as indicated in TS 38.331, the timer is T310.",
        "Accuracy: as specified in the standard, Response 2 is right.",
        "Accuracy: the given answer in Response 1 is wrong, and its label is misleading.",
        "Response 1 claims that option 2 is correct, which is wrong. Response 2 is correct.",
        "By accuracy, Response 2 is the best one.",
        "Both responses name a timer. Response 2 is better, since T310 is right.",
        "Whether Response 2 is correct depends on the release.",
    ],
)
def test_honest_analyses_do_not_leak(text: str) -> None:
    assert not leaks_hint(answer(text))


def test_a_verdict_before_the_first_criterion_leaks() -> None:
    assert leaks_hint(answer("Response 2 is the best. Accuracy: it names the right timer."))
    assert leaks_hint(answer("Clearly, Response 2 is much better than the other one."))
    assert leaks_hint(answer("The best response is Response 2."))
    assert leaks_hint("Response 2 is correct.\n\n" + answer("Accuracy: it names the right timer."))
    assert leaks_hint(answer("Accuracy: fine").replace("right\n", "right, and Response 2 is the correct one\n"))


def test_the_reference_may_be_spoken_of_where_every_prompt_shows_it() -> None:
    text = answer("Accuracy: the reference answer is 42, and so is Response 2's.")
    assert leaks_hint(text)
    assert not leaks_hint(text, reference_shown=True)


def test_thinking_is_not_part_of_the_answer() -> None:
    assert not leaks_hint("<think>The hint says Response 2 is best.</think>" + answer("Accuracy: T310 is right."))


def test_an_answer_without_parts() -> None:
    assert not leaks_hint("")
    assert not leaks_hint("Scores: \\boxed{3, 8}")


