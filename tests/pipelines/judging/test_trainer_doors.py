"""rewards.py as each trainer calls it: one rule behind every door, and nothing guessed where a door hands over less."""

import json
from types import ModuleType
from typing import Any

import pytest

from pipelines.judging.extraction import read_answer
from schemas.trajectory import Outcome
from tests.pipelines.judging.test_verdicts import CASES, SECOND_HAND
from tests.pipelines.judging.trainer_doors import published_rewards, rewards_by_door

RIGHT = "Analysis:\nResponse 1 is right.\n\nScores: \\boxed{8, 3}"
PICK = 'Errors:\nResponse 1: "24 kHz" is wrong, "15 kHz" is right: LTE fixes it.\n\nBest: \\boxed{2}'


@pytest.fixture(scope="module")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return published_rewards(tmp_path_factory.mktemp("rewards"))


def row(source: str = "grmforge/own", **truth: Any) -> dict[str, Any]:
    return {"data_source": source, "reward_model": {"style": "rule", "ground_truth": json.dumps(truth)}}


SELECTION = row("grmforge/own/selection", n=2, best=1, answers=["24 kHz", "15 kHz"])


def test_every_door_leads_to_the_one_rule(rewards: ModuleType) -> None:
    texts = [RIGHT, RIGHT, "no verdict", "Scores: \\boxed{0}", PICK, PICK.replace("{2}", "{1}")]
    rows = [row(n=2, best=0), row(n=2, best=1), row(n=2, best=0), row(n=1, label=0), SELECTION, SELECTION]
    for door, found in rewards_by_door(rewards, texts, rows).items():
        assert found == [1.0, -1.0, -1.0, 1.0, 1.1, -1.0], door


def test_answers_get_the_reward_of_the_outcome_that_a_build_stores(rewards: ModuleType) -> None:
    """Answers in every form that judges write, each with every response as the best one."""
    texts, rows, due = [], [], []
    for case in [*CASES, *SECOND_HAND]:
        n, text = case.get("n", 2), case.get("text") or f"Analysis:\nResponse 1 is right.\n\n{case.get('tail')}"
        if (case.get("low", 1), case.get("high", 10)) != ((0, 1) if n == 1 else (1, 10)):
            continue
        for number in range(2 if n == 1 else n):
            best, label = (None, number) if n == 1 else (number, None)
            texts.append(text)
            rows.append(row(n=1, label=label) if n == 1 else row(n=n, best=best))
            due.append(1.0 if read_answer(text, "stop", n, best, label).outcome is Outcome.CORRECT else -1.0)
    assert min(due.count(1.0), due.count(-1.0)) > 100
    for door, found in rewards_by_door(rewards, texts, rows).items():
        assert found == due, door


@pytest.mark.parametrize("end", ["", "<|im_end|>", "</s>", "<end_of_turn>\n", "<｜end▁of▁sentence｜>"])
def test_special_tokens_at_the_end_cost_nothing(rewards: ModuleType, end: str) -> None:
    found = rewards.reward_func(["p" + RIGHT + end, "p" + PICK + end], ["p"] * 2, [row(n=2, best=0)["reward_model"],
                                SELECTION["reward_model"]["ground_truth"]])  # fmt: skip
    assert found == {"rewards": [1.0, 1.1], "scores": [1.0, 1.0], "extra_logs": {}}


def test_a_prompt_is_never_read_as_the_answer(rewards: ModuleType) -> None:
    prompt = f"<s>{'Judge these. ' * 40}End with Scores: \\boxed{{8, 3}}<|assistant|>"
    labels = [row(n=2, best=0)["reward_model"]]
    for query in (prompt, prompt[300:], f"<|begin|>{prompt}", f"{prompt}I give no verdict."):
        assert rewards.reward_func([query], [prompt], labels)["rewards"] == [-1.0], query
    assert rewards.reward_func([prompt[300:] + RIGHT], [prompt], labels)["rewards"] == [1.0]
    for query, of in ((RIGHT, prompt), (RIGHT, ""), (f"{prompt[:-1]} {RIGHT}", prompt)):
        with pytest.raises(ValueError, match="does not hold its prompt"):
            rewards.reward_func([query], [of], labels)


@pytest.mark.parametrize("label", ["", "4", "[]", {}, {"ground_truth": None}, {"style": "rule"}])
def test_a_label_that_is_no_ground_truth_is_an_error(rewards: ModuleType, label: Any) -> None:
    with pytest.raises(ValueError, match="ground truth"):
        rewards.reward_func(["p" + RIGHT], ["p"], [label])


def test_lists_of_unlike_length_are_an_error(rewards: ModuleType) -> None:
    with pytest.raises(ValueError, match="zip"):
        rewards.compute_score(solution_strs=[RIGHT, RIGHT], ground_truths=[json.dumps({"n": 2, "best": 0})])


def test_skyrl_makes_an_environment_of_a_row(rewards: ModuleType) -> None:
    skyrl_gym = pytest.importorskip("skyrl_gym", reason="SkyRL is not installed")
    skyrl_gym.register(id="grmforge-test", entry_point=rewards.skyrl_env())
    for text, due in ((RIGHT, 1.0), ("no verdict", -1.0)):
        env = skyrl_gym.make("grmforge-test", env_config={}, extras=row(n=2, best=0) | {"max_turns": 1})
        env.init([{"role": "user", "content": "Judge."}])
        step = env.step(text)
        assert (step["reward"], step["done"], step["observations"], env.get_metrics()) == (due, True, [], {})
