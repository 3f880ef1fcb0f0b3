"""TeleQnA: each trap of the published file, on rows written for these tests; the real file where it is at hand."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import pyzipper

from pipelines.sources.registry import SOURCES
from schemas.errors import SourceError
from schemas.preference import DropReason, LabelSource, PreferenceSet, UnreadableRow
from tests.pipelines.sources.readings import best_text, read_source

PASSWORD = "teleqnadataset"


def question(text: str, *options: str, right: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a row as TeleQnA writes it."""
    return {
        "question": text,
        **{f"option {number}": option for number, option in enumerate(options, 1)},
        "answer": f"option {right}: {options[right - 1]}",
        "explanation": "It is so.",
        "category": "Lexicon",
        **changes,
    }


DUPLEX = question("What does TDD stand for?", "Total data download", "Time division duplex", right=2)


def read_text(directory: Path, content: str | bytes, **settings: Any) -> list[PreferenceSet | UnreadableRow]:
    path = directory / "TeleQnA.txt"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return read_source(path, "teleqna", **settings)


def read_questions(directory: Path, *rows: Any, **settings: Any) -> list[PreferenceSet | UnreadableRow]:
    return read_text(
        directory, json.dumps({f"question {number}": row for number, row in enumerate(rows)}, indent="\t"), **settings
    )


def drop_reasons(directory: Path, *rows: Any, **settings: Any) -> list[DropReason | str | None]:
    found = read_questions(directory, *rows, **settings)
    return [row.reason if isinstance(row, UnreadableRow) else row.drop_reason for row in found]


def test_options_are_the_responses_and_the_right_one_is_best(tmp_path: Path) -> None:
    (found,) = read_questions(tmp_path, DUPLEX)
    assert isinstance(found, PreferenceSet)
    assert best_text(found) == "Time division duplex"
    assert sorted(response.reward or 0.0 for response in found.responses) == [0.0, 1.0]
    assert found.reference == "Time division duplex\n\nIt is so."
    assert (found.margin, found.benchmark, found.label_source) == (1.0, True, LabelSource.HUMAN)
    assert (found.source, found.source_id, found.license, found.domain) == ("teleqna", "question 0", "MIT", "telecom")
    assert SOURCES["teleqna"].redistribution == "restricted"


def test_the_zip_and_its_text_hold_the_same_sets(tmp_path: Path) -> None:
    plain = read_questions(tmp_path, DUPLEX)
    with pyzipper.AESZipFile(tmp_path / "TeleQnA.zip", "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(PASSWORD.encode())
        archive.write(tmp_path / "TeleQnA.txt", "TeleQnA.txt")
    (tmp_path / "TeleQnA.txt").unlink()
    for path in (tmp_path / "TeleQnA.zip", tmp_path):
        zipped = read_source(path, "teleqna")
        assert [row.set_id for row in zipped if isinstance(row, PreferenceSet)] == [
            row.set_id for row in plain if isinstance(row, PreferenceSet)
        ]
    with pytest.raises(SourceError, match="password is wrong"):
        read_source(tmp_path / "TeleQnA.zip", "teleqna", password="other")
    with pytest.raises(SourceError, match="needs its password"):
        read_source(tmp_path / "TeleQnA.zip", "teleqna", password="")


def test_two_copies_of_the_data_are_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "TeleQnA.zip").write_bytes(b"PK")
    (tmp_path / "TeleQnA.txt").write_bytes(b"{}")
    with pytest.raises(SourceError, match="2 copies"):
        read_source(tmp_path, "teleqna")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("option 2: Time division duplex", None),
        (" option 2:  Time division\tduplex ", None),
        ("option 1: Time division duplex", DropReason.ANSWER_NOT_AMONG_OPTIONS),
        ("option 2: Time-division duplex", DropReason.ANSWER_NOT_AMONG_OPTIONS),
        ("option 5: Time division duplex", DropReason.ANSWER_NOT_AMONG_OPTIONS),
        ("Time division duplex", DropReason.ANSWER_NOT_AMONG_OPTIONS),
        ("option 2", DropReason.ANSWER_NOT_AMONG_OPTIONS),
    ],
)
def test_an_answer_must_match_by_number_and_by_text(tmp_path: Path, answer: str, reason: DropReason | None) -> None:
    (found,) = read_questions(tmp_path, {**DUPLEX, "answer": answer})
    assert isinstance(found, PreferenceSet)
    assert found.drop_reason == reason
    assert (found.best is None) == (reason is not None)


def test_rows_that_cannot_be_read_are_counted_by_reason(tmp_path: Path) -> None:
    without = {key: value for key, value in DUPLEX.items() if key != "answer"}
    assert drop_reasons(
        tmp_path,
        without,
        {**DUPLEX, "answer": None},
        {**DUPLEX, "answer": "  "},
        {**DUPLEX, "question": None},
        {**DUPLEX, "option 1": 7},
        {**DUPLEX, "option 1": "x" * 1_000_001},
        {"question": "Which?", "answer": "option 1: x"},
        "a text",
        ["a", "list"],
        DUPLEX,
    ) == [
        *("no_answer", "no_answer", "no_answer", "missing_field", "not_text", "text_too_long", "no_options"),
        *("not_an_object", "not_an_object", None),
    ]


def test_questions_that_ask_nothing_are_dropped(tmp_path: Path) -> None:
    rows = [question(text, "a one", "a two") for text in ("Research Papers", "research papers:", " ", "Lexicon", "NR?")]
    asked = drop_reasons(tmp_path, *rows)
    assert asked == [*[DropReason.NO_QUESTION] * 4, None]


def test_repeats_with_conflicting_gold_leave_in_all_copies(tmp_path: Path) -> None:
    assert drop_reasons(
        tmp_path,
        question("What is a cell?", "An area", "A battery"),
        question("what is  a cell?", "An area", "A battery", right=2),
        question("What is a node?", "A station", "A knot"),
        question("What is a node?", "a station.", "A point"),
    ) == [DropReason.CONFLICTING_GOLD, DropReason.CONFLICTING_GOLD, None, None]


def test_all_of_options_are_dropped_unless_the_switch_keeps_them(tmp_path: Path) -> None:
    row = question("Which is a band?", "n1", "n3", "n7", "All of the above", right=4)
    assert drop_reasons(tmp_path, row) == [DropReason.ALL_OF_OPTIONS]
    (kept,) = read_questions(tmp_path, row, keep_all_of=True)
    assert isinstance(kept, PreferenceSet)
    assert (kept.drop_reason, best_text(kept)) == (None, "All of the other answers")


def test_references_are_written_out_before_options_are_shuffled(tmp_path: Path) -> None:
    (found,) = read_questions(tmp_path, question("Which link?", "Uplink", "Downlink", "Both 1 and 2", right=3))
    assert isinstance(found, PreferenceSet)
    assert best_text(found) == "Both of these: Uplink; Downlink"
    assert found.reference == "Both of these: Uplink; Downlink\n\nIt is so."


def test_equal_and_empty_options_are_dropped(tmp_path: Path) -> None:
    assert drop_reasons(
        tmp_path, question("Which?", "n1", "n3", "n3"), question("Which one?", "n1", ""), question("Whose?", "n1")
    ) == [DropReason.DUPLICATE_RESPONSES, DropReason.EMPTY_RESPONSE, DropReason.TOO_FEW_RESPONSES]


def test_latex_that_json_took_for_escapes_is_mended(tmp_path: Path) -> None:
    row = json.dumps(question("What is RHO when independent?", "RHO = 0", "RHO = 1")).replace("RHO", "\\rho")
    (found,) = read_text(tmp_path, f'{{"question 0": {row}}}')
    assert isinstance(found, PreferenceSet)
    assert found.query[0].content == "What is \\rho when independent?"
    assert best_text(found) == "\\rho = 0"


def test_a_repeated_key_hides_no_row(tmp_path: Path) -> None:
    row = json.dumps(DUPLEX)
    other = json.dumps(question("What does FDD stand for?", "Frequency division duplex", "Full data duplex"))
    twice = row[:-1] + ', "option 1": "Another"}'
    found = read_text(tmp_path, f'{{"question 0": {row}, "question 0": {other}, "question 1": {twice}}}')
    assert [row.source_id for row in found] == ["question 0", "question 0 (2)", "question 1"]
    assert [row.reason for row in found if isinstance(row, UnreadableRow)] == ["repeated_key"]


def test_bytes_that_are_not_utf8_cost_their_row_only(tmp_path: Path) -> None:
    rows = json.dumps({"question 0": question("Which BAD?", "a", "b"), "question 1": DUPLEX}).encode()
    found = read_text(tmp_path, rows.replace(b"BAD", b"\xff\xfe"))
    assert isinstance(found[0], UnreadableRow)
    assert found[0].reason == "invalid_utf8"
    assert isinstance(found[1], PreferenceSet)


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    (found,) = read_questions(tmp_path, question("Which \ud800 one?", "a \udc80", "b"))
    assert isinstance(found, PreferenceSet)
    assert found.query[0].content == "Which \ufffd one?"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no rows"),
        (b"{}", "holds no rows"),
        (b"[]", "not TeleQnA"),
        (b'{"question 0": {', "truncated or not valid JSON"),
        (b'{"question 0": ' * 100_000, "nests too deep"),
        (b'{"question 0": ' + b"9" * 10_000 + b"}", "not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says) as raised:
        read_text(tmp_path, content)
    assert "\n" not in str(raised.value)


def test_ids_know_nothing_of_the_order_of_rows_and_options(tmp_path: Path) -> None:
    turned = {**DUPLEX, "option 1": DUPLEX["option 2"], "option 2": DUPLEX["option 1"]}
    turned["answer"] = f"option 1: {turned['option 1']}"
    one, other = read_questions(tmp_path, DUPLEX, turned)
    assert isinstance(one, PreferenceSet)
    assert isinstance(other, PreferenceSet)
    assert (one.set_id, one.best) == (other.set_id, other.best)


# The real file is not part of the repository: its authors ask that rows are not republished in plain text.
REAL = os.environ.get("GRMFORGE_TELEQNA", "")


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="set GRMFORGE_TELEQNA to the path of TeleQnA.zip to count the real file")
def test_the_real_file_has_the_counts_that_the_docs_state() -> None:
    found = read_source(Path(REAL).resolve(), "teleqna")
    counts = Counter("unreadable" if isinstance(row, UnreadableRow) else row.drop_reason for row in found)
    assert len(found) == 10_000
    assert counts == {
        None: 8_722,
        DropReason.ALL_OF_OPTIONS: 1_186,
        DropReason.CONFLICTING_GOLD: 44,
        DropReason.NO_QUESTION: 26,
        DropReason.DUPLICATE_RESPONSES: 17,
        DropReason.ANSWER_NOT_AMONG_OPTIONS: 5,
    }
    mismatched = {row.source_id for row in found if getattr(row, "drop_reason", None) == "answer_not_among_options"}
    assert mismatched == {f"question {number}" for number in (683, 3780, 4185, 4956, 6783)}
