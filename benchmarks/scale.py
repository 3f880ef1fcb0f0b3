"""A whole build at paper scale: sets x (3 non-hinted + 1 hinted + 3 difficulty samples), simulated, in one process.

`python -m benchmarks.scale [--full]` builds from 1,000 and 5,000 sets (10,000 to 1,000,000 with --full), each in a
process of its own, whose peak of memory is its own. It prints a table and one JSON object about the largest; with
--full the peak of 50,000 sets and the minutes of 250,000 stand beside, to compare. `first s` is when the first answer
came. `--again` builds each a second time, over what is finished, and prints how many seconds that takes. It needs some
25 GB of disk for a million. `--one 1000 --general 1000000` has so many general rows of 2 kB beside the sets.
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
from schemas.generation import Completion
from schemas.recipe import Recipe, recipe_of
from storage.root import Root

FULL = (10_000, 50_000, 250_000, 1_000_000)


class FirstAnswer(Silent):
    """Knows when the first answer came."""

    at = 0.0

    def answered(self, completion: Completion) -> None:
        self.at = self.at or time.perf_counter()


def measured(sets: int, again: bool, general: int = 0) -> dict[str, float]:
    """Return how long a build of so many sets takes from its source to its snapshot, its calls, and its peak."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_sets(place / "sets.jsonl", sets)
        write_general(place / "general.jsonl", general)
        recipe = recipe_of(
            {
                **({"general": {"path": str(place / "general.jsonl")}} if general else {}),
                "build": {"name": "scale", "root": str(place / "root")},
                "sources": [{"kind": "preference_sets", "path": str(place / "sets.jsonl")}],
                "models": {
                    "grm": {"engine": "simulated"},
                    "difficulty": {"engine": "simulated", "model": "small", "simulated": {"accuracy": 0.6, "seed": 1}},
                },
            },
            place,
        )
        published, seconds, first = _built(recipe)
        calls = sum(use.requests for use in published.snapshot.manifest.models)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {"sets": sets, "calls": calls, "minutes": seconds / 60, "peak_mb": round(peak), "first_s": first}
        if again:
            repeated, found["again_s"], _ = _built(recipe)
            assert not repeated.new
        return found


def write_general(path: Path, rows: int) -> None:
    """Write general rows of 2 kB."""
    words = "The gateway forwards what it hears, and the network server leaves out what came twice. " * 11
    with path.open("w") as file:
        for row in range(rows):
            asked = {"role": "user", "content": f"What happens in case {row}? {words}"}
            answer = {"role": "assistant", "content": f"In case {row}: {words}"}
            file.write(json.dumps({"messages": [asked, answer]}) + "\n")


def _built(recipe: Recipe) -> tuple[Published, float, float]:
    """Return what a build made, its seconds, and those until the first answer."""
    watcher = FirstAnswer()
    run = new_run(recipe, {}, watcher)
    started = time.perf_counter()
    published = build(recipe, Root.open(recipe.build.root), run)
    return published, time.perf_counter() - started, round(max(watcher.at - started, 0.0), 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--one", type=int, help="build so many sets in this process")
    parser.add_argument("--general", type=int, default=0, help="with --one: so many general rows beside them")
    order = parser.parse_args()
    if order.one:
        print(json.dumps(measured(order.one, order.again, order.general)))
        return
    found = {}
    print(f"{'sets':>9} {'calls':>10} {'minutes':>8} {'calls/s':>8} {'peak MB':>8} {'first s':>8} {'again s':>8}")
    for size in FULL if order.full else (1_000, 5_000):
        command = [sys.executable, "-m", "benchmarks.scale", "--one", str(size), *(["--again"] if order.again else [])]
        one = found[size] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        one["calls_per_s"] = round(one["calls"] / one["minutes"] / 60)
        again = f"{one['again_s']:>8.1f}" if "again_s" in one else f"{'':>8}"
        print(
            f"{size:>9,} {one['calls']:>10,.0f} {one['minutes']:>8.2f} {one['calls_per_s']:>8,} "
            f"{one['peak_mb']:>8,} {one['first_s']:>8.1f} {again}",
            flush=True,
        )
    figures = {name: one[name] for name in ("sets", "minutes", "calls_per_s", "peak_mb")}
    if order.full:
        figures |= {"peak_mb_50k": found[50_000]["peak_mb"], "minutes_250k": round(found[250_000]["minutes"], 2)}
    print(json.dumps(figures | {"minutes": round(one["minutes"], 2)}))


if __name__ == "__main__":
    main()
