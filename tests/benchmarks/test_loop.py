"""The loop's tasks, its teacher, the rows of its arms and its figures; the rest of its steps run on a real vLLM."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.loop.arms import VERDICT, write_arms
from benchmarks.loop.figures import figures_of, table_of
from benchmarks.loop.plan import ARMS, SMALL
from benchmarks.loop.projection import projected
from benchmarks.loop.recipes import building, evaluating, judging, write
from benchmarks.loop.steps import Loop, marker_of, run_steps, steps_of
from benchmarks.loop.tasks import FILES, RUNGS, gold_judgement, write_tasks
from tests.end_to_end.commands import grmforge

SIZES = dict.fromkeys(FILES, 30) | {"train": 300}


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop(SMALL, tmp_path / "loop", tmp_path / "base", Path(sys.executable))


def test_nothing_but_the_request_tells_right_from_wrong(tmp_path: Path) -> None:
    """Neither words shared with the request nor lengths do, on any rung; the leak probe finds nothing."""
    for rung in RUNGS:
        write_tasks(tmp_path / rung, rung, SIZES, seed=1)
    judge = {"engine": "simulated", "model": "simulated"}
    tree = building("rungs", ["pairs"], tmp_path / "none", judge, SMALL, 1)
    tree["sources"] = [
        {"kind": "preference_sets", "name": rung, "path": str(tmp_path / rung / "train.jsonl"), "license": "CC0-1.0"}
        for rung in RUNGS
    ]
    done = grmforge("build", write(tmp_path / "recipe.toml", tree), "--root", tmp_path / "data")
    assert done.code == 0, done.err
    (manifest,) = (tmp_path / "data/snapshots/rungs").glob("*/manifest.json")
    findings = json.loads(manifest.read_text())["checks"]["leak_probe"]["sources"]
    assert {finding["source"] for finding in findings} == set(RUNGS)
    for finding in findings:
        assert finding["task"] == "best" and finding["auc"] < 0.6 and not finding["leaky"], finding


def test_no_scene_stands_in_two_files_and_seeds_share_all_but_two(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_tasks(tmp_path / str(seed), "category", SIZES, seed)
    scenes = [row["query"].partition(".")[0] for name in FILES for row in rows(tmp_path / "1" / f"{name}.jsonl")]
    assert len(set(scenes)) == len(scenes)
    for name in FILES:
        first, second = (rows(tmp_path / seed / f"{name}.jsonl") for seed in ("1", "2"))
        assert (first != second) == (name in ("train", "meta"))


def test_the_warm_judges_teacher_errs_as_often_as_planned_and_nobody_else(tmp_path: Path) -> None:
    for name, errors in (("exact", 0.0), ("erring", 0.3)):
        write_tasks(tmp_path / name, "category", SIZES | {"warm": 400}, seed=1, warm_errors=errors)
    for name in FILES:
        exact, erring = (rows(tmp_path / folder / f"{name}.jsonl") for folder in ("exact", "erring"))
        wrong = [one for one, other in zip(exact, erring, strict=True) if one["chosen"] == other["rejected"]]
        assert (100 <= len(wrong) <= 140) if name == "warm" else (exact == erring)
    for row in rows(tmp_path / "erring/warm.jsonl"):  # the teacher agrees with the labels, and its reasons stay true
        prompt = "".join(f"[R]\n{row[key]}\n[The End" for key in ("rejected", "chosen"))
        gold = json.loads((tmp_path / "erring/gold.json").read_text("utf-8"))
        said = gold_judgement(gold, f"{row['query']}\n{prompt}")
        assert "Response 2 is better." in said
        words = row["chosen"].split(", ")
        assert f"Response 2: {words[0]}, {words[1]} are" in said


@pytest.mark.slow
def test_the_teachers_judgements_become_rft_rows(loop: Loop) -> None:
    run_steps(loop, "teach")
    version = loop.snapshot("teach-warm")
    accepted = pl.read_parquet(version / "trajectories/accepted-*.parquet")
    assert accepted.filter(mode="non_hinted").height == SMALL.sizes["warm"]
    assert not list(version.glob("trajectories/rejected-*.parquet"))
    answer = accepted["text"][0]
    assert "is better.\n\nScores: \\boxed{" in answer and accepted["principles"].list.len().min() == 1
    assert "validate-base" in "\n".join(projected(loop))

    # What is done is not done again.
    before = marker_of(loop, next(iter(steps_of(loop)))).stat().st_mtime_ns
    run_steps(loop, "teach")
    assert marker_of(loop, next(iter(steps_of(loop)))).stat().st_mtime_ns == before


def test_each_arm_has_the_rows_that_it_is_named_for(tmp_path: Path) -> None:
    write_tasks(tmp_path, "category", SIZES, seed=1)
    judge = {"engine": "simulated", "model": "simulated", "simulated": {"accuracy": 0.6, "unparsed": 0.05}}
    recipe = write(tmp_path / "r.toml", building("arms", ["rft"], tmp_path / "train.jsonl", judge, SMALL, 1))
    assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
    (manifest,) = (tmp_path / "data/snapshots/arms").glob("*/manifest.json")
    counts = write_arms(manifest.parent, tmp_path / "arms")
    assert set(counts) == set(ARMS) and min(counts.values()) > 20
    read = {arm: pl.read_parquet(tmp_path / f"arms/{arm}.parquet") for arm in ARMS[1:]}
    assert {arm: table.height for arm, table in read.items()} == {arm: counts[arm] for arm in ARMS[1:]}
    verdicts = [row[0]["content"] for row in read["verdict_only"]["completion"]]
    assert all(VERDICT.fullmatch(text) for text in verdicts)
    assert read["verdict_only"].height == counts["rft"] < counts["no_rejection"]

    tables = [
        pl.read_parquet(manifest.parent / f"trajectories/{status}-*.parquet") for status in ("accepted", "rejected")
    ]
    judged = pl.concat(tables).filter(split="train", mode="non_hinted", purpose="rft")
    readable = judged.filter(pl.col("scores").is_not_null())
    assert counts["no_rejection"] == readable.height
    assert 0.05 < counts["shuffled"] / readable.height < 0.6


@pytest.mark.slow
def test_figures_come_from_stored_evaluations(loop: Loop, tmp_path: Path) -> None:
    write_tasks(tmp_path, "category", SIZES | {"train": 150}, seed=1)
    sets = {"kind": "preference_sets", "name": "test", "path": str(tmp_path / "train.jsonl")}
    for name, accuracy in (("no_rejection", 0.6), ("rft", 0.8), ("no_rejection-seed2", 0.6), ("rft-seed2", 0.8)):
        simulated = {"accuracy": accuracy, "seed": len(name)}
        judge = {"engine": "simulated", "model": name, "simulated": simulated}
        tree = evaluating(name, judge, SMALL, [sets], 2, grm=judging(SMALL, free=True), replicates=200)
        done = grmforge("evaluate", write(tmp_path / f"{name}.toml", tree), "--root", loop.root)
        assert done.code == 0, done.err
    figures = figures_of(loop)
    assert figures["claim_holds"] is True
    voting = {
        name: row["value"]
        for name, judge in figures["judges"].items()
        for row in judge["figures"]
        if (row["selector"], row["k"], row["curve"]) == ("voting", 1, "all")
    }
    assert 0.68 < voting["rft"] < 0.88 and 0.48 < voting["no_rejection"] < 0.7
    assert "rft less no_rejection, voting 1: +" in table_of(figures)


def test_the_command_says_what_it_lacks(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.loop", "--small", "--base", str(tmp_path), "--work", str(tmp_path / "w")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and "holds no model" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "config.json").write_text("{}")
    done = subprocess.run([*words, "--vllm-python", str(tmp_path / "no")], capture_output=True, text=True)
    assert done.returncode == 1 and "installs vLLM" in done.stderr and "Traceback" not in done.stderr
