"""Every outcome and reason has its words, and no value stands for two things."""

from pipelines.reporting.meanings import MEANINGS, SURPLUS, meaning
from schemas.preference import DropReason
from schemas.trajectory import Outcome, RejectReason


def test_every_value_has_words_of_its_own() -> None:
    values = [value.value for kind in (Outcome, RejectReason, DropReason) for value in kind]
    assert len(values) == len(set(values))
    assert set(MEANINGS) == {*values, SURPLUS}
    assert all(words and not words.endswith(".") for words, _ in MEANINGS.values())


def test_every_rejection_has_a_way_out() -> None:
    for value in (*Outcome, *RejectReason):
        assert meaning(value).way_out or value is Outcome.CORRECT


def test_an_unknown_reason_stands_for_itself() -> None:
    assert meaning("from_the_future").words == "from the future"


def test_words_tell_one_response_from_several() -> None:
    assert meaning("incorrect", 1).words == "the judge gave the response the wrong label"
    assert meaning("incorrect", 4).words == "the judge gave another response a higher score than the best one"
    assert meaning("incorrect", 1).way_out == meaning("incorrect").way_out
    assert meaning("too_easy", 1) == meaning("too_easy")
