"""Forms of one question share a cluster and a split, and a benchmark keeps its test share whatever their number."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from schemas.preference import PreferenceSet
from schemas.query import user
from schemas.question import STEMS, AnswerForm, Gold, stems_table
from schemas.question import question as gold_question
from storage.root import Root
from storage.stages import Stage, finish_stage
from storage.table_writer import TableWriter
from tests.examples import a_recipe, a_set, curate, general_stage, question, source_stage

COUNT = 200
BARE = [a_set(number, source="bare", benchmark=True) for number in range(COUNT)]


def listed(number: int, options: str = "1. NOMA\n2. PDMA\n3. MUSA with far more words than the question has") -> str:
    return f"{question(number)}\n\n{options}\n{'x' * 100}"


def forms_stage(root: Root, forms: Sequence[tuple[PreferenceSet, str]], source: str) -> Stage:
    """Return a stage of sets with the stems of their queries, as a stage that makes sets of questions leaves one."""
    stage = source_stage(root, [one for one, _ in forms], source)
    gold = Gold(AnswerForm.OPTION, "1")
    place = {"source": source, "source_id": "1", "source_revision": "r1", "license": "MIT", "domain": "telecom"}
    questions = [gold_question(query=one.query, gold=gold, stem=stem, **place) for one, stem in forms]
    with TableWriter(root, stage.key, "stems", STEMS) as writer:
        writer.write(stems_table(questions))
    return finish_stage(root, stage.key, {**stage.tables, "stems": writer.files}, stage.facts)  # type: ignore[dict-item]


def with_options(source: str, options: str = "1. NOMA\n2. PDMA\n3. MUSA") -> list[tuple[PreferenceSet, str]]:
    return [
        (a_set(number, source=source, query=user(listed(number, options)), benchmark=True), question(number))
        for number in range(COUNT)
    ]


def curated(root: Root, stages: Sequence[Stage], general: Stage | None = None) -> pl.DataFrame:
    recipe = a_recipe(sources=[{"kind": "preference_sets", "path": "x.jsonl", "name": f"s{n}"} for n in range(9)])
    frame = pl.read_parquet(curate(recipe, root, stages, general).paths("sets"))
    return frame.sort("source_id", "source").select("source", "source_id", "cluster", "split")


def test_every_form_of_a_question_is_in_the_cluster_and_the_split_of_the_bare_one(tmp_path: Path) -> None:
    root = Root(tmp_path)
    alone = curated(root, [source_stage(root, BARE, "bare")])
    stages = [
        source_stage(root, BARE, "bare"),
        forms_stage(root, with_options("listed"), "listed"),
        forms_stage(root, with_options("reworded", "In one sentence."), "reworded"),
    ]
    frame = curated(root, stages)
    by_question = frame.group_by("source_id").agg(pl.col("cluster", "split").n_unique())
    assert by_question["cluster"].to_list() == by_question["split"].to_list() == [1] * COUNT
    assert frame.filter(source="bare").equals(alone)
    assert 0.05 < frame.filter(split="test").height / frame.height < 0.15


def test_forms_alone_stand_where_the_bare_questions_would(tmp_path: Path) -> None:
    root = Root(tmp_path)
    alone = curated(root, [source_stage(root, BARE, "bare")])
    frame = curated(root, [forms_stage(root, with_options("listed"), "listed")])
    assert frame.drop("source").equals(alone.drop("source"))


def test_near_duplicates_of_a_stem_join_its_cluster_whatever_their_options(tmp_path: Path) -> None:
    root = Root(tmp_path)
    near = a_set(0, source="near", source_id="near", query=user(f"Well, {question(0)}"))
    frame = curated(root, [source_stage(root, [near], "near"), forms_stage(root, with_options("listed"), "listed")])
    rows = frame.filter(pl.col("source_id").is_in(["near", "row 00000"]))
    assert rows["cluster"].n_unique() == rows["split"].n_unique() == 1


def test_general_rows_that_ask_a_bare_test_question_are_dropped(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = forms_stage(root, with_options("listed"), "listed")
    frame = curated(root, [stage])
    tested = {int(row.removeprefix("row ")) for row in frame.filter(split="test")["source_id"]}
    rows = [(question(number), f"answer {number}") for number in range(COUNT)]
    recipe = a_recipe(sources=[{"kind": "preference_sets", "path": "x.jsonl"}])
    general = pl.read_parquet(curate(recipe, root, [stage], general_stage(root, rows)).paths("general"))
    dropped = general.filter(drop_reason="contaminated")["completion"]
    assert {int(text.removeprefix("answer ")) for text in dropped} == tested
    assert tested
