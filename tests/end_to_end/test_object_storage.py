"""Builds whose root lies in a bucket: the same bytes as on a disk, however often they are killed."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import LoopbackS3, serving_s3
from tests.end_to_end.commands import data_files, grmforge, latest, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.end_to_end.test_kills import kill_at
from tests.examples import write_rows

MOMENTS = [
    ("sampling rft", 0.9),
    ("sampling rft", 0.9),
    ("judging rft", 0.1),
    ("sampling difficulty", 0.9),
    ("assembling", 0.3),
    ("publishing", 0.1),
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackS3]:
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recipe")
    judge = {"engine": "simulated", "max_concurrency": 60}
    write_teleqna(directory / "teleqna.txt", 250)
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "remote", "seed": 3},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={
            "grm": {**judge, "simulated": {"latency_s": 0.05}},
            "difficulty": {**judge, "simulated": {"latency_s": 0.05, "accuracy": 0.6, "seed": 1}},
        },
    )


def fetched(s3: LoopbackS3, bucket: str, prefix: str) -> dict[str, bytes]:
    """Return the data files of the latest version of `remote`, by their path in it, from the bucket itself."""
    store = s3.store(bucket)
    version = bytes(store.get(f"{prefix}/snapshots/remote/LATEST").bytes()).decode().strip()
    folder = f"{prefix}/snapshots/remote/{version}/"
    keys = [key for key in s3.objects(bucket) if key.startswith(folder) and key.endswith(".parquet")]
    return {key.removeprefix(folder): bytes(store.get(key).bytes()) for key in keys}


@pytest.fixture(scope="module")
def local(recipe: Path) -> dict[str, bytes]:
    """Return the data files of a build on a disk."""
    root = recipe.with_name("local")
    assert grmforge("build", recipe, "--root", root).code == 0
    return data_files(latest(root, "remote"))


@pytest.mark.slow
def test_a_build_in_a_bucket_has_the_bytes_of_a_local_one_from_whatever_machine(
    s3: LoopbackS3, recipe: Path, local: dict[str, bytes]
) -> None:
    first = grmforge("build", recipe, "--root", "s3://forge/bytes", env=s3.environment("one"))
    assert first.code == 0, first.err
    assert fetched(s3, "forge", "bytes") == local
    answers = [key for key in s3.objects() if key.startswith("bytes/generations/")]
    there = s3.environment("another")
    again = grmforge("build", recipe, "--root", "s3://forge/bytes", env=there)
    assert "nothing new to publish: the content is that of s3://forge/bytes/snapshots/remote/" in again.out
    assert [key for key in s3.objects() if key.startswith("bytes/generations/")] == answers
    shown = grmforge("inspect", "remote", "--status", "rejected", "-n", "1", "--root", "s3://forge/bytes", env=there)
    assert (shown.code, "1 of " in shown.out) == (0, True)
    assert not [key for key in s3.objects() if key.startswith("bytes/") and re.search(r"tmp|probe|\.arrows", key)]


@pytest.mark.slow
def test_an_evaluation_in_a_bucket_has_the_bytes_of_a_local_one(s3: LoopbackS3, tmp_path: Path) -> None:
    """Another machine finds it, and compares; the doctor reads it byte by byte."""
    rows = [{"id": f"{number}", "query": f"{number}?", "chosen": f"{number}", "rejected": "?"} for number in range(20)]
    write_rows(tmp_path / "pairs.jsonl", rows)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "remote"},
        models={"grm": {"engine": "simulated"}},
        evaluate={"k_max": 2, "replicates": 200, "benchmarks": [{"kind": "preference_sets", "path": "pairs.jsonl"}]},
    )
    told = {}
    for root in (str(tmp_path / "local"), "s3://forge/evaluated"):
        done = grmforge("evaluate", recipe, "--root", root, "--json", env=s3.environment("one"))
        assert done.code == 0, done.err
        told[root] = json.loads(done.out)
    assert len({one["version"].rpartition("-")[2] for one in told.values()}) == 1, "the content hash"
    there = {"env": s3.environment("another")}
    again = grmforge("evaluate", recipe, "--root", "s3://forge/evaluated", "--json", **there)
    assert (json.loads(again.out)["new"], json.loads(again.out)["spent"]["requests"]) == (False, 0)
    compared = grmforge("compare", "remote-grm", "remote-grm", "--root", "s3://forge/evaluated", "--json", **there)
    assert compared.code == 0, compared.err
    doctor = grmforge("doctor", recipe, "--root", "s3://forge/evaluated", **there)
    assert (doctor.code, "ok     evaluation remote-grm@" in doctor.out) == (0, True), doctor.out


@pytest.mark.slow
def test_a_build_in_a_bucket_that_is_killed_ends_in_the_same_bytes(
    s3: LoopbackS3, recipe: Path, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment("killed").items():
        monkeypatch.setenv(name, value)
    killed = [kill_at(recipe, "s3://forge/killed", stage, seconds) for stage, seconds in MOMENTS]
    assert sum(killed) >= 4
    done = grmforge("build", recipe, "--root", "s3://forge/killed")
    assert done.code == 0, done.err
    assert fetched(s3, "forge", "killed") == local


@pytest.mark.slow
def test_a_bucket_that_goes_in_mid_run_ends_in_one_line_and_the_next_run_pays_for_nothing_twice(
    s3: LoopbackS3, recipe: Path, local: dict[str, bytes]
) -> None:
    bucket = s3.make_bucket("fleeting")
    with start("build", recipe, "--root", f"{bucket}/root", env=s3.environment("fleeting")) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("sampling rft"):
                break
        time.sleep(0.8)
        s3.remove_bucket("fleeting")
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert "Traceback" not in said
    [error] = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "there is no bucket fleeting; make it" in error
    refused = grmforge("build", recipe, "--root", f"{bucket}/root", env=s3.environment("fleeting"))
    assert (refused.code, refused.errors) == (
        1,
        [
            "error: root s3://fleeting/root: there is no bucket fleeting; make it, or name another root, "
            "and run the same command again"
        ],
    )
    s3.make_bucket("fleeting")
    healed = grmforge("build", recipe, "--root", f"{bucket}/root", env=s3.environment("fleeting"))
    assert healed.code == 0, healed.err
    assert fetched(s3, "fleeting", "root") == local


@pytest.mark.slow
def test_nights_go_by_in_a_bucket(s3: LoopbackS3, recipe: Path) -> None:
    """Two machines take turns: each finds what the other published, and its lease; old versions go."""
    root = f"{s3.make_bucket('nights')}/deep"
    versions = []
    for machine, limit in (("one", "40"), ("two", "45"), ("one", "50")):
        command = ("refresh", recipe, "--root", root, "--limit", limit, "--json")
        done = grmforge(*command, env=s3.environment(f"nights-{machine}"))
        assert done.code == 0, done.err
        night = json.loads(done.out)
        assert night["before"] == (versions[-1] if versions else None)
        versions.append(night["version"])
    pinned = grmforge("pin", f"remote@{versions[0]}", "--root", root, env=s3.environment("nights-two"))
    assert pinned.code == 0, pinned.err
    there = s3.objects("nights")
    assert "deep/leases/remote.json" in there
    assert f"deep/snapshots/remote/pins/{versions[0]}" in there
    assert f"deep/snapshots/remote/comparisons/{versions[1]}..{versions[2]}.json" in there
