"""Generations: one answer a request, the earliest, through folds, kills and compaction."""

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.generation import GENERATIONS, FaultKind
from schemas.record import bucket_of
from storage.generations import FILES_A_BUCKET, JOINED_ROWS, PASS_BYTES, Generations
from storage.journal import JournalWriter, segments
from storage.root import Root
from tests.storage.answers import a_refusal, a_request, an_answer, files, journal

ASKED = a_request(1, bucket=9)


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    root = Root(tmp_path)
    journal(root, [(ASKED, an_answer(ASKED)), (a_request(2, 9), a_refusal(a_request(2, 9)))])
    found = Generations(root).lookup(9)
    assert found[ASKED.request_id] == an_answer(ASKED)
    refused = found[a_request(2, 9).request_id]
    assert (refused.fault, refused.error, refused.text) == (FaultKind.REQUEST, "HTTP 400", None)
    assert Generations(root).lookup(8) == {}


def test_the_earliest_answer_wins_and_any_answer_wins_over_an_error(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for answered in (a_refusal(ASKED), an_answer(ASKED, "first"), an_answer(ASKED, "second"), a_refusal(ASKED)):
        journal(root, [(ASKED, answered)])
        Generations(root)
    assert Generations(root).lookup(9)[ASKED.request_id].text == "first"
    assert Generations(root).table(9).num_rows == 1


@pytest.mark.slow
@given(folds=st.lists(st.booleans(), min_size=4, max_size=4))
def test_folded_or_not_the_answers_are_the_same(tmp_path_factory: pytest.TempPathFactory, folds: list[bool]) -> None:
    root = Root(tmp_path_factory.mktemp("root"))
    for number, fold in enumerate(folds):
        journal(root, [(ASKED, an_answer(ASKED, str(number))), (a_request(number), an_answer(a_request(number)))])
        if fold:
            Generations(root)
    generations = Generations(root)
    assert generations.lookup(9)[ASKED.request_id].text == "0"
    assert sum(len(generations.lookup(bucket)) for bucket in range(256)) == 5
    assert segments(root) == []


def test_a_fold_that_was_killed_half_way_is_done_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    journal(root, [(a_request(number), an_answer(a_request(number))) for number in range(50)])
    [segment] = files(root, "*.arrows")
    kept = shutil.copy(segment, tmp_path / "kept")
    Generations(root)
    parts = files(root, "*.parquet")
    before = {path: path.read_bytes() for path in parts}
    for part in parts[::2]:
        part.unlink()
    shutil.copy(kept, segment)
    generations = Generations(root)
    assert {path: path.read_bytes() for path in files(root, "*.parquet")} == before
    assert sum(generations.table(bucket).num_rows for bucket in range(256)) == 50
    assert segments(root) == []


def test_a_bucket_of_many_files_becomes_one_and_loses_nothing(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for number in range(FILES_A_BUCKET + 1):
        answers = [(ASKED, an_answer(ASKED, str(number))), (a_request(number, 9), an_answer(a_request(number, 9)))]
        journal(root, answers)
        Generations(root)
    assert len(files(root, "*.parquet")) == 1
    found = Generations(root)
    assert found.lookup(9)[ASKED.request_id].text == "0"
    assert found.table(9).num_rows == FILES_A_BUCKET + 1
    assert found.table(9).schema == GENERATIONS


def test_a_large_segment_is_sorted_some_buckets_at_a_time_and_loses_nothing(tmp_path: Path) -> None:
    root = Root(tmp_path)
    random = Random(3)
    asked = [a_request(number) for number in range(1_000)]
    texts = [random.choice("abc") * (5 * PASS_BYTES // 2 // len(asked)) for _ in asked]
    journal(root, [(one, an_answer(one, text)) for one, text in zip(asked, texts, strict=True)])
    assert len(segments(root)) == 1
    found = Generations(root)
    assert segments(root) == []
    kept = {key: one.text for bucket in range(256) for key, one in found.lookup(bucket).items()}
    assert kept == {one.request_id: text for one, text in zip(asked, texts, strict=True)}


def test_files_are_joined_up_to_some_thousand_rows(tmp_path: Path) -> None:
    root = Root(tmp_path)
    each = JOINED_ROWS // 4
    asked = [a_request(number, 9) for number in range(each * (FILES_A_BUCKET + 1))]
    for start in range(0, len(asked), each):
        journal(root, [(one, an_answer(one)) for one in asked[start : start + each]])
        Generations(root)
    assert len(files(root, "*.parquet")) == 5
    assert Generations(root).lookup(9).keys() == {one.request_id for one in asked}


def test_one_role_is_looked_up_alone(tmp_path: Path) -> None:
    root = Root(tmp_path)
    other = replace(a_request(3, 9), role="difficulty")
    journal(root, [(ASKED, an_answer(ASKED)), (other, an_answer(other))])
    found = Generations(root)
    assert found.lookup(9, "difficulty").keys() == {other.request_id}
    assert found.lookup(9, "grm").keys() == {ASKED.request_id}
    assert found.answers([9], ["text"], "grm").column_names == ["request_id", "text"]


def test_two_processes_may_fold_and_look_up_at_once(tmp_path: Path) -> None:
    root = Root(tmp_path)
    journal(root, [(ASKED, an_answer(ASKED))])
    early = Generations(root)
    for number in range(2, FILES_A_BUCKET + 3):
        journal(root, [(a_request(number, 9), an_answer(a_request(number, 9)))])
        Generations(root)  # the other process, which compacts the bucket under the first one
    assert early.lookup(9)[ASKED.request_id].text == "fine"
    early.fold()
    assert len(early.lookup(9)) == FILES_A_BUCKET + 2


def test_a_living_writers_answers_are_read_and_stay_where_they_are(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with JournalWriter(root, "run") as writer:
        writer.append(ASKED, an_answer(ASKED))
        writer.flush()
        assert Generations(root).lookup(9)[ASKED.request_id] == an_answer(ASKED)
        assert len(segments(root)) == 1
        assert files(root, "*.parquet") == []
    assert Generations(root).lookup(bucket_of(ASKED.query_id))[ASKED.request_id] == an_answer(ASKED)
    assert segments(root) == []


def test_thoughts_that_were_stored_in_a_text_are_split_when_it_is_read(tmp_path: Path) -> None:
    root = Root(tmp_path)
    texts = ["plain", "<thinking>hm</thinking>\nfine", "of <think> and </think> it speaks", "[THINK]never ends"]
    asked = [a_request(number, bucket=9) for number in range(len(texts))]
    answers = [
        replace(an_answer(one, text), reasoning="r" if one == asked[1] else None)
        for one, text in zip(asked, texts, strict=True)
    ]
    journal(root, [*zip(asked, answers, strict=True), (a_request(9, 9), a_refusal(a_request(9, 9)))])
    generations = Generations(root)
    found = generations.lookup(9)
    assert [(found[one.request_id].text, found[one.request_id].reasoning) for one in asked] == [
        ("plain", None),
        ("fine", "r\nhm"),
        ("of <think> and </think> it speaks", None),
        ("", "never ends"),
    ]
    assert found[a_request(9, 9).request_id].text is None
    only = generations.answers([9], ["text"])
    assert only.column_names == ["request_id", "text"]
    assert set(only.column("text").to_pylist()) == {"", None, "fine", "plain", texts[2]}
    assert set(generations.table(9).column("text").to_pylist()) == {*texts, None}, "what is on disk stays as it is"
