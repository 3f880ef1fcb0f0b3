"""Questions without answers, from a file of problems to a published snapshot: what anybody can see from outside."""

import json
import random
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from schemas.question import Verdict
from storage.snapshots import Snapshot, find_snapshot
from tests.end_to_end.commands import data_files, frame, grmforge, latest, paid
from tests.end_to_end.problems import ANSWERS
from tests.end_to_end.solving import (
    COUNT,
    SAMPLES,
    built,
    every_set,
    problem_of,
    simulated,
    traces,
    verdict_on,
    verdicts,
    write,
)
from tests.end_to_end.test_kills import kill_at

HALF = COUNT // 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Snapshot]:
    """Return a directory with a recipe that has a teacher, a root, and the snapshot that was built there."""
    directory = tmp_path_factory.mktemp("whole")
    faulty = simulated("small", accuracy=0.55, truncated=0.06, refused=0.04, failed=0.03)
    recipe = write(directory, models={"responder": faulty}, teacher=simulated("large", accuracy=0.9, seed=3))
    return recipe, directory / "data", built(recipe, directory / "data")


@pytest.mark.slow
def test_every_question_and_every_answer_is_accounted_for(whole: tuple[Path, Path, Snapshot]) -> None:
    snapshot = whole[2]
    found = verdicts(snapshot)
    assert found["questions"] == COUNT
    (source,) = snapshot.manifest.inputs
    assert source.rows == source.kept + source.dropped == found["sets"] == every_set(snapshot).height
    answers = {name: rows for name, rows in found.items() if name.startswith("responder: ")}
    assert sum(answers.values()) == SAMPLES * COUNT
    assert {"responder: right", "responder: wrong", "responder: truncated", "responder: refused"} < set(answers)
    assert answers["responder: failed"] == snapshot.manifest.models[0].failed > 0
    assert set(every_set(snapshot)["source_id"].str.extract(r":(\d+)$").cast(pl.Int64)) == set(range(1, COUNT + 1))


def test_a_set_has_exactly_one_right_response_and_a_single_one_its_label(whole: tuple[Path, Path, Snapshot]) -> None:
    sizes, labels = Counter[int](), Counter[int]()
    for row in frame(whole[2], "sets/kept").to_dicts():
        problem = problem_of(row["query"][-1]["content"])
        found = [verdict_on(problem, response["text"]) for response in row["responses"]]
        if row["n_responses"] == 1:
            labels[row["label"]] += 1
            assert (found[0] is Verdict.RIGHT) == (row["label"] == 1)
            continue
        sizes[row["n_responses"]] += 1
        assert found[row["best"]] is Verdict.RIGHT
        assert found.count(Verdict.RIGHT) == 1 and found.count(Verdict.WRONG) == row["n_responses"] - 1
        texts = [response["text"] for response in row["responses"]]
        assert len(set(texts)) == len(texts)
    assert set(sizes) <= {2, 3, 4} and sizes[4] > 0
    assert labels[0] == labels[1] > 0


def test_author_and_position_tell_nothing(whole: tuple[Path, Path, Snapshot]) -> None:
    compared = [row for row in frame(whole[2], "sets/kept").to_dicts() if row["n_responses"] > 1]
    of_one = [len({response["model"] for response in row["responses"]}) == 1 for row in compared]
    assert sum(of_one) >= len(compared) / 2
    taught = [row for row in compared if any(one["origin"] in ("teacher", "rewrite") for one in row["responses"])]
    assert taught, "some problems are beyond the responder"
    for row in taught:
        assert {one["model"] for one in row["responses"]} == {"large"}
        assert row["responses"][row["best"]]["origin"] == "teacher"
    assert len({row["best"] for row in compared}) > 1


def test_traces_are_right_and_none_is_of_a_test_question(whole: tuple[Path, Path, Snapshot]) -> None:
    snapshot = whole[2]
    found = traces(snapshot)
    assert len(found) > COUNT
    for row in found:
        asked = row["prompt"][-1]["content"]
        assert row["verified"] and verdict_on(problem_of(asked), row["completion"][0]["content"]) is Verdict.RIGHT
        assert row["completion"][0]["content"].startswith("<think>\n")
        assert asked.endswith("put your final answer within \\boxed{}.")
    held_out = set(frame(snapshot, "sets/kept").filter(split="test")["query_id"])
    assert held_out
    trained = {row["query_id"] for row in found}
    for table in ("trajectories/accepted", "trajectories/rejected", "pairs/train"):
        trained |= set(frame(snapshot, table)["query_id"])
    assert not held_out & trained
    splits = {row["query_id"]: row["split"] for row in every_set(snapshot).to_dicts()}
    validation = {row["query_id"] for row in frame(snapshot, "traces/validation").to_dicts()}
    assert validation and {splits[query] for query in validation} == {"validation"}


def test_graded_answers_are_published_but_for_those_to_test_questions(whole: tuple[Path, Path, Snapshot]) -> None:
    _, root, snapshot = whole
    held_out = set(frame(snapshot, "sets/kept").filter(split="test")["query_id"])
    splits = {row["query_id"]: row["split"] for row in every_set(snapshot).to_dicts()}
    card = (snapshot.path / "README.md").read_text("utf-8")
    for verdict in ("right", "wrong"):
        found = frame(snapshot, f"answers/{verdict}")
        assert set(found["verdict"]) == {verdict} and not held_out & set(found["query_id"])
        assert all(splits[query] == split for query, split in found.select("query_id", "split").iter_rows())
        assert f"config_name: answers_{verdict}" in card
        for row in found.head(20).to_dicts():
            problem = problem_of(row["prompt"][-1]["content"])
            assert ANSWERS[problem] == row["gold"] and verdict_on(problem, row["text"]) == verdict
    of_test = sum(verdicts(snapshot)[f"responder: {verdict}"] for verdict in ("right", "wrong"))
    published = [frame(snapshot, f"answers/{verdict}").filter(origin="responder") for verdict in ("right", "wrong")]
    assert 0 < sum(one.height for one in published) < of_test
    done = grmforge("inspect", "math", "--table", "answers", "--status", "wrong", "-n", "1", "--root", root)
    assert done.code == 0 and "THE ANSWER" in done.out and "the known answer" in done.out


def test_the_card_the_report_and_inspect_know_the_traces(whole: tuple[Path, Path, Snapshot]) -> None:
    _, root, snapshot = whole
    assert "config_name: traces" in (snapshot.path / "README.md").read_text("utf-8")
    assert "sets made of them" in (snapshot.path / "report.html").read_text("utf-8")
    done = grmforge("inspect", "math", "--table", "traces", "-n", "2", "--root", root)
    assert done.code == 0 and "found right by mathematical equivalence" in done.out
    uses = {use.role: use for use in snapshot.manifest.models}
    assert uses["responder"].requests == SAMPLES * COUNT
    assert uses["teacher"].requests > 0 and uses["teacher"].failed == 0


def test_built_again_it_is_the_same_and_nothing_is_bought_twice(whole: tuple[Path, Path, Snapshot]) -> None:
    recipe, root, _ = whole
    before = paid(root)
    again = grmforge("build", recipe, "--root", root)
    assert again.code == 0 and "nothing new" in again.out
    assert paid(root) == before and set(before.values()) == {1}


@pytest.mark.slow
def test_a_build_elsewhere_that_is_killed_at_every_step_ends_in_the_same_bytes(
    whole: tuple[Path, Path, Snapshot], tmp_path: Path
) -> None:
    slow = {"max_concurrency": 8}
    faulty = simulated("small", accuracy=0.55, truncated=0.06, refused=0.04, failed=0.03)
    recipe = write(
        tmp_path, models={"responder": faulty | slow}, teacher=simulated("large", accuracy=0.9, seed=3) | slow
    )
    draw = random.Random(4)
    root = tmp_path / "killed"
    moments = ("checking the gold", "answering math", "grading math", "teaching", "rewriting wrong", "composing math")
    killed = [kill_at(recipe, root, stage, draw.uniform(0, 0.15)) for stage in moments]
    assert sum(killed) >= 4, killed
    assert data_files(built(recipe, root)) == data_files(whole[2])
    assert set(paid(root).values()) == {1}


@pytest.mark.slow
def test_questions_beyond_the_responder_are_dropped_by_name_and_with_a_teacher_become_sets(tmp_path: Path) -> None:
    """The second build has the answers of the first, and sets of the teacher's own right and wrong words."""
    root, count = tmp_path / "data", HALF
    weak = simulated("small", accuracy=0.02, difficulty_spread=0.2)
    recipe = write(tmp_path, count=count, models={"responder": weak}, build={"name": "math", "sets": ["rft"]})
    done = grmforge("build", recipe, "--root", root)
    assert done.code in (0, 1), done.err
    snapshot = latest(root, "math") if done.code == 0 else only_snapshot(root)
    reasons = Counter(frame(snapshot, "sets/dropped")["drop_reason"])
    assert reasons["no_right_response"] > count / 2
    assert verdicts(snapshot)["responder: wrong"] > 0.8 * SAMPLES * count
    said = " ".join(done.out.split())
    assert f"of {count} questions gave a set to compare; most others are no_right_response: every answer" in said
    assert "add a [models.teacher]" in said

    teacher = simulated("large", accuracy=0.9, seed=3)
    snapshot = built(write(tmp_path, count=count, models={"responder": weak}, teacher=teacher), root)
    assert snapshot.manifest.models[0].cached == SAMPLES * count
    compared = [row for row in frame(snapshot, "sets/kept").to_dicts() if row["n_responses"] > 1]
    assert len(compared) > count / 3
    taught = [row for row in compared if row["responses"][row["best"]]["origin"] == "teacher"]
    assert len(taught) > len(compared) / 2
    for row in taught:
        assert {one["model"] for one in row["responses"]} == {"large"}
        assert {one["origin"] for one in row["responses"]} == {"teacher", "rewrite"}
    assert {row["origin"] for row in traces(snapshot)} >= {"teacher"}


def only_snapshot(root: Path) -> Snapshot:
    (path,) = [path for path in (root / "snapshots/math").iterdir() if path.is_dir()]
    return find_snapshot(None, str(path))


def test_truncated_answers_are_counted_warned_of_and_in_no_set(tmp_path: Path) -> None:
    cut = simulated("small", accuracy=0.5, truncated=0.6)
    recipe = write(tmp_path, models={"responder": cut})
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "of the answers are neither right nor wrong, most of them truncated" in said
    assert "raise [synthesis] max_tokens" in said
    snapshot = latest(tmp_path / "data", "math")
    for row in every_set(snapshot).to_dicts():
        for response in row["responses"]:
            problem = problem_of(row["query"][-1]["content"])
            assert verdict_on(problem, response["text"]) in (Verdict.RIGHT, Verdict.WRONG)


@pytest.mark.slow
def test_a_budget_holds_for_answers_and_judgements_together(tmp_path: Path) -> None:
    recipe = write(tmp_path, count=HALF, budget={"max_requests": SAMPLES * HALF + 10})
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 3 and "stopped: budget: " in done.err
    assert len(paid(tmp_path / "data")) == SAMPLES * HALF + 10
    assert grmforge("build", recipe, "--root", tmp_path / "data").code in (0, 3)
    assert set(paid(tmp_path / "data").values()) == {1}


@pytest.mark.slow
def test_a_problem_whose_gold_answer_cannot_be_graded_is_dropped_before_anybody_is_paid(tmp_path: Path) -> None:
    recipe = write(tmp_path, count=HALF)
    row = {"problem": "What is that?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{...}$."}
    with (tmp_path / "math.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    snapshot = built(recipe, tmp_path / "data")
    dropped = frame(snapshot, "sets/dropped").filter(drop_reason="gold_not_gradable")
    assert dropped["source_id"].to_list() == [f"math.jsonl:{HALF + 1}"]
    assert snapshot.manifest.models[0].requests == SAMPLES * HALF
