"""`grmforge refresh` as a scheduler starts it, over the nights of a source that grows, against a server that counts."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from storage.root import Root
from storage.snapshots import versions
from tests.end_to_end.commands import GRMFORGE, Done, data_files, frame, grmforge, latest, start, write_recipe
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn
from tests.pipelines.sources.stand_in_hub import StandInHub

NAME = "nights"
SAMPLES = 4
"""Three readable samples of a set, and a hinted one."""


def rows_of(count: int, first: int = 0) -> bytes:
    """Return so many sets of three responses as JSONL, no two alike."""
    rows = [
        {
            "query": f"What is {number * 7919} taken modulo {number + 2}?",
            "responses": [f"{word}, since {number} counts {number * 31 + shift}" for shift, word in enumerate("abc")],
            "best": number % 3,
        }
        for number in range(first, first + count)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write_nightly(
    directory: Path, url: str, source: dict[str, Any] | None = None, max_concurrency: int = 64, **refresh: Any
) -> Path:
    """Write a recipe whose GRM stands behind a URL, and return its path."""
    return write_recipe(
        directory / "recipe.toml",
        build={"name": NAME, "sets": ["rft", "meta_rm"], "root": str(directory / "data")},
        sources=[{"kind": "preference_sets"} | (source or {"path": "sets.jsonl"})],
        models={"grm": {"engine": "openai", "model": "m", "base_url": url, "max_concurrency": max_concurrency}},
        rejection={"balance_positions": False},
        splits={"validation": 0.0},
        refresh={"lease_s": 2} | refresh,
    )


def refreshed(recipe: Path, code: int = 0, **settings: Any) -> dict[str, Any]:
    done = grmforge("refresh", recipe, "--json", **settings)
    assert done.code == code, done.err
    return dict(json.loads(done.out)) if done.out else {}


@pytest.mark.slow
def test_the_second_night_asks_for_the_new_rows_alone_and_says_what_changed(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn() as server:
        recipe = write_nightly(tmp_path, server.url)
        first = grmforge("refresh", recipe)
        assert first.code == 0, first.err
        assert "nothing to compare with" in first.out
        asked = len(server.requests)
        assert asked == 12 * SAMPLES

        (tmp_path / "sets.jsonl").write_bytes(rows_of(15))
        second = refreshed(recipe)
        new = [str(received.body["messages"]) for received in server.requests[asked:]]
        assert len(new) == 3 * SAMPLES
        assert all(any(f"What is {number * 7919} " in text for number in (12, 13, 14)) for text in new)

        third = refreshed(recipe)
        assert len(server.requests) == 15 * SAMPLES, "a night without news asked something"
    assert second["new"] and second["latest"] == second["version"] == latest(tmp_path / "data", NAME).manifest.version
    assert second["spent"]["requests"] == 3 * SAMPLES
    compared = second["comparison"]
    tables = {one["table"]: (one["added"], one["gone"]) for one in compared["tables"]}
    assert tables["sets/kept"] == (3, 0)
    assert tables["trajectories/accepted"][0] + tables["trajectories/rejected"][0] == 3 * SAMPLES
    assert tables["trajectories/accepted"][1] == tables["trajectories/rejected"][1] == 0
    (source,) = compared["inputs"]
    assert (source["before"]["rows"], source["after"]["rows"]) == (12, 15)
    assert source["before"]["revision"] != source["after"]["revision"]
    (role,) = compared["models"]
    assert (role["before"]["requests"], role["after"]["requests"]) == (12 * SAMPLES, 15 * SAMPLES)
    assert role["after"]["asked"] == 3 * SAMPLES
    assert (third["new"], third["comparison"], third["latest"]) == (False, None, second["version"])
    kept = tmp_path / "data/snapshots" / NAME / "comparisons" / f"{second['before']}..{second['version']}.json"
    assert json.loads(kept.read_bytes())["tables"] == compared["tables"]
    old, new_one = f"{NAME}@{second['before']}", f"{NAME}@{second['version']}"
    again = grmforge("compare", old, new_one, "--root", tmp_path / "data", "--json")
    assert json.loads(again.out) == compared
    lines = grmforge("compare", old, new_one, "--root", tmp_path / "data").out
    assert f"{NAME}@{second['before']} -> {NAME}@{second['version']}" in lines
    assert "12 -> 15" in lines


@pytest.mark.slow
def test_a_tripped_guard_leaves_latest_where_it_was_until_it_is_promoted(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    root = tmp_path / "data"
    with StandIn() as server:
        recipe = write_nightly(tmp_path, server.url)
        good = refreshed(recipe)["version"]
        (tmp_path / "sets.jsonl").write_bytes(rows_of(9))
        for _ in range(2):  # the next night compares with the good version again
            done = grmforge("refresh", recipe)
            assert done.code == 1
            (line,) = done.errors
            assert f"LATEST is held back at {good}" in line
            assert "preference_sets shrank from 12 kept sets to 9: 25.0% less" in line
            assert latest(root, NAME).manifest.version == good
        held_back = versions(Root(root), NAME)[-1]
        assert held_back != good
        assert f"grmforge promote {NAME}@{held_back}" in line

        built = grmforge("build", recipe, "--root", tmp_path / "other")
        assert built.code == 0
        assert latest(tmp_path / "other", NAME).rows("sets/kept") == 9, "a build has no guards"

        for flags, words in (((), "pinned"), (("--remove",), "no longer pinned")):
            pinned = grmforge("pin", f"{NAME}@{held_back[:-2]}", *flags, "--root", root)
            assert (pinned.code, pinned.out) == (0, f"{NAME}@{held_back} is {words}\n")
        promoted = grmforge("promote", f"{NAME}@{held_back}", "--root", root)
        assert (promoted.code, promoted.out) == (0, f"LATEST of {NAME} is {held_back} now, and was {good}\n")
        again = grmforge("promote", f"{NAME}@{held_back}", "--root", root)
        assert (again.code, again.out) == (0, f"LATEST of {NAME} is {held_back} already\n")
        assert refreshed(recipe)["latest"] == held_back


@pytest.mark.slow
def test_a_judge_that_broke_is_seen_in_the_new_answers(tmp_path: Path) -> None:
    """Twenty new sets beside two hundred move the acceptance of the whole by a few points only."""
    (tmp_path / "sets.jsonl").write_bytes(rows_of(200))
    always_first = stand_in.chat("Specific Criteria:\nA\n\nAnalysis:\nB\n\nScores: \\boxed{1, 1, 1}")
    with StandIn() as server, StandIn(then=always_first) as broken:
        refreshed(write_nightly(tmp_path, server.url))
        (tmp_path / "sets.jsonl").write_bytes(rows_of(220))
        done = grmforge("refresh", write_nightly(tmp_path, broken.url))
    assert done.code == 1, done.out
    (line,) = done.errors
    assert "acceptance of the new answers of preference_sets moved from " in line
    assert "to 0.0% (of 80)" in line


@pytest.mark.slow
def test_a_run_that_finds_another_one_at_work_ends_at_once_and_well(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn(latency_s=0.5) as server:
        recipe = write_nightly(tmp_path, server.url, max_concurrency=4)
        with start("refresh", recipe) as working:
            wait_until(lambda: bool(server.requests))
            done = grmforge("refresh", recipe)
            assert working.poll() is None
            assert done.code == 0
            assert f"another refresh of {NAME} runs: run " in done.out
            assert f"(process {working.pid}); this one ends" in done.out
            working.communicate(timeout=60)
            assert working.returncode == 0
        assert len(server.requests) == 12 * SAMPLES
        assert grmforge("refresh", recipe).code == 0


@pytest.mark.slow
def test_a_killed_night_is_healed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn(latency_s=0.5) as server:
        recipe = write_nightly(tmp_path, server.url)
        with start("refresh", recipe) as working:
            wait_until(lambda: len(server.requests) > 3)
            os.killpg(working.pid, signal.SIGKILL)
            working.communicate(timeout=30)
    assert not (tmp_path / "data/snapshots").exists()
    with StandIn() as server:
        recipe = write_nightly(tmp_path, server.url)
        done = grmforge("refresh", recipe)
        assert done.code == 0, done.err
        assert "seems to have died" not in done.err, "its process has gone from this machine: nothing to wait for"
        (tmp_path / "other").mkdir()
        (tmp_path / "other/sets.jsonl").write_bytes(rows_of(12))
        assert refreshed(write_nightly(tmp_path / "other", server.url))["new"]
    assert data_files(latest(tmp_path / "data", NAME)) == data_files(latest(tmp_path / "other/data", NAME))


def test_an_interrupted_night_gives_its_lease_back(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn(latency_s=0.5) as server:
        recipe = write_nightly(tmp_path, server.url, max_concurrency=2)
        with start("refresh", recipe) as working:
            wait_until(lambda: len(server.requests) > 3)
            working.send_signal(signal.SIGINT)
            _, err = working.communicate(timeout=30)
        assert working.returncode == 130, err
        assert json.loads((tmp_path / "data/leases/nights.json").read_bytes())["released"]
        asked = len(server.requests)
    with StandIn() as server:
        done = grmforge("refresh", write_nightly(tmp_path, server.url))
        assert done.code == 0, done.err
        assert "watching" not in done.err
        assert len(server.requests) == 12 * SAMPLES - asked


@pytest.mark.slow
def test_a_disk_that_refuses_in_the_middle_leaves_latest_and_the_next_night_heals(tmp_path: Path) -> None:
    """The shell's limit on a file's size refuses as a full disk does."""
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn() as server:
        recipe = write_nightly(tmp_path, server.url)
        first = refreshed(recipe)["version"]
        (tmp_path / "sets.jsonl").write_bytes(rows_of(212))
        limited = f'ulimit -f 64; exec "{GRMFORGE}" refresh "{recipe}"'
        done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: ") and "ulimit -f" in last
        assert latest(tmp_path / "data", NAME).manifest.version == first
        healed = refreshed(recipe)
        assert healed["latest"] == healed["version"] != first
        assert "leases/nights.json" not in done.stderr, "a lease is small, and was released"


def wait_until(is_so: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_a_new_revision_of_the_hub_is_found_and_one_that_is_gone_leaves_latest(tmp_path: Path) -> None:
    commits = ["0" * 40, "1" * 40]
    hub = StandInHub({"mine/sets": {"sets.jsonl": rows_of(12)}}, commit=commits[0])
    with StandIn() as server, hub:
        recipe = write_nightly(tmp_path, server.url, {"hub": "mine/sets"})
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}

        def night() -> Done:
            return grmforge("refresh", recipe, env=env)

        assert night().code == 0
        hub.commit, hub.datasets["mine/sets"] = commits[1], {"sets.jsonl": rows_of(15)}
        assert night().code == 0
        now = latest(tmp_path / "data", NAME)
        assert now.manifest.inputs[0].revision == commits[1]
        assert set(frame(now, "sets/kept")["source_revision"]) == {commits[1]}
        assert len(server.requests) == 15 * SAMPLES

        datasets, hub.datasets = hub.datasets, {}
        gone = night()
        assert gone.code == 2
        assert "mine/sets: no such data set on the hub" in gone.errors[0]
        hub.datasets = datasets
    away = grmforge("refresh", recipe, env=env)
    assert away.code == 2, "yesterday's copy in the cache is not today's revision"
    assert "the hub cannot be reached" in away.errors[0]
    assert latest(tmp_path / "data", NAME).manifest.version == now.manifest.version
    assert grmforge("build", recipe, env=env).code == 0, "a build takes what is in the cache"


def test_a_path_that_is_gone_leaves_latest(tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(rows_of(12))
    with StandIn() as server:
        recipe = write_nightly(tmp_path, server.url)
        version = refreshed(recipe)["version"]
        (tmp_path / "sets.jsonl").unlink()
        done = grmforge("refresh", recipe)
    assert done.code == 2
    assert "no such file or directory" in done.errors[0]
    assert latest(tmp_path / "data", NAME).manifest.version == version


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("promote", "nights"), "names no version: write it as name@version"),
        (("promote", "nights@1999"), "no snapshot 'nights@1999'"),
        (("pin", "@"), "names no version"),
        (("compare", "nights", "nights"), "no snapshot 'nights'"),
    ],
)
def test_a_version_that_is_not_there_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "data").mkdir()
    done = grmforge(*arguments, "--root", tmp_path / "data")
    assert done.code in (1, 2)
    (line,) = done.errors
    assert said in line
