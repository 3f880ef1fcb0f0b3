"""What a request id says about a model."""

import os
from pathlib import Path
from typing import Any

from pipelines.engines.jobs import identity
from schemas.recipe import ModelSection, Simulated


def section(**settings: Any) -> ModelSection:
    usual: dict[str, Any] = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    return ModelSection(**(usual | settings))


def test_identity_is_the_recipes_and_never_the_endpoints(tmp_path: Path) -> None:
    here = identity(section(revision="r1"), tmp_path)
    assert here == {"model": "m", "revision": "r1"}
    assert identity(section(revision="r1", base_url="http://other/v1", max_concurrency=3), tmp_path) == here
    assert identity(section(revision="r2"), tmp_path) != here


def test_identity_of_a_simulated_engine_is_all_its_settings(tmp_path: Path) -> None:
    one = identity(ModelSection(engine="simulated"), tmp_path)
    assert one == identity(ModelSection(engine="simulated", max_concurrency=7), tmp_path)
    assert one != identity(ModelSection(engine="simulated", simulated=Simulated(accuracy=0.8)), tmp_path)
    assert one != identity(ModelSection(engine="simulated", model="weaker"), tmp_path)


def model_directory(place: Path, header: bytes = b'{"w": 1}') -> Path:
    place.mkdir()
    (place / "config.json").write_text('{"layers": 2}')
    weights = place / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 64)
    os.utime(weights, ns=(1_000, 1_000))
    return place


def test_identity_of_a_local_directory_is_its_content(tmp_path: Path) -> None:
    model_directory(tmp_path / "one")
    model_directory(tmp_path / "two")
    one = identity(section(model="one"), tmp_path)
    assert one["model"] != "one"
    assert one == identity(section(model="two"), tmp_path)
    assert one == identity(section(model=str(tmp_path / "one")), Path("elsewhere"))
    (tmp_path / "two" / "config.json").write_text('{"layers": 3}')
    assert one != identity(section(model="two"), tmp_path)
    model_directory(tmp_path / "three", b'{"w": 2}')
    assert one != identity(section(model="three"), tmp_path)
    os.utime(tmp_path / "one" / "model.safetensors", ns=(2_000, 2_000))
    assert one != identity(section(model="one"), tmp_path)


def test_a_directory_without_a_model_in_it_is_just_a_name(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes.txt").write_text("nothing")
    assert identity(section(), tmp_path)["model"] == "m"


def test_identity_of_a_served_model_is_that_of_the_model_and_the_flags_that_change_what_it_says(tmp_path: Path) -> None:
    def served(**settings: Any) -> ModelSection:
        return ModelSection(engine="vllm", model="m", vllm=settings)

    plain = identity(section(), tmp_path)
    assert identity(served(), tmp_path) == plain
    faster = served(
        command="../venv/bin/vllm serve {model}", args="--max-num-seqs 64", tensor_parallel=2, port=8000, env={"A": "b"}
    )
    assert identity(faster, tmp_path) == plain
    quantized = identity(served(args="--quantization fp8"), tmp_path)
    assert quantized != plain
    assert identity(served(args=["--quantization=fp8"]), tmp_path) == quantized
    (tmp_path / "chat.jinja").write_text("one")
    first = identity(served(args="--chat-template chat.jinja"), tmp_path)
    (tmp_path / "chat.jinja").write_text("another")
    assert identity(served(args="--chat-template chat.jinja"), tmp_path) != first


def test_a_scorers_setting_changes_no_other_simulated_models_identity(tmp_path: Path) -> None:
    plain = identity(ModelSection(engine="simulated"), tmp_path)
    assert "scorer_auc" not in plain["settings"]
    assert identity(ModelSection(engine="simulated", simulated=Simulated(scorer_auc=0.7)), tmp_path) == plain
    assert identity(ModelSection(engine="simulated", simulated=Simulated(scorer_auc=0.9)), tmp_path) != plain
