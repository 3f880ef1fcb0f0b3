"""Ceilings hold whatever a body asks for and however answers end, by what a real HTTP server wrote and would bill."""

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import grmforge, latest, paid, write_recipe
from tests.end_to_end.test_http import SETS, write_http_recipe, write_sets
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

LONG = 20_000
"""Tokens of an answer that nothing limits."""
PRICE = {"input": 1.0, "output": 10.0}


def long_winded(body: dict[str, Any]) -> Reply:
    return judged(body, usage={"prompt_tokens": 500, "completion_tokens": LONG, "total_tokens": LONG + 500})


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"max_tokens": -1}, "max_tokens = -1"),
        ({"max_tokens": "many"}, "max_tokens = 'many'"),
        ({"max_tokens": 0}, "max_tokens = 0"),
        ({"max_tokens": True}, "max_tokens = True"),
        ({"max_completion_tokens": -1}, "max_completion_tokens = -1"),
        ({"max_completion_tokens": 1000, "max_tokens": -1}, "max_tokens = -1"),
        ({"max_new_tokens": -1}, "max_new_tokens = -1"),
        ({"generationConfig": {"maxOutputTokens": -1}}, "generationConfig.maxOutputTokens = -1"),
        ({"best_of": "all"}, "best_of = 'all'"),
    ],
)
@pytest.mark.parametrize("ceiling", [{"max_tokens": 100_000}, {"max_cost_usd": 1.0}], ids=["tokens", "cost"])
def test_where_a_ceiling_stands_a_request_without_a_bound_is_refused(
    tmp_path: Path, extra: dict[str, Any], said: str, ceiling: dict[str, Any]
) -> None:
    with StandIn(then=long_winded) as server:
        recipe = write_http_recipe(tmp_path, server.url, budget=ceiling, extra_body=extra, price_per_mtok=PRICE)
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert server.requests == []
    assert done.code == 2
    (line,) = done.errors
    assert f"models.grm.extra_body says {said}," in line and next(iter(ceiling)) in line


@pytest.mark.parametrize("extra", [{"max_tokens": -1}, {"max_tokens": "many"}, {"max_completion_tokens": -1}])
def test_without_a_ceiling_it_runs_as_it_did(tmp_path: Path, extra: dict[str, Any]) -> None:
    with StandIn(then=long_winded) as server:
        recipe = write_http_recipe(tmp_path, server.url, extra_body=extra, budget={"max_requests": 1000})
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        assert server.requests[0].body["max_completion_tokens" if "max_completion_tokens" in extra else "max_tokens"]


@pytest.mark.parametrize(
    "extra",
    [
        {"max_completion_tokens": LONG},
        {"max_completion_tokens": 100, "max_tokens": LONG},
        {"max_tokens": 100, "max_new_tokens": LONG},
        {"max_tokens": 5_000, "best_of": 4},
        {"max_tokens": 1_000, "thinking_budget": 19_000},
        {"max_tokens": 1_000, "reasoning": {"max_tokens": 19_000}},
    ],
)
def test_what_a_body_really_asks_for_is_reserved(tmp_path: Path, extra: dict[str, Any]) -> None:
    with StandIn(then=long_winded) as server:
        recipe = write_http_recipe(tmp_path, server.url, budget={"max_tokens": 100_000}, extra_body=extra)
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 3, done.err
        spent = len(server.requests) * (LONG + 500)
        assert 50_000 < spent <= 100_000, f"{spent:,} tokens"


def error_at_the_end(body: dict[str, Any]) -> Reply:
    return stand_in.chat("So far", finish_reason="error", usage=None, body=body)


def error_with_usage(body: dict[str, Any]) -> Reply:
    usage = {"prompt_tokens": 500, "completion_tokens": 1000}
    return stand_in.chat("So far", finish_reason="error", usage=usage, body=body)


@pytest.mark.parametrize(
    ("broken", "tokens"),
    [
        (stand_in.cut_off(), 1000),
        (stand_in.half_json(), 1000),
        (stand_in.reset(), 1000),
        (stand_in.hang(), 1000),
        (stand_in.error(504, "upstream did not answer in time"), 1000),
        (error_at_the_end, 1000),
        (error_with_usage, 1000),
    ],
    ids=["cut", "half", "reset", "time-out", "gateway", "error", "error-with-usage"],
)
def test_answers_that_broke_off_are_priced(tmp_path: Path, broken: Any, tokens: int) -> None:
    """Each try may be billed at its longest: $0.01 for the answer alone."""
    with StandIn(judged, then=broken) as server:
        budget = {"max_cost_usd": 0.12}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "broken", "sets": ["rft"]},
            sources=[{"kind": "preference_sets", "path": str(write_sets(tmp_path / "sets.jsonl")), "hinted": False}],
            models={
                "grm": {
                    "engine": "openai",
                    "model": "stand-in",
                    "base_url": server.url,
                    "timeout_s": 1,
                    "max_concurrency": 4,
                    "price_per_mtok": PRICE,
                }
            },
            grm={"max_tokens": tokens},
            budget=budget,
        )
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        billed = (len(server.requests) - 1) * tokens * PRICE["output"] / 1e6
    assert done.code == 3, done.err
    assert billed <= budget["max_cost_usd"], f"${billed:.2f} of ${budget['max_cost_usd']}"
    assert len(server.requests) >= 4
    assert len(paid(tmp_path / "data")) == 1, "what came whole is kept"


def test_failures_that_cost_nothing_count_as_requests_alone(tmp_path: Path) -> None:
    script = [stand_in.rate_limited("0.05"), stand_in.server_error(), stand_in.server_error(503)] * 4
    with StandIn(*script) as server:
        budget = {"max_tokens": 5_500 + 4 * SETS * 1_000}
        recipe = write_http_recipe(tmp_path, server.url, budget=budget, max_concurrency=1)
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 0, done.err
        assert len(server.requests) == 4 * SETS + 12


def test_cached_counts_answers_and_not_tries(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn() as server:
        assert grmforge("build", write_http_recipe(tmp_path, server.url, hinted=False), "--root", root).code == 0
        first = latest(root, "http")
        assert [use.cached for use in first.manifest.models] == [0]
    with StandIn(*[stand_in.server_error()] * 7) as server:
        recipe = write_http_recipe(tmp_path, server.url, hinted=True, max_concurrency=1)
        assert grmforge("build", recipe, "--root", root).code == 0
        assert len(server.requests) == SETS + 7
    (use,) = latest(root, "http").manifest.models
    assert (use.requests, use.cached) == (4 * SETS, 3 * SETS)
