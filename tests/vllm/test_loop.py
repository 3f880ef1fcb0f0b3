"""The loop's arrows on a real vLLM, with a tiny model of random weights: taught, warmed up, sampled, trained again."""

import json
from pathlib import Path

import polars as pl
import pytest

from benchmarks.loop.plan import TINY
from benchmarks.loop.steps import Loop, run_steps
from tests.vllm.conftest import timed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_warmed_up_judge_samples_and_learns_from_its_accepted_judgements(
    home: Path, vllm_python: str, tmp_path: Path
) -> None:
    loop = Loop(TINY, tmp_path, home / "tiny", Path(vllm_python))
    with timed("the loop: teaching, warming up, sampling, and training on what was accepted"):
        run_steps(loop, only=("task", "teach", "warm", "sample", "arms", "train-rft"))
    warm = json.loads((loop.model("warm") / "training.json").read_text())
    assert warm["tokens"] > 5_000 and warm["losses"] == sorted(warm["losses"], reverse=True)
    version = loop.snapshot("sampled")
    accepted = pl.read_parquet(version / "trajectories/accepted-*.parquet")
    assert accepted["model"].unique().to_list() == [str(loop.model("warm"))]
    trained = json.loads((loop.model("rft") / "training.json").read_text())
    assert trained["model"] == str(loop.model("warm")) and (loop.model("rft") / "model.safetensors").exists()
    assert {path.stem for path in (tmp_path / "arms/rows").iterdir()} == {"no_rejection", "verdict_only", "shuffled"}
