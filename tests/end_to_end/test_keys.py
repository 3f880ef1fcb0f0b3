"""Keys are wanted for models that will be asked, and for no other."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import grmforge, write_recipe
from tests.end_to_end.problems import write_math
from tests.end_to_end.test_http import SETS, write_sets
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

KEYS = {"GRM_KEY": "sk-grm", "WEAK_KEY": "sk-weak"}


def write(directory: Path, url: str, *, sets: tuple[str, ...] = ("rft", "rl"), n_rft: int = 3, **grm: Any) -> Path:
    """Write a recipe of two models, each with a key of its own, and return its path."""
    section = {"engine": "openai", "base_url": url}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "keys", "sets": list(sets)},
        sources=[{"kind": "preference_sets", "path": str(write_sets(directory / "sets.jsonl")), "hinted": False}],
        models={
            "grm": section | {"model": "strong", "api_key_env": "GRM_KEY"} | grm,
            "difficulty": section | {"model": "weak", "api_key_env": "WEAK_KEY"},
        },
        grm={"n_rft": n_rft},
        rejection={"balance_positions": False, "drop_too_easy": False},
        splits={"validation": 0.0},
    )


@pytest.mark.slow
def test_where_every_answer_is_there_no_key_is_wanted(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn() as server:
        recipe = write(tmp_path, server.url)
        assert grmforge("build", recipe, "--root", root, env=KEYS).code == 0
        asked = len(server.requests)
        shutil.rmtree(root / "stages")  # as after an upgrade that judges anew
        for command in ("plan", "probe", "build"):
            done = grmforge(command, recipe, "--root", root)
            assert done.code == 0, done.err
        assert len(server.requests) == asked
        fewer = grmforge("build", write(tmp_path, server.url, n_rft=2), "--root", root)
        assert (fewer.code, len(server.requests)) == (0, asked), fewer.err


def test_the_key_of_the_one_model_that_is_asked_is_wanted(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn() as server:
        recipe = write(tmp_path, server.url, sets=("rft",))
        assert grmforge("build", recipe, "--root", root, env={"GRM_KEY": "sk"}).code == 0
        asked = len(server.requests)
        missing = grmforge("build", write(tmp_path, server.url), "--root", root)
        assert "WEAK_KEY" in missing.err and "GRM_KEY" not in missing.err and len(server.requests) == asked
        assert grmforge("build", write(tmp_path, server.url), "--root", root, env={"WEAK_KEY": "sk"}).code == 0
        assert len(server.requests) == asked + 3 * SETS


def test_a_probe_wants_the_key_of_the_judge_alone(tmp_path: Path) -> None:
    with StandIn() as server:
        recipe = write(tmp_path, server.url)
        done = grmforge("probe", recipe, "-n", "4", "--root", tmp_path / "data", env={"GRM_KEY": "sk"})
        assert done.code == 0, done.err
        assert grmforge("probe", recipe, "-n", "4", "--root", tmp_path / "data").code == 0, "its answers are there"
        more = grmforge("probe", recipe, "-n", "8", "--root", tmp_path / "data")
        assert more.code == 1 and "GRM_KEY" in more.err


@pytest.mark.slow
def test_a_batch_model_whose_answers_are_there_wants_no_key(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with BatchStandIn() as server:
        recipe = write(tmp_path, server.url, sets=("rft",), batch=True)
        for _ in range(4):
            done = grmforge("build", recipe, "--root", root, env=KEYS)
        assert done.code == 0, done.err
        shutil.rmtree(root / "stages")
        assert grmforge("build", recipe, "--root", root).code == 0
        more = grmforge("build", write(tmp_path, server.url, sets=("rft",), n_rft=5, batch=True), "--root", root)
        assert more.code == 1 and "GRM_KEY" in more.err


@pytest.mark.slow
def test_questions_that_are_answered_want_no_key_and_none_is_asked_in_vain(tmp_path: Path) -> None:
    def answers(body: dict[str, Any]) -> Reply:
        is_judge = "[The Begin of Response" in str(body["messages"])
        return judged(body) if is_judge else stand_in.chat(f"So it is \\boxed{{{body['seed'] % 7}}}.", body=body)

    root = tmp_path / "data"
    write_math(tmp_path / "math.jsonl", 6)
    with StandIn(then=answers) as server:
        section = {"engine": "openai", "base_url": server.url}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "keys", "sets": ["rft"]},
            sources=[{"kind": "math", "path": "math.jsonl"}],
            models={
                "grm": section | {"model": "judge", "api_key_env": "GRM_KEY"},
                "responder": section | {"model": "pupil", "api_key_env": "PUPIL_KEY"},
                "policy": section | {"model": "policy", "api_key_env": "POLICY_KEY"},
            },
            rejection={"balance_positions": False, "drop_too_easy": False},
        )
        without = grmforge("build", recipe, "--root", root, env={"PUPIL_KEY": "sk"})
        assert without.code == 1 and "GRM_KEY" in without.err and server.requests == []
        keys = {"PUPIL_KEY": "sk", "GRM_KEY": "sk"}
        assert "POLICY_KEY" not in grmforge("build", recipe, "--root", root, env=keys).err
        asked = len(server.requests)
        assert asked
        shutil.rmtree(root / "stages")
        again = grmforge("build", recipe, "--root", root)
        assert "KEY" not in again.err and len(server.requests) == asked
