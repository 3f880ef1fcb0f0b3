"""`[training] max_tokens`: longer rows go into no training set, and each is counted with its reason."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.steps import build
from schemas.manifest import FunnelRow
from storage.root import Root
from storage.snapshots import Snapshot
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

MOST = 900
LONG = " A longer answer of many words goes on and on, and says little that was not said before." * 30
"""600 tokens and more."""


def snapshot_of(path: Path, **sections: Any) -> Snapshot:
    rows = jsonl_rows(60)
    for row in rows[::4]:
        row["responses"] = [text + LONG for text in row["responses"]]
    write_rows(path / "own.jsonl", rows)
    recipe = a_recipe(
        path, models={"grm": simulated(), "difficulty": simulated(model="weak", accuracy=0.5)}, **sections
    )
    return build(recipe, Root(path), a_run(recipe)[0]).snapshot


def rows_of(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    return [row for path in snapshot.files(table) for row in pq.read_table(path).to_pylist()]


def counted(funnel: list[FunnelRow]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in funnel:
        found[row.stage.removesuffix(" non_hinted").removesuffix(" hinted")] += (
            row.rows if row.outcome == "row_too_long" else 0
        )
    return +found


def test_longer_rows_are_left_out_of_every_set_and_counted(tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    (tmp_path / "limited").mkdir()
    free = snapshot_of(tmp_path / "free")
    limited = snapshot_of(tmp_path / "limited", training={"max_tokens": MOST})
    assert counted(free.manifest.funnel) == {}
    assert any(row["prompt_tokens"] + row["completion_tokens"] > MOST for row in rows_of(free, "rft/train"))
    assert any(row["extra_info"]["prompt_tokens"] > MOST for row in rows_of(free, "rl/train"))

    assert all(row["prompt_tokens"] + row["completion_tokens"] <= MOST for row in rows_of(limited, "rft/train"))
    assert all(row["extra_info"]["prompt_tokens"] <= MOST for row in rows_of(limited, "rl/train"))
    short = {row["set_id"] for row in rows_of(limited, "sets/kept") if LONG not in row["responses"][0]["text"]}
    assert {row["set_id"] for row in rows_of(limited, "meta_rm/train")} <= short
    rejected = Counter(row["reject_reason"] for row in rows_of(limited, "trajectories/rejected"))
    found = counted(limited.manifest.funnel)
    assert rejected["row_too_long"] == found["rft"] > 0
    assert found["rl"] > 0 and found["meta_rm from rft"] > 0


def test_pairs_go_by_question_and_longest_response(tmp_path: Path) -> None:
    limited = snapshot_of(tmp_path, training={"max_tokens": 400}, build={"name": "small", "sets": ["pairs"]})
    pairs = rows_of(limited, "pairs/train") + rows_of(limited, "pairs/validation")
    assert pairs and not any(LONG in row["chosen"][0]["content"] for row in pairs)
    assert counted(limited.manifest.funnel) == {"pairs": 15}
