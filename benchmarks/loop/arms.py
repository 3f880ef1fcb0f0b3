"""The rows of each arm, from the tables of the snapshot that the warm judge's samples made."""

import hashlib
import re
from pathlib import Path

import polars as pl

VERDICT = re.compile(r"Scores: \\boxed\{[^}]*\}\s*$")


def write_arms(snapshot: Path, folder: Path) -> dict[str, int]:
    """Write `<arm>.parquet` with prompt and completion for each arm but rft, and return the rows of each.

    A judgement's training prompt is its non-hinted prompt: only non-hinted judgements are taken beside the rft rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rft = pl.read_parquet(snapshot / "rft/train-*.parquet").select("prompt", "completion", "trajectory_id")
    judged = _judged(snapshot)
    arms = {
        "no_rejection": judged.filter(pl.col("scores").is_not_null()),
        "verdict_only": _verdicts(rft),
        "shuffled": _accepted_by_dealt_labels(judged),
    }
    for name, rows in arms.items():
        rows.select("prompt", "completion").write_parquet(folder / f"{name}.parquet")
    return {"rft": rft.height} | {name: rows.height for name, rows in arms.items()}


def _judged(snapshot: Path) -> pl.DataFrame:
    """Return the train sets' non-hinted samples of the RFT stage, accepted or rejected, in a fixed order."""
    columns = ["trajectory_id", "set_id", "prompt", "text", "scores", "order", "outcome", "split", "mode", "purpose"]
    files = [file for status in ("accepted", "rejected") for file in snapshot.glob(f"trajectories/{status}-*.parquet")]
    tables = [pl.read_parquet(file, columns=columns) for file in files]
    rows = pl.concat(tables).filter(split="train", mode="non_hinted", purpose="rft").sort("trajectory_id")
    return rows.with_columns(completion=_messages(rows["text"].to_list()))


def _messages(texts: list[str]) -> pl.Series:
    fields = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    return pl.Series([[{"role": "assistant", "content": text}] for text in texts], dtype=fields)


def _verdicts(rft: pl.DataFrame) -> pl.DataFrame:
    """Return the rft rows with the verdict alone as their answer."""
    texts = [VERDICT.search(row[0]["content"]) for row in rft["completion"].to_list()]
    assert all(texts), "an rft row ends in its canonical verdict"
    return rft.with_columns(completion=_messages([found[0].strip() for found in texts if found]))


def _accepted_by_dealt_labels(judged: pl.DataFrame) -> pl.DataFrame:
    """Return what rejection would accept, had each set's label been dealt out by its hash.

    Correct by the dealt label, and of sets that are not right in every sample.
    """
    rows = judged.filter(pl.col("scores").list.len() == 2)
    best = [int(hashlib.sha256(f"dealt|{set_id}".encode()).hexdigest(), 16) % 2 for set_id in rows["set_id"]]
    scores = pl.struct("scores", "order", "dealt")
    right = scores.map_elements(
        lambda row: (
            row["scores"][row["order"].index(row["dealt"])] > row["scores"][row["order"].index(1 - row["dealt"])]
        ),
        return_dtype=pl.Boolean,
    )
    rows = rows.with_columns(dealt=pl.Series(best)).with_columns(right=right)
    return rows.filter(pl.col("right") & ~pl.col("right").all().over("set_id"))
