"""Builds, end to end: small sources and simulated models in, a published snapshot out."""

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.judging.rewards_file import rewards_source
from pipelines.orders import changed
from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.publication import Published
from pipelines.steps import build, purposes_of
from schemas.errors import BudgetReached, ForgeError, RecipeError
from schemas.recipe import Recipe
from schemas.trajectory import Purpose
from storage.root import Root
from storage.snapshots import find_snapshot, latest, versions
from tests.examples import Watcher, a_recipe, a_run, jsonl_rows, question, simulated, write_rows

FAULTY = simulated(
    accuracy=0.6, position_bias=0.4, truncated=0.03, unparsed=0.03, tied=0.03, failed=0.02, hint_leak=0.2
)
MODELS = {"grm": FAULTY, "difficulty": simulated(model="weak", seed=1), "policy": simulated(model="trained", seed=2)}
TRAINING = ("rft", "rl", "meta_rm", "pairs")


def sources(folder: Path, count: int = 100) -> None:
    rows = jsonl_rows(count) + [
        {"id": f"single {number:04}", "query": question(9_000 + number), "responses": ["yes"], "label": number % 2}
        for number in range(60)
    ]
    rows += [rows[0] | {"id": "again"}, rows[1] | {"id": "turned", "best": (rows[1]["best"] + 1) % 3}]
    rows += [
        rows[number] | {"id": f"test {number}", "query": question(7_000 + number), "split": "test"}
        for number in range(9)
    ]
    write_rows(folder / "own.jsonl", [*rows, {"id": "broken", "query": "?"}])
    chat = [
        {
            "id": f"chat {n}",
            "messages": [{"role": "user", "content": question(5_000 + n)}, {"role": "assistant", "content": "So."}],
        }
        for n in range(400)
    ]
    write_rows(folder / "chat.jsonl", [*chat, {"messages": []}])


def the_recipe(folder: Path, **sections: Any) -> Recipe:
    usual: dict[str, Any] = {
        "models": MODELS,
        "general": {"path": "chat.jsonl", "ratio": 0.5, "license": "CC0-1.0"},
        "splits": {"validation": 0.15},
    }
    return a_recipe(folder, **usual | sections)


def built(
    recipe: Recipe, root: Root, retry_failed: bool = False, keep_going: bool = False
) -> tuple[Published, Watcher]:
    run, watcher = a_run(recipe, retry_failed, keep_going=keep_going)
    return build(recipe, root, run), watcher


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Published, Root, Path]:
    folder = tmp_path_factory.mktemp("whole")
    sources(folder)
    root = Root.open(str(folder / "data"))
    published, _ = built(the_recipe(folder), root)
    return published, root, folder


def frame(published: Published, table: str) -> pl.DataFrame:
    return pl.read_parquet(published.snapshot.files(table))


@pytest.mark.slow
def test_every_row_ends_somewhere_and_the_funnel_adds_up(whole: tuple[Published, Root, Path]) -> None:
    manifest = whole[0].snapshot.manifest
    assert [(one.source, one.rows, one.unreadable) for one in manifest.inputs] == [("own", 172, 1), ("general", 401, 1)]
    funnel = {(row.source, row.stage, row.outcome): row.rows for row in manifest.funnel}
    for one in manifest.inputs:
        assert one.rows == one.kept + one.dropped + one.unreadable
        stages = Counter[str]()
        for (source, stage, _), rows in funnel.items():
            stages[stage] += rows if source == one.source else 0
        assert (stages["kept"], stages["dropped"]) == (one.kept, one.dropped)
        assert funnel[one.source, "read", "rows"] == one.rows
    own = manifest.inputs[0]
    assert whole[0].snapshot.rows("sets/kept") == own.kept
    assert whole[0].snapshot.rows("sets/dropped") == own.dropped
    assert set(frame(whole[0], "sets/dropped")["drop_reason"]) == {"duplicate", "label_conflict"}
    judged = sum(rows for (_, stage, _), rows in funnel.items() if stage in ("rft non_hinted", "rft hinted"))
    tables = [whole[0].snapshot.rows(f"trajectories/{name}") for name in ("accepted", "rejected")]
    assert judged == sum(tables) == manifest.models[0].requests
    sampled = own.kept - frame(whole[0], "sets/kept").filter(split="test").height
    assert sum(rows for (_, stage, _), rows in funnel.items() if stage == "rl") == sampled
    mixed = {outcome: rows for (_, stage, outcome), rows in funnel.items() if stage == "rft general"}
    assert sum(mixed.values()) == manifest.inputs[1].kept
    rft = [frame(whole[0], f"rft/{split}") for split in ("train", "validation")]
    assert mixed["accepted"] == sum(part.filter(mode="general").height for part in rft)


def test_test_sets_are_in_sets_kept_and_nowhere_else(whole: tuple[Published, Root, Path]) -> None:
    snapshot = whole[0].snapshot
    held_out = set(frame(whole[0], "sets/kept").filter(split="test")["set_id"])
    assert len(held_out) == 9
    for table in snapshot.manifest.tables:
        if table == "sets/kept":
            continue
        ids = frame(whole[0], table)
        ids = ids["extra_info"].struct.field("set_id") if table.startswith("rl/") else ids["set_id"]
        assert not held_out & set(ids)


def test_tables_are_sorted_and_every_rejected_row_has_its_reason(whole: tuple[Published, Root, Path]) -> None:
    for table, own_id in {
        "sets/kept": "source_id",
        "trajectories/accepted": "trajectory_id",
        "trajectories/rejected": "trajectory_id",
        "trajectories/difficulty": "trajectory_id",
        "trajectories/on_policy": "trajectory_id",
        "meta_rm/train": "trajectory_id",
        "rft/train": "example_id",
    }.items():
        rows = frame(whole[0], table)
        keys = rows.select("query_id", "set_id", own_id)
        assert keys.equals(keys.sort(keys.columns, nulls_last=True))
    rejected = frame(whole[0], "trajectories/rejected")
    assert rejected["reject_reason"].null_count() == 0
    assert not rejected["accepted"].any()
    accepted = frame(whole[0], "trajectories/accepted")
    assert accepted["accepted"].all()
    assert set(accepted["outcome"]) == {"correct"}
    assert accepted["reject_reason"].null_count() == accepted.height
    failed = rejected.filter(outcome="failed")
    assert failed.height > 0
    assert set(failed["reject_reason"]) == {"failed"}


def test_the_rft_set_is_the_accepted_trajectories_without_hints(whole: tuple[Published, Root, Path]) -> None:
    accepted = frame(whole[0], "trajectories/accepted")
    for split in ("train", "validation"):
        rft = frame(whole[0], f"rft/{split}")
        judged = rft.filter(pl.col("mode") != "general")
        assert set(judged["trajectory_id"]) == set(accepted.filter(split=split)["trajectory_id"])
        general = rft.height - judged.height
        assert general == round(0.5 * judged.height)
        prompts = judged["prompt"].list.first().struct.field("content")
        assert not prompts.str.contains("#### Hint ####").any()
        assert judged["completion"].list.len().unique().to_list() == [1]
        assert set(judged["mode"]) == {"hinted", "non_hinted"}
    columns = ["trajectory_id", pl.col("prompt").list.first().struct.field("content").alias("text")]
    sent = (
        accepted.filter(mode="hinted")
        .select(columns)
        .join(frame(whole[0], "rft/train").select(columns), on="trajectory_id", suffix="_trained")
    )
    assert sent.height > 0
    for _, with_hint, trained in sent.iter_rows():
        hint = with_hint.partition("#### Hint ####")
        assert trained.startswith(hint[0].rstrip()[-200:]) or trained.startswith(hint[0][:200])
        assert len(trained) < len(with_hint)


def test_rl_rows_score_by_the_snapshots_own_rule(whole: tuple[Published, Root, Path]) -> None:
    path = whole[0].snapshot.path / "rewards.py"
    spec = importlib.util.spec_from_file_location("rewards", path)
    assert spec is not None
    assert spec.loader is not None
    rewards = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rewards)
    assert path.read_text("utf-8") == rewards_source()
    sets = {row["set_id"]: row for row in frame(whole[0], "sets/kept").to_dicts()}
    for row in frame(whole[0], "rl/train").to_dicts():
        truth, extra = json.loads(row["reward_model"]["ground_truth"]), row["extra_info"]
        preference = sets[extra["set_id"]]
        if truth["n"] == 1:
            assert truth["label"] == preference["label"] == extra["label"]
            right, wrong = str(truth["label"]), str(1 - truth["label"])
        else:
            assert extra["order"][truth["best"]] == preference["best"]
            assert truth["best"] == extra["best_position"]
            scores = [1] * truth["n"]
            wrong = ", ".join(map(str, scores))
            scores[truth["best"]] = 9
            right = ", ".join(map(str, scores))
        for scores_text, reward in ((right, 1.0), (wrong, -1.0)):
            answered = f"Scores: \\boxed{{{scores_text}}}"
            assert rewards.compute_score(row["data_source"], answered, row["reward_model"]["ground_truth"]) == reward


def test_again_asks_nothing_and_publishes_nothing(whole: tuple[Published, Root, Path]) -> None:
    published, root, folder = whole
    again, watcher = built(the_recipe(folder), root)
    assert (again.new, watcher.bought) == (False, 0)
    assert again.snapshot.path == published.snapshot.path
    assert latest(root, "small") == published.snapshot.manifest.version


def test_a_changed_rejection_calls_no_model(whole: tuple[Published, Root, Path]) -> None:
    _, root, folder = whole
    recipe = the_recipe(folder, build={"name": "changed", "seed": 7}, rejection={"drop_too_easy": False})
    published, watcher = built(recipe, root)
    assert (published.new, watcher.bought) == (True, 0)
    assert "too_easy" not in set(frame(published, "trajectories/rejected")["reject_reason"])


@pytest.mark.slow
def test_more_samples_a_set_pay_for_the_new_ones_and_failed_ones_are_asked_when_told_to(
    whole: tuple[Published, Root, Path],
) -> None:
    _, root, folder = whole
    recipe = the_recipe(folder, build={"name": "more", "seed": 7, "sets": ["rft"]}, grm={"n_rft": 4})
    published, watcher = built(recipe, root)
    sampled = frame(published, "sets/kept").filter(pl.col("split") != "test").height
    assert sampled <= watcher.bought < 1.3 * sampled
    [use] = published.snapshot.manifest.models
    assert use.cached == use.requests - watcher.bought
    again, watcher = built(recipe, root, retry_failed=True)
    assert watcher.bought == use.failed > 0
    assert not again.new  # the simulated engine refuses them again


@pytest.mark.slow
def test_what_is_bought_does_not_depend_on_when_it_was_stopped(whole: tuple[Published, Root, Path]) -> None:
    published, _, folder = whole
    root = Root.open(str(folder / "stopped"))
    recipe = the_recipe(folder, budget={"max_requests": 333})
    stops = 0
    while True:
        try:
            again, _ = built(recipe, root)
            break
        except BudgetReached:
            stops += 1
            assert versions(root, "small") == []
    assert stops > 3
    assert again.snapshot.manifest.content_hash == published.snapshot.manifest.content_hash


@pytest.mark.slow
def test_the_order_of_source_rows_changes_no_byte_of_a_training_set(
    whole: tuple[Published, Root, Path], tmp_path: Path
) -> None:
    published, _, folder = whole
    for name in ("own.jsonl", "chat.jsonl"):
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        (tmp_path / name).write_bytes(b"".join(reversed(lines)))
    again, _ = built(the_recipe(tmp_path), Root.open(str(tmp_path / "data")))
    for table, entry in published.snapshot.manifest.tables.items():
        if not table.startswith("sets/"):  # they hold the revision, which is the file's hash
            assert [f.sha256 for f in again.snapshot.manifest.tables[table].files] == [f.sha256 for f in entry.files]


def test_a_part_of_the_sets_is_published_under_a_name_of_its_own(whole: tuple[Published, Root, Path]) -> None:
    _, root, folder = whole
    recipe = changed(the_recipe(folder), sets="pairs, rl")
    assert (recipe.build.name, recipe.build.sets) == ("small-rl-pairs", ("rl", "pairs"))
    published, watcher = built(recipe, root)
    assert watcher.bought == 0
    assert published.missing == ()
    tables = set(published.snapshot.manifest.tables)
    assert {"rl/train", "pairs/train", "sets/kept", "trajectories/difficulty"} <= tables
    assert not {"rft/train", "meta_rm/train", "trajectories/accepted"} & tables
    assert find_snapshot(root, "small-rl-pairs").path == published.snapshot.path


def test_pairs_alone_call_no_model(whole: tuple[Published, Root, Path], tmp_path: Path) -> None:
    recipe = changed(the_recipe(whole[2]), sets="pairs")
    published, watcher = built(recipe, Root.open(str(tmp_path)))
    assert watcher.bought == 0
    assert {"pairs/train", "sets/kept"} <= set(published.snapshot.manifest.tables)


def test_latest_stays_where_it_is_when_a_set_has_no_row(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", [row | {"split": "train"} for row in jsonl_rows(6)])
    root = Root.open(str(tmp_path / "data"))
    perfect = simulated(accuracy=0.999, difficulty_spread=0.0)
    published, _ = built(a_recipe(tmp_path, models={"grm": perfect, "difficulty": perfect}), root)
    assert set(published.missing) >= {"rft", "rl"}
    assert latest(root, "small") is None
    assert not (published.snapshot.path / "rft").exists()


def test_a_difficulty_model_that_cannot_hold_the_format_is_a_failure_and_all_is_kept(tmp_path: Path) -> None:
    sources(tmp_path, 30)
    root = Root.open(str(tmp_path / "data"))
    weak = simulated(model="weak", unparsed=0.5)
    recipe = the_recipe(tmp_path, models={"grm": simulated(), "difficulty": weak}, build={"name": "x", "sets": ["rl"]})
    with pytest.raises(ForgeError, match=r"rl: only .* of the difficulty model's answers could be read"):
        built(recipe, root)
    run, watcher = a_run(recipe)
    with pytest.raises(ForgeError, match="rl: only"):
        build(recipe, root, run)
    assert watcher.bought == 0


@pytest.mark.slow
def test_where_only_rls_filter_fails_the_other_sets_are_published_and_why_is_said(tmp_path: Path) -> None:
    sources(tmp_path, 30)
    root = Root.open(str(tmp_path / "data"))
    weak = simulated(model="weak", unparsed=0.5)
    recipe = the_recipe(tmp_path, models={"grm": simulated(accuracy=0.6), "difficulty": weak})
    published, _ = built(recipe, root)
    manifest = published.snapshot.manifest
    assert published.missing == ("rl",)
    assert published.no_row.startswith("no row for rl (only ")
    assert manifest.checks["rl"]["missing"] in published.no_row
    assert {"rft/train", "meta_rm/train", "pairs/train", "trajectories/difficulty"} <= set(manifest.tables)
    assert latest(root, "small") is None
    said = "rl has no training rows: only "
    card = (published.snapshot.path / "README.md").read_text("utf-8")
    assert said in card
    assert said in " ".join(" ".join(closing_lines(manifest, published.snapshot)).split())
    again, watcher = built(recipe, root)
    assert (again.new, again.missing, watcher.bought) == (False, ("rl",), 0)
    better = {"grm": simulated(accuracy=0.6), "difficulty": simulated(model="weak", seed=1)}
    whole, _ = built(the_recipe(tmp_path, models=better), root)
    assert (whole.missing, whole.no_row) == ((), "")
    assert latest(root, "small") == whole.snapshot.manifest.version
    assert "missing" not in whole.snapshot.manifest.checks.get("rl", {})


@pytest.mark.slow
def test_meta_rm_without_the_trained_grms_own_samples_says_so(tmp_path: Path) -> None:
    sources(tmp_path, 30)
    judge = {"grm": simulated(accuracy=0.6), "difficulty": simulated(model="weak", seed=1)}
    said = "meta_rm WITHOUT ON-POLICY SAMPLES: the recipe has no [models.policy]"
    mute = "meta_rm WITHOUT ON-POLICY SAMPLES: [models.policy] gave no answer"
    for models, sentence in (
        (judge, said),
        (judge | {"policy": simulated(model="trained", unparsed=1.0)}, mute),
        (judge | {"policy": simulated(model="trained", seed=2, accuracy=0.6)}, None),
    ):
        place = Root.open(str(tmp_path / "data"))
        published, _ = built(the_recipe(tmp_path, models=models), place, keep_going=True)
        card = (published.snapshot.path / "README.md").read_text("utf-8")
        lines = " ".join(" ".join(closing_lines(published.snapshot.manifest, published.snapshot)).split())
        report = (published.snapshot.path / "report.html").read_text("utf-8")
        for page in (card, lines, report):
            assert ("WITHOUT ON-POLICY SAMPLES" in page) is (sentence is not None)
        assert sentence is None or (f"**{sentence}" in card.replace("\\", "") and sentence in lines)


def test_purposes_follow_from_the_sets() -> None:
    def purposes(*sets: str, **models: Any) -> list[Purpose]:
        return purposes_of(a_recipe(build={"name": "x", "sets": sets}, models={"grm": simulated()} | models))

    own, same = {"difficulty": simulated()}, {"difficulty": {"same_as_grm": True}}
    assert purposes("pairs") == []
    assert purposes("rft") == [Purpose.RFT]
    assert purposes("rl", **own) == [Purpose.DIFFICULTY]
    assert purposes("rl", **same) == [Purpose.RFT]
    assert purposes("rft", "rl", **own) == [Purpose.RFT, Purpose.DIFFICULTY]
    assert purposes("meta_rm", policy=simulated()) == [Purpose.RFT, Purpose.ON_POLICY]


def test_parameters_change_the_recipe_and_wrong_ones_are_named(tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path)
    assert changed(recipe) == recipe
    assert changed(recipe, sets="rl,meta_rm,pairs,rft").build == recipe.build
    assert changed(recipe, sets="rft,rft").build.sets == ("rft",)
    assert changed(recipe, root="elsewhere").build.root == "elsewhere"
    assert changed(changed(recipe, limit=9), limit=20).sources[0].limit == 9
    for sets, named in (("rftt", "rftt"), ("", "''"), ("rft,x,y", "x, y")):
        with pytest.raises(RecipeError, match=f"--sets {named}: the recipe's sets are rft, rl, meta_rm, pairs"):
            changed(recipe, sets=sets)
