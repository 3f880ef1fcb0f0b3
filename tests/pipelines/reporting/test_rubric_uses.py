"""What rubrics took stands in the manifest, on the pages, and in a comparison of versions."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.answering import Run
from pipelines.reporting.comparing import compare
from pipelines.steps import build, build_rubrics
from schemas.manifest import ModelUse
from schemas.recipe import Recipe
from storage.root import Root
from storage.snapshots import Snapshot
from tests.examples import a_run, simulated
from tests.pipelines.rubrics.rubric_models import the_recipe, write_questions

PRICED = simulated() | {"price_per_mtok": {"input": 100.0, "output": 400.0}}


def recipe_of(folder: Path, name: str, **sections: Any) -> Recipe:
    usual: dict[str, Any] = {"build": {"name": name, "seed": 7, "sets": ["rft"]}, "grm": {"principles": "rubric"}}
    return the_recipe(folder, PRICED, **usual | sections)


def built(recipe: Recipe, root: Root, run: Run | None = None) -> Snapshot:
    return build(recipe, root, run or a_run(recipe)[0]).snapshot


def uses_of(snapshot: Snapshot) -> list[ModelUse]:
    return [use for use in snapshot.manifest.models if use.role == "rubric"]


@pytest.mark.slow
def test_a_snapshot_says_what_the_rubrics_of_its_questions_took(tmp_path: Path, rubric_root: Root) -> None:
    write_questions(tmp_path / "own.jsonl", 12)
    recipe = recipe_of(tmp_path, "ruled")
    run, _ = a_run(recipe)
    made = build_rubrics(recipe, rubric_root, run)
    facts = made.answers.facts(made.job)

    snapshot = built(recipe, rubric_root, run)
    (use,) = uses_of(snapshot)
    assert use.model_dump() == facts | {"cached": 0}, "it was bought in this run, as a refresh does"
    assert use.requests > 0
    assert use.cost_usd > 0
    card = (snapshot.path / "README.md").read_text("utf-8")
    assert f"| rubric | simulated | {use.model} | {use.requests:,} |" in card
    assert f"${use.cost_usd:,.2f}" in (snapshot.path / "report.html").read_text("utf-8")

    plain = built(recipe_of(tmp_path, "plain", grm={"principles": "self"}), rubric_root)
    assert uses_of(plain) == [], "its judges saw none of them"
    (change,) = (one for one in compare(plain, snapshot).models if one.role == "rubric")
    assert change.before is None
    assert change.after is not None
    assert change.after.cost_usd == use.cost_usd

    (later,) = uses_of(built(recipe_of(tmp_path, "later", models={"grm": simulated()}), rubric_root))
    named = (later.engine, later.model, later.requests, later.cached)
    assert named == ("unknown", use.model, use.requests, use.requests), "its recipe names no [models.rubric]"
