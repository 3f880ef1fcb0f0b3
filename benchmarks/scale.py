"""A whole build at paper scale: sets x (3 non-hinted + 1 hinted + 3 difficulty samples), simulated, in one process.

`python -m benchmarks.scale [--full]` builds from 1,000 and 5,000 sets (1,000 to 250,000 with --full), and prints a
table and one JSON object.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clients import Silent
from benchmarks.judging import write_sets
from pipelines.orders import new_run
from pipelines.steps import build
from schemas.recipe import recipe_of
from storage.root import Root


def measured(sets: int) -> dict[str, float]:
    """Return how long a build of so many sets takes from its source to its snapshot, and how many calls it makes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_sets(place / "sets.jsonl", sets)
        recipe = recipe_of(
            {
                "build": {"name": "scale", "root": str(place / "root")},
                "sources": [{"kind": "preference_sets", "path": str(place / "sets.jsonl")}],
                "models": {
                    "grm": {"engine": "simulated"},
                    "difficulty": {"engine": "simulated", "model": "small", "simulated": {"accuracy": 0.6, "seed": 1}},
                },
            },
            place,
        )
        run = new_run(recipe, {}, Silent())
        started = time.perf_counter()
        published = build(recipe, Root.open(recipe.build.root), run)
        seconds = time.perf_counter() - started
        calls = sum(use.requests for use in published.snapshot.manifest.models)
        return {"sets": sets, "calls": calls, "minutes": seconds / 60}


def main() -> None:
    sizes = [1_000, 10_000, 50_000, 250_000] if "--full" in sys.argv[1:] else [1_000, 5_000]
    print(f"{'sets':>9} {'calls':>10} {'minutes':>8} {'calls/s':>8} {'peak MB':>8}")
    for size in sizes:
        found = measured(size)
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        rate = found["calls"] / found["minutes"] / 60
        print(f"{size:>9,} {found['calls']:>10,.0f} {found['minutes']:>8.2f} {rate:>8,.0f} {peak:>8,}", flush=True)
    print(json.dumps({**found, "minutes": round(found["minutes"], 2), "peak_mb": peak}))


if __name__ == "__main__":
    main()
