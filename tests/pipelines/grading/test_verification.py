import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grading.verification import grade, grades_itself
from schemas.question import AnswerForm, Gold, Grade, Verdict

GOLDS = [
    Gold(AnswerForm.MATH, r"\frac{1}{2}"),
    Gold(AnswerForm.OPTION, "2", ("attach", "detach")),
    Gold(AnswerForm.NUMBER, "12.5 dB", tolerance=0.02),
    Gold(AnswerForm.TEXT, "the serving gateway"),
]


def test_a_grade_names_the_answer_as_found() -> None:
    assert grade(GOLDS[0], r"Half: \boxed{0.5}.") == Grade(Verdict.RIGHT, "0.5")
    assert grade(GOLDS[1], "Answer: B") == Grade(Verdict.RIGHT, "B")
    assert grade(GOLDS[2], "It is\n\\boxed{12.6\\text{ dB}}") == Grade(Verdict.RIGHT, r"12.6\text{ dB}")
    assert grade(GOLDS[3], "The Serving-Gateway") == Grade(Verdict.UNDECIDED, "The Serving-Gateway")


def test_two_answers_the_last_one_wins() -> None:
    assert grade(GOLDS[0], r"\boxed{1/2} .. no, \boxed{1/3}").verdict is Verdict.WRONG
    assert grade(GOLDS[0], r"\boxed{1/3} .. no, \boxed{1/2}").verdict is Verdict.RIGHT
    assert grade(GOLDS[0], r"\boxed{1/3} or \boxed{1/2}").verdict is not Verdict.RIGHT


@pytest.mark.parametrize("gold", GOLDS)
def test_nothing_is_no_answer(gold: Gold) -> None:
    for text in ("", " \n", "<think>so it is", "<think>\\boxed{1/2}</think>\n"):
        assert grade(gold, text) == Grade(Verdict.NO_ANSWER)


def test_a_short_text_is_right_word_for_word_and_else_a_teachers_to_judge() -> None:
    assert grade(GOLDS[3], "The answer is: the serving gateway.").verdict is Verdict.RIGHT
    assert grade(GOLDS[3], "The S-GW").verdict is Verdict.UNDECIDED


def test_a_short_text_is_wrong_where_it_is_another_option() -> None:
    gold = Gold(AnswerForm.TEXT, "Uplink", ("Uplink", "Downlink", "A link which is down."))
    assert grade(gold, "The answer is: Downlink").verdict is Verdict.WRONG
    assert grade(gold, "The answer is: a link, which is down").verdict is Verdict.WRONG
    assert grade(gold, "The answer is: both links").verdict is Verdict.UNDECIDED


def test_a_short_text_is_all_that_its_line_says() -> None:
    gold = Gold(AnswerForm.TEXT, "A channel where many send; at most two receive. (1) So it is, $n_T$ bpcu")
    assert grade(gold, f"As above.\nThe answer is: {gold.answer}.").verdict is Verdict.RIGHT
    assert grade(gold, "The answer is: A channel").verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("gold", GOLDS)
def test_a_gold_answer_grades_itself(gold: Gold) -> None:
    assert grades_itself(gold)


@pytest.mark.parametrize(
    "gold",
    [
        Gold(AnswerForm.MATH, r"\frac{1}{2"),
        Gold(AnswerForm.OPTION, "3", ("attach", "detach")),
        Gold(AnswerForm.OPTION, "1", ("attach", "Attach.")),
        Gold(AnswerForm.OPTION, "two", ("attach", "detach")),
        Gold(AnswerForm.NUMBER, "some dB"),
        Gold(AnswerForm.TEXT, " "),
    ],
)
def test_a_gold_answer_that_cannot_be_graded_says_so(gold: Gold) -> None:
    assert not grades_itself(gold)


@given(
    st.sampled_from(GOLDS),
    st.text(st.sampled_from("\\boxed{}$ 12.answeri:AB#\n<think>/^_") | st.characters(), max_size=60),
)
def test_no_text_is_a_crash(gold: Gold, text: str) -> None:
    grade(gold, text)
    grade(gold, f"Answer: {text}")


@pytest.mark.parametrize("form", [AnswerForm.MATH, AnswerForm.NUMBER])
@pytest.mark.parametrize(
    "text",
    [
        r"I would say \boxed{5}. Wait, that is wrong. The answer is 6.",
        r"It is not \boxed{5}.",
        r"The result $\boxed{5}$ is clearly wrong.",
        r"\boxed{5} can't be, so I have no answer.",
        r"A common mistake is \boxed{5}.",
        r"It is 6, not \boxed{5}.",
        "\\boxed{5} \u662f\u9519\u8bef\u7684\u3002",
        "The answer is 5. Actually it is 6.",
    ],
)
def test_an_answer_denied_or_taken_back_is_undecided(form: AnswerForm, text: str) -> None:
    for answer in ("5", "6"):
        assert grade(Gold(form, answer), text).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        r"\(6\) but really \(5\)",
        "A: 5\nB: 6\nC: 7\nD: 8",
        r"<thinking>\boxed{5}</thinking>",
        r"<THINK>\boxed{5}</THINK>",
        r"<thinking>so \boxed{5}",
    ],
)
def test_a_choice_of_several_and_thinking_are_no_answer(text: str) -> None:
    assert grade(Gold(AnswerForm.MATH, "5"), text).verdict is Verdict.NO_ANSWER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a ≥ b", "a ≤ b"),
        ("−5", "5"),
        ("±5", "5"),
        ("√2", "2"),
        ("a → b", "a ← b"),
        ("2 × 3", "2 3"),
        ("6 ÷ 2", "6 2"),
        ("a ≠ b", "a b"),
        ("¬a", "a"),
        ("C#", "C"),
        ("5€", "5$"),
        ("10^3", "10 3"),
        ("1.5", "1 5"),
        ("5 mW", "5 MW"),
    ],
)
def test_a_sign_more_or_less_is_another_short_text(one: str, other: str) -> None:
    for gold, answer in ((one, other), (other, one)):
        assert grade(Gold(AnswerForm.TEXT, gold), f"The answer is: {answer}").verdict is Verdict.UNDECIDED
        assert grade(Gold(AnswerForm.TEXT, gold), f"The answer is: {gold}.").verdict is Verdict.RIGHT
