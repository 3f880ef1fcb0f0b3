"""The check `leak_probe` of a whole build, and what a build says of it."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.report import card_of
from pipelines.steps import build
from schemas.errors import RecipeError
from schemas.manifest import Manifest
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, question, simulated, write_rows

GRM = simulated(accuracy=0.55, position_bias=0.3)


def sources(folder: Path) -> None:
    rows = jsonl_rows(80)
    for row in rows:
        row["responses"][row["best"]] += " and so on and on"
    single = [
        {"id": f"single {n:03}", "query": question(9_000 + n), "responses": [question(n)[:20]], "label": n % 2}
        for n in range(60)
    ]
    write_rows(folder / "own.jsonl", [*rows, *single])


def built(folder: Path, **sections: Any) -> tuple[Manifest, str, list[str]]:
    own = {"kind": "preference_sets", "name": "own", "path": "own.jsonl", "hinted": True}
    models = {"grm": GRM, "difficulty": simulated(model="weak", accuracy=0.6, seed=1)}
    root = Root.open(str(folder / "data"))
    recipe = a_recipe(folder, sources=[own], models=models, **sections)
    published = build(recipe, root, a_run(recipe)[0])
    lines = closing_lines(published.snapshot.manifest, published.snapshot)
    return published.snapshot.manifest, card_of(published.snapshot.manifest), lines


def test_a_build_probes_its_sources_and_sets_and_says_loudly_what_leaks(tmp_path: Path) -> None:
    sources(tmp_path)
    manifest, card, lines = built(tmp_path)
    check = manifest.checks["leak_probe"]
    best, label = check["sources"]
    assert (best["source"], best["task"], best["leaky"]) == ("own", "best", True)
    assert (label["task"], label["leaky"]) == ("label", False)
    assert best["auc"] > 0.9 and best["auc_by_feature"]["length"] > 0.9 and best["threshold"] == 0.6
    assert check["rft"]["best"]["leaky"] and set(check["rft"]) == {"best", "label"}
    for name in ("meta_rm", "hinted"):
        assert check[name]["rows"] >= 2 * check[name]["sets"], "sets of which one row alone was chosen tell nothing"
    traces = manifest.checks["hint_traces"]
    assert traces["sets"] > 40 and 0 < traces["auc"] < 1 and traces["false_alarms"]["critiques"] > 40
    assert traces["false_alarms"]["phrases"] == traces["false_alarms"]["verdict_first"] == 0
    assert "at AUC" in card and "Hint traces: " in card
    said = " ".join(" ".join(lines).split())
    assert "own: leaky. A probe that reads nothing tells the best response at AUC" in said
    assert "its length (" in said
    assert "| own | the best response | 80 |" in card and "leaky" in card


@pytest.mark.parametrize("leaks", [{"over": "drop"}, {"threshold": 0.4}, {"threshold": 1.1}, {"treshold": 0.6}])
def test_a_recipe_is_refused_what_makes_no_sense(leaks: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="leaks"):
        a_recipe(leaks=leaks)
