"""A whole build on a real vLLM that grmforge starts itself: one story, told in the order of these tests.

The model's weights are random, so that its judgements are right by chance: what is tested is the machinery, and that
chance is what comes out of it.
"""

import json
import math
import os
import re
import signal
import time
from pathlib import Path
from subprocess import Popen

import polars as pl
import pytest

from schemas.trajectory import Outcome
from storage.snapshots import Snapshot
from tests.end_to_end.commands import Done, frame, latest, paid, start
from tests.pipelines.engines.test_vllm_server import gone
from tests.vllm.conftest import FINDINGS, timed
from tests.vllm.recipes import IN_FLIGHT, SETS, served, write

ANSWERED = 'POST /v1/chat/completions HTTP/1.1" 200'
PATIENCE_S = 600.0
BLOCK = 128
"""Tokens of a block of the prefix cache, where vLLM runs on a processor."""
pytestmark = pytest.mark.timeout(2 * PATIENCE_S)  # a start takes 25 s on two idle cores, and much more on busy ones


@pytest.fixture(scope="module")
def recipe(home: Path, vllm_python: str) -> Path:
    return write(home, vllm_python)


def grmforge(*arguments: str | Path) -> Done:
    """Run a command to its end."""
    with start(*arguments) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    return Done(process.returncode, out, err)


def logs_of(root: Path) -> list[Path]:
    """Return the servers' logs, oldest first."""
    return sorted((root / "runs").glob("*-vllm-*.log"), key=lambda path: path.stat().st_mtime_ns)


def answered(log: Path) -> int:
    return log.read_text("utf-8", "replace").count(ANSWERED)


def until_it_answers(process: "Popen[str]", root: Path, count: int) -> Path:
    """Wait until a server that this build has started has answered so often; return its log."""
    known = set(logs_of(root))
    until = time.monotonic() + PATIENCE_S
    while True:
        new = [log for log in logs_of(root) if log not in known]
        if new and answered(new[-1]) >= count:
            return new[-1]
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.1)


def processes_of(build: int) -> tuple[int, set[int]]:
    """Return the process group of a build's server, and all processes of its keeper's session but the keeper."""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            table[int(entry.name)] = [int(field) for field in fields[1:4]]  # parent, group, session
    (keeper,) = [pid for pid, (parent, _, session) in table.items() if parent == build and session == pid]
    (server,) = [pid for pid, (parent, _, _) in table.items() if parent == keeper]
    assert table[server][1] == server, "the server leads a process group"
    return server, {pid for pid, (_, _, session) in table.items() if session == keeper and pid != keeper}


def test_candidates_are_made_and_rubrics_written_and_tried(recipe: Path, home: Path) -> None:
    root = home / "data"
    with timed("candidates and rubrics: a start, answers, a teacher's, rubrics in JSON, their trials"):
        done = grmforge("rubrics", "build", recipe, "--root", root)
    assert done.code == 0, done.err
    (log,) = logs_of(root)
    assert answered(log) == len(paid(root)) > 0
    assert "vLLM answers for tiny, after " in done.err


def test_ctrl_c_once_waits_for_what_is_in_flight_and_stops_the_server(recipe: Path, home: Path) -> None:
    root = home / "data"
    before = len(paid(root))
    with (
        timed("Ctrl-C in mid-build: a start, some judgements"),
        start("build", recipe, "--root", root) as process,
    ):
        log = until_it_answers(process, root, 100)
        _, processes = processes_of(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "what was in flight has come in" in err and "Traceback" not in err
    assert len(processes) >= 2, "vLLM's engine is a process of its own"
    assert all(gone(pid, 0) for pid in processes)
    assert len(paid(root)) - before == answered(log)


def test_kill_9_of_the_build_leaves_no_vllm_behind(recipe: Path, home: Path) -> None:
    root = home / "data"
    with (
        timed("kill -9 of grmforge in mid-build: a start, some judgements"),
        start("build", recipe, "--root", root) as process,
    ):
        until_it_answers(process, root, 80)
        _, processes = processes_of(process.pid)
        process.kill()
        began = time.monotonic()
        assert all(gone(pid, 15) for pid in processes), "vLLM outlived the build"
    FINDINGS.append(
        f"after kill -9 all {len(processes)} processes of vLLM were gone in {time.monotonic() - began:.1f} s"
    )
    assert set(paid(root).values()) == {1}


def test_a_vllm_that_is_killed_in_mid_build_is_started_again_and_the_build_ends(recipe: Path, home: Path) -> None:
    root = home / "data"
    before = len(paid(root))
    known = set(logs_of(root))
    with (
        timed("the whole build, vLLM killed in its middle: two starts"),
        start("build", recipe, "--root", root) as process,
    ):
        until_it_answers(process, root, 80)
        group, processes = processes_of(process.pid)
        os.killpg(group, signal.SIGKILL)
        assert all(gone(pid, 15) for pid in processes)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert err.count("warning: the vLLM server of tiny ended and is started again") == 1
    assert "killed by signal 9" in err
    new = [log for log in logs_of(root) if log not in known]
    assert len(new) == 2
    bought = len(paid(root)) - before
    twice = sum(map(answered, new)) - bought
    FINDINGS.append(f"vLLM killed in mid-build: {bought} answers kept, {twice} given twice, {IN_FLIGHT} in flight")
    assert 0 <= twice <= IN_FLIGHT, FINDINGS[-1]
    assert set(paid(root).values()) == {1}


@pytest.fixture(scope="module")
def snapshot(home: Path) -> Snapshot:
    return latest(home / "data", "tiny")


def judged(snapshot: Snapshot) -> pl.DataFrame:
    """Return every trajectory with its number of responses, and whether one score is the highest."""
    parts = [frame(snapshot, f"trajectories/{status}") for status in ("accepted", "rejected")]
    return pl.concat([part.select("mode", "outcome", "order", "scores") for part in parts]).with_columns(
        n=pl.col("order").list.len(),
        untied=pl.col("scores").list.eval(pl.element() == pl.element().max()).list.sum() == 1,
    )


def test_three_sets_come_of_it(snapshot: Snapshot) -> None:
    sets = {table.split("/")[0] for table, entry in snapshot.manifest.tables.items() if entry.rows}
    assert {"rft", "rl", "meta_rm"} <= sets
    uses = {use.role: use for use in snapshot.manifest.models}
    assert {"grm", "difficulty", "policy", "responder", "teacher"} <= set(uses)
    assert all(use.engine == "vllm" and use.completion_tokens > 0 and not use.failed for use in uses.values())
    assert set(judged(snapshot)["mode"].unique()) == {"non_hinted", "hinted"}


def test_every_judgement_holds_the_form(snapshot: Snapshot) -> None:
    """A regex leaves a judge no other way to end, but its tokens may."""
    outcomes = dict(judged(snapshot)["outcome"].value_counts().rows())
    readable = sum(rows for outcome, rows in outcomes.items() if Outcome(outcome).readable)
    assert readable / sum(outcomes.values()) > 0.99, outcomes


@pytest.mark.parametrize("n", [2, 4])
def test_verdicts_are_right_as_often_as_chance_has_it(snapshot: Snapshot, n: int) -> None:
    """Of those with one highest score, one in n: shown orders are shuffled, and the judge knows nothing."""
    untied = judged(snapshot).filter((pl.col("n") == n) & pl.col("untied"))
    right = untied.filter(outcome=Outcome.CORRECT.value).height
    assert untied.height > SETS
    error = math.sqrt(1 / n * (1 - 1 / n) / untied.height)
    deviation = (right / untied.height - 1 / n) / error
    FINDINGS.append(
        f"n = {n}: {right} of {untied.height} untied verdicts right, {deviation:+.1f} standard errors from chance"
    )
    assert abs(deviation) < 4, FINDINGS[-1]


def test_what_prompts_have_in_common_is_found_in_the_cache(home: Path) -> None:
    """Requests of one set follow one another, and all of one template begin with the same words."""
    import transformers

    parts = [pl.read_parquet(path) for path in (home / "data/generations").rglob("*.parquet")]
    asked = pl.concat(parts).filter(pl.col("role") == "grm")
    assert asked["cached_tokens"].null_count() == 0
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "tiny")
    known, ideal, tokens = set[tuple[int, ...]](), 0, 0
    for body in asked["request"]:
        prompt = tokenizer.apply_chat_template(json.loads(body)["messages"], add_generation_prompt=True)["input_ids"]
        beginnings = [tuple(prompt[:end]) for end in range(BLOCK, len(prompt), BLOCK)]  # the last token is computed
        ideal += BLOCK * sum(one in known for one in beginnings)
        known.update(beginnings)
        tokens += len(prompt)
    assert tokens == asked["prompt_tokens"].sum()
    share = asked["cached_tokens"].sum() / tokens
    FINDINGS.append(
        f"{share:.1%} of the judge's prompt tokens were in the prefix cache, of {ideal / tokens:.1%} at best"
    )
    assert share > 0.5 and share > 0.9 * ideal / tokens


def test_a_second_build_asks_nothing_and_starts_nothing(recipe: Path, home: Path, snapshot: Snapshot) -> None:
    root = home / "data"
    starts = len(logs_of(root))
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0, done.err
    assert len(logs_of(root)) == starts
    assert latest(root, "tiny").manifest.version == snapshot.manifest.version


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--max-model-len", "100000"), "--max-model-len is beyond what the model can read"),
        (("--no-such-flag",), "vLLM does not take its command line"),
    ],
)
def test_a_real_failure_is_named(
    home: Path, vllm_python: str, args: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    recipe = write(
        home,
        vllm_python,
        models={"grm": served(vllm_python, args)},
        build={"name": "x", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "fours.txt"}],
        grm={"max_tokens": 160},
    )
    with timed("starts that fail"):
        done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 1
    (error,) = done.errors
    assert re.match(rf"error: vLLM did not start for tiny: {re.escape(said)}", error), done.err
