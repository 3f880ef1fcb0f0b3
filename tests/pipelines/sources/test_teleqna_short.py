"""TeleQnA without its options, on rows written for these tests; the real file where it is at hand."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.option_needs import needs_rewriting
from pipelines.sources.registry import SOURCES
from schemas.preference import DropReason
from schemas.query import query_id, user
from schemas.question import AnswerForm, Gold, Question
from tests.pipelines.sources.readings import read_questions
from tests.pipelines.sources.test_teleqna import DUPLEX, question


def read_rows(directory: Path, *rows: Any) -> list[Any]:
    path = directory / "TeleQnA.txt"
    path.write_text(json.dumps({f"question {number}": row for number, row in enumerate(rows)}), "utf-8")
    return read_questions(path, "teleqna_short")


def test_the_gold_answer_is_the_right_options_text_and_the_query_is_teleqnas_own(tmp_path: Path) -> None:
    (found,) = read_rows(tmp_path, DUPLEX)
    assert found.gold == Gold(AnswerForm.TEXT, "Time division duplex", ("Total data download", "Time division duplex"))
    assert found.query_id == query_id(user("What does TDD stand for?"))
    assert found.reference == "Time division duplex\n\nIt is so."
    assert (found.source, found.stem, found.benchmark, found.drop_reason) == ("teleqna_short", None, True, None)
    assert SOURCES["teleqna_short"].redistribution == "restricted"


def test_references_are_written_out_and_equal_options_stand_once(tmp_path: Path) -> None:
    (found,) = read_rows(tmp_path, question("Name the links.", "Uplink", "Downlink", "Both 1 and 2", "Uplink", right=3))
    assert found.gold.answer == "Both of these: Uplink; Downlink"
    assert found.gold.options == ("Uplink", "Downlink", "Both of these: Uplink; Downlink")


def test_an_all_of_option_matters_only_where_it_is_right(tmp_path: Path) -> None:
    kept, dropped = read_rows(
        tmp_path,
        question("What is NR?", "New Radio", "No Radio", "None of the above"),
        question("What is LTE?", "A", "B", "All of the above", right=3),
    )
    assert (kept.drop_reason, dropped.drop_reason) == (None, DropReason.ALL_OF_OPTIONS)


def test_what_means_nothing_without_options_is_dropped(tmp_path: Path) -> None:
    rows = [
        question("Research Papers", "a", "b"),
        question("What is a cell?", "a", "b", answer="option 1: c"),
        question("What is a node?", "An area", "A battery"),
        question("what is a node?", "An area", "A battery", right=2),
        question("Which of these is a band?", "n1", "n0"),
        question("Which band is NOT licensed?", "n46", "n1"),
        question("Name two.", "Both 3 and 4", "n1"),
        question("What is it?", "", "n1"),
    ]
    assert [row.drop_reason for row in read_rows(tmp_path, *rows)] == [
        DropReason.NO_QUESTION,
        DropReason.ANSWER_NOT_AMONG_OPTIONS,
        DropReason.CONFLICTING_GOLD,
        DropReason.CONFLICTING_GOLD,
        DropReason.NEEDS_OPTIONS,
        DropReason.NEEDS_OPTIONS,
        DropReason.UNRESOLVED_REFERENCE,
        DropReason.EMPTY_RESPONSE,
    ]


# The real file is not part of the repository: its authors ask that rows are not republished in plain text.
REAL = os.environ.get("GRMFORGE_TELEQNA", "")


@pytest.mark.skipif(not REAL, reason="set GRMFORGE_TELEQNA to the path of TeleQnA.zip to count the real file")
def test_the_real_file_has_the_counts_that_the_docs_state() -> None:
    found = read_questions(Path(REAL).resolve(), "teleqna_short")
    rows = [row for row in found if isinstance(row, Question)]
    assert len(rows) == len(found) == 10_000
    kept = [row for row in rows if row.drop_reason is None]
    assert Counter(row.drop_reason for row in rows) == {
        None: 9_039,
        DropReason.ALL_OF_OPTIONS: 716,
        DropReason.NEEDS_OPTIONS: 169,
        DropReason.CONFLICTING_GOLD: 44,
        DropReason.NO_QUESTION: 26,
        DropReason.ANSWER_NOT_AMONG_OPTIONS: 5,
        DropReason.UNRESOLVED_REFERENCE: 1,
    }
    assert sum(needs_rewriting(row.query[0].content) for row in kept) == 354
