"""OffsetBias: a label that is the number of the better output."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource
from tests.pipelines.sources.readings import best_text, one_set, reason_of


def pair(label: Any = 1, **changes: Any) -> dict[str, Any]:
    """Return a row as OffsetBias writes it."""
    return {"instruction": "Add 1 and 1.", "output_1": "2", "output_2": "Gladly! It is 3.", "label": label, **changes}


@pytest.mark.parametrize(("label", "best"), [(1, "2"), (2, "Gladly! It is 3."), (1.0, "2"), ("2", "Gladly! It is 3.")])
def test_the_label_is_the_number_of_the_better_output(tmp_path: Path, label: Any, best: str) -> None:
    found = one_set(tmp_path, "offsetbias", [pair(label)])
    assert best_text(found) == best
    assert sorted(response.reward or 0 for response in found.responses) == [0.0, 1.0]
    assert (found.source, found.license, found.label_source) == ("offsetbias", "BSD-3-Clause", LabelSource.MODEL)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (pair(0), "bad_label"),
        (pair(3), "bad_label"),
        (pair(None), "bad_label"),
        (pair(True), "bad_label"),
        (pair("first"), "bad_label"),
        (pair(instruction=" "), "empty_field"),
        (pair(output_2=None), "missing_field"),
        (pair(output_1=2), "not_text"),
        (pair(output_1="same", output_2="same"), DropReason.DUPLICATE_RESPONSES),
        (pair(output_1=""), DropReason.EMPTY_RESPONSE),
        (pair(), None),
    ],
)
def test_rows_that_are_no_pair_say_why(tmp_path: Path, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "offsetbias", row) == reason
