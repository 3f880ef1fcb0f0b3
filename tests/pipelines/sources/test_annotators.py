"""Rankings of the same responses by several annotators are one set, with the share that agrees."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.annotators import agreed_rows
from pipelines.sources.ingestion import ingest
from schemas.preference import DropReason, LabelSource, PreferenceSet
from schemas.recipe import recipe_of
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.sources.readings import best_text, json_lines, read_rows


def ranking(best: int | None, query: str = "q") -> dict[str, Any]:
    rewards = [1.0 if place == best else 0.0 for place in range(3)]
    return {"query": query, "responses": ["a", "b", "c"], "rewards": rewards}


@pytest.mark.parametrize(
    ("votes", "best", "margin", "reason"),
    [
        ((0, 0, 1), "a", 1 / 3, None),
        ((2, 2), "c", 1.0, None),
        ((0, 1), None, 0.0, DropReason.TIE),
        ((0, 0, None, None), "a", 0.5, None),
        ((None, None), None, 0.0, DropReason.TIE),
    ],
)
def test_the_margin_is_the_distance_of_the_shares(
    tmp_path: Path, votes: Any, best: str | None, margin: float, reason: DropReason | None
) -> None:
    (found,) = agreed_rows(
        read_rows(tmp_path, "preference_sets", [ranking(vote) for vote in votes]), 0.0, Root(tmp_path)
    )
    assert isinstance(found, PreferenceSet)
    assert (best_text(found), found.drop_reason, found.label_source) == (best, reason, LabelSource.ANNOTATORS)
    assert found.margin == pytest.approx(margin)
    assert found.source_id == "train.jsonl.gz:1"


def test_a_ranking_of_a_test_split_keeps_the_set_in_it(tmp_path: Path) -> None:
    rows = [ranking(0), ranking(0) | {"split": "test"}]
    (found,) = agreed_rows(read_rows(tmp_path, "preference_sets", rows), 0.0, Root(tmp_path))
    assert found.split == "test"


def test_one_ranking_is_one_person_and_the_unreadable_stay(tmp_path: Path) -> None:
    rows = [b"{", ranking(0), {"query": "q", "responses": ["a"], "label": 1}]
    found = list(agreed_rows(read_rows(tmp_path, "preference_sets", rows), 0.0, Root(tmp_path)))
    assert [getattr(one, "label_source", "unreadable") for one in found] == ["unreadable", "human", "human"]
    assert len(found) == 3


def test_further_rankings_are_counted_and_how_far_they_must_agree_is_set(tmp_path: Path) -> None:
    rows = [ranking(vote, query) for query, vote in [("q", 0), ("q", 0), ("q", 1), ("r", 2)]]
    (tmp_path / "mine.jsonl").write_bytes(json_lines(rows))
    source = {"kind": "preference_sets", "path": "mine.jsonl", "annotators": True, "min_margin": 0.5}
    tree = {"build": {"name": "b", "sets": ["rft"]}, "sources": [source], "models": {"grm": simulated()}}
    recipe = recipe_of(tree, tmp_path)
    stage = ingest(recipe, Root(tmp_path / "r"), recipe.sources[0])
    assert (stage.facts["rows"], stage.facts["merged"]) == (2, 2)
    assert stage.rows("sets") == 2
