"""The verifier's votes: where a reference is a number, and somebody else has labelled the set."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipelines.training_sets.suspicion import suspicion_of
from pipelines.training_sets.verifying import number_in, verifiers_votes
from schemas.preference import SETS, LabelSource, PreferenceSet, Response
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_frame
from tests.examples import a_recipe, a_set, curate, source_stage


def answered(
    number: int, *answers: str, best: int = 0, reference: str | None = "12 dB\n\nBy the formula."
) -> PreferenceSet:
    responses = [Response(f"{text} ({place})", float(place == best)) for place, text in enumerate(answers)]
    return a_set(number, responses=responses, reference=reference)


def number(one: PreferenceSet) -> int:
    """Return the id of a set as decisions have it."""
    return int(one.set_id[:16], 16)


def curated(place: Path, *sets: PreferenceSet) -> Stage:
    root = Root(place)
    return curate(a_recipe(), root, [source_stage(root, sets)], None)


RIGHT, WRONG = "It is 12 dB.\n\\boxed{12\\text{ dB}}", "It is 13 dB.\n\\boxed{13\\text{ dB}}"


@pytest.mark.parametrize(
    ("reference", "number"),
    [("12 dB\nbecause", "12 dB"), ("1,200.5", "1,200.5"), ("-3%", "-3%"), ("1e-5 Pa", "1e-5 Pa"), ("$4$", "$4$")],
)
def test_a_reference_that_begins_with_a_number_is_one(reference: str, number: str) -> None:
    assert number_in(reference) == number


@pytest.mark.parametrize("reference", [None, "", "Use 12 dB.", "12 dB or 13 dB", "A", "option 3: 12 dB", "\n12"])
def test_any_other_reference_is_not(reference: str | None) -> None:
    assert number_in(reference) is None


def test_a_label_that_the_reference_speaks_against_is_suspect(tmp_path: Path) -> None:
    by_hand = answered(0, WRONG, RIGHT)
    verified = replace(answered(1, WRONG, RIGHT), label_source=LabelSource.VERIFIER)
    sets = [
        by_hand,
        answered(2, RIGHT, WRONG),
        answered(3, RIGHT, RIGHT),
        answered(4, WRONG, RIGHT, reference="See chapter 12."),
        verified,
        replace(answered(5, WRONG, RIGHT), benchmark=True),
    ]
    stage = curated(tmp_path, *sets)
    found = suspicion_of(stage, {}).sets
    reasons = dict(found.select("set_id", "suspicion_reasons").iter_rows())
    assert reasons == {
        number(by_hand): ["verifier_disagrees"],
        number(sets[1]): [],
        **dict.fromkeys(map(number, sets[2:]), None),
    }
    suspicions = dict(found.select("set_id", "label_suspicion").iter_rows())
    assert suspicions[number(by_hand)] > suspicions[number(sets[1])]


def test_a_single_response_has_the_label_that_the_verifier_finds(tmp_path: Path) -> None:
    right = a_set(1, n=1, label=0, responses=[Response(RIGHT)], reference="12 dB")
    wrong = a_set(2, n=1, label=0, responses=[Response(WRONG)], reference="12 dB")
    stage = curated(tmp_path, right, wrong)
    rows = read_frame(stage.paths("sets"), SETS, ["set_id"]).with_row_index("row")
    votes = verifiers_votes(stage).join(rows, on="row")
    assert dict(votes.select("set_id", "response").iter_rows()) == {right.set_id: 1, wrong.set_id: 0}
    assert set(votes["votes"]) == {1.0}


def test_nothing_to_grade_is_no_vote(tmp_path: Path) -> None:
    assert verifiers_votes(curated(tmp_path, a_set(0))).equals(
        pl.DataFrame(schema={"row": pl.UInt32, "judge": pl.String, "response": pl.Int32, "votes": pl.Float64})
    )
