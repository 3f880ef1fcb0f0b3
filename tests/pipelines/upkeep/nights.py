"""Nights of a small recipe with simulated models, in this process."""

from pathlib import Path
from typing import Any

from pipelines.upkeep.refresh import Refreshed, refresh, take_lease
from schemas.recipe import Recipe
from storage.leases import Lease
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows


def a_nightly_recipe(folder: Path, latency_s: float = 0.0, **refresh: Any) -> Recipe:
    """Return a recipe of one set table; the lease of a night that was killed is soon over."""
    return a_recipe(
        folder,
        build={"name": "small", "seed": 7, "sets": ["rft"], "root": str(folder / "data")},
        models={"grm": simulated(latency_s=latency_s) | {"max_concurrency": 8}},
        refresh=refresh | {"lease_s": 1},
    )


def a_night(folder: Path, rows: int | None = None, recipe: Recipe | None = None, **settings: Any) -> Refreshed:
    """Refresh over so many rows, or over those of the night before."""
    if rows is not None:
        write_rows(folder / "own.jsonl", jsonl_rows(rows))
    recipe = recipe or a_nightly_recipe(folder, **settings)
    root = Root.open(str(folder / "data"))
    run, _ = a_run(recipe)
    lease = take_lease(recipe, root, run.run_id, run.watcher.said)
    assert isinstance(lease, Lease)
    with lease:
        return refresh(recipe, root, run, lease)
