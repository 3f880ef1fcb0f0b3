"""What the doctor says of scorers, and of signatures."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.ahead.doctor import examine
from pipelines.ahead.soundness import Finding
from schemas.recipe import recipe_of
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.scorers import classified
from tests.pipelines.engines.stand_in_server import Answer, StandIn


def of_meta_rm(tmp_path: Path, **model: Any) -> list[Finding]:
    """Return what is found of the role."""
    tree = {
        "build": {"name": "small", "root": str(tmp_path / "data"), "sets": ["rft"]},
        "models": {"grm": {"engine": "simulated"}, "meta_rm": {"engine": "score", "model": "meta-rm"} | model},
        "evaluate": {"benchmarks": [{"kind": "preference_sets", "path": "pairs.jsonl"}]},
    }
    return [found for found in examine(recipe_of(tree, tmp_path), {}) if "meta_rm" in found.what]


@pytest.mark.parametrize(
    ("reply", "ok", "said"),
    [
        (classified([0.5]), True, "scores texts with meta-rm"),
        (classified([0.5, 0.5]), True, "scores texts with meta-rm"),
        (classified([0.1, 0.2, 0.7]), False, "sent 3 scores for one text"),
        (classified([0.5], model="llama-3"), False, "not as 'meta-rm'"),
        (stand_in.html_page(404), False, "--runner pooling"),
        (stand_in.chat("Two."), False, "classifies nothing"),
    ],
)
def test_an_endpoint_is_asked_for_one_score(tmp_path: Path, reply: Answer, ok: bool, said: str) -> None:
    with StandIn(then=reply) as server:
        (found,) = of_meta_rm(tmp_path, base_url=server.url)
    assert found.ok is ok and said in found.says, found


def test_a_key_that_is_missing_and_an_endpoint_that_is_not_there_are_two_findings(tmp_path: Path) -> None:
    key, endpoint = of_meta_rm(tmp_path, base_url="http://127.0.0.1:1", api_key_env="MY_KEY")
    assert not key.ok and "export MY_KEY" in key.says
    assert not endpoint.ok and "cannot be reached" in endpoint.says


def test_a_directory_that_holds_no_scorer_is_found_before_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["Qwen3ForCausalLM"]}')
    (found,) = of_meta_rm(tmp_path, model="model")
    assert not found.ok and "a head of random numbers" in found.says
    (tmp_path / "model" / "config.json").write_text(
        '{"architectures": ["Qwen3ForSequenceClassification"], "id2label": {"0": "LABEL_0"}}'
    )
    (found,) = of_meta_rm(tmp_path, model="model")
    assert found.ok and "is a classifier in" in found.says


def test_a_signature_that_would_end_the_build_is_found(tmp_path: Path) -> None:
    tree = {
        "build": {"name": "small", "root": str(tmp_path / "data"), "sets": ["rft"]},
        "models": {"grm": {"engine": "simulated"}},
        "sources": [{"kind": "preference_sets", "path": "pairs.jsonl"}],
    }
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "Name a prime.", "chosen": "7", "rejected": "9"}\n')

    def found() -> Finding:
        return next(found for found in examine(recipe_of(tree, tmp_path), {}) if found.what == "signatures")

    assert found().ok and "llmbar" in found().says
    own = tmp_path / "data" / "signatures" / "mine.parquet"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"PAR1")
    assert not found().ok and f"{own}: damaged" in found().says
    own.unlink()
    tree["decontaminate"] = {"benchmarks": ["mine"]}
    assert not found().ok and "there is no signature 'mine'" in found().says
