"""Curation: every readable set is kept once, or dropped by name."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.curation.shares import allowed_rows
from pipelines.sources.ingestion import ingest
from schemas.errors import RecipeError
from schemas.preference import SETS, PreferenceSet, Response, Split, sets_of
from schemas.query import user
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table
from tests.examples import a_recipe, a_set, curate, general_stage, jsonl_rows, question, source_stage, write_rows


def curated(stage: Stage, table: str = "sets") -> pl.DataFrame:
    frame = pl.read_parquet(stage.paths(table))
    return frame.sort("source", "source_id")


def of_sources(*sources: dict[str, Any], **sections: Any) -> Recipe:
    named = [{"kind": "preference_sets", "path": "x.jsonl"} | source for source in sources]
    return a_recipe(sources=named, **sections)


TWO = [{"name": "one"}, {"name": "two"}]


def test_every_set_ends_in_the_table_sorted_with_cluster_and_split(tmp_path: Path) -> None:
    root = Root(tmp_path)
    sets = [a_set(number) for number in range(50)]
    stage = curate(a_recipe(), root, [source_stage(root, sets)], None)
    frame = pl.read_parquet(stage.paths("sets"))
    assert frame.height == 50
    assert frame["set_id"].to_list() == [one.set_id for one in sorted(sets, key=lambda one: (one.query_id, one.set_id))]
    assert frame["cluster"].null_count() == frame["split"].null_count() == 0
    assert frame["drop_reason"].null_count() == 50
    assert curate(a_recipe(), root, [source_stage(root, sets)], None) == stage


def test_equal_sets_of_two_sources_are_counted_once_and_conflicts_not_at_all(tmp_path: Path) -> None:
    root = Root(tmp_path)
    good, bad = Response("yes", 1.0), Response("no", 0.0)
    turned = [replace(bad, reward=1.0), replace(good, reward=0.0)]
    one = [a_set(number, source="one", responses=[good, bad]) for number in (1, 2, 3)]
    two = [a_set(2, source="two", responses=[bad, good]), a_set(3, source="two", responses=turned)]
    stages = [source_stage(root, one, "one"), source_stage(root, two, "two")]
    frame = curated(curate(of_sources(*TWO), root, stages, None))
    assert frame["drop_reason"].to_list() == [None, None, "label_conflict", "duplicate", "label_conflict"]


def test_a_licence_that_is_not_allowed_goes_and_shadows_nothing(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stages = [
        source_stage(root, [a_set(1, source="one", license="GPL"), a_set(2, source="one")], "one"),
        source_stage(root, [a_set(1, source="two")], "two"),
    ]
    recipe = of_sources(*TWO, build={"name": "small", "licenses": ["MIT"]})
    assert curated(curate(recipe, root, stages, None))["drop_reason"].to_list() == ["license", None, None]


def test_max_share_holds_among_what_is_kept_and_a_larger_share_keeps_what_a_smaller_one_did(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stages = [
        source_stage(root, [a_set(number, source="one") for number in range(60)], "one"),
        source_stage(root, [a_set(100 + number, source="two") for number in range(20)], "two"),
    ]
    kept = []
    for share in (0.2, 0.5):
        frame = curated(curate(of_sources({"name": "one", "max_share": share}, TWO[1]), root, stages, None))
        ids = frame.filter((pl.col("source") == "one") & pl.col("drop_reason").is_null())["set_id"].to_list()
        assert len(ids) / (len(ids) + 20) <= share
        assert set(frame["drop_reason"].drop_nulls()) == {"max_share"}
        kept.append(set(ids))
    assert kept[0] < kept[1]
    assert [len(ids) for ids in kept] == [5, 20]


SHARE = st.sampled_from([0.1, 0.25, 1 / 3, 0.4, 0.5, 0.75, 1.0])


@given(st.lists(st.tuples(st.integers(0, 500), SHARE), min_size=1, max_size=5))
def test_no_source_exceeds_its_share_and_none_is_cut_without_need(sources: list[tuple[int, float]]) -> None:
    counts, shares = [count for count, _ in sources], [share for _, share in sources]
    try:
        allowed = allowed_rows(counts, shares)
    except RecipeError:
        assert all(share < 1 or not count for count, share in sources)
        return
    for count, share, limit in zip(counts, shares, allowed, strict=True):
        assert 0 <= limit <= count
        assert limit <= share * sum(allowed) + 1e-6
        if share == 1:
            assert limit == count


def test_shares_that_leave_no_room_are_refused() -> None:
    with pytest.raises(RecipeError, match="max_share"):
        allowed_rows([10], [0.5])
    assert allowed_rows([], []) == []
    assert allowed_rows([10, 4], [0.5, 0.5]) == [4, 4]


def test_splits_depend_on_the_query_and_not_on_the_recipes_seed(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = source_stage(root, [a_set(number) for number in range(80)])
    frames = [curated(curate(a_recipe(build={"name": "small", "seed": seed}), root, [stage], None)) for seed in (1, 2)]
    assert frames[0].equals(frames[1])
    assert set(frames[0]["split"]) == {"train", "validation"}


def test_near_duplicates_stand_in_one_split_and_official_ones_win(tmp_path: Path) -> None:
    root = Root(tmp_path)
    text = "Which plane of the 5G system carries signalling between the user equipment and the access function"
    sets = [rephrased(number, f"{text}, variant {number}?") for number in range(9)]
    stage = curate(a_recipe(), root, [source_stage(root, sets)], None)
    assert curated(stage)["split"].unique().to_list() == ["train"]
    assert curated(stage)["cluster"].n_unique() == 1
    official = [*sets[1:], replace(sets[0], split=Split.TEST)]
    stage = curate(a_recipe(), root, [source_stage(root, official)], None)
    assert curated(stage)["split"].unique().to_list() == ["test"]


def rephrased(number: int, text: str) -> PreferenceSet:
    return a_set(number, query=user(text))


def test_sets_that_do_not_fit_the_prompt_are_shortened_or_dropped(tmp_path: Path) -> None:
    root = Root(tmp_path)
    long = [Response("b" * 900, 1.0), Response("w" * 4_000, 0.0), Response("v" * 40, 0.0)]
    hopeless = [Response("b" * 9_000, 1.0), Response("w", 0.0)]
    sets = [a_set(1, responses=long), a_set(2, responses=hopeless), a_set(3)]
    frame = curated(curate(a_recipe(grm={"max_prompt_tokens": 1_000}), root, [source_stage(root, sets)], None))
    assert frame["n_responses"].to_list() == [2, 2, 3]
    assert frame["drop_reason"].to_list() == [None, "too_long", None]


def test_general_rows_near_a_test_query_are_dropped_and_never_move_a_set(tmp_path: Path) -> None:
    root = Root(tmp_path)
    text = "Which plane of the 5G system carries signalling between the user equipment and the access function"
    sets = [rephrased(0, f"{text}?"), *(a_set(number) for number in range(1, 30))]
    sets[0] = replace(sets[0], split=Split.TEST)
    sets[1] = replace(sets[1], split=Split.TRAIN)
    sets += [replace(a_set(number), benchmark=True) for number in range(100, 200)]
    alone = curated(curate(a_recipe(), root, [source_stage(root, sets)], None))
    tested = alone.filter(split="test")["query"].list.first().struct.field("content").to_list()
    assert len(tested) > 4
    rows = [(f"{text}, please?", "A"), *((f"{asked} ", "B") for asked in tested), (question(1), "C")]
    rows += [(question(500 + number), "D") for number in range(40)] + [(question(500), "again")]
    stage = curate(a_recipe(), root, [source_stage(root, sets)], general_stage(root, rows))
    assert curated(stage).drop("cluster").equals(alone.drop("cluster"))
    general = curated(stage, "general")
    reasons = dict(zip(general["completion"], general["drop_reason"], strict=True))
    assert {name: reasons[name] for name in "ABCD"} == {"A": "contaminated", "B": "contaminated", "C": None, "D": None}
    assert general.filter(drop_reason="duplicate").height == 1
    kept = general.filter(pl.col("drop_reason").is_null())
    assert set(kept["split"]) == {"train", "validation"}
    assert kept.height == 41


def test_general_rows_must_have_an_allowed_licence_too(tmp_path: Path) -> None:
    root = Root(tmp_path)
    recipe = a_recipe(build={"name": "small", "licenses": ["MIT"]})
    stage = curate(recipe, root, [source_stage(root, [a_set(1)])], general_stage(root, [("Hello?", "Hi.")]))
    assert curated(stage, "general")["drop_reason"].to_list() == ["license"]


def test_the_order_of_rows_in_a_source_changes_nothing(tmp_path: Path) -> None:
    contents = []
    for seed in range(3):
        rows = jsonl_rows(120)
        rows += [rows[0] | {"id": "again"}, rows[1] | {"id": "turned", "best": (rows[1]["best"] + 1) % 3}]
        random.Random(seed).shuffle(rows)
        folder = tmp_path / str(seed)
        folder.mkdir()
        write_rows(folder / "own.jsonl", rows)
        recipe, root = a_recipe(folder), Root.open(str(folder / "data"))
        # The revision of a local file is its hash; the rows are to be equal in all else.
        recipe = recipe.model_copy(update={"sources": (recipe.sources[0].model_copy(update={"revision": "r1"}),)})
        stage = curate(recipe, root, [ingest(recipe, root, recipe.sources[0])], None)
        contents.append(stage.content)
        assert len(sets_of(read_table(stage.paths("sets"), SETS))) == 122
    assert len(set(contents)) == 1


def test_a_cluster_that_the_source_knows_decides_the_split_in_place_of_the_text(tmp_path: Path) -> None:
    root, same = Root(tmp_path), user(question(1))
    known = [
        replace(a_set(1, query=same, source_id="a", responses=[Response("a"), Response("b", 1.0)]), cluster="c1"),
        replace(a_set(2, query=same, source_id="b", split=Split.TEST), cluster="c2"),
        replace(a_set(3, query=same, source_id="c", split=Split.TRAIN), cluster="c1"),
    ]
    chat = general_stage(root, [(question(1), "So."), (question(2), "So.")])
    stage = curate(a_recipe(), root, [source_stage(root, known)], chat)
    frame = curated(stage)
    assert frame["cluster"].to_list() == ["c1", "c2", "c1"]
    assert frame["split"].to_list() == ["train", "test", "train"]
    assert Counter(pl.read_parquet(stage.paths("general"))["drop_reason"]) == {"contaminated": 1, None: 1}
