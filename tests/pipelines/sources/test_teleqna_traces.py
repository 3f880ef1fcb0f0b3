"""TeleQnA with its options in the question, on rows written for these tests; the real file where it is at hand."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.registry import SOURCES
from schemas.preference import DropReason, UnreadableRow
from schemas.question import AnswerForm, Gold, Question
from tests.pipelines.sources.readings import read_questions
from tests.pipelines.sources.test_teleqna import DUPLEX, question


def read_rows(directory: Path, *rows: Any, kind: str = "teleqna_traces", **settings: Any) -> list[Any]:
    path = directory / "TeleQnA.txt"
    path.write_text(json.dumps({f"question {number}": row for number, row in enumerate(rows)}), "utf-8")
    return read_questions(path, kind, **settings)


def test_the_query_lists_the_options_and_the_gold_answer_is_a_number(tmp_path: Path) -> None:
    (found,) = read_rows(tmp_path, DUPLEX)
    assert isinstance(found, Question)
    assert [tuple(message) for message in found.query] == [
        ("user", "What does TDD stand for?\n\n1. Total data download\n2. Time division duplex")
    ]
    assert found.gold == Gold(AnswerForm.OPTION, "2", ("Total data download", "Time division duplex"))
    assert found.reference == "2. Time division duplex\n\nIt is so."
    assert found.stem == "What does TDD stand for?"
    assert (found.source, found.source_id, found.benchmark) == ("teleqna_traces", "question 0", True)
    assert SOURCES["teleqna_traces"].redistribution == "restricted"


def test_options_are_numbered_as_they_are_listed(tmp_path: Path) -> None:
    row = {**DUPLEX, "option 4": "Two dry ducks", "answer": "option 4: Two dry ducks"}
    (found,) = read_rows(tmp_path, row)
    assert (found.gold.answer, len(found.gold.options)) == ("3", 3)


def test_options_may_speak_of_others_since_their_order_stays(tmp_path: Path) -> None:
    (found,) = read_rows(tmp_path, question("Which link?", "Uplink", "Downlink", "Both 1 and 2", right=3))
    assert found.drop_reason is None
    assert found.query[0].content.endswith("3. Both 1 and 2")


def test_what_gives_itself_away_or_asks_nothing_is_dropped(tmp_path: Path) -> None:
    rows = [
        question("Research Papers", "a", "b"),
        question("Which one?", "a", "b", answer="option 1: c"),
        question("What is a cell?", "An area", "A battery"),
        question("what is a cell?", "An area", "A battery", right=2),
        question("Which is a band?", "n1", "n3", "All of the above", right=3),
        question("Whose?", "n1", "n1"),
        question("Where?", "n1", ""),
        question("When?", "n1"),
    ]
    assert [row.drop_reason for row in read_rows(tmp_path, *rows)] == [
        DropReason.NO_QUESTION,
        DropReason.ANSWER_NOT_AMONG_OPTIONS,
        DropReason.CONFLICTING_GOLD,
        DropReason.CONFLICTING_GOLD,
        DropReason.ALL_OF_OPTIONS,
        DropReason.DUPLICATE_RESPONSES,
        DropReason.EMPTY_RESPONSE,
        DropReason.TOO_FEW_RESPONSES,
    ]
    (kept,) = read_rows(tmp_path, rows[4], keep_all_of=True)
    assert (kept.drop_reason, kept.gold.answer) == (None, "3")


def test_rows_that_cannot_be_read_are_those_of_teleqna(tmp_path: Path) -> None:
    found = read_rows(tmp_path, {**DUPLEX, "answer": None}, "text", DUPLEX)
    assert [row.reason for row in found if isinstance(row, UnreadableRow)] == ["no_answer", "not_an_object"]


# The real file is not part of the repository: its authors ask that rows are not republished in plain text.
REAL = os.environ.get("GRMFORGE_TELEQNA", "")


@pytest.mark.skipif(not REAL, reason="set GRMFORGE_TELEQNA to the path of TeleQnA.zip to count the real file")
def test_the_real_file_has_the_counts_that_the_docs_state() -> None:
    found = read_questions(Path(REAL).resolve(), "teleqna_traces")
    rows = [row for row in found if isinstance(row, Question)]
    assert len(rows) == len(found) == 10_000
    assert Counter(row.drop_reason for row in rows) == {
        None: 8_722,
        DropReason.ALL_OF_OPTIONS: 1_186,
        DropReason.CONFLICTING_GOLD: 44,
        DropReason.NO_QUESTION: 26,
        DropReason.DUPLICATE_RESPONSES: 17,
        DropReason.ANSWER_NOT_AMONG_OPTIONS: 5,
    }
    golds = Counter(row.gold.answer for row in rows if not row.drop_reason and len(row.gold.options) == 5)
    assert min(golds.values()) > 0.8 * max(golds.values())
