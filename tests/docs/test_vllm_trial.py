"""The trial of docs/vllm.md is the recipe that ships, and that recipe starts vLLM as `make test-vllm` does."""

import tomllib

from docs.generate import DOCS
from schemas.recipe import read_recipe
from tests.end_to_end.commands import REPOSITORY
from tests.vllm.recipes import SERVER

TRIAL = REPOSITORY / "recipes" / "vllm_cpu.toml"


def test_the_page_shows_the_recipe_that_ships() -> None:
    page = (DOCS / "vllm.md").read_text("utf-8")
    (shown,) = page.partition("## A trial without a GPU")[2].split("```toml\n")[1:]
    whole, part = tomllib.loads(TRIAL.read_text("utf-8")), tomllib.loads(shown.partition("```")[0])
    assert part == {"models": {"grm": whole["models"]["grm"]}, "grm": whole["grm"]}
    assert f"grmforge probe {TRIAL.relative_to(REPOSITORY)}" in page


def test_the_recipe_starts_vllm_as_the_tests_do() -> None:
    recipe = read_recipe(TRIAL)
    assert recipe.models.grm is not None
    served = recipe.models.grm.vllm
    assert list(served.args) == SERVER["args"]
    assert served.env == SERVER["env"]
    assert served.command[1:] == ("-m", "vllm.entrypoints.openai.api_server", "--model", "{model}")
    for source in recipe.sources:
        assert source.path is not None and recipe.at(source.path).exists()
