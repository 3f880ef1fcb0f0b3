"""How many wrong labels are among the most suspect sets, by simulated judges whose samples of a set err together.

    python -m benchmarks.label_suspicion [--sets 20000] [--out suspicion.json]

Of a share of the sets the label is another response than the best. Judges take three samples of each set; how often a
judge is right on a set comes from a beta distribution, whose intraclass correlation (ICC) is given. Prints a line a
case: the share of the wrong labels in the top decile by `label_suspicion`, by the pass count of the first judge alone
(what RFT has), by all hits added up, and by the very parameters that the judges were made with, which no method beats.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.training_sets.suspicion import Suspicion, suspected, with_labels

NOISE = 0.05
SAMPLES = 3
TOP = 0.1


@dataclass(frozen=True)
class Judged:
    """Sets whose truth is known, and the votes of their judges."""

    sets: pl.DataFrame
    votes: pl.DataFrame
    is_wrong: npt.NDArray[np.bool_]
    passes: npt.NDArray[np.int64]
    """[judges, sets]: samples that agree with the label."""


def simulated(
    accuracies: Sequence[float], icc: float, *, sets: int = 20_000, n: int = 2, seed: int = 0, noise: float = NOISE
) -> Judged:
    """Return judged sets of `n` responses."""
    random = np.random.default_rng(seed)
    best = random.integers(n, size=sets)
    is_wrong = random.random(sets) < noise
    labelled = np.where(is_wrong, (best + 1 + random.integers(n - 1, size=sets)) % n, best)
    votes, passes = [], []
    for judge, accuracy in enumerate(accuracies):
        chances = _chances(random, accuracy, icc, n, sets)
        drawn = (random.random((SAMPLES, sets, 1)) > chances.cumsum(axis=1)[None, :, :-1]).sum(axis=2)
        chosen = (best + drawn) % n
        passes.append((chosen == labelled).sum(axis=0))
        rows = {"row": np.tile(np.arange(sets, dtype=np.uint32), SAMPLES), "response": chosen.ravel().astype(np.int32)}
        votes.append(pl.DataFrame(rows).with_columns(judge=pl.lit(f"judge {judge}"), votes=pl.lit(1.0)))
    frame = pl.DataFrame(
        {"set_id": [f"{number:08}" for number in range(sets)], "best": labelled.astype(np.int32)}
    ).with_columns(
        source=pl.lit("simulated"),
        n_responses=pl.lit(n, pl.Int32),
        label=pl.lit(None, pl.Int32),
        retagged_best=pl.lit(None, pl.Int32),
        drop_reason=pl.lit(None, pl.String),
    )
    added = pl.concat(votes).group_by("row", "judge", "response").agg(pl.col("votes").sum())
    return Judged(with_labels(frame), added, is_wrong, np.array(passes))


def _chances(random: np.random.Generator, accuracy: float, icc: float, n: int, sets: int) -> npt.NDArray[np.float64]:
    """Return the chance of each response to be chosen, [sets, responses], the best one first."""
    means = np.array([accuracy, *[(1 - accuracy) / (n - 1)] * (n - 1)])
    return np.tile(means, (sets, 1)) if icc == 0 else random.dirichlet(means * (1 - icc) / icc, size=sets)


def in_top(judged: Judged, score: npt.NDArray[np.float64]) -> float:
    """Return the share of the wrong labels among the sets with the highest scores; equal ones come in any order."""
    any_order = np.random.default_rng(1).random(len(score))
    top = np.lexsort((any_order, -score))[: round(TOP * len(score))]
    return float(judged.is_wrong[top].sum() / judged.is_wrong.sum())


def suspicion(judged: Judged, judges: pl.DataFrame | None = None) -> Suspicion:
    return suspected(judged.sets, judged.votes, judges)


def shares(judged: Judged, accuracies: Sequence[float], icc: float, n: int = 2) -> dict[str, float]:
    """Return the share in the top decile by each score."""
    known = pl.DataFrame(
        {"judge": [f"judge {place}" for place in range(len(accuracies))], "accuracy": list(accuracies)}
    ).with_columns(
        source=pl.lit("simulated"), n_responses=pl.lit(n, pl.Int32), correlation=pl.lit(max(icc, 0.002), pl.Float64)
    )
    scores = {
        "suspicion": suspicion(judged).sets["label_suspicion"].to_numpy(),
        "pass_count": -judged.passes[0].astype(np.float64),
        "all_hits": -judged.passes.sum(axis=0).astype(np.float64),
        "optimum": suspicion(judged, known).sets["label_suspicion"].to_numpy(),
    }
    return {name: round(in_top(judged, score), 3) for name, score in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    order = parser.parse_args()
    rows = []
    for accuracies in ((0.7, 0.7), (0.8, 0.7), (0.8, 0.8), (0.9, 0.9)):
        for n in (2, 4):
            for icc in (0.0, 0.5, 0.7):
                found = shares(simulated(accuracies, icc, sets=order.sets, n=n), accuracies, icc, n)
                rows.append({"judges": accuracies, "n": n, "icc": icc, **found})
                print(json.dumps(rows[-1]))
    if order.out:
        order.out.write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    main()
