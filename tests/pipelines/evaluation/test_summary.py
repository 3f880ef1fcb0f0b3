"""What `grmforge evaluate` ends with."""

from pipelines.evaluation.summary import lines_of
from storage.evaluations import Evaluation


def test_a_line_a_benchmark_and_what_wants_attention(small: Evaluation) -> None:
    lines = lines_of(small)
    assert lines[0].split() == ["benchmark", "figure", "1", "sample", "vote", "of", "4", "greedy", "readable", "items"]
    assert (
        lines[1].startswith("own") and "total" in lines[1] and lines[1].endswith(" 40") and lines[1].count(" to ") == 3
    )
    assert any("comparisons hold" in line for line in lines)
    assert any("The judge is simulated" in line for line in lines)
    assert any("prefers a position" in line for line in lines)
