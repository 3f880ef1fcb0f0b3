"""Downsampling brings a source that leaks to the threshold, or says that it cannot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.curation.leak_check import source_findings
from pipelines.judging.shown_text import Shown
from schemas.preference import PreferenceSet, Response, Split
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage
from tests.examples import a_recipe, curate, source_stage
from tests.pipelines.curation.planted import planted, sentence

ANSWER: Shown = "answer"


def longer(one_in: int) -> list[PreferenceSet]:
    def plant(response: Response, number: int) -> Response:
        if number % one_in:
            return response
        return replace(response, text=f"{response.text} {sentence(number, 'longer', words=8)}")

    return planted(plant, 200)


def uncurated(root: Root, sets: list[PreferenceSet]) -> Stage:
    return source_stage(root, [replace(one, cluster=None) for one in sets])


def recipe(over: str = "downsample", **sections: Any) -> Recipe:
    return a_recipe(leaks={"over": over}, splits={"validation": 0.1, "test": 0.1}, **sections)


def reasons(stage: Stage) -> dict[str | None, int]:
    frame = pl.read_parquet(stage.paths("sets"))
    return dict(frame["drop_reason"].value_counts().iter_rows())


def test_sets_leave_until_the_probe_is_at_the_threshold(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = curate(recipe(), root, [uncurated(root, longer(3))], None)
    (facts,) = stage.facts["leaks"]
    assert facts["before"] > 0.6 >= facts["after"]
    assert facts["left_out"] == reasons(stage)["leaky"] < facts["of"] / 2
    (found,) = source_findings(stage, ANSWER)
    assert found["auc"] == facts["after"], "the manifest measures what stayed, by the same probe"
    dropped = pl.read_parquet(stage.paths("sets")).filter(pl.col("drop_reason") == "leaky")
    assert Split.TEST.value not in dropped["split"].to_list()


def test_marking_leaves_every_set_and_so_does_a_source_without_a_leak(tmp_path: Path) -> None:
    root = Root(tmp_path)
    marked = curate(recipe("mark"), root, [uncurated(root, longer(3))], None)
    assert reasons(marked) == {None: 200} and "leaks" not in marked.facts
    clean = curate(recipe(), root, [uncurated(root, planted(None, 100))], None)
    assert reasons(clean) == {None: 100} and "leaks" not in clean.facts


def test_a_source_that_would_lose_half_stays_whole(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = curate(recipe(), root, [uncurated(root, longer(1))], None)
    (facts,) = stage.facts["leaks"]
    assert facts["gave_up"] and facts["left_out"] == 0 and facts["before"] == facts["after"] > 0.8
    assert reasons(stage) == {None: 200}


def test_a_small_source_is_left_alone(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = curate(recipe(), root, [uncurated(root, longer(1)[:30])], None)
    assert reasons(stage) == {None: 30} and "leaks" not in stage.facts
