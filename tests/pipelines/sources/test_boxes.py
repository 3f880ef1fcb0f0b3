"""Boxed answers: braces nest, escapes are text, and what never closes is no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.boxes import boxes, boxes_several, last_boxed


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so $\boxed{5}$", "5"),
        (r"$\boxed{1}$, no: $\boxed{\frac{2}{\sqrt{3}}}$.", r"\frac{2}{\sqrt{3}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\text{a \} b}}", r"\text{a \} b}"),
        (r"\boxed{1 \\ 2}", r"1 \\ 2"),
        (r"\boxed {7}", "7"),
        (r"$\boxed 5$.", "5"),
        (r"it is \boxed 5.", "5"),
        (r"\[\boxed -12\]", "-12"),
        (r"$\boxed\frac{1}{2}$", r"\frac{1}{2}"),
        (r"\fbox{yes}", "yes"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{ 17 }", "17"),
        ("\\boxed{\n1\n}", "1"),
        (r"\boxed{1} and then \boxed{2", None),
        (r"\boxed{1} and then \boxed{}", None),
        (r"\boxed", None),
        (r"\boxedfoo{1}", None),
        (r"\\boxed{1}", None),
        ("no box } at all {", None),
        ("", None),
    ],
)
def test_the_last_box_is_the_answer(text: str, answer: str | None) -> None:
    assert last_boxed(text) == answer


@pytest.mark.parametrize(
    ("text", "several"),
    [
        (r"$\boxed{2}$ and $\boxed{-3}$", True),
        (r"$k = \boxed{2}$ or $k = \boxed{-3}.$", True),
        (r"\boxed{(1, 2)} \text{ and } \boxed{(3, 4)}", True),
        (r"$f(x) = \boxed{x}$ or $f(x)=\boxed{-x}$", True),
        (r"$\boxed{2}$ and $\boxed{2}$", False),
        (r"$\boxed{2}$, so the two others are $\boxed{-3}$", False),
        (r"$\boxed{2}$. Now, and only now, the sum is $\boxed{4}$", False),
        (r"$\boxed{2}$", False),
        ("", False),
    ],
)
def test_answers_that_are_joined_are_several(text: str, several: bool) -> None:
    assert boxes_several(text) is several


@given(st.text(alphabet="\\{}boxed 5$.,and\n", max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = boxes(text)
    assert [box.start for box in found] == sorted(box.start for box in found)
    assert all(box.start < box.end <= len(text) for box in found)
    boxes_several(text)


def test_a_long_text_takes_time_in_proportion_to_its_length() -> None:
    assert len(boxes("\\boxed{" * 100_000)) == 100_000
    assert last_boxed("\\boxed{" * 100_000 + "1" + "}" * 100_000) == "1"
