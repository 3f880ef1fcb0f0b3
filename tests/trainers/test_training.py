"""Two steps of training on a processor by each trainer that can, of the export's own script or config, filled in."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipelines.exporting.export import export
from pipelines.exporting.lengths import open_tokenizer
from pipelines.exporting.registry import TRAINERS
from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY
from tests.trainers.test_loaders import python_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]
_SWIFT = "--max_steps 2 --model_type qwen3 --template chatml"
_AXOLOTL = "--launcher python --max-steps 2 --bf16 false --gradient-accumulation-steps 1"
COMMANDS = {
    "llamafactory sft": "llamafactory-cli train sft.yaml use_cpu=true max_steps=2 per_device_train_batch_size=2",
    "llamafactory rm": "llamafactory-cli train rm.yaml use_cpu=true max_steps=2",
    "swift sft": f"bash sft.sh {_SWIFT}",
    "swift reward": f"bash reward.sh {_SWIFT}",
    "axolotl sft": f"axolotl train sft.yaml {_AXOLOTL}",
    "axolotl dpo": f"axolotl train dpo.yaml {_AXOLOTL}",
    "verl sft": "bash sft.sh trainer.total_training_steps=2 trainer.device=cpu engine.strategy=fsdp2 "
    "data.num_workers=0 +model.override_config.attn_implementation=sdpa",
}
FILLED = {r'"FILL: a directory[^"]*"': "{model}", r'"FILL: LLaMA-Factory\'s name[^"]*"': "chatml"}


@pytest.fixture(scope="module")
def model(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model of two layers with random weights."""
    import torch
    from transformers import AutoConfig, Qwen3ForCausalLM

    folder = Path(shutil.copytree(tokenizer, tmp_path_factory.mktemp("model") / "small"))
    torch.manual_seed(0)
    made: Any = Qwen3ForCausalLM(AutoConfig.from_pretrained(folder))
    made.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("what", COMMANDS)
def test_the_trainer_takes_two_steps(demo: Snapshot, model: Path, tmp_path: Path, what: str) -> None:
    name = what.split()[0]
    python = Path(python_of(name))
    out = export(demo, TRAINERS[name], tmp_path / "out", tokenizer=open_tokenizer(str(model))).out
    for config in out.glob("*.yaml"):
        text = config.read_text("utf-8")
        for place, value in FILLED.items():
            text = re.sub(place, value.format(model=model), text)
        config.write_text(text, "utf-8")
    given = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "MODEL": str(model), "GPUS": "1", "BATCH": "2"}
    given |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "AXOLOTL_DO_NOT_TRACK": "1"}
    if name == "verl":
        given |= {"PYTHONPATH": str(REPOSITORY / "tests/trainers/plugins"), "VERL_PLATFORM": "cpu"}
        given["VERL_USE_EXTERNAL_MODULES"] = "verl_cpu"
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(COMMANDS[what].split(), capture_output=True, text=True, cwd=out, env=inherited | given)
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-3_000:]
    loss = re.search(r"step:2 .*train/loss:([\d.]+)" if name == "verl" else r"'train_loss': '?([\d.]+)", printed)
    assert loss and 0 < float(loss[1]) < 10, printed[-3_000:]
    steps = "global_step_2" if name == "verl" else "checkpoint-2"
    assert [path for path in out.rglob(steps) if any(path.iterdir())], "a checkpoint after two steps"
