"""`grmforge compare`: two snapshots, or two evaluations, however they are named."""

import json
from pathlib import Path

import pytest

from storage.evaluations import Evaluation
from storage.snapshots import Snapshot
from tests.end_to_end.commands import grmforge
from tests.examples import jsonl_rows
from tests.pipelines.evaluation.evaluations import evaluated
from tests.pipelines.reporting.small_snapshot import small


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Evaluation, Snapshot]:
    """Two evaluations and a snapshot under one root; the snapshot shares its name with the first evaluation."""
    place = tmp_path_factory.mktemp("both")
    settings = {"rows": jsonl_rows(12), "k_max": 2}
    first = evaluated(place, evaluate_name="small", **settings)
    second = evaluated(place, evaluate_name="other", judge={"accuracy": 0.9}, **settings)
    snapshot, _ = small().published(place / "data")
    return first, second, snapshot


def test_two_evaluations_by_name_or_directory(both: tuple[Evaluation, Evaluation, Snapshot]) -> None:
    first, second, _ = both
    root = first.root.where()
    by_name = grmforge("compare", f"small@{first.manifest.version}", "other", "--root", root)
    assert by_name.code == 0 and "p by Holm" in by_name.out
    assert by_name.out.startswith(f"small@{first.manifest.version} -> other@{second.manifest.version}\n")
    by_directory = grmforge("compare", first.location, second.location, "--json")
    assert json.loads(by_directory.out)["benchmarks"][0]["shared"] == 12


def test_a_name_that_is_both_says_how_to_tell_them_apart(both: tuple[Evaluation, Evaluation, Snapshot]) -> None:
    first, _, snapshot = both
    done = grmforge("compare", "small", "other", "--root", first.root.where())
    (line,) = done.errors
    assert done.code == 1 and "both a snapshot and an evaluation" in line
    assert f"small@{snapshot.manifest.version}" in line and f"small@{first.manifest.version}" in line


def test_a_snapshot_and_an_evaluation_are_not_compared(both: tuple[Evaluation, Evaluation, Snapshot]) -> None:
    first, _, snapshot = both
    done = grmforge("compare", snapshot.location, first.location)
    (line,) = done.errors
    assert done.code == 1 and "is a snapshot" in line and "is an evaluation; compare two of one kind" in line


def test_snapshots_are_compared_as_before(both: tuple[Evaluation, Evaluation, Snapshot]) -> None:
    snapshot = both[2]
    name = f"small@{snapshot.manifest.version}"
    done = grmforge("compare", snapshot.location, name, "--root", snapshot.root.where())
    assert done.code == 0 and done.out.startswith(f"{name} -> {name}\n")


def test_a_version_that_an_evaluation_lacks_lists_those_that_it_has(
    both: tuple[Evaluation, Evaluation, Snapshot],
) -> None:
    _, second, _ = both
    done = grmforge("compare", "other@1999", "other", "--root", second.root.where())
    (line,) = done.errors
    assert done.code == 1 and line.endswith(f"other has: {second.manifest.version}"), line


def test_an_unknown_name_is_answered_with_both_kinds(
    both: tuple[Evaluation, Evaluation, Snapshot], tmp_path: Path
) -> None:
    done = grmforge("compare", "nothing", "other", "--root", both[0].root.where())
    (line,) = done.errors
    assert done.code == 1 and "no snapshot 'nothing'" in line and "evaluations: other, small" in line
    bare = grmforge("compare", "nothing", "other", "--root", tmp_path / "none")
    assert bare.code == 1 and len(bare.errors) == 1
