"""Evaluations from the recipe to the published version, by the simulated engine."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.watching.watcher import RunWatcher
from pipelines.evaluation.asking import ask
from pipelines.evaluation.evaluate import asked_of, evaluate, evaluating
from pipelines.evaluation.finished import evaluate_verdicts, recipe_for
from pipelines.evaluation.summary import lines_of
from pipelines.steps import build
from schemas.errors import BudgetReached, ForgeError, RecipeError, SourceError, StoppedEarly
from schemas.recipe import Recipe
from storage.evaluations import Evaluation, find_evaluation, versions
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

MODELS = {"grm": simulated(accuracy=0.7), "difficulty": simulated(model="weak", accuracy=0.6, seed=1)}


def pairs(path: Path, count: int = 40, **row: Any) -> None:
    """Write pairs whose chosen answers are the longer ones in half of the cases."""
    rows = [
        {
            "id": f"pair {number}",
            "query": f"What is {number} plus {number}?",
            "chosen": f"{2 * number}" + ", of course" * (number % 2),
            "rejected": f"{2 * number + 1}, I think",
            "domain": ("even", "odd")[number % 2],
        }
        for number in range(1, count + 1)
    ]
    write_rows(path, [*rows, *([row] if row else [])])


def the_recipe(folder: Path, *benchmarks: dict[str, Any], **changes: Any) -> Recipe:
    chosen = benchmarks or ({"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"},)
    settings = {"k_max": 8, "replicates": 200, "benchmarks": chosen} | changes
    return a_recipe(folder, models=MODELS, evaluate=settings)


def spent(recipe: Recipe, root: Root) -> tuple[Evaluation, int]:
    """Evaluate; return the evaluation and how many requests were bought."""
    run, _ = a_run(recipe)
    return evaluate(recipe, root, run).evaluation, run.budget.spent.requests


def figures(evaluation: Evaluation) -> pl.DataFrame:
    return pl.read_parquet(evaluation.files("figures"))


def voting(evaluation: Evaluation, k: int, figure: str = "accuracy") -> float:
    found = figures(evaluation).filter(figure=figure, selector="voting", curve="all", k=k)
    return float(found["value"].item())


def test_a_judge_is_evaluated_once_and_paid_once(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe, root = the_recipe(tmp_path), Root.open(str(tmp_path / "root"))
    first, _ = a_run(recipe)
    done = evaluate(recipe, root, first)
    again, _ = a_run(recipe)
    repeated = evaluate(recipe, root, again)
    assert (first.budget.spent.requests, again.budget.spent.requests) == (40 * 8 + 40, 0)
    assert done.new and not repeated.new
    assert repeated.evaluation.manifest == done.evaluation.manifest
    judgements = pl.read_parquet(done.evaluation.files("judgements"))
    assert judgements.height == 360
    assert judgements.filter(outcome="readable")["scores"].null_count() == 0
    assert (
        judgements.filter(pl.col("outcome") != "readable")["scores"].null_count()
        == 360 - judgements.filter(outcome="readable").height
    )


def test_rows_with_the_same_responses_share_their_answers(tmp_path: Path) -> None:
    """The second one's requests come when those of the first are answered: nothing waits beside another request."""
    twin = {"id": "twin", "query": "What is 3 plus 3?", "chosen": "6, of course", "rejected": "7, I think"}
    pairs(tmp_path / "pairs.jsonl", 6, **twin)
    recipe, root = the_recipe(tmp_path), Root.open(str(tmp_path / "root"))
    one_at_a_time = recipe.models.grm.model_copy(update={"max_concurrency": 1})
    recipe = recipe.model_copy(update={"models": recipe.models.model_copy(update={"grm": one_at_a_time})})
    evaluation, requests = spent(recipe, root)
    assert (evaluation.manifest.benchmarks[0].items, requests) == (7, 6 * (8 + 1))


def test_figures_are_those_of_the_stored_judgements(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe, root = the_recipe(tmp_path), Root.open(str(tmp_path / "root"))
    evaluation = evaluate(recipe, root, a_run(recipe)[0]).evaluation
    judgements = pl.read_parquet(evaluation.files("judgements")).filter(pl.col("sample_index") >= 0)
    credit, scored = 0.0, dict[str, list[tuple[float, float]]]()
    for row in judgements.iter_rows(named=True):
        if row["scores"] is None:
            continue
        chosen, rejected = (score for _, score in sorted(zip(row["order"], row["scores"], strict=True)))
        credit += (chosen > rejected) + 0.5 * (chosen == rejected)
        scored.setdefault(row["item_id"], []).append((chosen, rejected))
    assert voting(evaluation, 1) == pytest.approx(credit / 320)
    means = {item: [sum(of_one) / len(both) for of_one in zip(*both, strict=True)] for item, both in scored.items()}
    votes = sum((chosen > rejected) + 0.5 * (chosen == rejected) for chosen, rejected in means.values())
    assert voting(evaluation, 8) == pytest.approx(votes / 40)
    items = pl.read_parquet(evaluation.files("items"))
    assert items["right_at_max"].mean() == pytest.approx(votes / 40)
    assert dict(zip(items["item_id"], items["votes"].to_list(), strict=True)) == means


def test_what_cannot_be_read_has_no_vote(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 1)
    write_rows(tmp_path / "verdicts.jsonl", [{"item": 0, "decision": None}])
    recipe, root = the_recipe(tmp_path), Root.open(str(tmp_path / "root"))
    evaluation = evaluate_verdicts(recipe, root, tmp_path / "verdicts.jsonl", lambda _: None).evaluation
    items = pl.read_parquet(evaluation.files("items"))
    assert (items["votes"].to_list(), items["readable"].to_list()) == ([None], [0])


def test_an_evaluation_counts_all_of_its_answers_as_done(tmp_path: Path) -> None:
    """Unreadable answers of an evaluation are never sampled again."""
    pairs(tmp_path / "pairs.jsonl", 20)
    section = {"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"}
    models = MODELS | {"grm": simulated(accuracy=0.7, unparsed=0.2)}
    recipe = a_recipe(tmp_path, models=models, evaluate={"k_max": 8, "benchmarks": [section]})
    with RunWatcher() as watcher:
        run = replace(a_run(recipe)[0], watcher=watcher)
        asked = asked_of(recipe, Root.open(str(tmp_path / "root")))[0]
        ask(Root.open(str(tmp_path / "root")), run, asked.judge, asked.prompts, "pairs")
        tally = watcher.stage_tally
        assert tally is not None and tally.outcomes["unparsed"] > 0
        assert (tally.settled, tally.total, tally.left) == (160, 160, 0)


def test_samples_of_a_build_are_the_first_of_the_pool(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(30))
    sections = {"grm": {"n_rft": 3, "resample_unreadable": 0}, "splits": {"validation": 0.3}}
    own = {"kind": "test", "splits": ["train", "validation"]}
    recipe = a_recipe(tmp_path, evaluate={"k_max": 3, "greedy": False, "benchmarks": [own]}, **sections)
    root = Root.open(str(tmp_path / "root"))
    build(recipe, root, a_run(recipe)[0])
    evaluation, requests = spent(recipe, root)
    assert requests == 0
    assert evaluation.manifest.benchmarks[0].samples == 3 * evaluation.manifest.benchmarks[0].items > 0
    _, requests = spent(evaluating(recipe, k_max=4), root)
    assert requests == evaluation.manifest.benchmarks[0].items


def test_a_budget_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe, root = the_recipe(tmp_path), Root.open(str(tmp_path / "root"))
    small = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"max_requests": 100})})
    with pytest.raises(BudgetReached):
        evaluate(small, root, a_run(small)[0])
    assert not versions(root, "small-grm")
    whole, requests = spent(recipe, root)
    assert requests == 260
    other = Root.open(str(tmp_path / "other"))
    assert evaluate(recipe, other, a_run(recipe)[0]).evaluation.manifest.content_hash == whole.manifest.content_hash


def test_a_judge_that_cannot_be_read_stops_early(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 60)
    section = {"k_max": 8, "benchmarks": [{"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"}]}
    recipe = a_recipe(tmp_path, models=MODELS | {"grm": simulated(unparsed=1.0)}, evaluate=section)
    root = Root.open(str(tmp_path / "root"))
    with pytest.raises(StoppedEarly, match="0 of the first 200 answers can be read"):
        evaluate(recipe, root, a_run(recipe)[0])
    on = evaluate(recipe, root, a_run(recipe, keep_going=True)[0]).evaluation
    assert on.manifest.benchmarks[0].never_readable == 60
    assert voting(on, 8) == 0.0


def test_what_is_unreadable_is_wrong_in_one_curve_and_left_out_in_the_other(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 60)
    section = {"k_max": 4, "replicates": 200, "greedy": False}
    section["benchmarks"] = [{"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"}]
    models = MODELS | {"grm": simulated(accuracy=0.9, unparsed=0.5, tied=0.0, difficulty_spread=0.0)}
    recipe = a_recipe(tmp_path, models=models, evaluate=section)
    evaluation = evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0]).evaluation
    found = figures(evaluation).filter(figure="accuracy", selector="voting", k=1)
    by_curve = dict(zip(found["curve"], found["value"], strict=True))
    assert by_curve["all"] < 0.6 < 0.8 < by_curve["readable"]
    gains = figures(evaluation).filter(pl.col("selector").str.starts_with("gain by"), k=4)
    assert gains["value"].sum() == pytest.approx(voting(evaluation, 4) - voting(evaluation, 1))
    assert gains.filter(selector="gain by readability")["value"].item() > 0.2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "one", "query": "Why?", "responses": ["So."], "best": 0}, "too_few_responses"),
        ({"id": "tie", "query": "Why?", "responses": ["So.", "No."], "rewards": [1, 1]}, "tie"),
        ({"id": "odd", "query": "Why?", "responses": ["So."], "label": 2}, "bad_label"),
    ],
)
def test_a_row_that_is_no_item_is_counted(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    pairs(tmp_path / "pairs.jsonl", 10, **row)
    recipe = the_recipe(tmp_path, k_max=1, greedy=False)
    evaluation = evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0]).evaluation
    [entry] = evaluation.manifest.benchmarks
    assert (entry.rows, entry.items, entry.unreadable) == (11, 10, 1)
    assert [(one.reason, one.rows) for one in entry.unreadable_reasons] == [(reason, 1)]


@pytest.mark.parametrize(
    ("benchmark", "error", "words"),
    [
        ({"kind": "rewardbench", "path": "pairs.jsonl"}, SourceError, "no field 'prompt'.*no file of rewardbench"),
        ({"kind": "rewardbank"}, RecipeError, "unknown kind 'rewardbank'; did you mean 'rewardbench'"),
        ({"kind": "preference_sets"}, RecipeError, "needs a path or a hub id"),
        ({"kind": "preference_sets", "path": "gone.jsonl"}, SourceError, "no such file"),
        ({"kind": "llmbar", "path": ".", "protocol": "pairs"}, RecipeError, "has no protocol 'pairs'; it has joint"),
        ({"kind": "test"}, RecipeError, "small, which is not built yet"),
        ({"kind": "test", "snapshot": "gone"}, ForgeError, "no snapshot 'gone'"),
    ],
)
def test_a_benchmark_that_cannot_be_evaluated_is_one_line(
    tmp_path: Path, benchmark: dict[str, Any], error: type[ForgeError], words: str
) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe = the_recipe(tmp_path, benchmark)
    with pytest.raises(error, match=words) as caught:
        evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        ("agrement", "no selector is called 'agrement'; did you mean 'agreement'"),
        ("voting", "no selector is called 'voting'; there are agreement, margin"),
        ("meta_rm", r"'meta_rm' needs a \[models.meta_rm\]"),
        ("logprob", "'logprob' needs logprobs = true"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_before_anything_is_asked(
    tmp_path: Path, compare: str, words: str
) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe = the_recipe(tmp_path, compare=(compare,))
    with pytest.raises(RecipeError, match=words):
        evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0])


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kind": "test", "path": "own.jsonl"}, "path does nothing here: the kind 'test' reads a snapshot"),
        (
            {"kind": "llmbar", "snapshot": "demo"},
            "snapshot does nothing here: the kind 'llmbar' reads files",
        ),
        ({"kind": "llmbar", "best_of_k": True}, "best_of_k is for 'ppe'"),
        ({"kind": "test", "splits": []}, "splits"),
    ],
)
def test_a_key_of_another_kind_of_benchmark_is_refused(tmp_path: Path, section: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        the_recipe(tmp_path, section)


def test_an_empty_split_says_what_to_do(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(10))
    recipe = a_recipe(tmp_path, evaluate={"benchmarks": [{"kind": "test"}]})
    root = Root.open(str(tmp_path / "root"))
    with pytest.raises(RecipeError, match="test reads the sets of small, which is not built yet: build it first"):
        evaluate(recipe, root, a_run(recipe)[0])
    build(recipe, root, a_run(recipe)[0])
    with pytest.raises(RecipeError, match=r"has no set in test: give \[splits\] test a share"):
        evaluate(recipe, root, a_run(recipe)[0])


def test_questions_that_the_judge_was_trained_on_are_said_loudly(tmp_path: Path) -> None:
    rows = jsonl_rows(30)
    write_rows(tmp_path / "own.jsonl", rows)
    write_rows(tmp_path / "pairs.jsonl", [row | {"query": f"  {row['query'].upper()} "} for row in rows[:10]])
    recipe = a_recipe(tmp_path, splits={"validation": 0.0}, evaluate=the_recipe(tmp_path).evaluate.model_dump())
    root = Root.open(str(tmp_path / "root"))
    build(recipe, root, a_run(recipe)[0])
    evaluation, _ = spent(recipe, root)
    assert evaluation.manifest.benchmarks[0].in_training == 10
    (said,) = (line for line in lines_of(evaluation) if "training snapshot" in line)
    assert said.endswith("Read its accuracy without them, in the report.")


def test_single_responses_are_graded_and_ranked(tmp_path: Path) -> None:
    rows = [
        {"id": f"row {number}", "query": f"Is {number} even?", "responses": ["It is."], "label": int(number % 2 == 0)}
        for number in range(60)
    ]
    write_rows(tmp_path / "pairs.jsonl", rows)
    recipe = the_recipe(tmp_path)
    evaluation = evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0]).evaluation
    scores = pl.read_parquet(evaluation.files("judgements"))["scores"].explode().drop_nulls()
    assert scores.is_between(1, 10).all() and scores.max() > 6
    aucs = figures(evaluation).filter(figure="auc", selector="voting").sort("k")
    assert aucs["value"][0] > 0.6 and aucs["value"][-1] > aucs["value"][0]


def test_verdicts_of_a_file_are_scored_without_any_model(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 4)
    verdicts = [
        {"item": "pair 1", "order": "AB", "decision": "A"},
        {"item": "pair 1", "order": "BA", "decision": "B"},
        {"item": "pair 2", "order": "AB", "decision": "tie"},
        {"item": "pair 2", "order": "BA", "decision": None},
        {"item": "pair 3", "order": "AB", "scores": [3, 7]},
        {"item": "pair 3", "order": "BA", "scores": [3, 7]},
    ]
    (tmp_path / "verdicts.jsonl").write_text("".join(json.dumps(verdict) + "\n" for verdict in verdicts))
    recipe = recipe_for("preference_sets", str(tmp_path / "pairs.jsonl"), "both_orders", str(tmp_path / "root"))
    root = Root.open(str(tmp_path / "root"))
    evaluation = evaluate_verdicts(recipe, root, tmp_path / "verdicts.jsonl", print).evaluation
    [entry] = evaluation.manifest.benchmarks
    assert (entry.items, entry.left_out, entry.outcomes) == (3, 1, {"no_answer": 1, "readable": 5})
    assert evaluation.manifest.judge is None
    assert find_evaluation(root, "verdicts").manifest == evaluation.manifest
    items = pl.read_parquet(evaluation.files("items"))
    assert dict(zip(items["item_id"], items["right_at_1"], strict=True)) == {
        "pair 1": 1.0,
        "pair 2": 0.25,
        "pair 3": 0.5,
    }


def test_verdicts_on_no_benchmark_of_the_recipe_are_said(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 4)
    write_rows(
        tmp_path / "verdicts.jsonl",
        [
            {"item": "pair 1", "benchmark": "pairs", "decision": "1"},
            {"item": "pair 2", "benchmark": "paris", "decision": "1"},
        ],
    )
    recipe, notes = the_recipe(tmp_path), list[str]()
    root = Root.open(str(tmp_path / "root"))
    evaluation = evaluate_verdicts(recipe, root, tmp_path / "verdicts.jsonl", notes.append).evaluation
    assert evaluation.manifest.benchmarks[0].samples == 1
    assert notes == ["1 verdict on 'paris', which is no benchmark here: left out"]
    with pytest.raises(RecipeError, match="not a file of verdicts, but a directory, a pipe or a device"):
        evaluate_verdicts(recipe, root, tmp_path, notes.append)


def test_log_probabilities_choose_samples_where_they_are_asked_for(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 20)
    recipe, root = the_recipe(tmp_path, logprobs=True, k_max=4), Root.open(str(tmp_path / "root"))
    evaluation, requests = spent(recipe, root)
    assert requests == 20 * 4 + 20
    assert "logprob k/2" in set(figures(evaluation)["selector"])
    plain, requests = spent(the_recipe(tmp_path, k_max=4), root)
    assert requests == 20 * 4 + 20  # another body, and so other requests
    assert "logprob k/2" not in set(figures(plain)["selector"])


def test_attacks_ask_the_greedy_judge_about_dressed_up_wrong_responses(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 40)
    recipe, root = the_recipe(tmp_path, attacks=["padding", "verdict"], k_max=2), Root.open(str(tmp_path / "root"))
    evaluation, requests = spent(recipe, root)
    assert requests == 40 * 2 + 40 + 2 * 40
    found = figures(evaluation).filter(selector="greedy")
    values = dict(zip(found["figure"], zip(found["value"], found["items"], strict=True), strict=True))
    judgements = pl.read_parquet(evaluation.files("judgements"))
    attacked = judgements.filter(pl.col("item_id").str.ends_with("[padding]"))
    assert attacked.height == 40
    greedy = judgements.filter(sample_index=-1)

    def credits(ids: str) -> dict[str, float]:
        rows = greedy.filter(pl.col("item_id").str.contains(ids)).iter_rows(named=True)
        return {row["item_id"].partition(" [")[0]: credit(row) for row in rows}

    before, after = credits(r"^pair \d+$"), credits(r"\[padding\]")
    right = [name for name, value in before.items() if value == 1.0]
    assert values["attacked by: padding"] == (pytest.approx(sum(after.values()) / 40), 40)
    flipped = sum(1 - after[name] for name in right) / len(right)
    assert values["flipped by: padding"] == (pytest.approx(flipped), len(right))


def credit(row: dict[str, Any]) -> float:
    """Return what one judgement of a pair is worth: its first response is the right one."""
    if row["scores"] is None:
        return 0.0
    chosen, rejected = (score for _, score in sorted(zip(row["order"], row["scores"], strict=True)))
    return (chosen > rejected) + 0.5 * (chosen == rejected)
