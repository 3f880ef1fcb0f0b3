"""What an outage and garbage under the root may not do: be published, or end every later build."""

from pathlib import Path

import pytest

from pipelines.engines.answering import check_key
from pipelines.steps import steps_of
from pipelines.walk import walked
from schemas.errors import EngineError
from schemas.recipe import ModelSection
from storage.generations import Generations
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, write_rows
from tests.pipelines.engines.stand_in_server import StandIn, judged, refused_400, server_error


def test_an_outage_that_outlasts_the_retries_ends_the_build_and_keeps_what_was_bought(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(12))
    with StandIn(*[judged] * 10, then=server_error()) as server:
        grm = {"engine": "openai", "model": "m", "base_url": server.url, "max_retries": 0, "max_concurrency": 1}
        recipe = a_recipe(tmp_path, models={"grm": grm, "difficulty": {"same_as_grm": True}})
        root = Root.open(str(tmp_path / "root"))
        run, _ = a_run(recipe)
        with pytest.raises(EngineError, match=r"requests got no answer, one of them: .*same command goes on"):
            walked(steps_of(recipe), root, run)
    assert sum(len(Generations(root).lookup(bucket)) for bucket in range(256)) == 10


def test_where_all_was_refused_the_same_command_is_not_said_to_help(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(3))
    with StandIn(then=refused_400("temperature is not supported")) as server:
        grm = {"engine": "openai", "model": "m", "base_url": server.url}
        recipe = a_recipe(tmp_path, models={"grm": grm, "difficulty": {"same_as_grm": True}})
        root = Root.open(str(tmp_path / "root"))
        run, _ = a_run(recipe)
        with pytest.raises(EngineError, match=r"all \d+ requests were refused, .*temperature.*--retry-failed$"):
            walked(steps_of(recipe), root, run)


def test_garbage_in_the_journal_is_set_aside(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("generations/journal/zz-00000.arrows", bytes(range(256)) * 20)
    assert Generations(root).lookup(0) == {}
    assert root.names("generations/journal") == ["zz-00000.unreadable"]


@pytest.mark.parametrize("key", ["abc\ndef", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_said_and_not_shown(key: str) -> None:
    with pytest.raises(EngineError, match="MY_KEY holds no key") as raised:
        check_key(ModelSection(engine="openai", model="m", api_key_env="MY_KEY"), {"MY_KEY": key})
    assert key not in str(raised.value)
