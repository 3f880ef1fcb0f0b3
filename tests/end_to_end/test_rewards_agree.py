"""The published rewards.py and the stored outcomes agree on every row of every table, behind every trainer's door."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from storage.snapshots import Snapshot
from tests.end_to_end.commands import frame
from tests.end_to_end.test_trainers import answer_worth, snapshot_with_selection
from tests.pipelines.judging.trainer_doors import module_at, rewards_by_door

BY_FINISH_REASON = frozenset({"length", "max_tokens", "model_length", "content_filter", "refusal"})


def test_every_row_of_the_demo_gets_the_reward_of_its_stored_outcome(demo: Snapshot) -> None:
    rows, counts = rows_with_an_outcome(demo), {name: table.rows for name, table in demo.manifest.tables.items()}
    assert {table.partition("/")[0] for table, *_ in rows} == {"trajectories", "rft", "meta_rm"}
    decided = sum(row["finish_reason"] in BY_FINISH_REASON for row in judgements(demo).iter_rows(named=True))
    unhinted = [frame(demo, name).filter(pl.col("mode") != "general") for name in counts if name.startswith("rft/")]
    due = sum(rows for name, rows in counts.items() if name.startswith(("trajectories/", "meta_rm/")))
    assert len(rows) == due - decided + sum(table.height for table in unhinted) > 500
    assert_agree(demo, rows)


def test_every_row_of_a_snapshot_with_selection_rows(tmp_path: Path) -> None:
    snapshot = snapshot_with_selection(tmp_path)
    assert_agree(snapshot, rows_with_an_outcome(snapshot))
    assert any(row["data_source"].endswith("/selection") for row in frame(snapshot, "rl/train").iter_rows(named=True))


def test_the_rl_rows_ask_for_what_the_stored_sets_say(demo: Snapshot, tmp_path: Path) -> None:
    """No answer to them is stored: answers of every worth are written, and the stored sets say which is the best."""
    for snapshot in (demo, snapshot_with_selection(tmp_path)):
        sets = {row["set_id"]: row for row in frame(snapshot, "sets/kept").iter_rows(named=True)}
        rewards = module_at(snapshot.path / "rewards.py")
        for table in (name for name in snapshot.manifest.tables if name.startswith("rl/")):
            texts, rows, due = [], [], []
            for row in frame(snapshot, table).iter_rows(named=True):
                given = sets[row["extra_info"]["set_id"]]
                n, order = given["n_responses"], row["extra_info"]["order"]
                truth = {"n": 1, "label": given["label"]} if n == 1 else {"n": n, "best": order.index(given["best"])}
                selects = row["data_source"].endswith("/selection")
                if selects:
                    truth["answers"] = json.loads(row["reward_model"]["ground_truth"])["answers"]
                for named in (-1, 0, 1, 2) if selects else (-1, 0):
                    texts.append(answer_to(truth, named))
                    rows.append(row)
                    due.append(-1.0 if named < 0 else 1.0 + named / 10)
            for door, found in rewards_by_door(rewards, texts, rows).items():
                assert found == due, (table, door)


def answer_to(truth: dict[str, Any], named: int) -> str:
    if truth["n"] == 1:
        return f"Scores: \\boxed{{{truth['label'] if named >= 0 else 1 - truth['label']}}}"
    return answer_worth(truth, named)


def judgements(snapshot: Snapshot) -> pl.DataFrame:
    """Return every row of the tables of trajectories, with the name of its table."""
    names = [name for name in snapshot.manifest.tables if name.startswith("trajectories/")]
    return pl.concat([frame(snapshot, name).with_columns(table=pl.lit(name)) for name in names])


def rows_with_an_outcome(snapshot: Snapshot) -> list[tuple[str, str, dict[str, Any], str]]:
    """Return (table, text, ground truth, outcome) of every stored judgement that its finish_reason does not decide."""
    sets = {row["set_id"]: row for row in frame(snapshot, "sets/kept").iter_rows(named=True)}
    truths: dict[str, dict[str, Any]] = {}
    rows = []
    for row in judgements(snapshot).iter_rows(named=True):
        given, n = sets[row["set_id"]], len(row["order"])
        truth = {"n": 1, "label": given["label"]} if n == 1 else {"n": n, "best": row["order"].index(given["best"])}
        truths[row["trajectory_id"]] = truth
        if row["finish_reason"] not in BY_FINISH_REASON:
            rows.append((row["table"], row["text"] or "", truth, row["outcome"]))
    for table in snapshot.manifest.tables:
        if table.startswith(("rft/", "meta_rm/")):
            for row in frame(snapshot, table).iter_rows(named=True):
                if row.get("mode") != "general":
                    truth, outcome = truths[row["trajectory_id"]], row.get("outcome", "correct")
                    rows.append((table, row["completion"][0]["content"], truth, outcome))
    return rows


def assert_agree(snapshot: Snapshot, stored: list[tuple[str, str, dict[str, Any], str]]) -> None:
    """Hold the snapshot's own rewards.py against stored outcomes: the reward by every door, and the outcome's name."""
    rewards = module_at(snapshot.path / "rewards.py")
    texts = [text for _, text, _, _ in stored]
    rows = [
        {"data_source": "x", "reward_model": {"style": "rule", "ground_truth": json.dumps(truth)}}
        for _, _, truth, _ in stored
    ]
    due = [1.0 if outcome == "correct" else -1.0 for *_, outcome in stored]
    assert {1.0, -1.0} == set(due)
    for door, found in rewards_by_door(rewards, texts, rows).items():
        assert found == due, door
    for table, text, truth, outcome in stored:
        scores = rewards.read_scores(text, truth["n"], *((0, 1) if truth["n"] == 1 else (1, 10)))
        by_rule = (
            scores if isinstance(scores, str) else rewards.outcome_of(scores, truth.get("best"), truth.get("label"))
        )
        assert outcome in (by_rule, "refused" if by_rule == "unparsed" else by_rule), (table, text)
