"""A whole build at paper scale: sets x (3 non-hinted + 1 hinted + 3 difficulty samples), simulated, in one process.

`python -m benchmarks.scale [--full]` builds from 1,000 and 5,000 sets (10,000 to 1,000,000 with --full), each in a
process of its own, whose peak of memory is its own. It prints a table and one JSON object about the largest; with
--full the peak of 50,000 sets and the minutes of 250,000 stand beside, to compare. `--again` builds each a second
time, over what is finished, and prints how many seconds that takes. It needs some 25 GB of disk for a million.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clients import Silent
from benchmarks.judging import write_sets
from pipelines.orders import new_run
from pipelines.reporting.publication import Published
from pipelines.steps import build
from schemas.recipe import Recipe, recipe_of
from storage.root import Root

FULL = (10_000, 50_000, 250_000, 1_000_000)


def measured(sets: int, again: bool) -> dict[str, float]:
    """Return how long a build of so many sets takes from its source to its snapshot, its calls, and its peak."""
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
        published, seconds = _built(recipe)
        calls = sum(use.requests for use in published.snapshot.manifest.models)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {"sets": sets, "calls": calls, "minutes": seconds / 60, "peak_mb": round(peak)}
        if again:
            repeated, found["again_s"] = _built(recipe)
            assert not repeated.new
        return found


def _built(recipe: Recipe) -> tuple[Published, float]:
    run = new_run(recipe, {}, Silent())
    started = time.perf_counter()
    published = build(recipe, Root.open(recipe.build.root), run)
    return published, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--one", type=int, help="build so many sets in this process")
    order = parser.parse_args()
    if order.one:
        print(json.dumps(measured(order.one, order.again)))
        return
    found = {}
    print(f"{'sets':>9} {'calls':>10} {'minutes':>8} {'calls/s':>8} {'peak MB':>8} {'again s':>8}")
    for size in FULL if order.full else (1_000, 5_000):
        command = [sys.executable, "-m", "benchmarks.scale", "--one", str(size), *(["--again"] if order.again else [])]
        one = found[size] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        one["calls_per_s"] = round(one["calls"] / one["minutes"] / 60)
        again = f"{one['again_s']:>8.1f}" if "again_s" in one else f"{'':>8}"
        print(
            f"{size:>9,} {one['calls']:>10,.0f} {one['minutes']:>8.2f} {one['calls_per_s']:>8,} "
            f"{one['peak_mb']:>8,} {again}",
            flush=True,
        )
    figures = {name: one[name] for name in ("sets", "minutes", "calls_per_s", "peak_mb")}
    if order.full:
        figures |= {"peak_mb_50k": found[50_000]["peak_mb"], "minutes_250k": round(found[250_000]["minutes"], 2)}
    print(json.dumps(figures | {"minutes": round(one["minutes"], 2)}))


if __name__ == "__main__":
    main()
