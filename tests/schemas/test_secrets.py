"""Keys where none belongs: found in settings, and masked in what is said."""

import copy
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import RecipeError
from schemas.recipe import recipe_of
from schemas.secrets import address_secret, is_variable_name, masked, secret_in

KEYS = (
    "sk-SECRET0123456789abcdef",
    "gsk_SECRET0123456789abcdef",
    "hf_SECRETabcdefghij0123456789",
    "AIzaSECRET0123456789abcdefghij",
    "5ec7e7SECRET0123456789abcdef0123",
    "eyJhbGciOiJIUzI1NiJ9SECRET.eyJzdWIiOiIxMjM0.sig",
    "SECRETabcdefghijklmnopqrstuvwxyz",
    "hf_SECRETabcdefgh",
    "sk_live_SECRETabcdefgh",
)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_key_2", "TEAM42_KEY", "openai_api_key_for_team_2024", "_k"])
def test_names_of_variables_are_taken(name: str) -> None:
    assert is_variable_name(name)


@pytest.mark.parametrize("text", [*KEYS, "", " ", "A B", "A-B", "1A", "$KEY", "KEY=x", "KEY\n", "sk-a"])
def test_what_is_no_name_of_a_variable_is_refused(text: str) -> None:
    assert not is_variable_name(text)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:SECRET@h/v1",
        "http://SECRET@h/v1",
        "http://h/v1?api_key=SECRET",
        "http://h/v1?a=1&subscription-key=SECRET",
        "http://h/v1?code=SECRET",
        "http://h/v1?sig=SECRET&se=2",
        "http://h/v1?x=sk-SECRET0123456789abcdef",
        "http://h/v1#SECRET",
        "http://h/sk-SECRET0123456789abcdef/v1",
        "https://h/v1?ACCESS_TOKEN=SECRET",
    ],
)
def test_keys_in_an_address_are_found_and_masked(address: str) -> None:
    assert address_secret(address)
    assert "SECRET" not in masked(f"it is at {address}: cannot be reached")


@pytest.mark.parametrize(
    "address", ["http://h:80/v1", "https://h/v1?api-version=2024-10-21", "http://h?provider=azure"]
)
def test_addresses_without_a_key_are_left_alone(address: str) -> None:
    assert address_secret(address) is None


@pytest.mark.parametrize(
    "text", ["train.jsonl:17: x@y.z", "model Qwen/Qwen3-8B at http://h:80/v1; see docs", "key_for_2024", "a:b@c says"]
)
def test_other_texts_are_not_masked(text: str) -> None:
    assert masked(text) == text


def test_keys_in_extra_settings_are_found_at_any_depth() -> None:
    assert secret_in({"a": {"headers": [{"Authorization": "Bearer x"}]}}) == "Authorization"
    assert secret_in({"tags": ["sk-SECRET0123456789abcdef"]}) == "tags"
    harmless = {"max_completion_tokens": 9, "stop_token": "</s>", "chat_template_kwargs": {"enable_thinking": False}}
    assert secret_in(harmless) is None


TREE: dict[str, Any] = {
    "build": {"name": "small", "sets": ["rft"]},
    "sources": [{"kind": "preference_sets", "path": "x.jsonl"}],
    "models": {"grm": {"engine": "openai", "model": "m", "base_url": "http://h/v1"}},
}


def said(section: str, **changes: Any) -> str:
    """Return what is said of the small recipe after a change, which is one line and shows no key."""
    tree = copy.deepcopy(TREE)
    places = {"model": tree["models"]["grm"], "source": tree["sources"][0], "build": tree["build"], "": tree}
    places[section].update(changes)
    with pytest.raises(RecipeError) as refused:
        recipe_of(tree, Path())
    message = str(refused.value)
    assert "SECRET" not in message and "\n" not in message
    return message


@pytest.mark.parametrize("key", KEYS)
def test_a_key_pasted_as_a_variable_is_refused_and_not_shown(key: str) -> None:
    assert "api_key_env: is no name of an environment variable" in said("model", api_key_env=key)
    assert "token_env: is no name of an environment variable" in said("", rubrics={"token_env": key})


@pytest.mark.parametrize(
    ("section", "changes", "says"),
    [
        ("model", {"base_url": "http://u:SECRET@h/v1"}, "holds a user's name or password"),
        ("model", {"base_url": "http://h/v1?key=SECRET"}, "holds a key in its query"),
        ("model", {"base_url": ["http://h/v1", "http://h/v1#SECRET"]}, "address 2 holds a part behind #"),
        ("model", {"base_url": "u:SECRET@h"}, "it must begin with http:// or https://"),
        ("model", {"base_url": "http://h:99999/?q=SECRET"}, "has no valid port"),
        ("model", {"base_url": {"SECRET": 1}}, "base_url: must be a list"),
        ("model", {"base_url": "http://h/sk-SECRET0123456789abcdef/v1"}, "holds a key in its path"),
        ("model", {"model": "sk-SECRET0123456789abcdef"}, "model: holds a key, as it seems"),
        ("model", {"revision": "hf_SECRETabcdefghij0123456789"}, "revision: holds a key, as it seems"),
        ("source", {"hub": "me/hf_SECRETabcdefghij0123456789"}, "hub: holds a key, as it seems"),
        ("", {"rubrics": {"milvus": "rubrics/sk-SECRET0123456789abcdef.db"}}, "rubrics.milvus: holds a key"),
        ("model", {"base_url": []}, "base_url: names no endpoint"),
        ("model", {"base_url": ""}, "base_url: it must begin with"),
        ("model", {"extra_body": {"api_key": "SECRET"}}, "extra_body: 'api_key' holds a key"),
        ("source", {"path": "https://u:SECRET@h/x.jsonl"}, "path: must be a path on this machine"),
        ("source", {"path": "s3://b/x?key=SECRET"}, "path: must be a path on this machine"),
        ("source", {"path": ""}, "path: must not be empty"),
        ("source", {"path": " "}, "path: must not be empty"),
        ("source", {"path": "a\0b"}, "path: must be a path on this machine"),
        ("source", {"hub": "https://u:SECRET@huggingface.co/a/b"}, "hub: must be a hub id"),
        ("source", {"hub": ""}, "hub: must not be empty"),
        ("source", {"domain": "x" * 100_000}, "domain: must have at most 1000 characters"),
        ("source", {"license": "x" * 100_000}, "license: must have at most 1000 characters"),
        ("", {"general": {"path": ""}}, "general.path: must not be empty"),
        ("", {"grm": {"template": ""}}, "grm.template: must not be empty"),
        ("", {"rubrics": {"milvus": "http://root:SECRET@h:19530"}}, "write the name of a variable into token_env"),
        ("build", {"seed": "http://u:SECRET@h"}, "seed: must be a whole number"),
    ],
)
def test_what_may_hold_a_key_is_refused_and_never_shown(section: str, changes: dict[str, Any], says: str) -> None:
    assert says in said(section, **changes)


def test_a_recipe_as_it_is_published_holds_no_parameters_of_addresses() -> None:
    tree = copy.deepcopy(TREE)
    tree["models"]["grm"]["base_url"] = "https://h/v1?api-version=2024-10-21&tenant=opaque"
    recipe = recipe_of(tree, Path())
    assert recipe.resolved()["models"]["grm"]["base_url"] == ["https://h/v1?api-version=2024-10-21&tenant=.."]
    assert recipe.models.grm.base_url == ("https://h/v1?api-version=2024-10-21&tenant=opaque",)
