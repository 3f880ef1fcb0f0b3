"""What a worker says that cannot see what the flow sees."""

import socket
from pathlib import Path

import pytest

from flows.deployed.shares import ask_share
from pipelines.engines.budget import Spent
from pipelines.engines.shares import WHOLE
from pipelines.orders import Order
from schemas.errors import RecipeError, StorageError
from tests.end_to_end.commands import write_recipe

RFT = "sample and judge rft", "rft"


def test_a_worker_without_the_recipe_names_the_file_and_itself(tmp_path: Path) -> None:
    recipe = tmp_path / "not-here.toml"
    with pytest.raises(RecipeError, match=rf"not-here\.toml: no such recipe, on {socket.gethostname()}: every worker"):
        ask_share.fn(Order(str(recipe), "rft", str(tmp_path)), *RFT, "stages/x", Spent(), "run", WHOLE)


def test_a_worker_that_sees_another_root_names_it_and_itself(tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "own"},
        sources=[{"kind": "preference_sets", "path": "own.jsonl"}],
        models={"grm": {"engine": "simulated"}, "difficulty": {"engine": "simulated"}},
    )
    with pytest.raises(StorageError, match=rf"{tmp_path}/stages/x: .*{socket.gethostname()} does not see the root"):
        ask_share.fn(Order(str(recipe), "rft", str(tmp_path)), *RFT, "stages/x", Spent(), "run", WHOLE)
