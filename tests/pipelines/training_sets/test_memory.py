"""Decisions over many judgements take so many bytes for each, and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

FEW, MANY = 20_000, 120_000
"""Sets, of seven judgements each."""
MOST_BYTES = 130
"""For each judgement; ids and words as strings took some 400."""

PEAK = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from pipelines.training_sets.judged_frames import judged_frames, sampled_frame
from pipelines.training_sets.meta_rm_marks import mark_meta_rm
from pipelines.training_sets.rejection import evened_out
from pipelines.training_sets.rl import decide_rl
from pipelines.training_sets.suspicion import suspicion_of
from schemas.preference import SETS
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.stages import finish_stage
from storage.table_writer import TableWriter
from storage.tables import filled
from tests.examples import a_recipe

n_sets, root, random = int(sys.argv[1]), Root(Path(sys.argv[2])), np.random.default_rng(3)

def hex_ids(count):
    return [one.tobytes().hex() for one in random.integers(0, 256, (count, 16), np.uint8)]

def stage(name, schema, form, rows_of):
    key, table = f"stages/{name}/x", name.split("-")[0]
    with TableWriter(root, key, table, schema, form) as writer:
        for start in range(0, n_sets, 5_000):
            columns = {one: pa.array(values, schema.field(one).type) for one, values in rows_of(start).items()}
            writer.write(filled(pa.table(columns), schema))
    return finish_stage(root, key, {table: writer.files}, {})

queries = sorted(hex_ids(n_sets))
sets = hex_ids(n_sets)
SAME = {"source": "own", "split": "train", "n_responses": 2}

def sets_of(start):
    here = slice(start, start + 5_000)
    count = len(sets[here])
    own = {name: [value] * count for name, value in SAME.items()}
    return own | {"set_id": sets[here], "query_id": queries[here], "best": [0] * count, "benchmark": [True] * count}

def judged_of(samples):
    def rows(start):
        here = slice(start, start + 5_000)
        count = samples * len(sets[here])
        best = random.integers(0, 2, count)
        right = random.random(count) < 0.7
        first = [0 if one == is_right else 1 for one, is_right in zip(best == 0, right)]
        same = SAME | dict.fromkeys(["draft_verdict", "no_critique", "no_principles", "hint_leak"], False)
        same["model"] = f"judge {samples}"
        return {name: [value] * count for name, value in same.items()} | {
            "trajectory_id": hex_ids(count),
            "set_id": [one for one in sets[here] for _ in range(samples)],
            "query_id": [one for one in queries[here] for _ in range(samples)],
            "mode": ["hinted" if number % 4 == 3 else "non_hinted" for number in range(count)],
            "sample_index": [number % samples for number in range(count)],
            "outcome": np.where(right, "correct", "incorrect"),
            "best_position": best,
            "order": [[0, 1] if one == 0 else [1, 0] for one in best],
            "scores": [[8.0, 3.0] if one == 0 else [3.0, 8.0] for one in first],
        }
    return rows

curated = stage("sets", SETS, "parquet", sets_of)
judged = {
    Purpose.RFT: stage("judged-rft", JUDGED, "arrow", judged_of(4)),
    Purpose.DIFFICULTY: stage("judged-difficulty", JUDGED, "arrow", judged_of(3)),
}
del queries, sets
recipe = a_recipe()
suspicion = suspicion_of(curated, judged)
suspects = suspicion.above(None)
frames, counts = judged_frames(recipe, curated, judged, suspicion, None)
frames[Purpose.RFT] = evened_out(frames[Purpose.RFT], recipe.rejection)
rl = decide_rl(sampled_frame(curated), counts[Purpose.DIFFICULTY], 3, suspects)
check = mark_meta_rm(frames, 0.2, suspects)
assert check["rows"] > n_sets and rl.height == n_sets
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(sets: int, place: Path) -> int:
    command = [sys.executable, "-c", PEAK, str(sets), str(place)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    return int(found.stdout)


@pytest.mark.slow
def test_decisions_take_so_many_bytes_a_judgement(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few, many = peak_kb(FEW, tmp_path / "few"), peak_kb(MANY, tmp_path / "many")
    assert (many - few) * 1024 / (7 * (MANY - FEW)) < MOST_BYTES
