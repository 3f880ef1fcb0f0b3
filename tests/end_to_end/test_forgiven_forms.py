"""A judge that never keeps to the one form, over HTTP: what it says is read, and what is trained on holds one form."""

import hashlib
import importlib.util
import json
import random
import re
from pathlib import Path
from typing import Any

import polars as pl

from storage.snapshots import Snapshot
from tests.end_to_end.commands import frame, grmforge, latest
from tests.end_to_end.test_http import write_http_recipe
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged
from tests.pipelines.judging.verdict_forms import HEADINGS, LISTS, SPOILING, TAKEN_BACK, joined

CANONICAL = re.compile(r"Scores: \\boxed\{[0-9]+(?:, [0-9]+)*\}")
BY_FINISH_REASON = ["truncated", "refused", "failed"]


def in_another_form(body: dict[str, Any]) -> Reply:
    """Return a judgement whose verdict is in some form; some contradict themselves, some take a draft back."""
    rng = random.Random(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest())
    before, _, verdict = str(json.loads(judged(body).body)["choices"][0]["message"]["content"]).rpartition("Scores:")
    scores = tuple(int(number) for number in re.findall("[0-9]+", verdict))
    other = {"other": joined(tuple(11 - score for score in scores))}
    kind, end = rng.random(), "\n\nThat is how I see these three."
    if kind < 0.1:
        end = SPOILING[0].format(**other)
    elif kind < 0.2:
        before += TAKEN_BACK.format(**other)
    return stand_in.chat(before + rng.choice(HEADINGS) + rng.choice(LISTS)(scores, rng) + end, body=body)


def test_forgiven_forms_are_read_and_one_form_is_trained_on(tmp_path: Path) -> None:
    with StandIn(then=in_another_form) as server:
        recipe = write_http_recipe(tmp_path, server.url)
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert (done.code, done.errors) == (0, []), done.err
    snapshot = latest(tmp_path / "data", "http")
    judgements = pl.concat([frame(snapshot, f"trajectories/{status}") for status in ("accepted", "rejected")])
    readable = judgements.filter(pl.col("outcome").is_in(["correct", "incorrect", "tied"]))
    assert set(judgements["outcome"]) - {"contradictory"} <= {"correct", "incorrect", "tied"}
    assert set(readable["verdict_form"]) == {"forgiven"}
    assert judgements["reject_reason"].is_in(["draft_verdict"]).any()
    completions = frame(snapshot, "rft/train")["completion"].list.get(0).struct.field("content")
    assert completions.len() > 0
    assert all(CANONICAL.fullmatch(text.split("\n")[-1]) for text in completions)
    assert completions.str.contains("That is how I see these three.", literal=True).all(), "nothing said is lost"
    for text in frame(snapshot, "meta_rm/train")["completion"].list.get(0).struct.field("content"):
        assert CANONICAL.fullmatch(text.split("\n")[-1])
    assert_rewards_agree(snapshot, judgements)


def assert_rewards_agree(snapshot: Snapshot, judgements: pl.DataFrame) -> None:
    """Hold scores and outcomes of every table against the published rewards.py."""
    spec = importlib.util.spec_from_file_location("rewards", snapshot.path / "rewards.py")
    assert spec is not None and spec.loader is not None
    rewards = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rewards)
    counted = 0
    for row in judgements.filter(~pl.col("outcome").is_in(BY_FINISH_REASON)).iter_rows(named=True):
        found = rewards.read_scores(row["text"], len(row["order"]))
        assert (list(found) if isinstance(found, tuple) else found) == (row["scores"] or row["outcome"]), row["text"]
        counted += 1
    for row in frame(snapshot, "rft/train").iter_rows(named=True):
        text = row["completion"][0]["content"]
        assert list(rewards.read_scores(text, row["n_responses"])) == row["scores"]
        truth = json.dumps({"n": row["n_responses"], "best": row["best_position"]})
        assert rewards.compute_score_and_form("x", text, truth) == {
            "score": 1.0,
            "canonical": True,
            "has_critique": True,
        }
        counted += 1
    by_id = {row["trajectory_id"]: row for row in judgements.iter_rows(named=True)}
    for row in frame(snapshot, "meta_rm/train").iter_rows(named=True):
        scores = by_id[row["trajectory_id"]]["scores"]
        assert list(rewards.read_scores(row["completion"][0]["content"], len(scores))) == scores
        counted += 1
    assert counted > 50
