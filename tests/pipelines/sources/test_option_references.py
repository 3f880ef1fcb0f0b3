"""Options that speak of others are put into words that stand alone, or give their question up."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.option_references import refers, standing_options
from schemas.preference import DropReason
from tests.timing import least_seconds

FOUR = ("Low latency", "High throughput", "Wide coverage")


def standing(last: str, *others: str, question: str = "What does it offer?", keep_all_of: bool = False) -> str | None:
    """Return what becomes of the last option; the reason where the question is given up."""
    options = dict(enumerate((*(others or FOUR), last), 1))
    found = standing_options(question, options, keep_all_of)
    if found.drop_reason:
        assert found.texts == options
        return found.drop_reason.value
    assert [found.texts[number] for number in options][:-1] == [*(others or FOUR)]
    return found.texts[len(options)]


@pytest.mark.parametrize(
    ("published", "reworded"),
    [
        ("All of the above", "All of the other answers"),
        ("all of the above.", "All of the other answers"),
        ("All the above", "All of the other answers"),
        ("All of above", "All of the other answers"),
        ("All of these", "All of the other answers"),
        ("All of the options", "All of the other answers"),
        ("All answers are correct", "All of the other answers are correct"),
        ("None of the above", "None of the other answers"),
        ("None of these.", "None of the other answers"),
        ("None of the options", "None of the other answers"),
        ("Neither of the above", "Neither of the other answers"),
        ("Any of the above", "Any of the other answers"),
        ("All of the above techniques", "All of the other techniques"),
        ("All of the above are advantages of it", "All of the other answers are advantages of it"),
    ],
)
def test_all_of_and_none_of_give_up_the_question_or_stand_alone(published: str, reworded: str) -> None:
    assert standing(published) == DropReason.ALL_OF_OPTIONS
    kept = standing(published, keep_all_of=True)
    assert kept is not None
    assert kept.removesuffix(" options") == reworded


def test_the_above_with_an_option_below_it_cannot_be_kept() -> None:
    options = {1: "a thing", 2: "All of the above", 3: "another"}
    assert standing_options("?", options, keep_all_of=True).drop_reason == DropReason.UNRESOLVED_REFERENCE


@pytest.mark.parametrize(
    ("published", "standing_text"),
    [
        ("Both option 1 and option 2", "Both of these: Low latency; High throughput"),
        ("Both options 1 and 2.", "Both of these: Low latency; High throughput"),
        ("Both option 2 and option 3 are correct.", "Both of these: High throughput; Wide coverage"),
        ("Both 1 and 2", "Both of these: Low latency; High throughput"),
        ("Both (1) and (3)", "Both of these: Low latency; Wide coverage"),
        ("Both A and B", "Both of these: Low latency; High throughput"),
        ("1 and 3", "Both of these: Low latency; Wide coverage"),
        ("Options 1 and 2", "Both of these: Low latency; High throughput"),
        ("Options 1, 2 and 3", "All of these: Low latency; High throughput; Wide coverage"),
        ("Neither option 1 nor option 2", "Neither of these: Low latency; High throughput"),
        ("Neither 1 nor 2", "Neither of these: Low latency; High throughput"),
        ("Either option 1 or option 2", "Either of these: Low latency; High throughput"),
        ("Option 1 or option 2", "Either of these: Low latency; High throughput"),
        ("Only option 3", "Only Wide coverage"),
        ("Option 2 and, where policy allows, more", "High throughput and, where policy allows, more"),
    ],
)
def test_named_options_are_written_out(published: str, standing_text: str) -> None:
    assert standing(published) == standing_text


def test_both_of_the_above_needs_exactly_two_above() -> None:
    assert standing("Both of the above", "Uplink", "Downlink") == "Both of these: Uplink; Downlink"
    assert standing("Both", "Uplink", "Downlink") == "Both of these: Uplink; Downlink"
    assert standing("Neither of the above", "Uplink", "Downlink") == "Neither of these: Uplink; Downlink"
    assert standing("Both of the above") == DropReason.UNRESOLVED_REFERENCE


@pytest.mark.parametrize(
    "published",
    [
        "Both option 1 and option 7",
        "Both option 1 and option 4",
        "The same as option 2",
        "Two of the above",
        "A combination of the above",
        "All except option 2",
    ],
)
def test_what_no_text_can_stand_in_for_is_unresolved(published: str) -> None:
    assert standing(published) == DropReason.UNRESOLVED_REFERENCE


def test_a_reference_to_a_reference_is_unresolved() -> None:
    assert standing("Both 1 and 3", "Uplink", "Downlink", "Both 1 and 2") == DropReason.UNRESOLVED_REFERENCE


@pytest.mark.parametrize(
    ("published", "others", "question"),
    [
        ("a and b are prime numbers", FOUR, "When is a congruent to b?"),
        ("a and b", FOUR, "Which are variables?"),
        ("All devices", FOUR, "Which devices?"),
        ("All layers above the physical layer", FOUR, "Which layers?"),
        ("None of the superframes have a CAP", FOUR, "What happens?"),
        ("None", FOUR, "What is the optional output?"),
        ("Both MEC and C-RAN", FOUR, "Which?"),
        ("Both are equally preferred", FOUR, "Which is preferred?"),
        ("Both approaches", FOUR, "Which approach?"),
        ("mode 1 and mode 2", FOUR, "Which modes?"),
        ("Above 100 kHz", FOUR, "Which band?"),
        ("Removal of certain options and functions", FOUR, "What changed?"),
        ("Both 1 and 2", ("1", "2", "3"), "Which releases?"),
        ("Both A and B", ("A", "B", "C"), "Which alternative?"),
        ("Both 1 and 2", FOUR, "Does it stand in layers 1 and 2?"),
        ("1 and 3", ("0 and 1", "2 and 3", "1 and 2"), "Which antennas?"),
        ("1 or 2", FOUR, "How many?"),
        ("Only 2", FOUR, "How many?"),
        ("Option 3", ("Option 1", "Option 2", "Option 7"), "Which deployment?"),
        ("Option 3 split", ("Option 1 split", "Option 2 split", "Option 7 split"), "Which functional split?"),
        ("As in option 2", FOUR, "How does option 3 of the split differ?"),
    ],
)
def test_what_stands_alone_is_left_as_it_is(published: str, others: tuple[str, ...], question: str) -> None:
    assert standing(published, *others, question=question) == published


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.text(max_size=30), st.booleans())
def test_no_text_makes_it_fail(texts: list[str], question: str, keep_all_of: bool) -> None:
    options = dict(enumerate(texts, 1))
    found = standing_options(question, options, keep_all_of)
    assert list(found.texts) == list(options)
    assert all(isinstance(refers(text), bool) for text in texts)


@pytest.mark.parametrize(
    "piece",
    ["all", "all of ", "of ", "Both 1", "1, ", "1 and ", "option ", "Option 1 ", "(", " ", "both of the ", "A,"],
)
def test_a_hostile_option_costs_no_time(piece: str) -> None:
    for length in (490, 900_000):
        options = {1: "a", 2: "b", 3: (piece * length)[:length] + "x"}
        assert least_seconds(partial(standing_options, options[3], options, keep_all_of=True), 2) < 2
