"""Recipes: what is wrong is said in one line that names the key and the way out."""

import copy
import json
import os
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import RecipeError
from schemas.recipe import ModelSection, Price, Recipe, read_recipe, recipe_of

RECIPES = Path(__file__).parents[2] / "recipes"

SMALL: dict[str, Any] = {
    "build": {"name": "small"},
    "sources": [{"kind": "teleqna"}],
    "models": {"grm": {"engine": "simulated"}, "difficulty": {"engine": "simulated"}},
}

Tree = dict[str, Any]


def served(**settings: Any) -> Tree:
    """Return a model with a server of our own; settings of the server stand in its own section."""
    own = {name: settings.pop(name) for name in list(settings) if name not in ModelSection.model_fields}
    return {"engine": "vllm", "model": "some/model", "vllm": own, **settings}


def refusal(change: Callable[[Tree], object]) -> str:
    """Return what is said of the small recipe after a change."""
    tree = copy.deepcopy(SMALL)
    change(tree)
    with pytest.raises(RecipeError) as refused:
        recipe_of(tree, Path("somewhere"), "small.toml")
    message = str(refused.value)
    assert message.startswith("small.toml: ")
    assert "\n" not in message
    return message.removeprefix("small.toml: ")


def small(**sections: Any) -> Recipe:
    return recipe_of(copy.deepcopy(SMALL) | sections, Path("somewhere"))


def regex(text: str) -> dict[str, str]:
    return {"structured_output": "regex", "structured_text": text}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_that_ships_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.directory == str(RECIPES)
    assert json.loads(json.dumps(recipe.resolved())) == recipe.resolved()


def test_a_script_reads_a_recipe_without_a_further_import() -> None:
    script = "import sys, pathlib, schemas.recipe; schemas.recipe.read_recipe(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, RECIPES / "demo.toml"], check=True, cwd=RECIPES.parent)


def test_the_demo_finds_its_files_beside_it() -> None:
    demo = read_recipe(RECIPES / "demo.toml")
    places = [source.path for source in demo.sources] + [demo.general.path if demo.general else None]
    assert all(place and demo.at(place).exists() for place in places)


@pytest.mark.parametrize(
    ("change", "key", "nearest"),
    [
        (lambda tree: tree.update(source=[]), "source", "sources"),
        (lambda tree: tree["build"].update(sed=1), "build.sed", "seed"),
        (lambda tree: tree["sources"][0].update(pth="x"), "sources[0].pth", "path"),
        (
            lambda tree: tree["sources"].append({"kind": "ultrafeedback", "margin": 1}),
            "sources[1].margin",
            "min_margin",
        ),
        (lambda tree: tree["models"].update(gmr={}), "models.gmr", "grm"),
        (lambda tree: tree["models"]["grm"].update(base_ur=""), "models.grm.base_ur", "base_url"),
        (lambda tree: tree["models"]["difficulty"].update(modl=""), "models.difficulty.modl", "model"),
        (
            lambda tree: tree["models"]["grm"].update(simulated={"acuracy": 0.5}),
            "models.grm.simulated.acuracy",
            "accuracy",
        ),
        (
            lambda tree: tree["models"]["grm"].update(price_per_mtok={"inputs": 1}),
            "models.grm.price_per_mtok.inputs",
            "input",
        ),
        (lambda tree: tree.update(general={"path": "x", "ratoi": 1}), "general.ratoi", "ratio"),
        (lambda tree: tree.update(budget={"max_cost": 1}), "budget.max_cost", "max_cost_usd"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(change: Callable[[Tree], object], key: str, nearest: str) -> None:
    assert refusal(change) == f"{key}: unknown key; did you mean {nearest!r}?"


def test_a_key_like_no_other_gets_the_list() -> None:
    said = refusal(lambda tree: tree["build"].update(zzz=1))
    assert said == "build.zzz: unknown key; known here: licenses, name, root, seed, sets"


@pytest.mark.parametrize("name", ["teleqna", "own", "same"])
def test_keys_named_like_pydantics_own_tags_are_keys(name: str) -> None:
    assert refusal(lambda tree: tree.update({name: {}})).startswith(f"{name}: unknown key; ")
    assert refusal(lambda tree: tree["models"]["difficulty"].update({name: 1})).startswith(
        f"models.difficulty.{name}: "
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: tree["sources"][0].update(kind="telqna"), "sources[0].kind: 'telqna' is none of"),
        (lambda tree: tree["sources"][0].update(kind="telqna"), "did you mean 'teleqna'?"),
        (lambda tree: tree["sources"][0].pop("kind"), "sources[0]: needs a kind, one of teleqna"),
        (lambda tree: tree.update(sources=[{"kind": "preference_sets"}]), "sources[0]: a preference_sets source needs"),
        (lambda tree: tree.update(sources=[]), "sources: missing; add [[sources]], or [[evaluate.benchmarks]]"),
        (lambda tree: tree.update(sources={"kind": "teleqna"}), "sources: must be a list"),
        (lambda tree: tree.update(general={}), "general: general needs a path or a hub id"),
        (lambda tree: tree.pop("models"), "models.grm: missing; add [models.grm]"),
        (lambda tree: tree.update(models=1), "models: must be a table of keys"),
        (
            lambda tree: tree["models"]["grm"].update(engine="opnai"),
            "models.grm.engine: must be one of 'openai', 'vllm', 'score' or",
        ),
        (lambda tree: tree["models"]["grm"].update(engine="openai"), "needs a model name"),
        (lambda tree: tree["models"]["grm"].update(engine="vllm"), 'engine = "vllm" needs a model name'),
        (lambda tree: tree["models"].update(grm=served(base_url="http://h/v1")), "takes no base_url"),
        (lambda tree: tree["models"].update(grm=served(api_key_env="KEY")), "takes no api_key_env"),
        (lambda tree: tree["models"].update(grm=served(batch=True)), 'batch = true needs engine = "openai"'),
        (lambda tree: tree["models"].update(grm=served(comand="x")), "did you mean 'command'?"),
        (lambda tree: tree["models"].update(grm=served(command="vllm serve")), "write {model} in its place"),
        (lambda tree: tree["models"].update(grm=served(command="vllm 'serve {model}")), "cannot be split into words"),
        (lambda tree: tree["models"].update(grm=served(args=["--port=1"])), "--port is not yours to give: use port"),
        (lambda tree: tree["models"].update(grm=served(args="--served_model_name x")), "--served-model-name is not"),
        (lambda tree: tree["models"].update(grm=served(args="--api-key x")), "each server gets a random key"),
        (lambda tree: tree["models"].update(grm=served(args="--model other")), "--model is not yours to give"),
        (lambda tree: tree["models"].update(grm=served(env={"HF_TOKEN": "x"})), "HF_TOKEN looks like a secret"),
        (lambda tree: tree["models"].update(grm=served(port=0)), "models.grm.vllm.port: must be at least 1"),
        (lambda tree: tree["models"].update(grm=served(restarts=-1)), "models.grm.vllm.restarts: must be at least 0"),
        (lambda tree: tree["models"]["grm"].update(base_url="localhost:8000"), "must begin with http:// or https://"),
        (lambda tree: tree["models"]["grm"].update(simulated={"position_bias": float("nan")}), "finite number"),
        (lambda tree: tree["models"]["difficulty"].update(same_as_grm=True), "known here: same_as_grm"),
        (lambda tree: tree["models"].pop("difficulty"), "an rl set needs [models.difficulty]"),
        (lambda tree: tree["build"].update(name="My set"), "build.name: must be lower case letters, digits, - and _"),
        (lambda tree: tree["build"].update(sets=["rtf"]), "build.sets[0]: must be one of 'rft', 'rl'"),
        (lambda tree: tree.update(grm={"n_rft": 0}), "grm.n_rft: must be at least 1 (got 0)"),
        (lambda tree: tree.update(grm={"n_rft": 0, "temperature": 9}), "(and 1 more)"),
        (lambda tree: tree.update(directory="/"), "unknown key 'directory'"),
        (
            lambda tree: tree.update(rejection={"min_pass_for_hinted": 4}),
            "rejection.min_pass_for_hinted = 4 is more than grm.n_rft = 3",
        ),
        (
            lambda tree: tree.update(rejection={"max_label_suspicion": 2}),
            "rejection.max_label_suspicion: must be at most 1",
        ),
        (lambda tree: tree.update(grm={"n_rft": "3"}), "grm.n_rft: must be a whole number (got '3')"),
        (lambda tree: tree.update(grm={"n_rft": True}), "grm.n_rft: must be a whole number (got true)"),
        (lambda tree: tree.update(grm={"max_tokens": "9"}), "grm.max_tokens: must be a whole number (got '9')"),
        (lambda tree: tree.update(grm={"temperature": True}), "grm.temperature: must be a number (got true)"),
        (lambda tree: tree.update(rejection={"drop_too_easy": 1}), "must be true or false (got 1)"),
        (lambda tree: tree.update(splits={"validation": 0.75}), "splits.validation: must be at most 0.5 (got 0.75)"),
        (lambda tree: tree["models"].update(difficulty={"same_as_grm": False}), "must be true (got false)"),
        (lambda tree: tree["build"].update(seed=-1), "build.seed: must be at least 0 (got -1)"),
        (lambda tree: tree["build"].update(seed=2**63), "build.seed: must be at most 9223372036854775807"),
        (lambda tree: tree["build"].update(seed=16**5000), "build.seed: must be at most 9223372036854775807"),
        (lambda tree: tree["models"]["grm"].update(simulated={"seed": 2**63}), "simulated.seed: must be at most"),
        (lambda tree: tree["build"].update(name="a" * 65), "build.name: must have at most 64 characters"),
        (
            lambda tree: tree["sources"].append({"kind": "preference_sets", "path": "x", "name": "a" * 65}),
            "sources[1].name: must have at most 64 characters",
        ),
        (lambda tree: tree["models"]["grm"].update(model=""), "models.grm.model: must not be empty"),
        (lambda tree: tree["models"]["grm"].update(extra_body={"a": [{"b": 2**64}]}), "an integer beyond 64 bits"),
        (lambda tree: tree["models"]["grm"].update(extra_body={"a": float("inf")}), "no finite number"),
        (lambda tree: tree["models"]["grm"].update(extra_body=1), "models.grm.extra_body: must be a table of keys"),
        (lambda tree: tree["models"]["grm"].update(base_url="http://[::1"), "has no valid host"),
        (lambda tree: tree["models"]["grm"].update(base_url="http:///v1"), "has no host"),
        (lambda tree: tree["models"]["grm"].update(base_url="http://h:99999999/v1"), "has no valid port"),
        (lambda tree: tree["models"]["grm"].update(base_url=["http://h/v1", "http://h:x/v1"]), "has no valid port"),
        (lambda tree: tree["models"]["grm"].update(base_url="http://h h/v1"), "holds a space"),
        (
            lambda tree: tree["models"]["grm"].update(simulated={"tied": 0.6, "failed": 0.5}),
            "models.grm.simulated: tied + failed add up to 1.1; shares of answers add up to 1 at most",
        ),
        (lambda tree: tree.update(grm={"structured_output": "xml"}), "'none', 'regex', 'grammar' or 'json_schema'"),
        (lambda tree: tree.update(grm={"structured_text": "x"}), "structured_text is a part of structured_output"),
        (lambda tree: tree.update(grm=regex("(")), "grm.structured_text: is no regex: missing ), unterminated"),
        (lambda tree: tree.update(grm=regex("a(?=b)")), "holds (?=, and no grammar back end takes look-arounds"),
        (lambda tree: tree.update(grm=regex("^a")), "holds ^, and no grammar back end"),
        (lambda tree: tree.update(grm=regex(r"(a)\1")), r"holds \1, and no grammar back end"),
        (
            lambda tree: (
                tree.update(grm={"structured_output": "json_schema"}),
                tree["models"]["grm"].update(extra_body={"response_format": {"type": "text"}}),
            ),
            "'response_format' in models.grm.extra_body both say which form a judgement has",
        ),
        (
            lambda tree: (
                tree.update(grm={"structured_output": "regex"}),
                tree["models"].update(grm={"engine": "openai", "model": "gpt"}),
            ),
            'models.grm is asked at OpenAI: say "json_schema"',
        ),
    ],
)
def test_a_wrong_setting_is_named(change: Callable[[Tree], object], said: str) -> None:
    assert said in refusal(change)


def test_a_regex_may_hold_as_letters_what_it_may_not_hold_as_signs() -> None:
    for text in (r"\^\$ [^\n]+\n", "[$^]*", r"[\]^$]\\b", "[]$]", r"(?:a|b){1,9}\\\n"):
        assert small(grm=regex(text)).grm.structured_text == text


keys = st.text(string.printable).map("?{}".format)  # no key of a recipe begins so


@given(keys, st.sampled_from(["build", "models", "grm", "splits", None]))
def test_no_key_breaks_the_line(key: str, section: str | None) -> None:
    tree = copy.deepcopy(SMALL)
    where = tree if section is None else tree.setdefault(section, {})
    if key not in where:
        where[key] = "?"
        with pytest.raises(RecipeError) as refused:
            recipe_of(tree, Path())
        assert "\n" not in str(refused.value)


def test_settings_at_their_bounds_are_taken() -> None:
    simulated = {"engine": "simulated", "simulated": {"seed": 2**63 - 1, "unparsed": 1}}
    extra = {"engine": "openai", "model": "m", "base_url": "http://[::1]:8000/v1", "extra_body": {"a": -(2**63)}}
    recipe = small(
        build={"name": "a" * 64, "seed": 2**63 - 1},
        models={"grm": simulated, "difficulty": extra},
        grm={"temperature": 1},
    )
    assert recipe.grm.temperature == 1.0
    assert recipe_of(recipe.resolved(), Path("somewhere")) == recipe


def test_files_that_are_no_recipe_are_named(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.toml", tmp_path / "binary.toml"
    deep, pipe, long = tmp_path / "deep.toml", tmp_path / "pipe.toml", tmp_path / "long.toml"
    deep.write_text(f"a = {'[' * 5000}{']' * 5000}")
    long.write_text(f"a = {'9' * 5000}")
    os.mkfifo(pipe)
    broken.write_text("[build\nname = 1")
    binary.write_bytes(b"\xff\xfe")
    for path, said in [
        (tmp_path / "none.toml", "no such recipe"),
        (broken, "not valid TOML"),
        (binary, "cannot be read"),
        (tmp_path, "cannot be read"),
        (deep, "nests too deep"),
        (long, "not valid TOML"),
        (pipe, "not a regular file"),
    ]:
        with pytest.raises(RecipeError, match=said) as refused:
            read_recipe(path)
        assert str(refused.value).startswith(str(path))
        assert "\n" not in str(refused.value)


def test_paths_begin_where_the_recipe_stands() -> None:
    assert small().at("mine.jsonl") == Path("somewhere/mine.jsonl")
    assert small().at("/data/mine.jsonl") == Path("/data/mine.jsonl")


def test_where_a_recipe_stands_is_no_setting() -> None:
    here, there = (recipe_of(copy.deepcopy(SMALL), Path(place)) for place in ("here", "there"))
    assert here.resolved() == there.resolved()


def test_defaults_stand_in_the_resolved_recipe() -> None:
    assert small().resolved()["grm"]["n_rft"] == 3


def test_an_endpoint_may_stand_alone_or_in_a_list() -> None:
    url = "http://127.0.0.1:8000/v1"
    for given_url in (url, [url]):
        grm = {"engine": "openai", "model": "m", "base_url": given_url}
        assert small(models={"grm": grm, "difficulty": {"same_as_grm": True}}).models.grm.base_url == (url,)


def test_a_key_is_wanted_only_where_one_is_needed() -> None:
    def variable(**settings: Any) -> str | None:
        grm = {"engine": "openai", "model": "m", **settings}
        return small(models={"grm": grm, "difficulty": {"same_as_grm": True}}).models.grm.key_variable

    assert variable() == "OPENAI_API_KEY"
    assert variable(base_url="http://127.0.0.1:8000/v1") is None
    assert variable(base_url="http://127.0.0.1:8000/v1", api_key_env="MY_KEY") == "MY_KEY"
    assert small().models.grm.key_variable is None


def test_a_batch_halves_the_price() -> None:
    price = Price(input=2.0, output=8.0)
    at_once = ModelSection(engine="openai", model="m", price_per_mtok=price)
    assert at_once.price == price
    assert at_once.model_copy(update={"batch": True}).price == Price(input=1.0, output=4.0)
    assert ModelSection(engine="openai", model="m", batch=True).price is None


@pytest.mark.parametrize(
    "settings",
    [{"engine": "simulated"}, {"engine": "openai", "model": "m", "base_url": ["http://a/v1", "http://b/v1"]}],
)
def test_a_batch_lies_at_one_openai_endpoint(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="batch = true"):
        ModelSection.model_validate({**settings, "batch": True})


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        small().build.seed = 2


def test_a_ceiling_in_dollars_needs_prices() -> None:
    grm = {"engine": "openai", "model": "m"}
    models = {"grm": grm, "difficulty": {"same_as_grm": True}}
    with pytest.raises(RecipeError, match=r"budget\.max_cost_usd cannot hold .* models\.grm its price_per_mtok"):
        small(models=models, budget={"max_cost_usd": 1})
    free = {"price_per_mtok": {"input": 0, "output": 0}}
    assert small(models=models | {"grm": grm | free}, budget={"max_cost_usd": 1}).budget.max_cost_usd == 1
    assert small(budget={"max_cost_usd": 1}), "a simulated model costs nothing"


def test_questions_with_nothing_to_compare_want_a_responder() -> None:
    said = refusal(lambda tree: tree.update(sources=[{"kind": "math"}]))
    assert "'math' has questions with a known answer and nothing to compare: add [models.responder]" in said


def test_a_command_line_is_a_list_of_words_or_one_text() -> None:
    words = ("../venv/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model", "{model}")
    for command in (list(words), " ".join(words)):
        model = ModelSection(**served(command=command, args="--max-model-len 4096"))
        assert model.vllm.command == words
        assert model.vllm.args == ("--max-model-len", "4096")
        assert model.key_variable is None


def test_a_price_is_asked_of_a_server_of_our_own_too() -> None:
    assert "give models.grm its price_per_mtok" in refusal(
        lambda tree: tree.update(models={**tree["models"], "grm": served()}, budget={"max_cost_usd": 1.0})
    )


@pytest.mark.parametrize("role", ["meta_rm", "reward_model"])
def test_scorers_score(role: str) -> None:
    for engine in ("score", "simulated"):
        assert small(models=SMALL["models"] | {role: {"engine": engine, "model": "m"}}) is not None
    for engine in ("openai", "vllm"):
        said = refusal(lambda tree, e=engine: tree["models"].update({role: {"engine": e, "model": "m"}}))  # type: ignore[misc]
        assert f"models.{role} gives scores" in said and f'engine = "{engine}" writes texts' in said


@pytest.mark.parametrize("role", ["grm", "difficulty", "policy", "responder", "teacher", "rubric"])
def test_other_roles_write_texts(role: str) -> None:
    said = refusal(lambda tree: tree["models"].update({role: {"engine": "score", "model": "m"}}))
    assert f"models.{role} writes texts" in said and "models.meta_rm and models.reward_model" in said
