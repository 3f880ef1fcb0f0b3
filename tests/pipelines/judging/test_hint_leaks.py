"""A hinted answer must read as if it had not been told; telecom texts must not look like leaks."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.judging.extraction import read_parts
from pipelines.judging.hint_leaks import hint_leaks, leaks_hint

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


SENTENCES = Path(__file__).with_name("hint_leaks")


def spoken(name: str) -> tuple[list[str], list[str]]:
    """Return the sentences of a file, and those of them that are taken for leaks."""
    sentences = (SENTENCES / f"{name}.txt").read_text("utf-8").splitlines()
    leaks = hint_leaks(pl.Series(sentences), lambda row: read_parts(sentences[row]), [False] * len(sentences))
    return sentences, [one for one, leaks_it in zip(sentences, leaks, strict=True) if leaks_it]


@pytest.mark.parametrize(("name", "least"), [("leaks", 0.93), ("unseen_leaks", 0.9)])
@pytest.mark.parametrize("chinese", [False, True])
def test_nine_of_ten_leaks_are_found_in_either_language(name: str, least: float, chinese: bool) -> None:
    """Nothing was learned from `unseen_leaks`: another hand wrote it that had seen neither model nor corpus."""
    sentences, found = spoken(name)
    wanted = [one for one in sentences if any("\u4e00" <= character <= "\u9fff" for character in one) == chinese]
    assert len(wanted) >= 200 and len(set(wanted) & set(found)) >= least * len(wanted)


@pytest.mark.parametrize("name", ["honest", "unseen_honest"])
def test_honest_sentences_are_seldom_taken_for_leaks(name: str) -> None:
    """One in six or more of them speaks of other hints, labels and references on purpose."""
    sentences, found = spoken(name)
    assert len(sentences) >= 1000 and len(found) <= 0.005 * len(sentences), found


def test_of_a_hundred_honest_critiques_one_is_taken_for_a_leak() -> None:
    """Whole ones of some six sentences each, by a hand that had seen neither model nor corpus."""
    critiques, found = spoken("unseen_critiques")
    assert len(critiques) == 300 and len(found) <= 3, found


@pytest.mark.slow
def test_a_column_is_read_as_its_texts_are() -> None:
    texts = [*spoken("leaks")[0][::9], *spoken("honest")[0][::9], ""]
    columns = hint_leaks(pl.Series(texts), lambda _: ((), None), [False] * len(texts))
    assert columns == [leaks_hint(text) for text in texts]


def test_a_text_of_one_endless_sentence_takes_time_in_proportion_to_it() -> None:
    for piece in (
        "given that response 1 is known ",
        "the hint says the label of ",
        "\u6839\u636e\u63d0\u793a\u56de\u7b542",
    ):
        leaks_hint(piece * 20_000)


NAMES = (
    "Accuracy",
    "Clarity",
    "Instruction Adherence",
    "Factual accuracy",
    "Use of the 3GPP terms",
    "\u51c6\u786e\u6027",
)
OPENINGS = (
    "On {0}, Response 1 names the right timer and Response 2 does not.",
    "Response 1 states that T310 starts upon N310 indications, which is right; Response 2 names T311.",
    "Both responses address the question, but Response 2 is better because it shows its steps.",
    "{0}: Response 2 is correct, Response 1 is not.",
    "In terms of {0}, Response 1 is better.",
    "Response 2 is correct in saying that the series diverges.",
    "Response 1 is correct that the limit exists.",
    "Response 1 answers in French, as asked; Response 2 answers in English.",
    "The question asks for the number of primes below 20, which is 8.",
    "The correct answer is option 3, since the UE is in RRC_IDLE.",
    "Response 2 is right on the first step: 3 * 4 is 12.",
    "First, {0}: Response 1 is the best here.",
    "Comparing the two, Response 1 has the fuller explanation.",
    "Response 1 is better for its worked example.",
    "Let us check the facts: the capital of Australia is Canberra.",
    "\u56de\u7b541\u7ed9\u51fa\u4e86\u6b63\u786e\u7684\u5b9a\u65f6\u5668\uff0c\u56de\u7b542\u6ca1\u6709\u3002",
    "\u5728{0}\u65b9\u9762\uff0c\u56de\u7b542\u66f4\u597d\u3002",
)


def test_the_rule_of_the_first_criterion_passes_honest_critiques_of_the_prompts_form() -> None:
    """Criteria, analysis, scores: 600 of them, each opening under every pair of criteria."""
    alarms = []
    for first in NAMES:
        for second in NAMES:
            for opening in OPENINGS:
                criteria = (
                    f"Specific Criteria:\n1. {first} (weight: 60%): the correct answer is option 3\n"
                    f"2. {second} (weight: 40%): the better response leaves nothing out\n\nAnalysis:\n"
                )
                text = f"{criteria}{opening.format(first)}\nOverall, Response 1 is better.\n\nScores: \\boxed{{8, 3}}"
                alarms += [text] if leaks_hint(text) else []
    assert len(alarms) <= 0.01 * len(NAMES) ** 2 * len(OPENINGS), alarms[:3]


def test_a_verdict_that_gives_no_reason_leaks_in_chinese_too() -> None:
    assert leaks_hint(
        answer("\u56de\u7b542\u660e\u663e\u66f4\u597d\u3002Accuracy: \u5b9a\u65f6\u5668\u6b63\u786e\u3002")
    )
