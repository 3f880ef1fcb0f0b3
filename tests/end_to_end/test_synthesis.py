"""Questions without answers, from a file of problems to a published snapshot: what anybody can see from outside."""

import json
import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.grading.verification import grade
from schemas.question import AnswerForm, Gold, Verdict
from storage.snapshots import Snapshot
from tests.end_to_end.commands import data_files, frame, grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import ANSWERS, PROBLEMS, write_math
from tests.end_to_end.test_kills import kill_at
from tests.examples import NO_FAULTS
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

COUNT = len(PROBLEMS)
SAMPLES = 6
TRAINING = ("rft", "meta_rm", "pairs")


def simulated(model: str, **settings: Any) -> dict[str, Any]:
    return {"engine": "simulated", "model": model, "simulated": NO_FAULTS | settings}


def write(directory: Path, *, name: str = "recipe.toml", teacher: Any = None, **sections: Any) -> Path:
    """Write a recipe over the problems, and return its path."""
    write_math(directory / "math.jsonl")
    models = sections.pop("models", {}) | ({"teacher": teacher} if teacher else {})
    usual: dict[str, Any] = {
        "build": {"name": "math", "seed": 5, "sets": TRAINING},
        "sources": [{"kind": "math", "path": "math.jsonl"}],
        "models": {"responder": simulated("small", accuracy=0.55), "grm": simulated("judge")} | models,
        "synthesis": {"samples": SAMPLES, "n_responses": 4, "single_share": 0.3},
        "splits": {"validation": 0.1, "test": 0.1},
        "rejection": {"balance_positions": False, "drop_too_easy": False},
    }
    return write_recipe(directory / name, **(usual | sections))


def built(recipe: Path, root: Path) -> Snapshot:
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0, done.err
    return latest(root, "math")


def every_set(snapshot: Snapshot) -> pl.DataFrame:
    return pl.concat([frame(snapshot, f"sets/{status}") for status in ("kept", "dropped")])


def traces(snapshot: Snapshot) -> list[dict[str, Any]]:
    paths = [f"traces/{split}" for split in ("train", "validation")]
    return [row for path in paths if snapshot.rows(path) for row in frame(snapshot, path).to_dicts()]


def verdicts(snapshot: Snapshot) -> dict[str, int]:
    return {row.outcome: row.rows for row in snapshot.manifest.funnel if row.stage == "synthesis"}


def problem_of(text: str) -> str:
    """Return the problem that a prompt asks."""
    return next(problem for problem in ANSWERS if problem in text)


def verdict_on(problem: str, text: str) -> Verdict:
    return grade(Gold(AnswerForm.MATH, ANSWERS[problem] or ""), text).verdict


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


@pytest.mark.slow
def test_built_again_elsewhere_the_bytes_are_the_same_and_nothing_is_bought_twice(
    whole: tuple[Path, Path, Snapshot], tmp_path: Path
) -> None:
    recipe, root, snapshot = whole
    before = paid(root)
    again = grmforge("build", recipe, "--root", root)
    assert again.code == 0 and "nothing new" in again.out
    assert paid(root) == before and set(before.values()) == {1}
    assert data_files(built(recipe, tmp_path / "other")) == data_files(snapshot)
    assert set(paid(tmp_path / "other")) == set(before)


@pytest.mark.slow
def test_failed_answers_are_asked_again_when_that_is_wanted(tmp_path: Path) -> None:
    def answered(body: dict[str, Any], *, refuses: bool) -> Reply:
        is_bad = refuses and problem_of(prompt_of(body)) == PROBLEMS[0][1]
        return stand_in.refused_400() if is_bad else solved(body)

    with StandIn(then=partial(answered, refuses=True)) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
        assert snapshot.manifest.models[0].failed == verdicts(snapshot)["responder: failed"] == SAMPLES
    with StandIn(then=partial(answered, refuses=False)) as server:
        recipe = write_http(tmp_path, server.url)
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        assert server.requests == []
        done = grmforge("build", recipe, "--root", tmp_path / "data", "--retry-failed")
        assert done.code == 0, done.err
        assert sum("Evaluation" not in prompt_of(one.body) for one in server.requests) >= SAMPLES
        found = verdicts(latest(tmp_path / "data", "math"))
        assert "responder: failed" not in found


@pytest.mark.slow
def test_a_build_killed_at_every_step_ends_in_the_same_bytes(
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


def test_without_a_teacher_questions_beyond_the_responder_are_dropped_by_name(tmp_path: Path) -> None:
    weak = simulated("small", accuracy=0.02, difficulty_spread=0.2)
    recipe = write(tmp_path, models={"responder": weak}, build={"name": "math", "sets": ["rft"]})
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code in (0, 1), done.err
    snapshot = latest(tmp_path / "data", "math") if done.code == 0 else only_snapshot(tmp_path / "data")
    dropped = frame(snapshot, "sets/dropped")
    reasons = Counter(dropped["drop_reason"])
    assert reasons["no_right_response"] > COUNT / 2
    assert verdicts(snapshot)["responder: wrong"] > 0.8 * SAMPLES * COUNT
    said = " ".join(done.out.split())
    assert f"of {COUNT} questions gave a set to compare; most others are no_right_response: every answer" in said
    assert "add a [models.teacher]" in said


@pytest.mark.slow
def test_with_a_teacher_they_become_sets_of_the_teachers_own_right_and_wrong_words(tmp_path: Path) -> None:
    weak = simulated("small", accuracy=0.02, difficulty_spread=0.2)
    recipe = write(tmp_path, models={"responder": weak}, teacher=simulated("large", accuracy=0.9, seed=3))
    snapshot = built(recipe, tmp_path / "data")
    compared = [row for row in frame(snapshot, "sets/kept").to_dicts() if row["n_responses"] > 1]
    assert len(compared) > COUNT / 3
    taught = [row for row in compared if row["responses"][row["best"]]["origin"] == "teacher"]
    assert len(taught) > len(compared) / 2
    for row in taught:
        assert {one["model"] for one in row["responses"]} == {"large"}
        assert {one["origin"] for one in row["responses"]} == {"teacher", "rewrite"}
    assert {row["origin"] for row in traces(snapshot)} >= {"teacher"}


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


# -- over HTTP --


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def solved(body: dict[str, Any], thoughts: str = "think", **settings: Any) -> Reply:
    """Answer as a server that knows the problems: a judgement, or a solution that is right every other time.

    `thoughts` says where its reasoning stands: in `<think>`, or in a field of the message.
    """
    prompt = prompt_of(body)
    if "[The Begin of Response" in prompt:
        return judged(body, **settings)
    problem = problem_of(prompt)
    seed = int(body["seed"])
    right = (seed + len(problem)) % 2 == 0
    words = " ".join(["Step by step"] * (1 + seed % 5))
    text = f"{words}, it is \\boxed{{{ANSWERS[problem] if right else 1000 + seed % 7}}}."
    reasoning = f"What is asked? {words}."
    if thoughts == "think":
        return stand_in.chat(f"<think>\n{reasoning}\n</think>\n\n{text}", body=body, **settings)
    return stand_in.chat(text, body=body, **{thoughts: reasoning}, **settings)


def write_http(directory: Path, url: str, **sections: Any) -> Path:
    model = {"engine": "openai", "model": "stand-in", "base_url": url, "timeout_s": 10}
    return write(directory, models={"responder": model, "grm": model}, **sections)


def only_snapshot(root: Path) -> Snapshot:
    (path,) = [path for path in (root / "snapshots/math").iterdir() if path.is_dir()]
    from storage.snapshots import find_snapshot

    return find_snapshot(None, str(path))


@pytest.mark.slow
@pytest.mark.parametrize("thoughts", ["think", "reasoning", "reasoning_content"])
def test_a_real_server_answers_and_its_reasoning_is_in_the_traces(tmp_path: Path, thoughts: str) -> None:
    with StandIn(then=partial(solved, thoughts=thoughts)) as server:
        recipe = write_http(tmp_path, server.url)
        snapshot = built(recipe, tmp_path / "data")
        asked = [one.raw for one in server.requests]
        assert len(set(asked)) == len(asked) == len(paid(tmp_path / "data"))
        assert sum("[The Begin of Response" not in prompt_of(one.body) for one in server.requests) == SAMPLES * COUNT
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        assert len(server.requests) == len(asked)
    found = traces(snapshot)
    assert found
    for row in found:
        completion = row["completion"][0]["content"]
        assert completion.startswith("<think>\nWhat is asked? Step by step")
        assert completion.count("<think>") == completion.count("</think>") == 1
        assert verdict_on(problem_of(row["prompt"][0]["content"]), completion) is Verdict.RIGHT
    for row in frame(snapshot, "sets/kept").to_dicts():
        assert all("<think>" not in one["text"] and one["reasoning"] for one in row["responses"])


@pytest.mark.slow
def test_a_server_that_breaks_off_refuses_and_says_nothing_is_counted_as_such(tmp_path: Path) -> None:
    script = [
        partial(solved, finish_reason="length"),
        partial(solved, finish_reason="content_filter"),
        stand_in.chat(""),
        stand_in.chat("<think>\nI think and think"),
        stand_in.chat("I would rather not say."),
        stand_in.refused_400(),
        stand_in.rate_limited("0.1"),
        stand_in.reset(),
    ]
    with StandIn(*script, then=solved) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
    found = verdicts(snapshot)
    assert sum(rows for name, rows in found.items() if name.startswith("responder")) == SAMPLES * COUNT
    assert found["responder: truncated"] >= 1
    assert (found["responder: refused"], found["responder: failed"]) == (1, 1)
    assert found["responder: no_answer"] >= 1 and found["responder: empty"] >= 1


@pytest.mark.slow
def test_an_outage_of_the_responder_publishes_nothing_and_goes_on_later(tmp_path: Path) -> None:
    calls = iter(range(10_000))

    def dying(body: dict[str, Any]) -> Reply:
        return solved(body) if next(calls) < 40 else stand_in.server_error()

    with StandIn(then=dying) as server:
        recipe = write_http(tmp_path, server.url)
        text = recipe.read_text("utf-8").replace("timeout_s = 10", "timeout_s = 10\nmax_retries = 0")
        recipe.write_text(text, "utf-8")
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 1 and len(done.errors) == 1, done.err
        assert not (tmp_path / "data/snapshots").exists()
    with StandIn(then=solved) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
        assert len(server.requests) < len(paid(tmp_path / "data"))
    with StandIn(then=solved) as server:
        other = tmp_path / "other"
        other.mkdir()
        assert data_files(built(write_http(other, server.url), other / "data")) == data_files(snapshot)


@pytest.mark.slow
def test_a_budget_holds_for_answers_and_judgements_together(tmp_path: Path) -> None:
    recipe = write(tmp_path, budget={"max_requests": SAMPLES * COUNT + 20})
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 3 and "stopped: budget: " in done.err
    assert len(paid(tmp_path / "data")) == SAMPLES * COUNT + 20
    assert grmforge("build", recipe, "--root", tmp_path / "data").code in (0, 3)
    assert set(paid(tmp_path / "data").values()) == {1}


@pytest.mark.slow
def test_a_responder_by_batch_is_waited_for_with_exit_code_4(tmp_path: Path) -> None:
    with BatchStandIn(solved, holds=True) as server:
        model = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        models = {"responder": model | {"batch": True}, "grm": simulated("judge")}
        recipe = write(tmp_path, models=models)
        done = grmforge("build", recipe, "--keep-going", "--root", tmp_path / "data")  # without a pilot
        assert done.code == 4, done.err
        (line,) = done.errors
        assert line.startswith(f"stopped: waiting for stand-in: batch_0: 0 of {SAMPLES * COUNT} done")
        assert not (tmp_path / "data/snapshots").exists()
        server.finish()
        snapshot = built(recipe, tmp_path / "data")
        assert set(server.paid.values()) == {1} and len(server.paid) == SAMPLES * COUNT
    with StandIn(then=solved) as at_once:
        other = tmp_path / "other"
        other.mkdir()
        now = write(other, models=models | {"responder": model | {"base_url": at_once.url}})
        assert data_files(built(now, other / "data")) == data_files(snapshot)


def test_a_missing_key_of_the_judge_stops_the_build_before_the_responder_is_paid(tmp_path: Path) -> None:
    with StandIn(then=solved) as server:
        model = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        recipe = write(tmp_path, models={"responder": model, "grm": model | {"api_key_env": "NO_SUCH_KEY"}})
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 1 and "NO_SUCH_KEY" in done.errors[0]
        assert server.requests == []


@pytest.mark.slow
def test_a_problem_whose_gold_answer_cannot_be_graded_is_dropped_before_anybody_is_paid(tmp_path: Path) -> None:
    recipe = write(tmp_path)
    row = {"problem": "What is that?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{...}$."}
    with (tmp_path / "math.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    snapshot = built(recipe, tmp_path / "data")
    dropped = frame(snapshot, "sets/dropped").filter(drop_reason="gold_not_gradable")
    assert dropped["source_id"].to_list() == [f"math.jsonl:{COUNT + 1}"]
    assert snapshot.manifest.models[0].requests == SAMPLES * COUNT
