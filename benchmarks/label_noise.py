"""How often the interval of `label_noise` holds the truth, and how wide it is.

    python -m benchmarks.label_noise [--simulations 1000] [--reviews 400]

Each simulation makes sets of two sources of whose labels 5 % are wrong, and a `label_suspicion` that knows a part of
it. It draws the reviews by source and suspicion, lets people find the truth, and asks whether the interval of all sets
holds it. Prints one line of JSON: the share of intervals that do, and the mean half-width, by how good the judge is.
"""

import argparse
import json
from collections.abc import Mapping

import numpy as np
import polars as pl

from pipelines.reviews.noise import label_noise
from pipelines.reviews.sampling import SUSPICION, draw, with_suspicion

NOISE = 0.05
JUDGES: Mapping[str, float] = {"good": 3.0, "fair": 1.5, "useless": 0.0}
"""How far the judge's evidence on a wrong label stands from that on a right one, in standard deviations."""


def simulated_sets(count: int, distance: float, seed: int) -> pl.DataFrame:
    """Return sets with source, is_wrong (drawn at NOISE) and the label_suspicion of a judge so good."""
    random = np.random.default_rng(seed)
    is_wrong = random.random(count) < NOISE
    evidence = random.normal(distance * (is_wrong - 0.5))
    odds = NOISE / (1 - NOISE) * np.exp(distance * evidence)
    sources = np.where(random.random(count) < 0.7, "large", "small")
    return pl.DataFrame(
        {
            "set_id": [f"{seed}-{number}" for number in range(count)],
            "source": sources,
            "is_wrong": is_wrong,
            "label_suspicion": odds / (1 + odds),
        }
    )


def coverage(simulations: int, reviews: int, distance: float, sets: int = 4_000) -> dict[str, float]:
    """Return the share of simulations whose interval holds the truth, and the mean and largest half-width."""
    held, half_widths = 0, []
    for seed in range(simulations):
        population = with_suspicion(simulated_sets(sets, distance, seed))
        drawn = draw(population, reviews, seed, ["source", SUSPICION])
        noise, low, high = label_noise(drawn).select("noise", "low", "high").row(-1)
        assert low <= noise <= high
        held += low <= population["is_wrong"].mean() <= high
        half_widths.append((high - low) / 2)
    return {
        "holds_truth": held / simulations,
        "half_width": round(float(np.mean(half_widths)), 4),
        "half_width_at_most": round(max(half_widths), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1_000)
    parser.add_argument("--reviews", type=int, default=400)
    order = parser.parse_args()
    print(json.dumps({name: coverage(order.simulations, order.reviews, far) for name, far in JUDGES.items()}))


if __name__ == "__main__":
    main()
