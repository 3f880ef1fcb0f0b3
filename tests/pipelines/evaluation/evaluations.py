"""Small evaluations, whole: rows of one's own, a simulated judge, and what is published of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.evaluation.evaluate import evaluate
from schemas.recipe import recipe_of
from storage.evaluations import Evaluation
from storage.root import Root
from storage.stages import Stage, find_stage
from tests.examples import a_run, jsonl_rows, simulated, write_rows


def evaluated(
    directory: Path,
    *,
    name: str = "small",
    benchmark: str = "own",
    rows: Sequence[dict[str, Any]] | None = None,
    k_max: int = 8,
    judge: dict[str, Any] | None = None,
    evaluate_name: str | None = None,
    **settings: Any,
) -> Evaluation:
    """Return the evaluation of a simulated judge on these rows; 40 rows of three responses unless given."""
    write_rows(directory / f"{name}.jsonl", jsonl_rows(40) if rows is None else rows)
    tree = {
        "build": {"name": name, "seed": 7, "sets": ["rft"]},
        "models": {"grm": simulated(**({"accuracy": 0.7} | (judge or {})))},
        "evaluate": {
            "name": evaluate_name,
            "k_max": k_max,
            "replicates": 200,
            "benchmarks": [{"kind": "preference_sets", "name": benchmark, "path": f"{name}.jsonl"}],
        }
        | settings,
    }
    recipe = recipe_of(tree, directory)
    run, _ = a_run(recipe, keep_going=True)
    return evaluate(recipe, Root.open(str(directory / "data")), run).evaluation


def stage_of(evaluation: Evaluation) -> Stage:
    """Return the stage that an evaluation was published from."""
    stage = find_stage(evaluation.root, evaluation.manifest.stages[0])
    assert stage is not None
    return stage


def page_of(evaluation: Evaluation) -> str:
    """Return its report.html."""
    return evaluation.root.read(f"{evaluation.key}/report.html").decode()
