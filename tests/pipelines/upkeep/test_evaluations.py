"""Evaluations in the house: gc keeps what they were made of, forget finds them, the doctor names what is damaged."""

import shutil
import time
from pathlib import Path

import pytest

from pipelines.ahead.doctor import examine
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.publication import Evaluated
from pipelines.upkeep.forgetting import forget, look, request_to_forget
from pipelines.upkeep.leftovers import DAY_S, Kind, leftovers, remove
from schemas.errors import StorageError
from schemas.recipe import Recipe
from storage.evaluations import every_evaluation, find_evaluation
from storage.root import Root
from tests.examples import a_run, jsonl_rows, write_rows
from tests.pipelines.upkeep.houses import MARK, built, files_with, the_recipe, write_house

SMALL = {"k_max": 2, "replicates": 200}


def evaluated(recipe: Recipe, root: Root) -> Evaluated:
    run, _ = a_run(recipe)
    return evaluate(recipe, root, run)


def of_sets(folder: Path) -> Recipe:
    """Return a recipe that evaluates its judge on the sets that it was trained on."""
    benchmark = {"kind": "test", "splits": ["train", "validation"]}
    return the_recipe(folder, evaluate=SMALL | {"name": "on-sets", "benchmarks": [benchmark]})


def of_others(folder: Path) -> Recipe:
    """Return a recipe that evaluates it on a file that has nothing to do with the sources."""
    write_rows(folder / "others.jsonl", jsonl_rows(40)[30:])
    benchmark = {"kind": "preference_sets", "name": "others", "path": "others.jsonl"}
    return the_recipe(folder, evaluate=SMALL | {"name": "on-others", "benchmarks": [benchmark]})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two sources built and two evaluations, to be copied by each test."""
    folder = tmp_path_factory.mktemp("house")
    root = Root.open(str(folder / "data"))
    built(write_house(folder), root)
    evaluated(of_sets(folder), root)
    evaluated(of_others(folder), root)
    return folder


@pytest.fixture
def house(model: Path, tmp_path: Path) -> tuple[Path, Root]:
    shutil.copytree(model, tmp_path / "house")
    return tmp_path / "house", Root.open(str(tmp_path / "house" / "data"))


def test_a_damaged_version_keeps_nobody_from_publishing_a_whole_one(house: tuple[Path, Root]) -> None:
    folder, root = house
    damaged = find_evaluation(root, "on-others")
    version = "20260101T000000Z" + damaged.manifest.version[16:]  # one of another second than the next
    place = (root.path / damaged.key).rename((root.path / damaged.key).with_name(version))
    (place / "manifest.json").write_text('{"format": 1, "name": "on-others"}')
    done = evaluated(of_others(folder), root)
    assert done.new and done.evaluation.manifest.content_hash == damaged.manifest.content_hash
    with pytest.raises(StorageError, match="not a manifest of an evaluation: version: Field required; restore the"):
        find_evaluation(root, f"on-others@{version}")


def test_gc_keeps_the_stage_of_an_evaluation_and_takes_an_unfinished_one_after_a_day(house: tuple[Path, Root]) -> None:
    folder, root = house
    names = {evaluation.manifest.name for evaluation in every_evaluation(root)}
    whole = find_evaluation(root, "on-sets")
    killed = root.path / "evaluations/on-sets/20250101T000000Z-0123abcd"
    shutil.copytree(root.path / whole.key, killed)
    (killed / "manifest.json").unlink()
    assert Kind.UNFINISHED_EVALUATION not in {one.kind for one in leftovers(root).found}
    later = time.time() + 30 * DAY_S
    found = leftovers(root, now=later).found
    assert not [one.key for one in found if one.key.startswith("stages/evaluated")]
    assert [one.key for one in found if one.kind is Kind.UNFINISHED_EVALUATION] == [str(killed.relative_to(root.path))]
    list(remove(root, found, now=later))
    assert not killed.exists()
    assert {evaluation.manifest.name for evaluation in every_evaluation(root)} == names == {"on-sets", "on-others"}
    shutil.rmtree(root.path / "evaluations/on-others")
    unused = [one.key for one in leftovers(root, now=later).found if one.kind is Kind.STAGE]
    assert len([key for key in unused if key.startswith("stages/evaluated")]) == 1
    assert not evaluated(of_sets(folder), root).new


def test_forget_finds_the_evaluations_that_hold_a_row_and_no_other(house: tuple[Path, Root]) -> None:
    folder, root = house
    found = [one for one in look(root, request_to_forget(root, "gone")).findings.versions if one.is_evaluation]
    assert [one.name for one in found] == ["on-sets"]
    assert set(found[0].tables) == {"items", "judgements"} and found[0].as_json()["evaluation"] is True
    forget(root, request_to_forget(root, "gone"))
    left = files_with(root.path, MARK, but="snapshots/")
    assert left and all(path.startswith("evaluations/on-sets/") for path in left)
    forget(root, request_to_forget(root, "gone"), remove_versions=True)
    assert files_with(root.path, MARK) == []
    assert [evaluation.manifest.name for evaluation in every_evaluation(root)] == ["on-others"]
    run, watcher = a_run(of_others(folder))
    assert not evaluate(of_others(folder), root, run).new and watcher.bought == 0


def test_a_damaged_evaluation_is_named_and_the_next_one_puts_it_back(house: tuple[Path, Root]) -> None:
    folder, root = house
    recipe = of_others(folder).model_copy(update={"sources": ()})
    recipe = recipe.model_copy(update={"build": recipe.build.model_copy(update={"root": str(root.path)})})
    evaluation = find_evaluation(root, "on-others")
    (file,) = evaluation.files("items")
    before = file.read_bytes()
    file.write_bytes(before[:100] + bytes([before[100] ^ 255]) + before[101:])
    (file.parent / "report.html").unlink()

    def wrong() -> list[str]:
        return [f"{found.what}: {found.says}" for found in examine(recipe, {}) if not found.ok]

    (fault,) = wrong()
    assert fault.startswith("evaluation on-others@") and "report.html are gone or damaged; evaluate again" in fault
    done = evaluated(of_others(folder), root)
    assert (done.new, done.healed) == (False, (file.name, "report.html"))
    assert file.read_bytes() == before
    assert wrong() == []
    (file.parent / "manifest.json").write_bytes(b"{")
    (fault,) = wrong()
    assert "manifest.json" in fault


def test_the_doctor_reads_the_benchmarks_of_a_recipe(house: tuple[Path, Root]) -> None:
    folder, root = house
    rows = [*jsonl_rows(3), {"query": "Why?", "responses": ["So."]}]
    write_rows(folder / "odd.jsonl", rows)
    sections = [
        {"kind": "preference_sets", "name": "odd", "path": "odd.jsonl"},
        {"kind": "preference_sets", "name": "gone", "path": "nowhere.jsonl"},
        {"kind": "rewardbench", "path": "odd.jsonl"},
        {"kind": "test", "name": "mine"},
        {"kind": "test", "name": "not-yet", "snapshot": "other"},
    ]
    recipe = the_recipe(
        folder, evaluate={"benchmarks": sections}, build={"name": "house", "root": str(root.path), "sets": ["rft"]}
    )
    found = {one.what: (one.ok, one.says) for one in examine(recipe, {})}
    assert found["benchmark odd"] == (True, "3 items, 1 rows unreadable, protocol joint")
    for title, words in {
        "gone": "nowhere.jsonl: no such file",
        "rewardbench": "no field 'prompt'",
        "mine": "has no set in test",
        "not-yet": "no snapshot 'other'",
    }.items():
        ok, says = found[f"benchmark {title}"]
        assert not ok and words in says
