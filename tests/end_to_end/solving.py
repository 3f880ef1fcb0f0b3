"""Recipes over the problems of `problems`, and what a snapshot holds that was made of them."""

from pathlib import Path
from typing import Any

import polars as pl

from pipelines.grading.verification import grade
from schemas.question import AnswerForm, Gold, Verdict
from storage.snapshots import Snapshot
from tests.end_to_end.commands import frame, grmforge, latest, write_recipe
from tests.end_to_end.problems import ANSWERS, PROBLEMS, write_math
from tests.examples import NO_FAULTS

COUNT = len(PROBLEMS)
SAMPLES = 6
FEW, FEW_SAMPLES = 10, 3
"""So many answers are one batch to grade: one process starts for them, where more start two."""
TRAINING = ("rft", "meta_rm", "pairs")


def simulated(model: str, **settings: Any) -> dict[str, Any]:
    return {"engine": "simulated", "model": model, "simulated": NO_FAULTS | settings}


def write(directory: Path, *, count: int = COUNT, samples: int = SAMPLES, teacher: Any = None, **sections: Any) -> Path:
    """Write a recipe over the first problems, and return its path."""
    write_math(directory / "math.jsonl", count)
    models = sections.pop("models", {}) | ({"teacher": teacher} if teacher else {})
    usual: dict[str, Any] = {
        "build": {"name": "math", "seed": 5, "sets": TRAINING},
        "sources": [{"kind": "math", "path": "math.jsonl"}],
        "models": {"responder": simulated("small", accuracy=0.55), "grm": simulated("judge")} | models,
        "synthesis": {"samples": samples, "n_responses": 4, "single_share": 0.3},
        "splits": {"validation": 0.1, "test": 0.1},
        "rejection": {"balance_positions": False, "drop_too_easy": False},
    }
    return write_recipe(directory / "recipe.toml", **(usual | sections))


def write_few(directory: Path, **sections: Any) -> Path:
    """Write a recipe over a few problems, and return its path."""
    return write(directory, count=FEW, samples=FEW_SAMPLES, **sections)


def built(recipe: Path, root: Path) -> Snapshot:
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0, done.err
    return latest(root, "math")


def every_set(snapshot: Snapshot) -> pl.DataFrame:
    return pl.concat([frame(snapshot, f"sets/{status}") for status in ("kept", "dropped")])


def traces(snapshot: Snapshot) -> list[dict[str, Any]]:
    paths = [f"traces/{split}" for split in ("train", "validation")]
    return [row for path in paths if snapshot.rows(path) for row in frame(snapshot, path).to_dicts()]


def verdicts(snapshot: Snapshot) -> dict[str, int]:
    return {row.outcome: row.rows for row in snapshot.manifest.funnel if row.stage == "synthesis"}


def problem_of(text: str) -> str:
    """Return the problem that a prompt asks."""
    return next(problem for problem in ANSWERS if problem in text)


def verdict_on(problem: str, text: str) -> Verdict:
    return grade(Gold(AnswerForm.MATH, ANSWERS[problem] or ""), text).verdict
