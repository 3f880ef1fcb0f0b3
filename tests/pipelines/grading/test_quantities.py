import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grading.quantities import verdict
from pipelines.grading.verification import grades_itself
from schemas.question import AnswerForm, Gold, Verdict

SAME = [
    ("12.5 dB", "12.5"),
    ("12.5 dB", r"12.6\,\text{dB}"),
    ("30 dBm", "0 dBW"),
    ("0.031", r"3.1 \times 10^{-2}"),
    ("0.031", "3.1e-2"),
    ("0.031", r"3.1\%"),
    ("25", r"25\%"),
    ("10 MHz", r"10{,}000\text{ kHz}"),
    ("10 Mbps", "10 Mbit/s"),
    ("10 Mbps", "1.25 MB/s"),
    ("4.5 bps/Hz", "4.5 bit/s/Hz"),
    ("2 us", r"2\ \mu\text{s}"),
    ("25 °C", "298.15 K"),
    ("0", "1e-12"),
    ("0 dB", "0.0 dB"),
    ("6.28", r"2\pi"),
    ("0.333", r"\frac{1}{3}"),
    ("5", r"x \approx 5.01"),
    ("-95 dBm", "−95 dBm"),
    ("10000", "10 000"),
    ("3.14", "3,14"),
    ("20 Erlangs", "20 erlang"),
]
DIFFERENT = [
    ("12.5 dB", "12.7 dB"),
    ("12.5 dB", "17.8"),
    ("-95 dBm", "95 dBm"),
    ("0", "0.001"),
    ("1 km", "1 m"),
    ("5", "-5"),
    ("10^{-6}", "10^{-5}"),
]
CANNOT_TELL = [
    ("30 dBm", "1 W"),
    ("30 dBm", "30 dB"),
    ("10 MHz", "10 Mbit/s"),
    ("1.5 km", "1500"),
    ("1.5", "1500 m"),
    ("0.25", "0.25%"),
    ("5 users", "5 apples"),
    ("12 GHz", "12 Ghz"),
    ("5", "4 or 5"),
    ("5", "4, 5"),
    ("5", "not 5"),
    ("5", "5/0"),
    ("5", "1e999"),
    ("5", "five"),
    ("five", "five"),
    ("5", "5" * 300),
]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_the_same_quantity_is_right_in_other_units_and_notations(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.RIGHT


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_another_quantity_is_wrong(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.WRONG


@pytest.mark.parametrize(("gold", "answer"), CANNOT_TELL)
def test_units_and_numbers_that_cannot_be_compared_are_undecided(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.UNDECIDED


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 0.5), st.sampled_from([-1, 1]))
def test_the_tolerance_is_relative_to_the_gold(gold: float, tolerance: float, sign: int) -> None:
    near, far = (gold * (1 + sign * tolerance * share) for share in (0.99, 1.01))
    assert verdict(repr(gold), repr(near), tolerance) is Verdict.RIGHT
    assert verdict(repr(gold), repr(far), tolerance) is Verdict.WRONG


def test_a_gold_answer_is_a_number_with_a_unit_or_none() -> None:
    for answer in ("12.5 dB", "0.031", r"2\pi"):
        assert grades_itself(Gold(AnswerForm.NUMBER, answer))
    for answer in ("five", "4 or 5", ""):
        assert not grades_itself(Gold(AnswerForm.NUMBER, answer))


@pytest.mark.parametrize("gold", ["12", "12 dB"])
@pytest.mark.parametrize(
    "words",
    [" thousand", "k", " e3", " dozen", " squared", "x", " wrong", " but 13", " out of 100", r"\text{ dB below }13"],
)
def test_what_changes_a_number_is_no_unit(gold: str, words: str) -> None:
    assert verdict(gold, f"12{words}") is not Verdict.RIGHT


@pytest.mark.parametrize(("gold", "answer"), [("5/2", "2 1/2"), ("12000", "12k"), ("3e8", "300 million")])
def test_numbers_in_words_are_multiplied_out(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.RIGHT


def test_a_question_may_name_the_scale_or_unit_that_an_answer_lacks() -> None:
    assert verdict("5 million", "5") is Verdict.UNDECIDED
    assert verdict("0.25", r"25\text{ cents}") is Verdict.UNDECIDED
