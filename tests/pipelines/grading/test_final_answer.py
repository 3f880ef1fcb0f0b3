import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grading.final_answer import bare, final_answer
from tests.timing import least_seconds

BRACED = st.recursive(
    st.sampled_from(["x", "1", r"\frac", r"\{", r"\}", " "]), lambda inner: inner.map("{{{}}}".format)
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so it is \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed 5", "5"),
        (r"$\fbox{7}$", "7"),
        (r"Answer: 3. No: \boxed{4}", "4"),
        ("\\boxed{4} is what I had.\n**Final Answer:** 5", "5"),
        ("Janet sells 9 eggs.\nA: 18", "18"),
        ("#### Step 2: add\nso\n#### 1,200", "1,200"),
        ("**Answer: 5**", "5"),
        ("Final answer:\n$$x = 3$$", "x = 3"),
        (r"Final Answer: The final answer is $\boxed{7}$. I hope it is correct.", "7"),
        ("The answer is 3. Wait, the answer is 4.", "4"),
        ("The answer is **42** because six times seven.", "42"),
        ("Die Antwort ist 42.", "42"),
        ("所以答案是 42。", "42"),
        ("$\\frac12$", r"\frac12"),
        ("42", "42"),
    ],
)
def test_the_last_mark_wins(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I do not know.",
        "#### Step 1: let us think",
        r"\boxed{}",
        r"It is \boxed{3}. No, it is \boxed{4",
        r"\boxed{\frac{1}{2}",
        r"<think>\boxed{3}</think>",
        r"<think>so \boxed{3}",
        "Es sind zweiundvierzig.",
    ],
)
def test_a_text_without_an_answer_or_with_one_that_breaks_off_has_none(text: str) -> None:
    assert final_answer(text) is None


@pytest.mark.parametrize("between", [" or ", " and ", ", ", "$ or $", r"\] or \("])
def test_boxes_side_by_side_are_one_answer_so_that_a_hedge_is_no_hit(between: str) -> None:
    assert final_answer(rf"\boxed{{3}}{between}\boxed{{5}}") == "3, 5"


def test_an_equal_box_twice_is_said_once() -> None:
    assert final_answer(r"\boxed{6}, \boxed{6}") == "6"


@given(BRACED, st.text(max_size=20))
def test_a_closed_box_is_found_whole_and_an_open_one_never(content: str, before: str) -> None:
    before = before.replace("<", "")
    assert final_answer(rf"{before} \boxed{{{content}}}") == (bare(content) or None)
    assert final_answer(rf"{before} \boxed{{3}} \boxed{{{content}") is None


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "\\boxed{1}, ", "answer is ", "\n#### ", "{", " ", "$", "\\(", "A: *", "\n"]
)
def test_a_text_of_200_000_characters_takes_no_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    texts = (text, f"{text}\nThe answer is 3")
    assert least_seconds(lambda: [final_answer(whole) for whole in texts], 1) < 1
