"""Suspect labels, end to end: published with every set, and kept out of the training sets where a recipe says so."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ahead.plan import Plan, plan_of
from pipelines.ahead.probe import probe_of
from pipelines.ahead.suspects import NOT_JUDGED
from pipelines.orders import changed
from pipelines.reporting.attention import warnings
from pipelines.reporting.comparing import compare, read_anew
from pipelines.reporting.example_parts import parts_of
from pipelines.reporting.examples import find_examples
from pipelines.reporting.publication import Published
from pipelines.reporting.source_funnels import source_funnels
from pipelines.steps import build
from schemas.recipe import Recipe
from schemas.suspicion import SuspicionReason
from storage.files import sha256_of
from storage.root import Root
from storage.snapshots import Snapshot, find_snapshot, latest
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

TRAINING = ("rft", "rl", "meta_rm", "pairs")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with eighty sets, ten of them test sets, which are never judged."""
    directory = tmp_path_factory.mktemp("suspects")
    rows = jsonl_rows(80)
    rows[70:] = [row | {"split": "test"} for row in rows[70:]]
    write_rows(directory / "own.jsonl", rows)
    return directory


def the_recipe(place: Path, **rejection: Any) -> Recipe:
    judges = {"grm": simulated(accuracy=0.75), "difficulty": simulated(model="weak", accuracy=0.7, seed=1)}
    return a_recipe(place, models=judges, rejection={"balance_positions": False, "max_hinted_share": 1.0, **rejection})


def built(place: Path, **rejection: Any) -> tuple[Published, int]:
    """Return what a build of the recipe publishes, and how many requests it sent."""
    run, _ = a_run(the_recipe(place, **rejection))
    published = build(the_recipe(place, **rejection), Root(place / "data"), run)
    return published, run.budget.spent.requests


def table(snapshot: Snapshot, name: str) -> pl.DataFrame:
    paths = snapshot.files(name)
    return pl.read_parquet(paths) if paths else pl.DataFrame()


def set_ids(snapshot: Snapshot, name: str) -> set[str]:
    rows = pl.concat([table(snapshot, f"{name}/{split}") for split in ("train", "validation")], how="diagonal")
    column = pl.col("extra_info").struct.field("set_id") if name == "rl" else pl.col("set_id")
    return set(rows.select(column.alias("set_id"))["set_id"])


def test_every_judged_set_has_its_suspicion_and_others_have_none(place: Path) -> None:
    snapshot = built(place)[0].snapshot
    sets = table(snapshot, "sets/kept")
    is_test = pl.col("split") == "test"
    assert sets.filter(is_test)["label_suspicion"].null_count() == sets.filter(is_test).height > 0
    assert sets.filter(~is_test)["label_suspicion"].null_count() == 0
    assert sets["label_suspicion"].drop_nulls().is_between(0, 1).all()
    assert set(sets["suspicion_reasons"].drop_nulls().explode().drop_nulls()) <= set(SuspicionReason)
    check = snapshot.manifest.checks["label_suspicion"]
    assert sum(row["sets"] for row in check["sources"]) == sets.filter(~is_test).height
    assert {row["judge"] for row in check["judges"]} == {"judge", "weak"}
    [bound] = snapshot.manifest.checks["label_noise"]["sources"]
    assert bound["source"] == "own" and 0 < bound["disagrees"] < bound["at_most"]


def test_a_suspect_set_gives_no_row_and_is_counted_without_a_request(place: Path) -> None:
    before = built(place)[0].snapshot
    limit = float(table(before, "sets/kept")["label_suspicion"].quantile(0.8))  # type: ignore[arg-type]  # not empty
    published, requests = built(place, max_label_suspicion=limit)
    snapshot = published.snapshot
    sets = table(snapshot, "sets/kept")
    suspects = set(sets.filter(pl.col("label_suspicion") > limit)["set_id"])
    assert requests == 0 and suspects
    assert not any(set_ids(snapshot, name) & suspects for name in TRAINING)
    assert any(set_ids(before, name) & suspects for name in TRAINING)
    rejected = table(snapshot, "trajectories/rejected").filter(pl.col("reject_reason") == "label_suspect")
    assert rejected.height > 0 and set(rejected["set_id"]) <= suspects
    counted = {row.stage: row.rows for row in snapshot.manifest.funnel if row.outcome == "label_suspect"}
    assert counted["rft hinted"] + counted.get("rft non_hinted", 0) == rejected.height
    assert counted["pairs"] == len(suspects) >= counted["rl"] > 0
    assert counted["meta_rm from rft"] > 0


def test_a_hint_that_nothing_confirms_is_rejected_and_counted(place: Path) -> None:
    snapshot = built(place, min_pass_for_hinted=2)[0].snapshot
    rejected = table(snapshot, "trajectories/rejected").filter(pl.col("reject_reason") == "hint_unconfirmed")
    [counted] = [row for row in snapshot.manifest.funnel if row.outcome == "hint_unconfirmed"]
    assert (counted.stage, counted.rows) == ("rft hinted", rejected.height)
    assert rejected.height > 0 and set(rejected["mode"]) == {"hinted"}
    rft = pl.concat([table(snapshot, f"rft/{split}") for split in ("train", "validation")])
    assert rft.filter(pl.col("mode") == "hinted")["pass_count"].min() == 2


def test_pairs_alone_have_sets_without_suspicion_and_no_check(place: Path, tmp_path: Path) -> None:
    recipe = changed(the_recipe(place, max_label_suspicion=0.2), sets="pairs")
    run, _ = a_run(recipe)
    snapshot = build(recipe, Root(tmp_path), run).snapshot
    said = list(warnings(snapshot.manifest, source_funnels(snapshot.manifest, snapshot.files)))
    assert any("no judge's answers say which labels are suspect" in sentence for sentence in said)
    assert table(snapshot, "sets/kept")["label_suspicion"].null_count() == 80
    assert not {"label_suspicion", "label_noise"} & snapshot.manifest.checks.keys()
    assert latest(Root(tmp_path), snapshot.manifest.name)


def planned(recipe: Recipe, root: Root) -> Plan:
    run, _ = a_run(recipe)
    plan = plan_of(recipe, root, run)
    assert run.budget.spent.requests == 0
    return plan


def test_a_plan_says_what_either_rule_would_remove_once_sets_are_judged(place: Path, tmp_path: Path) -> None:
    unjudged = planned(the_recipe(place), Root(tmp_path))
    assert unjudged.rules is None
    assert NOT_JUDGED in unjudged.as_text()
    snapshot = built(place)[0].snapshot
    plan = planned(the_recipe(place, max_label_suspicion=0.01, min_pass_for_hinted=3), Root(place / "data"))
    assert plan.rules is not None
    assert plan.rules.accepted == table(snapshot, "trajectories/accepted").height
    for removed in plan.rules.min_pass_for_hinted:
        with_rule = built(place, min_pass_for_hinted=int(removed.value))[0].snapshot
        assert plan.rules.accepted - table(with_rule, "trajectories/accepted").height == removed.accepted
        assert f"min_pass_for_hinted = {removed.value:g}" in plan.as_text()
    assert plan.rules.max_label_suspicion[-1].value == 0.01, "the recipe's own value is tried, too"
    for removed in plan.rules.max_label_suspicion[:-1]:
        with_rule = built(place, max_label_suspicion=removed.value)[0].snapshot
        assert plan.rules.accepted - table(with_rule, "trajectories/accepted").height == removed.accepted
        assert table(with_rule, "sets/kept").filter(pl.col("label_suspicion") > removed.value).height == removed.sets
    assert plan.rules.min_pass_for_hinted[0].accepted > 0
    assert plan.rules.max_label_suspicion[-1].accepted > 0


def test_answers_read_anew_are_decided_by_the_suspicion_that_was_published(place: Path) -> None:
    snapshot = built(place, max_label_suspicion=0.2)[0].snapshot
    anew = read_anew(snapshot)
    published = table(snapshot, "trajectories/accepted")["trajectory_id"]
    assert sorted(anew.filter("accepted")["trajectory_id"]) == sorted(published)
    assert (anew["reject_reason"] == "label_suspect").any()


def test_a_probe_knows_too_little_to_suspect_anyone(place: Path, tmp_path: Path) -> None:
    recipe = the_recipe(place, max_label_suspicion=0.0)
    run, _ = a_run(recipe)
    probe = probe_of(recipe, Root(tmp_path), run, 10)
    assert probe.accepted > 0


def without_suspicion(snapshot: Snapshot) -> None:
    """Make a version what it was before its sets had the columns."""
    folder = Path(snapshot.location)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in ("sets/kept", "sets/dropped"):
        for entry in manifest["tables"].get(name, {"files": []})["files"]:
            path = folder / entry["path"]
            rows = pl.read_parquet(path).drop("label_suspicion", "suspicion_reasons")
            path.unlink()  # it may be shared with a stage
            rows.write_parquet(path)
            entry |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    for check in ("label_suspicion", "label_noise"):
        del manifest["checks"][check]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_version_of_before_is_compared_and_looked_at(place: Path) -> None:
    before = built(place, max_accepted_per_set=1)[0].snapshot
    without_suspicion(before)
    old = find_snapshot(Root(place / "data"), f"{before.manifest.name}@{before.manifest.version}")
    new = built(place)[0].snapshot
    found = compare(old, new)
    assert {change.table: (change.added, change.gone) for change in found.tables}["sets/kept"] == (0, 0)
    assert found.relabelled == 0
    for name, status in (("sets", "kept"), ("trajectories", "accepted")):
        [example] = find_examples(old, table=name, status=status, reason=None, source=None, n=1)
        assert example.row.get("label_suspicion") is None
        assert example.preference is None or example.preference.suspicion_reasons is None
        assert "how suspect the label is" not in [part.title for part in parts_of(example)]
    [example] = find_examples(new, table="sets", status="kept", reason=None, source=None, n=1)
    assert "how suspect the label is" in [part.title for part in parts_of(example)]
    assert read_anew(old).height == sum(old.rows(f"trajectories/{status}") for status in ("accepted", "rejected"))
