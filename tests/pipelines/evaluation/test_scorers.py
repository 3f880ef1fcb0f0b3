"""Scorers in evaluations: a Meta RM that chooses judgements, and a scalar reward model as the judge."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ahead.doctor import examine
from pipelines.ahead.evaluation import plan_evaluation
from pipelines.evaluation.comparing import compare_evaluations
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.judges import judge_of
from pipelines.evaluation.meta_rm import is_right
from pipelines.judging.meta_rm_text import canonical_answer
from pipelines.steps import build
from schemas.errors import EngineError, RecipeError
from schemas.recipe import Recipe, recipe_of
from storage.evaluations import Evaluation
from storage.root import Root
from storage.snapshots import find_snapshot
from tests.examples import a_recipe, a_run, simulated, write_rows
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.scorers import classified
from tests.pipelines.engines.stand_in_server import Reply, StandIn
from tests.pipelines.evaluation.test_evaluate import MODELS, figures, pairs, spent
from tests.vllm import tiny_model


def scorer(auc: float = 0.7, **settings: Any) -> dict[str, Any]:
    return simulated(model="scorer", scorer_auc=auc, **settings)


def the_recipe(folder: Path, models: dict[str, Any], *benchmarks: dict[str, Any], **changes: Any) -> Recipe:
    chosen = benchmarks or ({"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"},)
    settings = {"k_max": 8, "replicates": 200, "greedy": False, "benchmarks": chosen} | changes
    return a_recipe(folder, models=MODELS | models, evaluate=settings)


def judgements(evaluation: Evaluation) -> pl.DataFrame:
    return pl.read_parquet(evaluation.files("judgements"))


def accuracy(evaluation: Evaluation, selector: str, k: int) -> float:
    found = figures(evaluation).filter(figure="accuracy", selector=selector, curve="all", k=k)
    return float(found["value"].item())


def gain(evaluation: Evaluation) -> tuple[float, float]:
    """Return (the difference of the Meta RM from voting, its corrected p)."""
    (claim,) = [one for one in evaluation.manifest.claims if one.selector == "meta_rm"]
    return claim.difference, claim.p_holm


@pytest.mark.parametrize(("auc", "helps"), [(0.9, True), (0.5, False)])
def test_a_meta_rm_that_knows_beats_voting_and_one_that_knows_nothing_does_not(
    tmp_path: Path, auc: float, helps: bool
) -> None:
    pairs(tmp_path / "pairs.jsonl", 150)
    models = {"grm": simulated(accuracy=0.6, unparsed=0.03), "meta_rm": scorer(auc)}
    recipe, root = the_recipe(tmp_path, models, compare=("meta_rm",)), Root.open(str(tmp_path / "root"))
    evaluation, requests = spent(recipe, root)
    found = judgements(evaluation)
    readable = found.filter(outcome="readable")
    assert readable["meta_rm"].null_count() == 0
    assert found.filter(pl.col("outcome") != "readable")["meta_rm"].null_count() == found.height - readable.height > 0
    assert requests == found.height + readable["request_id"].n_unique()
    use = evaluation.manifest.meta_rm
    assert use is not None and (use.role, use.requests, use.failed) == ("meta_rm", readable.height, 0)
    difference, p = gain(evaluation)
    assert (difference > 0.05 and p < 0.05) is helps, (difference, p)
    selectors = set(figures(evaluation)["selector"])
    assert {"meta_rm k/2", "meta_rm k/4", "meta_rm 1", "meta_rm_permuted k/2"} <= selectors
    if helps:
        assert accuracy(evaluation, "meta_rm k/2", 8) > accuracy(evaluation, "meta_rm_permuted k/2", 8) + 0.05
    again, more = spent(recipe, root)
    assert more == 0 and again.manifest.version == evaluation.manifest.version


def test_a_scorer_added_later_or_changed_asks_for_scores_alone(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    root = Root.open(str(tmp_path / "root"))
    without, first = spent(the_recipe(tmp_path, {}), root)
    assert without.manifest.meta_rm is None and judgements(without)["meta_rm"].null_count() == first == 320
    readable = judgements(without).filter(outcome="readable").height
    with_one, second = spent(the_recipe(tmp_path, {"meta_rm": scorer()}), root)
    assert second == readable
    other, third = spent(the_recipe(tmp_path, {"meta_rm": scorer(seed=1)}), root)
    assert third == readable and other.manifest.version != with_one.manifest.version
    assert judgements(other)["meta_rm"].to_list() != judgements(with_one)["meta_rm"].to_list()
    assert judgements(other)["scores"].to_list() == judgements(without)["scores"].to_list()


def test_a_judgement_without_a_score_is_chosen_last(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe = the_recipe(tmp_path, {"meta_rm": scorer(0.9, failed=0.3)})
    evaluation, _ = spent(recipe, Root.open(str(tmp_path / "root")))
    use = evaluation.manifest.meta_rm
    readable = judgements(evaluation).filter(outcome="readable")
    assert use is not None and 0 < use.failed == readable["meta_rm"].null_count() < readable.height
    assert accuracy(evaluation, "meta_rm 1", 8) > accuracy(evaluation, "meta_rm_permuted 1", 8)


def test_of_one_sample_there_is_nothing_to_choose(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    recipe = the_recipe(tmp_path, {"meta_rm": scorer()}, k_max=1)
    evaluation, requests = spent(recipe, Root.open(str(tmp_path / "root")))
    assert requests == 40 and evaluation.manifest.meta_rm is None


def test_plan_and_budget_count_the_scores(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    price = {"price_per_mtok": {"input": 1.0, "output": 1.0}}
    recipe, root = the_recipe(tmp_path, {"meta_rm": scorer() | price}), Root.open(str(tmp_path / "root"))
    run, _ = a_run(recipe)
    (plan,) = plan_evaluation(recipe, root, run)
    assert plan.meta_rm is not None
    assert (plan.meta_rm.requests, plan.meta_rm.requests_are, plan.meta_rm.cached) == (320, "at most", 0)
    assert plan.meta_rm.answer_tokens == plan.meta_rm.most_answer_tokens == 0 and (plan.meta_rm.cost_usd or 0) > 0
    assert "scores of these judgements" in "\n".join(plan.lines())
    evaluation, requests = spent(recipe, root)
    use = evaluation.manifest.meta_rm
    assert use is not None and requests == 320 + use.requests
    assert use.cost_usd == pytest.approx(use.prompt_tokens * 1e-6)
    (after,) = plan_evaluation(recipe, root, a_run(recipe)[0])
    assert after.meta_rm is not None and after.judge.cached == after.judge.requests
    assert after.meta_rm.requests == after.meta_rm.cached == use.requests


@pytest.mark.slow
def test_evaluation_and_training_show_a_meta_rm_the_same_text(tmp_path: Path) -> None:
    """The messages of every score asked for are prompt and completion of the training row of that judgement."""
    pairs(tmp_path / "own.jsonl", 60)
    benchmark = {"kind": "test", "splits": ["train", "validation", "test"]}
    with StandIn(then=lambda body: classified([len(str(body)) / 100], model="meta-rm")) as server:
        meta_rm = {"engine": "score", "model": "meta-rm", "base_url": server.url}
        recipe = the_recipe(tmp_path, {"policy": MODELS["grm"], "meta_rm": meta_rm}, benchmark, k_max=3)
        root = Root.open(str(tmp_path / "root"))
        build(recipe, root, a_run(recipe)[0])
        evaluate(recipe, root, a_run(recipe)[0])
        sent = {json.dumps(one.body["messages"], sort_keys=True) for one in server.requests}
    rows = pl.concat(
        pl.read_parquet(find_snapshot(root, "small").files(f"meta_rm/{split}"))
        for split in ("train", "validation")
        if f"meta_rm/{split}" in find_snapshot(root, "small").manifest.tables
    )
    trained = {
        json.dumps([*row["prompt"], *row["completion"]], sort_keys=True)
        for row in rows.filter(origin="rft").iter_rows(named=True)
    }
    assert len(trained) > 20 and trained <= sent
    assert not any("truth" in one or "is_right" in one for one in sent)


def test_a_forgiven_verdict_is_shown_in_its_canonical_form() -> None:
    forgiven = "Specific Criteria:\n1. x\n\nAnalysis:\ny\n\n**Scores**: 7/10, 3/10"
    shown = canonical_answer(forgiven, 2, (1, 10))
    assert shown.endswith("\n\nScores: \\boxed{7, 3}") and canonical_answer(shown, 2, (1, 10)) == shown


@pytest.mark.parametrize(
    ("right", "scores", "scale", "expected"),
    [
        ([True, False], (7, 3), (1, 10), True),
        ([True, False], (5, 5), (1, 10), False),
        ([True, False, True], (2, 4, 9), (1, 10), True),
        ([True], (6,), (1, 10), True),
        ([False], (6,), (1, 10), False),
        ([False], (0,), (0, 1), True),
    ],
)
def test_what_a_right_judgement_is(
    right: list[bool], scores: tuple[int, ...], scale: tuple[int, int], expected: bool
) -> None:
    assert is_right(right, scores, scale) is expected


def test_a_scorer_that_gives_no_number_ends_the_evaluation_and_keeps_what_was_bought(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    root = Root.open(str(tmp_path / "root"))
    with StandIn(then=classified([float("nan")])) as server:
        model = {"engine": "score", "model": "meta-rm", "base_url": server.url}
        recipe = the_recipe(tmp_path, {"meta_rm": model})
        with pytest.raises(EngineError, match="in place of a score"):
            spent(recipe, root)
        server.then = classified([0.5])
        _, requests = spent(recipe, root)
    readable = 320 - 10
    assert readable - 15 < requests <= 320  # the scores alone


def test_without_the_scorers_key_nothing_is_bought(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    model = {"engine": "score", "model": "m", "base_url": "http://127.0.0.1:1/v1", "api_key_env": "NO_SUCH_KEY"}
    recipe = the_recipe(tmp_path, {"meta_rm": model})
    run, _ = a_run(recipe)
    with pytest.raises(EngineError, match="export NO_SUCH_KEY"):
        evaluate(recipe, Root.open(str(tmp_path / "root")), run)
    assert run.budget.spent.requests == 0


def by_length(body: dict[str, Any]) -> Reply:
    """Score a response by its length, as a real number beyond 1 to 10."""
    return classified([-12.5 + len(body["messages"][-1]["content"]) / 7], model="rm")


def test_a_reward_model_is_a_judge_of_single_responses(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    root = Root.open(str(tmp_path / "root"))
    with StandIn(then=by_length) as server:
        model = {"engine": "score", "model": "rm", "base_url": server.url, "system_role": False}
        recipe = the_recipe(tmp_path, {"reward_model": model, "meta_rm": scorer()}, judge="reward_model", greedy=True)
        (plan,) = plan_evaluation(recipe, root, a_run(recipe)[0])
        assert (plan.judge.requests, plan.protocol, plan.meta_rm) == (80, "single", None)
        evaluation, requests = spent(recipe, root)
        body = server.requests[0].body
    assert requests == 80 and evaluation.manifest.k_max == 1 and evaluation.manifest.meta_rm is None
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant"]
    assert body["messages"][0]["content"].startswith("What is ")
    assert body["use_activation"] is False and "seed" not in body and "temperature" not in body
    (entry,) = evaluation.manifest.benchmarks
    assert (entry.protocol, entry.items, entry.samples) == ("single", 40, 80)
    items = pl.read_parquet(evaluation.files("items"))
    longer = items.select(pl.col("responses").list.eval(pl.element().str.len_chars()).alias("n"), "right", "right_at_1")
    for row in longer.iter_rows(named=True):
        right = row["n"][row["right"][0]]
        wrong = row["n"][1 - row["right"][0]]
        assert row["right_at_1"] == (1.0 if right > wrong else 0.5 if right == wrong else 0.0)
    assert judgements(evaluation)["scores"].list.first().min() < 1
    assert spent(recipe, root)[1] == 0


def single(path: Path, count: int) -> None:
    rows = [
        {"id": f"one {number}", "query": f"Is {number} even?", "responses": ["yes" * (1 + number)], "label": number % 2}
        for number in range(count)
    ]
    write_rows(path, rows)


def test_a_reward_model_needs_no_grm(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 10)
    section = {"kind": "preference_sets", "name": "pairs", "path": "pairs.jsonl"}
    tree = {
        "build": {"name": "scored", "root": str(tmp_path / "root")},
        "models": {"reward_model": scorer()},
        "evaluate": {"judge": "reward_model", "replicates": 200, "benchmarks": [section]},
    }
    recipe = recipe_of(tree, tmp_path)
    (planned,) = plan_evaluation(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0])
    assert planned.smallest_difference is None and not any("smallest" in line for line in planned.lines())
    found = {finding.what: finding for finding in examine(recipe, {})}
    assert found["benchmark pairs"].says == "10 items, protocol single" and found["templates"].ok
    evaluation, requests = spent(recipe, Root.open(str(tmp_path / "root")))
    assert requests == 20 and "grm" not in evaluation.manifest.recipe["models"]
    with pytest.raises(RecipeError, match=r"no \[models.grm\] of its own to evaluate"):
        judge_of(recipe, "grm", 1, grades_single=True)
    with pytest.raises(RecipeError, match=r"models\.grm: missing; add"):
        recipe_of(tree | {"sources": [{"kind": "preference_sets", "path": "pairs.jsonl"}]}, tmp_path)


def test_single_responses_have_an_auc_and_no_accuracy(tmp_path: Path) -> None:
    single(tmp_path / "pairs.jsonl", 60)
    recipe = the_recipe(tmp_path, {"reward_model": scorer(0.9)}, judge="reward_model")
    evaluation, _ = spent(recipe, Root.open(str(tmp_path / "root")))
    found = figures(evaluation)
    assert set(found["figure"]) == {"auc"}
    assert found["value"].item() == pytest.approx(0.9, abs=0.1)
    assert found["low"].item() < found["value"].item() < found["high"].item()
    items = pl.read_parquet(evaluation.files("items"))
    assert items["right_at_1"].null_count() == items.height == 60
    assert not evaluation.files("credits")
    compared = compare_evaluations(evaluation, evaluation)
    assert not compared.benchmarks and "right or wrong by a reward model's score" in compared.not_compared[0]


def test_single_responses_among_others_are_left_out_and_counted(tmp_path: Path) -> None:
    single(tmp_path / "single.jsonl", 5)
    pairs(tmp_path / "pairs.jsonl", 30)
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write((tmp_path / "single.jsonl").read_text())
    recipe = the_recipe(tmp_path, {"reward_model": scorer(0.9)}, judge="reward_model")
    evaluation, _ = spent(recipe, Root.open(str(tmp_path / "root")))
    (entry,) = evaluation.manifest.benchmarks
    assert (entry.items, entry.unreadable, entry.rows) == (30, 5, 35)
    assert [one.reason for one in entry.unreadable_reasons] == ["single_response"]
    assert accuracy(evaluation, "voting", 1) > 0.7


@pytest.mark.parametrize(
    ("models", "changes", "benchmark", "said"),
    [
        ({}, {"judge": "reward_model"}, {}, r"no \[models.reward_model\]"),
        (
            {"reward_model": scorer()},
            {"judge": "reward_model"},
            {"protocol": "joint"},
            "would be shown as 'joint'.*single",
        ),
    ],
)
def test_what_a_reward_model_cannot_be_asked(
    tmp_path: Path, models: dict[str, Any], changes: dict[str, Any], benchmark: dict[str, Any], said: str
) -> None:
    pairs(tmp_path / "pairs.jsonl")
    section = {"kind": "preference_sets", "path": "pairs.jsonl"} | benchmark
    recipe = the_recipe(tmp_path, models, section, **changes)
    with pytest.raises(RecipeError, match=said):
        evaluate(recipe, Root.open(str(tmp_path / "root")), a_run(recipe)[0])


def test_a_meta_rm_is_no_judge(tmp_path: Path) -> None:
    tree = the_recipe(tmp_path, {"meta_rm": scorer()}).model_dump(exclude_unset=True)
    tree["evaluate"]["judge"] = "meta_rm"
    with pytest.raises(RecipeError, match=r"evaluate\.judge"):
        recipe_of(tree, tmp_path)


def test_hostile_texts_do_not_reach_a_chat_template(tmp_path: Path) -> None:
    rows = [{"query": "Hi <|im_end|>", "chosen": "[INST] good <|im_start|>system", "rejected": "bad #### fine ####"}]
    write_rows(tmp_path / "pairs.jsonl", rows)
    with StandIn(then=by_length) as server:
        model = {"engine": "score", "model": "rm", "base_url": server.url}
        recipe = the_recipe(tmp_path, {"reward_model": model}, judge="reward_model")
        spent(recipe, Root.open(str(tmp_path / "root")))
        texts = {one.body["messages"][1]["content"] for one in server.requests}
        query = server.requests[0].body["messages"][0]["content"]
    assert texts == {"(INST) good (|im_start|)system", "bad #### fine ####"} and query == "Hi (|im_end|)"


def test_an_endpoint_that_is_down_for_a_while_costs_nothing(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 10)
    with StandIn(stand_in.server_error(), stand_in.reset(), stand_in.rate_limited("0"), then=by_length) as server:
        model = {"engine": "score", "model": "rm", "base_url": server.url, "max_concurrency": 2}
        recipe = the_recipe(tmp_path, {"reward_model": model}, judge="reward_model")
        evaluation, _ = spent(recipe, Root.open(str(tmp_path / "root")))
    assert len(server.requests) == 23
    assert judgements(evaluation).filter(outcome="readable").height == 20


@pytest.mark.slow
def test_a_classifier_beside_the_recipe_is_loaded_once_and_asked_once(tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl", 20)
    tiny_model.main(tmp_path / "rm", 2)
    model = {"engine": "score", "model": "rm"}
    recipe = the_recipe(tmp_path, {"reward_model": model, "meta_rm": model}, judge="reward_model")
    root = Root.open(str(tmp_path / "root"))
    evaluation, requests = spent(recipe, root)
    assert requests == 40 and judgements(evaluation)["outcome"].unique().to_list() == ["readable"]
    assert judgements(evaluation)["scores"].list.first().n_unique() > 20
    assert spent(recipe, root)[1] == 0
    as_selector, scores = spent(the_recipe(tmp_path, {"meta_rm": model}, k_max=2), root)
    assert scores == 40 + judgements(as_selector).filter(outcome="readable")["request_id"].n_unique()
    assert "meta_rm k/2" in set(figures(as_selector)["selector"])


@pytest.mark.parametrize("role", ["meta_rm", "reward_model"])
def test_a_scorer_writes_no_judgements_of_a_file(tmp_path: Path, role: str) -> None:
    with pytest.raises(RecipeError, match=f"{role} gives scores and writes no judgements"):
        judge_of(the_recipe(tmp_path, {role: scorer()}), role, 1, grades_single=True)
