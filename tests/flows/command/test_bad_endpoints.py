"""Endpoints and data that are no good, against doctor, probe and build: each says in a line what to mend."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import Done, grmforge, write_recipe
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn

ROWS = [{"query": f"Name item {n}.", "responses": [f"Item {n}.", "No item."], "best": 0} for n in range(30)]
TIES = [{"query": f"Name item {n}.", "responses": ["a", "b"], "rewards": [1, 1]} for n in range(5)]
HUGE = [{"query": f"Name item {n}.", "responses": [f"{n} " + "x " * 50_000, "b"], "best": 1} for n in range(4)]
Command = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a command on these rows with a judge at this address."""

    def run(
        words: str, url: str, rows: list[dict[str, Any]] = ROWS, grm: dict[str, Any] | None = None, **model: Any
    ) -> Done:
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "small", "root": words.split()[0], "sets": ["rft"]},
            sources=[{"kind": "preference_sets", "path": "rows.jsonl"}],
            models={"grm": {"engine": "openai", "model": "stand-in", "base_url": url, **model}},
            grm=grm or {},
        )
        name, *options = words.split()
        return grmforge(name, recipe, *options, cwd=tmp_path)

    return run


def without_forms(body: dict[str, Any]) -> Reply:
    if {"structured_outputs", "response_format", "grammar"} & body.keys():
        return stand_in.refused_400("structured_outputs is not supported")
    return stand_in.judged(body)


@pytest.mark.parametrize("form", ["grammar", "json_schema"])
def test_an_endpoint_that_refuses_a_form_is_told_from_one_that_is_gone(command: Command, form: str) -> None:
    with StandIn(then=without_forms) as server:
        done = command("doctor", server.url, grm={"structured_output": form})
        assert done.code == 1 and "where it does not take this form, try [grm] structured_output" in done.out
        done = command("probe -n 3", server.url, grm={"structured_output": form})
        assert done.code == 1 and "one of them: " in done.errors[0] and "is not supported" in done.errors[0]
        done = command("build", server.url, grm={"structured_output": form})
        assert done.code == 1 and "takes the form of its answers ([grm] structured_output)" in done.errors[0]
        assert command("build", server.url).code == 0, "without the form, nothing refused is in the way"


def test_answers_in_another_models_name_are_pointed_out(command: Command) -> None:
    with StandIn(then=lambda body: stand_in.judged(body, model="another")) as server:
        done = command("doctor", server.url)
        assert done.code == 0 and "LOOK" in done.out and "it answers as 'another'" in done.out
        for words in ("probe -n 3", "build"):
            done = command(words, server.url)
            assert done.code == 0 and "answers under another name than stand-in; it says 'another'" in done.err


def test_a_context_shorter_than_the_prompts_is_named(command: Command) -> None:
    with StandIn(then=lambda _: stand_in.context_too_long()) as server:
        done = command("doctor", server.url)
        assert done.code == 1 and "try [grm] max_prompt_tokens or a lower max_tokens" in done.out
        done = command("probe -n 3", server.url)
        assert done.code == 1 and "maximum context length is 4096" in done.errors[0]
        done = command("build", server.url)
        assert done.code == 1 and "length of the prompts ([grm] max_prompt_tokens)" in done.errors[0]


def test_an_endpoint_slower_than_the_timeout_costs_its_tries_and_no_more(command: Command) -> None:
    """As one answer a minute is with a timeout of half a minute; here in small."""
    with StandIn(then=stand_in.judged, latency_s=3.0) as server:
        for words, place in (("doctor", "out"), ("probe -n 1", "err"), ("build", "err")):
            done = command(words, server.url, ROWS[:1], timeout_s=1, max_retries=1)
            assert done.code == 1 and "a larger timeout_s, or a smaller max_concurrency" in getattr(done, place)
        done = command("probe -n 1", server.url, ROWS[:1], timeout_s=60)
        assert done.code == 0 and "4 of 4, 100%" in done.out


def test_one_row_ties_and_huge_responses_go_as_far_as_they_can(command: Command) -> None:
    with StandIn(then=stand_in.judged) as server:
        done = command("probe -n 3", server.url, ROWS[:1])
        assert done.code == 0 and "1 set, 4 answers" in done.out
        done = command("probe -n 3", server.url, TIES)
        assert done.code == 1 and "grmforge plan shows what was dropped" in done.errors[0]
        done = command("build", server.url, TIES)
        assert done.code == 1 and "100% of what is lost is tie" in done.out
        done = command("probe -n 3", server.url, HUGE)
        assert done.code == 0 and "[.. cut here: " in done.out and len(done.out) < 60_000
        done = command("build", server.url, HUGE, grm={"max_prompt_tokens": 3_000})
        assert "too_long" in done.out, done.err
