"""The guard of the judge: a refresh evaluates it, and a fall of its accuracy holds LATEST back."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.upkeep.refresh import Refreshed, promote
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from storage.evaluations import every_evaluation, remove_evaluation, versions
from storage.root import Root
from storage.snapshot_upkeep import evaluation_of
from storage.snapshots import latest
from tests.examples import a_recipe, jsonl_rows, simulated, write_rows
from tests.pipelines.upkeep.nights import a_night


def the_recipe(folder: Path, accuracy: float, **refresh: Any) -> Recipe:
    """Return a nightly recipe whose other guards are off; its judge has another name at another accuracy."""
    judge = simulated(model=f"judge-{accuracy}", accuracy=accuracy, difficulty_spread=0.0)
    others_off = {"evaluate": True, "lease_s": 1, "max_acceptance_change": 100, "max_source_shrink": 1}
    own = {"kind": "test", "name": "own", "splits": ["validation"]}
    fixed = {"kind": "preference_sets", "name": "fixed", "path": "fixed.jsonl"}
    return a_recipe(
        folder,
        build={"name": "small", "seed": 7, "sets": ["rft"], "root": str(folder / "data")},
        models={"grm": judge},
        evaluate={"k_max": 4, "replicates": 200, "benchmarks": [own, fixed]},
        refresh=others_off | refresh,
    )


def night(folder: Path, accuracy: float, rows: int | None = None, **refresh: Any) -> Refreshed:
    return a_night(folder, rows, the_recipe(folder, accuracy, **refresh))


@pytest.mark.slow
def test_latest_stays_where_the_judge_fell_until_a_person_accepts_it(tmp_path: Path) -> None:
    write_rows(tmp_path / "fixed.jsonl", jsonl_rows(160)[100:])
    first = night(tmp_path, 0.95, 40)
    root = Root.open(str(tmp_path / "data"))
    assert (first.tripped, latest(root, "small")) == ((), first.version)
    assert evaluation_of(root, "small", first.version) == f"small-grm/{versions(root, 'small-grm')[-1]}"

    fallen = night(tmp_path, 0.2)
    (reason,) = [reason for reason in fallen.tripped if "on fixed" in reason]
    assert reason.startswith("the judge's total on fixed (vote of 2) fell from ")
    assert reason.endswith("points, where max_accuracy_drop is 0.05")
    assert latest(root, "small") == first.version
    assert night(tmp_path, 0.2).tripped, "the next night compares with what LATEST names, not with the night before"
    assert night(tmp_path, 0.2, max_accuracy_drop=1).tripped == ()

    promote(root, f"small@{first.version}")
    promote(root, f"small@{fallen.version}")
    better = night(tmp_path, 0.9)
    assert (better.tripped, latest(root, "small")) == ((), better.version)


@pytest.mark.slow
def test_the_newest_evaluations_stay_and_one_that_is_gone_stops_no_night(tmp_path: Path) -> None:
    write_rows(tmp_path / "fixed.jsonl", jsonl_rows(130)[100:])
    root = Root.open(str(tmp_path / "data"))
    for accuracy in (0.7, 0.8, 0.9):
        last = night(tmp_path, accuracy, 30, keep=1)
    assert len(list(every_evaluation(root))) == 2, "the newest, and that of the version that LATEST named before"
    assert len(list((root.path / "snapshots/small/evaluated").iterdir())) == 2
    remove_evaluation(root, "small-grm", versions(root, "small-grm")[-1])
    assert night(tmp_path, 0.3, keep=1).tripped == ()
    assert latest(root, "small") != last.version


def test_it_needs_a_benchmark(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"refresh.evaluate: there is nothing to evaluate on; add \[\[evaluate"):
        a_recipe(tmp_path, refresh={"evaluate": True})
