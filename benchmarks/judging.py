"""How quickly stored answers are judged: extract, decide, reject, assemble, write, on one core.

`python -m benchmarks.judging [--full]` judges 20,000 stored trajectories (1,000,000 with --full, after 10,000 and
100,000), prompts of about 2 kB and answers of about 1.3 kB, and prints a table and one JSON object.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # before polars is imported: the figure is that of one core

import pyarrow as pa

from benchmarks.clients import Silent
from pipelines.build import new_run, prepare
from pipelines.grm.judging import judge
from pipelines.grm.samples import sampling_job
from pipelines.grm.sampling import sample_sets
from pipelines.training_sets.assembly import assemble
from schemas.recipe import Recipe, recipe_of
from schemas.record import content_id
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.tables import read_table

SAMPLES = 4
"""Three non-hinted and one hinted."""
WORDS = ("cell", "radio", "channel", "carrier", "slot", "symbol", "frame", "beam", "power", "user", "core", "plane")


def write_sets(path: Path, sets: int) -> None:
    """Write sets of four responses whose prompts come to about 2 kB."""
    with path.open("w") as file:
        for number in range(sets):
            texts = [
                " ".join(WORDS[(number * 7 + response * 3 + word * (response + 1)) % len(WORDS)] for word in range(40))
                + f" ({number}.{response})"
                for response in range(4)
            ]
            row = {
                "query": f"Question {content_id('question', number)}: which of these is right?",
                "responses": texts,
                "best": number % 4,
            }
            file.write(json.dumps(row) + "\n")


def recipe_for(place: Path) -> Recipe:
    return recipe_of(
        {
            "build": {"name": "judging", "sets": ["rft"], "root": str(place / "root")},
            "sources": [{"kind": "preference_sets", "path": str(place / "sets.jsonl")}],
            "models": {"grm": {"engine": "simulated"}},
            "splits": {"validation": 0.0},
        },
        place,
    )


def measured(trajectories: int) -> dict[str, float]:
    """Return how long it takes to judge so many stored trajectories, and their mean sizes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_sets(place / "sets.jsonl", trajectories // SAMPLES)
        recipe = recipe_for(place)
        root = Root.open(recipe.build.root)
        run = new_run(recipe, {}, Silent())
        _, curated = prepare(recipe, root, run)
        job = sampling_job(recipe, Purpose.RFT)
        assert job is not None
        given_up = sample_sets(root, run, job, curated)
        started, cpu = time.perf_counter(), time.process_time()
        judged = judge(root, job, curated, given_up)
        between = time.perf_counter()
        assemble(recipe, root, [], curated, {Purpose.RFT: judged})
        seconds = time.perf_counter() - started
        some = read_table(judged.paths("judged")[:1], JUDGED, ["prompt", "text"]).slice(0, 1000).to_pylist()
        return {
            "rows": judged.rows("judged"),
            "seconds": seconds,
            "judge_s": between - started,
            "cpu_s": time.process_time() - cpu,
            "prompt_bytes": sum(len(row["prompt"][0]["content"]) for row in some) / len(some),
            "answer_bytes": sum(len(row["text"] or "") for row in some) / len(some),
        }


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    sizes = [10_000, 100_000, 1_000_000] if "--full" in sys.argv[1:] else [20_000]
    print(
        f"{'trajectories':>12} {'seconds':>8} {'judge':>8} {'per s':>8} {'prompt B':>9} {'answer B':>9} {'peak MB':>8}"
    )
    for size in sizes:
        found = measured(size)
        rate = found["rows"] / found["seconds"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{found['rows']:>12,.0f} {found['seconds']:>8.2f} {found['judge_s']:>8.2f} {rate:>8,.0f} "
            f"{found['prompt_bytes']:>9,.0f} {found['answer_bytes']:>9,.0f} {peak:>8,.0f}"
        )
    print(json.dumps({"rows": found["rows"], "trajectories_per_s": round(rate), "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
