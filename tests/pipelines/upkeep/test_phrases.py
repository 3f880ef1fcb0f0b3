"""Phrases: the words that give rows away which no id does."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from pipelines.upkeep.concerned import Concerned, phrases_of_runs, texts_of
from schemas.preference import SETS, PreferenceSet, Response, sets_table
from schemas.query import Message, user
from schemas.record import table_schema
from storage.root import Root
from tests.examples import a_set, question, source_stage

ASKED = "What the user of the forgotten run asked, in so many words"
SAID = "What the forgotten run said, in so many words"


def a_lone_run() -> PreferenceSet:
    query = (Message("system", "Follow the policy of the shop."), *user(ASKED))
    return a_set(0, query=query, responses=[Response(SAID, 1.0)], n=1, source="gone")


def concerned_by(run: PreferenceSet) -> Concerned:
    return Concerned("gone", frozenset({run.set_id}), frozenset({run.query_id}), frozenset({run.query_id}))


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ([], {ASKED, SAID}),
        ([f"They say: {SAID}!"], {ASKED}),
        ([f"{SAID}\n{ASKED}"], set()),
    ],
)
def test_words_that_others_say_too_give_nothing_away(tmp_path: Path, others: list[str], left: set[str]) -> None:
    root, run = Root(tmp_path), a_lone_run()
    source_stage(root, [run], "gone")
    for number, text in enumerate(others, 1):
        source_stage(root, [a_set(number, responses=[Response(text, 1.0), Response("-", 0.0)])], f"a{number}")
    for number in (8, 9):  # tables in which nothing is left to be looked for
        source_stage(root, [a_set(number)], f"kept{number}")
    assert set(phrases_of_runs(root, concerned_by(run))) == left


def test_every_text_is_looked_into_however_deep_it_lies() -> None:
    table = sets_table([a_set(1, responses=[Response("first", 1.0, turns='[{"content": "é"}]'), Response("b", 0.0)])])
    texts = [" ".join(filter(None, column.to_pylist())) for column in texts_of(table)]
    for words in ("own", question(1), "first", "content", "é", "telecom"):
        assert any(words in text for text in texts), words
    assert not any(a_set(1).set_id in text for text in texts)
    nothing = texts_of(SETS.empty_table())
    assert len(nothing) == len(texts) and not any(map(len, nothing))


def test_origins_are_told_apart_by_their_ids_alone() -> None:
    names = ["source", "row_id", "query_id", "set_id"]
    schema = table_schema("origins", [pa.field(name, pa.string()) for name in names])
    rows = [("gone", "r0", "q0", "s0"), ("a source of that name", "r1", "q1", "s1")]
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)
    concerned = Concerned("gone", frozenset(), frozenset(), frozenset(), phrases=("source of that name",))
    assert pl.Series(concerned.origins(table)).to_list() == [True, False]
    assert pl.Series(concerned.rows(table)).to_list() == [True, True]
