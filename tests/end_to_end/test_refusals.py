"""What endpoints refuse, in whole builds: a row's own refusal costs that row, and a dead account stores nothing."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.end_to_end.commands import grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import write_math
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Answer, Reply, StandIn, judged

SETS = 60


def recipe_at(server: StandIn, directory: Path, **sections: Any) -> Path:
    write_teleqna(directory / "teleqna.txt", SETS)
    usual: dict[str, Any] = {
        "build": {"name": "small", "sets": ["rft"]},
        "sources": [{"kind": "teleqna", "path": "teleqna.txt"}],
        "models": {"grm": {"engine": "openai", "model": "stand-in", "base_url": server.url, "max_concurrency": 8}},
    }
    return write_recipe(directory / "recipe.toml", **(usual | sections))


def refused(root: Path) -> int:
    """Return how many requests stand under a root as refused for good."""
    assert len(paid(root)) > 0
    folded = [pl.read_parquet(path)["error"] for path in (root / "generations").rglob("*.parquet")]
    return sum(len(errors) - errors.null_count() for errors in folded)


def quoting(body: dict[str, Any]) -> Reply:
    """Return a 400 that quotes the prompt, which says all that an endpoint may say of itself."""
    said = (
        "model_not_found, the model `m` does not exist; invalid_api_key; You exceeded your current quota, "
        f"insufficient_quota; {body['messages'][-1]['content']}"
    )
    return stand_in.refused_400(said)


def test_an_error_that_quotes_a_prompt_costs_its_own_row(tmp_path: Path) -> None:
    with StandIn() as server:
        recipe, root = recipe_at(server, tmp_path), tmp_path / "data"
        bad = json.loads((tmp_path / "teleqna.txt").read_text("utf-8"))["question 7"]["question"]
        server.then = lambda body: quoting(body) if bad in str(body["messages"]) else judged(body)
        done = grmforge("build", recipe, "--root", root)
        assert done.code == 0, done.err
        sent = len(server.requests)
        again = grmforge("build", recipe, "--root", root)
        assert (again.code, len(server.requests)) == (0, sent)
    (use,) = latest(root, "small").manifest.models
    assert 0 < use.failed == refused(root) < 12
    assert f"{use.failed} of {use.requests} requests were refused for good" in done.err
    assert latest(root, "small").rows("rft/train") > 0


@pytest.mark.parametrize(
    "dead",
    [
        stand_in.refused_400("Your credit balance is too low to access the API"),
        stand_in.no_credit(),
        stand_in.error_inside("insufficient_quota"),
    ],
)
def test_an_account_that_dies_in_the_middle_stores_no_refusal(tmp_path: Path, dead: Answer) -> None:
    answered = 50
    with StandIn(*[judged] * answered, then=dead) as server:
        recipe, root = recipe_at(server, tmp_path), tmp_path / "data"
        done = grmforge("build", recipe, "--root", root)
        assert done.code == 1, done.err
        assert len(paid(root)) == answered
        server.then = judged
        done = grmforge("build", recipe, "--root", root)
        assert done.code == 0, done.err
    assert refused(root) == 0
    assert set(paid(root).values()) == {1}


@pytest.mark.parametrize("role", ["responder", "teacher"])
def test_a_source_with_one_refused_question_does_not_hold_the_others_back(tmp_path: Path, role: str) -> None:
    """One question, and every request about it is refused for what it says."""
    write_math(tmp_path / "math.jsonl", 1)

    def reply(body: dict[str, Any]) -> Reply:
        if body["model"] == "wrong":
            return stand_in.chat("So it is \\boxed{31}.", model="wrong")
        return stand_in.content_filtered() if body["model"] == "strict" else judged(body)

    with StandIn(then=reply) as server:
        judge = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        strict, wrong = judge | {"model": "strict"}, judge | {"model": "wrong"}
        recipe = recipe_at(
            server,
            tmp_path,
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}, {"kind": "math", "path": "math.jsonl"}],
            models={"grm": judge, "responder": strict if role == "responder" else wrong, "teacher": strict},
        )
        done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 0, done.err
    snapshot = latest(tmp_path / "data", "small")
    funnel = {row.outcome: row.rows for row in snapshot.manifest.funnel if row.source == "math"}
    assert funnel[f"{role}: failed"] > 0
    assert snapshot.rows("rft/train") > 0
    assert "requests were refused for good and are counted as failed" in done.err


def test_an_endpoint_of_two_that_is_out_of_credit_is_set_aside(tmp_path: Path) -> None:
    with StandIn(*[judged] * 20, then=stand_in.no_credit()) as one, StandIn() as other:
        models = {"grm": {"engine": "openai", "model": "stand-in", "base_url": [one.url, other.url]}}
        done = grmforge("build", recipe_at(one, tmp_path, models=models), "--root", tmp_path / "data")
    assert done.code == 0, done.err
    assert f"warning: {one.url} is not asked any more in this stage" in done.err
    assert refused(tmp_path / "data") == 0
