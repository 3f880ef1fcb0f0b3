"""`grmforge plan`: counts that a build then keeps, bounds where rows are not here, and nothing downloaded unasked."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.ahead.requests import Wanted
from schemas.query import user
from storage.root import Root
from storage.run_events import read_events, run_ids
from tests.end_to_end.commands import grmforge, paid, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.sources.stand_in_hub import StandInHub

FAULTLESS = dict.fromkeys(("truncated", "wrong_count", "out_of_range", "unparsed", "refused", "thinks_aloud"), 0.0)
PRICE = {"input": 1.0, "output": 2.0}


def plan(recipe: Path, root: Path, *options: str, env: dict[str, str] | None = None) -> Any:
    done = grmforge("plan", recipe, "--root", root, "--json", *options, env=env)
    assert done.code == 0, done.err
    return json.loads(done.out)


def write(directory: Path, **changes: Any) -> Path:
    if not (directory / "teleqna.txt").exists():
        write_teleqna(directory / "teleqna.txt", 30)
    usual: dict[str, Any] = {
        "build": {"name": "small", "sets": ["rft"]},
        "sources": [{"kind": "teleqna", "path": "teleqna.txt"}],
        "models": {"grm": {"engine": "simulated", "simulated": FAULTLESS, "price_per_mtok": PRICE}},
    }
    return write_recipe(directory / "recipe.toml", **(usual | changes))


def test_a_plan_counts_what_the_build_then_asks(tmp_path: Path) -> None:
    recipe, root = write(tmp_path), tmp_path / "data"
    planned = plan(recipe, root)
    (role,) = planned["roles"]
    assert planned["is_exact"] and role["requests_are"] == "exact"
    assert role["cached"] == 0
    sets = role["requests"] // 4
    assert role["requests_of"] == f"3 for each of {sets} train and validation sets, and a hinted one for {sets} of them"
    assert role["prompt_tokens_are"] == "estimated at 4 bytes a token"
    assert role["hours"] is None
    assert role["cost_usd"] == pytest.approx((role["prompt_tokens"] + 2 * role["answer_tokens"]) / 1e6)
    assert role["most_cost_usd"] > role["cost_usd"]
    assert not paid(root)
    assert not (root / "runs").exists(), "a plan is no run"

    assert grmforge("build", recipe, "--root", root).code == 0
    assert len(paid(root)) == role["requests"]
    (role,) = plan(recipe, root)["roles"]
    assert role["cached"] == role["requests"] == role["most_requests"]
    assert (role["prompt_tokens"], role["most_answer_tokens"], role["hours"]) == (0, 0, 0.0)


def test_a_probe_measures_rate_and_tokens_and_its_answers_are_kept(tmp_path: Path) -> None:
    judge = {"engine": "simulated", "simulated": FAULTLESS | {"latency_s": 0.05}, "max_concurrency": 4}
    recipe, root = write(tmp_path, models={"grm": judge}), tmp_path / "data"
    done = grmforge("plan", recipe, "--root", root, "--probe", "5")
    assert done.code == 0, done.err
    assert "at the rate of a probe of 20 requests" in done.out
    assert "as 20 earlier prompts of this model" in done.out
    assert "as 20 earlier answers of this model" in done.out
    assert len(paid(root)) == 20
    (run_id,) = run_ids(Root(root))
    assert next(read_events(Root(root), run_id))["what"] == "plan"
    (role,) = plan(recipe, root)["roles"]
    assert role["cached"] == 20


def test_an_estimate_stays_below_its_bound_and_learns_from_stored_answers(tmp_path: Path) -> None:
    judge = {"engine": "simulated", "simulated": FAULTLESS}
    recipe, root = write(tmp_path, models={"grm": judge}, grm={"max_tokens": 80}), tmp_path / "data"
    (role,) = plan(recipe, root)["roles"]
    assert role["answer_tokens"] == 80 * role["requests"] <= role["most_answer_tokens"]
    assert role["answer_tokens_are"] == "estimated at 300 an answer, but here 80 at most"
    assert grmforge("probe", recipe, "--root", root, "-n", "5").code == 0
    (role,) = plan(recipe, root)["roles"]
    assert role["answer_tokens"] <= role["most_answer_tokens"] == 80 * (role["most_requests"] - role["cached"])
    assert role["answer_tokens_are"].startswith("as 20 earlier answers of this model, ")
    assert "as 20 earlier prompts" in role["prompt_tokens_are"]


def test_the_plan_says_what_a_prefix_cache_can_find(tmp_path: Path) -> None:
    """All prompts share the words before the question, those of a set the question, some the first responses."""
    recipe, root = write(tmp_path, models={"grm": {"engine": "simulated"}}, grm={"n_rft": 8}), tmp_path / "data"
    (role,) = plan(recipe, root)["roles"]
    assert 0.5 < role["cacheable_tokens"] / role["prompt_tokens"] < 0.8
    assert "prefix cache" in grmforge("plan", recipe, "--root", root).out
    beginnings = Wanted()
    for prompt in ("abc", "abd", "abd", "xé"):
        beginnings.see(user(prompt), earlier=["abc", "xéy"])
    assert (beginnings.begun_alike, beginnings.beginnings) == (3 + 2 + 2 + 3, 4)


def test_the_rate_limits_of_the_recipe_bound_the_hours(tmp_path: Path) -> None:
    judge = {"engine": "simulated", "rpm": 6}
    (role,) = plan(write(tmp_path, models={"grm": judge}), tmp_path / "data")["roles"]
    assert role["hours"] == pytest.approx(role["requests"] / 360)
    assert role["hours_are"] == "at least, by rpm = 6"


@pytest.mark.slow
def test_a_source_that_is_not_here_is_a_bound_and_is_not_downloaded(tmp_path: Path) -> None:
    rows = b"".join(
        json.dumps({"query": f"What is {n * 7919}?", "responses": ["a", f"b{n}"], "best": 0}).encode() + b"\n"
        for n in range(20)
    )
    root = tmp_path / "data"
    with StandInHub({"mine/sets": {"sets.jsonl": rows}}) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        own = {"kind": "preference_sets", "hub": "mine/sets"}
        recipe = write(tmp_path, sources=[{"kind": "teleqna", "path": "teleqna.txt"}, own])
        planned = plan(recipe, root, env=env)
        assert hub.paths == []
        assert not planned["is_exact"]
        assert planned["inputs"][1] | {"source": ""} == {
            "source": "",
            "rows": None,
            "kept": None,
            "dropped": None,
            "unreadable": None,
            "questions": None,
            "most_sets": None,
            "uncertain": None,
            "drop_reasons": {},
            "all_test": False,
        }
        assert planned["roles"][0]["requests_are"] == "unknown"

        recipe = write(tmp_path, sources=[{"kind": "teleqna", "path": "teleqna.txt"}, own | {"limit": 15}])
        here = planned["roles"][0]["requests"]
        (role,) = plan(recipe, root, env=env)["roles"]
        assert (role["requests_are"], role["requests"]) == ("at most", here + 15 * 4)
        text = grmforge("plan", recipe, "--root", root, env=env).out
        assert "not downloaded: at most 15 rows" in text
        assert "grmforge plan --download" in text
        assert hub.paths == []

        planned = plan(recipe, root, "--download", env=env)
        assert planned["is_exact"] and planned["roles"][0]["requests_are"] == "exact"
        assert planned["inputs"][1]["rows"] == 15
        assert hub.paths != []
        asked = [path for path in hub.paths if "/resolve/" in path]
        assert plan(recipe, root, env=env) == planned
        assert [path for path in hub.paths if "/resolve/" in path] == asked, "the second plan downloads no file"


@pytest.mark.slow
def test_a_hub_source_alone_is_bounded_by_what_was_published(tmp_path: Path) -> None:
    env = {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    recipe = write(tmp_path, sources=[{"kind": "ultrafeedback", "hinted": False}])
    planned = plan(recipe, tmp_path / "data", env=env)
    (role,) = planned["roles"]
    assert planned["inputs"][0]["rows"] == 63_967
    assert role["requests"] == 3 * 63_967
    assert role["prompt_tokens_are"] == "guessed at 1,500 a prompt"
    done = grmforge("plan", recipe, "--root", tmp_path / "data", "--probe", "3", env=env)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--download" in done.err


def test_a_plan_downloads_no_benchmark_and_needs_no_build_unless_asked(tmp_path: Path) -> None:
    """A benchmark that is not here is named with its published rows; what a build has yet to make is named too."""
    row = {"prompt": "Name a prime.", "chosen": "7", "rejected": "9", "subset": "alpacaeval-easy", "id": 0}
    row |= {"chosen_model": "a", "rejected_model": "b"}
    root = tmp_path / "data"
    with StandInHub({"allenai/reward-bench": {"filtered.jsonl": json.dumps(row).encode() + b"\n"}}) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        benchmarks = [{"kind": "rewardbench", "limit": 900}, {"kind": "rewardbench2"}, {"kind": "test"}]
        recipe = write(tmp_path, evaluate={"k_max": 4, "benchmarks": benchmarks})
        planned = plan(recipe, root, env=env)["evaluation"]
        assert [one["not_here"] for one in planned] == [
            "not downloaded (plan --download fetches it): at most 900 rows",
            "not downloaded (plan --download fetches it): at most 1,865 rows",
            "not there before small is built",
        ]
        assert "rewardbench2: not downloaded" in grmforge("plan", recipe, "--root", root, env=env).out
        assert hub.paths == []
        recipe = write(tmp_path, evaluate={"k_max": 4, "benchmarks": benchmarks[:1]})
        (fetched,) = plan(recipe, root, "--download", env=env)["evaluation"]
        assert (fetched["items"], fetched["judge"]["requests"]) == (1, 5)
