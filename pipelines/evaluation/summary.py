"""What `grmforge evaluate` prints when it is done."""

from storage.evaluations import Evaluation


def lines_of(evaluation: Evaluation) -> list[str]:
    """Return the headline figures of an evaluation."""
    return [f"{evaluation.manifest.name}: {len(evaluation.manifest.benchmarks)} benchmarks"]
