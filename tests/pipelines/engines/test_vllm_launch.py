"""What is said of a vLLM's model before it starts, without the network."""

import sys
from pathlib import Path

from pipelines.engines.vllm.launch import launch_of, model_in_words
from schemas.recipe import ModelSection


def words(folder: Path, **env: str) -> str:
    settings = {"command": [sys.executable, "{model}"], "env": {"HF_HOME": str(folder / "hub-home")} | env}
    model = ModelSection.model_validate({"engine": "vllm", "model": "owner/weights", "vllm": settings})
    return model_in_words(model, folder, launch_of(model, folder))


def test_a_hub_id_is_looked_up_in_the_cache_and_nothing_more_is_claimed(tmp_path: Path) -> None:
    assert words(tmp_path, HF_HUB_OFFLINE="0").startswith("a hub id, which was not looked up")
    offline = words(tmp_path, HF_HUB_OFFLINE="1")
    assert offline.startswith("a hub id that could not be looked up: HF_HUB_OFFLINE is set, and the hub's cache does")
    cached = tmp_path / "hub-home/hub/models--owner--weights"
    (cached / "snapshots/a-commit").mkdir(parents=True)
    (cached / "snapshots/a-commit/config.json").write_text("{}")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("a-commit")
    assert words(tmp_path, HF_HUB_OFFLINE="1") == "a hub id, and in the hub's cache"
