"""`grmforge build`: a part of it, beside another, interrupted, and when its first request leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from storage.journal import JournalWriter
from storage.root import Root
from tests.end_to_end.commands import frame, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.flows.command.small_recipes import write_small
from tests.pipelines.engines.stand_in_server import StandIn
from tests.storage.answers import a_request, an_answer

YARDSTICK = """
import hashlib, json, re
import polars, pyarrow
rows = [{"asked": f"What is {n}? " * 8, "options": [f"option {n} {k} " * 6 for k in range(5)]} for n in range(40_000)]
texts = [json.dumps(row) for row in rows]
again = [json.loads(text) for text in texts]
ids = sorted(hashlib.blake2b(text.encode()).hexdigest() for text in texts)
words = {}
for row in again:
    for option in row["options"]:
        for word in re.sub("[aeiou]+", "-", option).split():
            words[word] = words.get(word, 0) + 1
polars.Series(texts).sort()
"""
"""The like of what reading does, rows in memory and libraries to load among it: neighbours slow down both alike."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, whoever else shares the machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def yardstick_seconds() -> float:
    """Return the CPU time that the yardstick takes now: neighbours on the same cores make everything slower."""
    before = os.times()
    subprocess.run([sys.executable, "-c", YARDSTICK], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def seconds_to_first_request(recipe: Path, root: Path, server: StandIn) -> float:
    """Return the CPU time of a build up to its first request, and kill it there."""
    began, received = time.monotonic(), len(server.requests)
    with start("build", recipe, "--root", root, cold=True) as process:
        while len(server.requests) == received and process.poll() is None and time.monotonic() - began < 60:
            time.sleep(0.01)
        spent = cpu_seconds(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(server.requests) > received
    return spent


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="CPU time is read from /proc")
def test_the_first_request_leaves_within_three_seconds(tmp_path: Path) -> None:
    """In CPU time, and against a yardstick: what a second holds differs by machine and by who shares it.

    The best of three attempts counts. It takes 1.5 to 1.8 yardsticks, on a machine whose memory others keep busy.
    """
    write_teleqna(tmp_path / "teleqna.txt", 10_000)
    ratios: list[float] = []
    with StandIn() as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "big", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "stand-in", "base_url": server.url}},
        )
        while len(ratios) < 3 and not any(ratio < 2.6 for ratio in ratios):
            yardstick = yardstick_seconds()
            spent = seconds_to_first_request(recipe, tmp_path / f"data-{len(ratios)}", server)
            ratios.append(spent / max(yardstick, yardstick_seconds()))
    assert min(ratios) < 2.6, ratios


def test_closing_lines_fit_the_terminal_and_name_the_root(tmp_path: Path) -> None:
    models = {"grm": {"engine": "simulated", "simulated": {"accuracy": 0.1}}}
    recipe = write_small(tmp_path, 40, build={"name": "small", "sets": ["rft"]}, models=models)
    done = grmforge("build", recipe, "--root", "slow", cwd=tmp_path, env={"COLUMNS": "80"})
    assert done.code == 0, done.err
    summary = done.out.split("\npublished ")[0].split("\n")
    assert max(map(len, summary)) <= 80
    assert any("--root slow" in line for line in summary)


@pytest.mark.slow
def test_an_interrupted_build_keeps_its_answers_and_goes_on(tmp_path: Path) -> None:
    judge = {"engine": "simulated", "max_concurrency": 8, "simulated": {"latency_s": 0.05}}
    recipe = write_small(tmp_path, 100, build={"name": "small", "sets": ["rft"]}, models={"grm": judge})
    root = tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        assert process.stderr is not None
        until = time.monotonic() + 60
        while not paid(root):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("stopped: interrupted; "), err
    assert "Traceback" not in err
    kept = len(paid(root))
    assert kept > 0
    assert not (root / "snapshots").exists()

    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0
    assert f"{kept:,} were there already" in done.err
    assert set(paid(root).values()) == {1}


def test_a_build_beside_another_says_which_and_goes_on(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), tmp_path / "data"
    with JournalWriter(Root(root), "the-other-run") as writer:
        writer.append(a_request(1), an_answer(a_request(1)))
        writer.flush()
        beside = grmforge("build", recipe, "--root", root)
    assert beside.code == 0, beside.err
    said = f"run the-other-run is at work under this root, see {root / 'runs/the-other-run.jsonl'}; what both ask for"
    assert " ".join(beside.err.split()).count(said) == 1
    assert "at work under this root" not in grmforge("build", recipe, "--root", root).err


@pytest.mark.slow
def test_a_smaller_limit_is_part_of_a_larger_one(tmp_path: Path) -> None:
    recipe = write_small(tmp_path, 120)
    rows = {}
    for limit in (20, 50):
        done = grmforge("build", recipe, "--root", tmp_path / str(limit), "--limit", str(limit))
        assert done.code == 0, done.err
        snapshot = latest(tmp_path / str(limit), "small")
        assert snapshot.manifest.inputs[0].rows == limit
        kept = [frame(snapshot, table) for table in ("sets/kept", "sets/dropped") if snapshot.rows(table)]
        rows[limit] = set(pl.concat(kept)["source_id"])
    assert len(rows[20]) == 20
    assert rows[20] < rows[50]


@pytest.mark.slow
def test_a_part_of_the_sets_has_a_name_of_its_own_and_pays_nothing_twice(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), tmp_path / "data"
    assert grmforge("build", recipe, "--root", root, "--sets", "rft").code == 0
    assert {table.split("/")[0] for table in latest(root, "small-rft").manifest.tables} == {
        "rft",
        "rft_messages",
        "sets",
        "trajectories",
    }
    assert not (root / "snapshots/small").exists()
    judged = set(paid(root))
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0
    assert judged < set(paid(root))
    assert set(paid(root).values()) == {1}
    assert [use.role for use in latest(root, "small").manifest.models] == ["grm", "difficulty"]


def test_where_nothing_was_judged_the_way_to_see_why_leads_to_what_was_dropped(tmp_path: Path) -> None:
    rows = [{"query": f"What is {n}?", "responses": ["a", "b"], "rewards": [1, 1]} for n in range(3)]
    (tmp_path / "ties.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = write_small(
        tmp_path,
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": "ties.jsonl"}],
    )
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 1
    (line,) = done.errors
    command = line.partition("see why: ")[2].split()
    assert command[-4:] == ["--table", "sets", "--status", "dropped"]
    shown = grmforge(*command[1:])
    assert shown.code == 0 and "tie" in shown.out
