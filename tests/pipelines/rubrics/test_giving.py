"""What sets are given: never anything of their own cluster, the same every night, and nothing for test questions."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ahead.plan import plan_of
from pipelines.reporting.publication import Published
from pipelines.rubrics.cases import own_queries, question_text
from pipelines.rubrics.giving import criteria_text
from pipelines.steps import build
from schemas.query import query_id, user
from schemas.recipe import Recipe
from schemas.rubric import CriterionDrop, Origin, criterion, rubric
from storage.root import Root
from storage.rubric_tables import add_rubrics
from tests.examples import a_run, a_set, simulated, source_stage, write_rows
from tests.pipelines.engines.stand_in_server import StandIn
from tests.pipelines.rubrics.rubric_models import (
    by_these_criteria,
    generated,
    made,
    served,
    the_recipe,
    write_questions,
)

GIVEN = {"principles": "rubric"}
SEEDLESS = {"queries": 6, "panel": 9, "given": 3, "seeds": "seeds"}
SEED = """
case = "A question about cooking rice at great heights"
domain = "cooking"
source = "mine"
license = "MIT"
[[criteria]]
text = "Says how long the rice cooks."
points = 5
kind = "rule"
"""


def build_of(folder: Path, root: Root, **sections: Any) -> Published:
    (folder / "seeds").mkdir(exist_ok=True)
    (folder / "seeds" / "one.toml").write_text(SEED)
    recipe = the_recipe(folder, simulated(model="rubric"), **{"grm": GIVEN, "rubrics": SEEDLESS} | sections)
    return build(recipe, root, a_run(recipe)[0])


def rubric_recipe(folder: Path, server: StandIn, **sections: Any) -> Recipe:
    (folder / "seeds").mkdir(exist_ok=True)
    (folder / "seeds" / "one.toml").write_text(SEED)
    return the_recipe(folder, served(server), **{"rubrics": SEEDLESS} | sections)


def sets(published: Published) -> pl.DataFrame:
    return pl.read_parquet(published.snapshot.files("sets/kept"))


def prompts(published: Published) -> pl.DataFrame:
    names = [name for name in published.snapshot.manifest.tables if name.startswith("trajectories/")]
    frames = [pl.read_parquet(published.snapshot.files(name)).select("set_id", "mode", "prompt") for name in names]
    return pl.concat(frames).with_columns(text=pl.col("prompt").list.first().struct.field("content"))


def one_each(queries: list[str], root: Root, **given: Any) -> None:
    """Give each query a rubric of its own, with a criterion that stands in no other."""
    rows = [
        rubric(
            **{
                "query_id": query_id(user(text)),
                "case": text,
                "domain": "general",
                "source": "own",
                "license": "MIT",
                "origin": Origin.GENERATED,
                "criteria": [criterion(f"Meets what question {number} asks for.", 5, "rule")],
            }
            | given
        )
        for number, text in enumerate(queries)
    ]
    add_rubrics(root, rows)


def test_no_set_is_given_what_its_own_answers_had_a_part_in(tmp_path: Path) -> None:
    """Not what was made of it, not what was made of a near-duplicate, and not what was tried on it."""
    write_questions(tmp_path / "own.jsonl", 12, domain="general")
    rows = pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()
    again = [row | {"id": f"{row['id']} again", "query": f"{row['query']} Thank you."} for row in rows[:6]]
    write_rows(tmp_path / "own.jsonl", [*rows, *again])
    root = Root(tmp_path / "data")
    with StandIn(then=by_these_criteria) as server:
        made(rubric_recipe(tmp_path, server, rubrics=SEEDLESS | {"queries": 3}), root)
    one_each([row["query"] for row in rows], root)
    published = build_of(tmp_path, root)
    shown = {row["query"][0]["content"]: row for row in sets(published).iter_rows(named=True)}
    assert len(shown) == 18
    origins = {
        criterion.criterion_id: {one.query_id, one.cluster, *one.rests_on}
        for one in generated(root)
        for criterion in one.kept
    }
    for text, row in shown.items():
        assert row["given_ids"], "there is enough of other questions"
        own = {query_id(user(near)) for near in shown if near.startswith(text[:30]) or text.startswith(near[:30])}
        assert len(own) in (1, 2)
        for given in row["given_ids"]:
            assert origins[given].isdisjoint(own), (text, row["given_principles"])
        assert row["own_rubric"] is None


def test_prompts_hold_the_given_criteria_and_the_hint_stays_in_hinted_ones(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 12, domain="general")
    rows = pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()
    root = Root(tmp_path / "data")
    one_each([row["query"] for row in rows], root)
    published = build_of(
        tmp_path,
        root,
        build={"name": "ruled", "seed": 7, "sets": ["rft", "rl"]},
        models={"grm": simulated(accuracy=0.6), "difficulty": simulated(model="weak", seed=1)},
        sources=[{"kind": "preference_sets", "name": "own", "path": "own.jsonl", "hinted": True}],
        grm=GIVEN | {"rubric_hint": True},
        rejection={"drop_too_easy": False, "balance_positions": False},
    )
    own = {row["set_id"]: row["own_rubric"] for row in sets(published).iter_rows(named=True)}
    assert all(text and text.startswith("- (100%) Meets what question") for text in own.values())
    for row in prompts(published).iter_rows(named=True):
        assert "#### Given Criteria ####\n- (" in row["text"]
        assert (own[row["set_id"]] in row["text"]) == (row["mode"] == "hinted")
    sent = [json for json in _requests(root) if "#### Hint ####" in json]
    assert sent
    assert all("Criteria that tell the responses apart" in one for one in sent)
    for table in ("rft/train", "rl/train"):
        for row in pl.read_parquet(published.snapshot.files(table)).iter_rows(named=True):
            assert "Hint" not in row["prompt"][0]["content"]
            assert (
                own[row["set_id"] if "set_id" in row else row["extra_info"]["set_id"]]
                not in row["prompt"][0]["content"]
            )


def test_only_the_criteria_stage_holds_criteria_and_it_copies_no_set(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 6, domain="general")
    root = Root(tmp_path / "data")
    one_each([row["query"] for row in pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()], root)
    published = build_of(tmp_path, root)
    tables = {path: set(pl.read_parquet_schema(path)) for path in (root.path / "stages").rglob("*.parquet")}
    having = {path for path, columns in tables.items() if "given_ids" in columns and "assembled" not in path.parts}
    assert [path.name for path in having] == ["criteria-00000.parquet"]
    assert {path.name for path in tables if path.parent in {one.parent for one in having}} == {
        "criteria-00000.parquet",
        "rubrics-00000.parquet",
    }
    assert sets(published)["given_ids"].null_count() == 0


def test_criteria_stand_beside_equal_sets_of_other_settings(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 6, domain="general")
    root = Root(tmp_path / "data")
    before = build_of(tmp_path, root)
    shutil.rmtree(root.path / "stages" / "curated")
    after = build_of(tmp_path, root, splits={"validation": 1e-9})
    assert [path.name for path in (root.path / "stages" / "criteria").glob("*/*.json")] == ["manifest.json"]
    assert sets(after).equals(sets(before))


def _requests(root: Root) -> list[str]:
    frames = [pl.read_parquet(path) for path in (root.path / "generations").rglob("*.parquet")]
    return [text for frame in frames if "request" in frame.columns for text in frame["request"]]


def test_the_next_night_is_the_same_although_the_pools_have_grown(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 10, domain="general")
    rows = pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()
    root = Root(tmp_path / "data")
    one_each([row["query"] for row in rows[:5]], root)
    first = build_of(tmp_path, root)
    asked = first.snapshot.manifest.models[0].requests
    one_each([f"{row['query']} Or not?" for row in rows], root)
    one_each([row["query"] for row in rows], root, criteria=[criterion("Is better in each way.", 5, "rule")])
    again = build_of(tmp_path, root)
    assert not again.new
    assert again.snapshot.manifest.content_hash == first.snapshot.manifest.content_hash
    write_questions(tmp_path / "own.jsonl", 11, domain="general")
    grown = build_of(tmp_path, root)
    before = {row["set_id"]: row["given_ids"] for row in sets(first).iter_rows(named=True)}
    after = {row["set_id"]: row["given_ids"] for row in sets(grown).iter_rows(named=True)}
    assert before.items() <= after.items(), "a further question changes nothing for the others"
    (use,) = grown.snapshot.manifest.models
    assert use.requests - use.cached <= use.requests - asked


def test_a_run_over_fewer_rows_does_not_fix_what_a_near_duplicate_brought_in(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 9, domain="general")
    rows = pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()
    near = rows[0] | {"id": "near", "query": f"{rows[0]['query']} Thanks."}
    write_rows(tmp_path / "own.jsonl", rows)
    root = Root(tmp_path / "data")
    one_each([near["query"], *(row["query"] for row in rows[1:])], root)
    texts = {row["query"][0]["content"]: row["given_principles"] for row in sets(build_of(tmp_path, root)).to_dicts()}
    assert "question 0 asks" in texts[rows[0]["query"]], "nothing says yet that they are near-duplicates"
    write_rows(tmp_path / "own.jsonl", [*rows, near])
    texts = {row["query"][0]["content"]: row["given_principles"] for row in sets(build_of(tmp_path, root)).to_dicts()}
    assert "question 0 asks" not in texts[rows[0]["query"]]
    assert "question 0 asks" not in texts[near["query"]]


def test_test_questions_and_single_responses_are_given_nothing(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 8, domain="general")
    rows = pl.read_ndjson(tmp_path / "own.jsonl").to_dicts()
    single = {"id": "single", "query": "Is it so, or is it otherwise?", "responses": ["yes"], "label": 1}
    write_rows(tmp_path / "own.jsonl", [rows[0] | {"split": "test"}, *rows[1:], single | {"domain": "general"}])
    root = Root(tmp_path / "data")
    one_each([row["query"] for row in rows[1:]], root)
    kept = sets(build_of(tmp_path, root))
    without = kept.filter(pl.col("given_ids").is_null())
    assert sorted(zip(without["split"], without["n_responses"], strict=True)) == [("test", 3), ("train", 1)]


@pytest.mark.slow
def test_an_empty_pool_gives_what_the_seeds_say(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 6, domain="telecom")
    recipe = the_recipe(tmp_path, simulated(model="rubric"), grm=GIVEN, rubrics={})
    published = build(recipe, Root(tmp_path / "data"), a_run(recipe)[0])
    assert set(sets(published)["given_ids"].list.len()) == {6}
    assert not any(use.role == "rubric" for use in published.snapshot.manifest.models)


@pytest.mark.slow
def test_a_plan_looks_nothing_up_and_asks_no_model(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.jsonl", 10, domain="telecom")
    root = Root(tmp_path / "data")
    with StandIn(then=by_these_criteria) as server:
        recipe = the_recipe(tmp_path, served(server), grm=GIVEN | {"compare_principles": True})
        planned = plan_of(recipe, root, a_run(recipe)[0])
        assert server.requests == []
        assert not list(root.path.glob("rubrics/*"))
        assert planned.rubrics is not None
        assert (planned.rubrics.questions, planned.rubrics.made, planned.rubrics.requests) == (4, 0, 4 * 10)
        assert "rubrics with stand-in: asked by grmforge rubrics build, never by a build" in planned.as_text()
        requests = {role.purpose: role.requests for role in planned.roles}
        assert requests == {"rft": 40, "paired": 30}
        published = build(recipe, root, a_run(recipe)[0])
        assert server.requests == []
        made(recipe, root)
        after = plan_of(recipe, root, a_run(recipe)[0])
    assert after.rubrics is not None
    assert (after.rubrics.made, after.rubrics.requests) == (4, 0)
    assert {role.purpose: role.requests - role.cached for role in after.roles} == {"rft": 0, "paired": 0}
    assert published.snapshot.manifest.checks["principles"]["sets"] == 10


def test_criteria_are_shown_by_weight_pitfalls_last() -> None:
    shown = criteria_text(
        [criterion("Is late.", -3, "pitfall"), criterion("Is short.", 2, "principle"), criterion("Is true.", 6, "rule")]
    )
    assert shown == "- (75%) Is true.\n- (25%) Is short.\n- (pitfall) Is late."
    assert criteria_text([]) == ""
    assert criteria_text([criterion("Is late.", -3, "pitfall", drop_reason=CriterionDrop.MET_BY_ALL)]) == (
        "- (pitfall) Is late."
    )


def test_own_queries_are_those_of_the_cluster_whatever_becomes_of_them(tmp_path: Path) -> None:
    first, second, third = (a_set(number) for number in range(3))
    stage = source_stage(Root(tmp_path), [first, second, third])
    own = own_queries(stage)
    assert {one.query_id for one in (first, second, third)} == set(own)
    assert own[first.query_id] >= {first.query_id}
    assert question_text(first).startswith(first.query[0].content)


def test_own_queries_are_those_of_every_cluster_of_a_query_and_these_clusters(tmp_path: Path) -> None:
    first, second, third, alone = (a_set(number) for number in range(4))
    sets = [
        replace(first, cluster="a"),
        replace(second, cluster="a"),
        replace(second, cluster="b"),
        replace(third, cluster="b"),
        alone,
    ]
    own = own_queries(source_stage(Root(tmp_path), sets))
    assert own[first.query_id] == {"a", first.query_id, second.query_id}
    assert own[second.query_id] == {"a", "b", first.query_id, second.query_id, third.query_id}
    assert own[third.query_id] == {"b", second.query_id, third.query_id}
    assert own[alone.query_id] == {alone.query_id}


def test_the_queries_of_a_big_cluster_share_one_record_of_it(tmp_path: Path) -> None:
    sets = [replace(a_set(number), cluster="a") for number in range(30)]
    own = own_queries(source_stage(Root(tmp_path), sets))
    assert len(own) == 30
    assert len({id(queries) for queries in own.values()}) == 1, "as many records as queries take the square of it"
