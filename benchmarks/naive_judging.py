"""What `judging` is measured against: the loop that one would write first, a pydantic record for every trajectory.

It is given more than grmforge has, and does less: prompts, orders and truths lie ready beside the answers, so that it
neither renders prompts nor looks answers up, it looks for no leaked hint, balances nothing, and has one pattern for
each thing that it reads. What it writes is what training needs: accepted and rejected trajectories, and RFT's rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

_ITEM = re.compile(r"^\d+\. (.+?) \(weight: (\d+)%\): (.+)$", re.MULTILINE | re.IGNORECASE)
_CRITIQUE = re.compile(r"Analysis:\n(.*?)\n+Scores:", re.DOTALL)
_SCORES = re.compile(r"\\boxed\{([^}]*)\}")


class Criterion(BaseModel):
    """A criterion that the judge wrote for itself."""

    name: str
    weight: float
    description: str


class Trajectory(BaseModel):
    """One sample, and what was read from it."""

    trajectory_id: str
    set_id: str
    mode: str
    best_position: int
    order: list[int]
    prompt: list[dict[str, str]]
    text: str
    principles: list[Criterion] = []
    critique: str | None = None
    scores: list[float] | None = None
    outcome: str = "unparsed"
    accepted: bool = False


def judge_naively(ready: pa.Table, folder: Path) -> int:
    """Judge trajectories whose columns lie ready, and write three tables; return how many rows were read."""
    rows = [_read(Trajectory(**row)) for row in ready.to_pylist()]
    samples: dict[str, list[Trajectory]] = defaultdict(list)
    for row in rows:
        samples[row.set_id].append(row)
    for of_set in samples.values():
        free = [row for row in of_set if row.mode == "non_hinted" and row.scores]
        too_easy = all(row.outcome == "correct" for row in free)
        for row in of_set:
            row.accepted = row.outcome == "correct" and not too_easy
    for name, accepted in (("accepted", True), ("rejected", False)):
        _write(folder / f"{name}.parquet", [row.model_dump() for row in rows if row.accepted is accepted])
    _write(folder / "rft.parquet", list(_examples(rows)))
    return len(rows)


def _read(row: Trajectory) -> Trajectory:
    row.principles = [
        Criterion(name=name, weight=int(weight) / 100, description=text)
        for name, weight, text in _ITEM.findall(row.text)
    ]
    if found := _CRITIQUE.search(row.text):
        row.critique = found[1]
    if boxed := _SCORES.search(row.text):
        try:
            row.scores = [float(score) for score in boxed[1].split(",")]
        except ValueError:
            return row
        if len(row.scores) != len(row.order):
            row.scores = None
            return row
        best = row.scores[row.best_position]
        others = row.scores[: row.best_position] + row.scores[row.best_position + 1 :]
        row.outcome = "correct" if best > max(others) else "tied" if best == max(others) else "incorrect"
    return row


def _examples(rows: list[Trajectory]) -> Iterator[dict[str, object]]:
    for row in rows:
        if row.accepted:
            answer = [{"role": "assistant", "content": row.text}]
            yield {"set_id": row.set_id, "prompt": row.prompt, "completion": answer, "scores": row.scores}


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
