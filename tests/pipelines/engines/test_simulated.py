"""The simulated judge: as accurate, as biased and as faulty as it is told, and always the same."""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pipelines.engines.simulated.engine import SimulatedEngine
from pipelines.judging.answer_forms import form_in_body
from pipelines.judging.prompts import load_template
from schemas.generation import Completion, FaultKind, Request, Truth
from schemas.recipe import ModelSection, Price, Simulated
from tests.pipelines.engines.requests import ask

BOXED = re.compile(r"\\boxed\{([^}]*)\}")
FAULTLESS: dict[str, Any] = dict.fromkeys(
    ("tied", "truncated", "wrong_count", "out_of_range", "unparsed", "refused", "thinks_aloud", "hint_leak"), 0.0
)


def engine(**settings: Any) -> tuple[SimulatedEngine, ModelSection]:
    model = ModelSection(engine="simulated", simulated=Simulated(**(FAULTLESS | settings)))
    return SimulatedEngine(model), model


def judge(
    sets: int, n: int, *, samples: int = 1, hinted: bool = False, **settings: Any
) -> list[tuple[Truth, Completion]]:
    simulated, model = engine(**settings)
    judged = []
    for number in range(sets):
        label = number % 2 if n == 1 else None
        truth = Truth(f"set {number}", n, None if n == 1 else number % n, label, hinted)
        for sample in range(samples):
            judged.append((truth, simulated.answer(ask(number, model, sample=sample, truth=truth))))
    return judged


def scores_of(completion: Completion) -> list[str]:
    found = BOXED.findall(completion.text or "")
    assert len(found) == 1
    return str(found[0]).split(", ")


def is_right(truth: Truth, completion: Completion) -> bool:
    scores = [int(score) for score in scores_of(completion)]
    if truth.best_position is None:
        return scores == [truth.label]
    others = [score for position, score in enumerate(scores) if position != truth.best_position]
    return scores[truth.best_position] > max(others)


def share(judged: list[tuple[Truth, Completion]]) -> float:
    return sum(is_right(truth, completion) for truth, completion in judged) / len(judged)


@pytest.mark.parametrize(("n", "accuracy"), [(1, 0.75), (2, 0.75), (4, 0.6), (5, 0.9), (12, 0.5)])
@pytest.mark.parametrize("tied", [0.0, 0.1])
def test_it_is_as_accurate_as_it_is_told(n: int, accuracy: float, tied: float) -> None:
    judged = judge(4000, n, accuracy=accuracy, tied=tied)
    assert share(judged) == pytest.approx(accuracy, abs=3.5 * (accuracy * (1 - accuracy) / 4000) ** 0.5)


@pytest.mark.parametrize(("n", "rate"), [(1, 0.5), (2, 0.45), (4, 0.2025), (5, 0.1533)])
def test_chance_has_the_rates_of_the_method_and_their_cube(n: int, rate: float) -> None:
    judged = judge(3000, n, samples=3, chance=True)
    assert share(judged) == pytest.approx(rate, abs=3.5 * (rate * (1 - rate) / 9000) ** 0.5)
    all_right = sum(all(is_right(*one) for one in judged[at : at + 3]) for at in range(0, 9000, 3)) / 3000
    assert all_right == pytest.approx(rate**3, abs=3.5 * (rate**3 / 3000) ** 0.5)


def test_samples_of_a_set_go_right_or_wrong_together() -> None:
    judged = judge(2000, 2, samples=3, difficulty_spread=1.5)
    all_right = sum(all(is_right(*one) for one in judged[at : at + 3]) for at in range(0, 6000, 3)) / 2000
    assert all_right > 0.75**3 + 0.08


def test_bias_favours_the_first_position() -> None:
    judged = judge(4000, 2, position_bias=0.6)
    first = share([one for one in judged if one[0].best_position == 0])
    last = share([one for one in judged if one[0].best_position == 1])
    assert first > last + 0.1


def test_hinted_samples_are_right_nearly_always() -> None:
    for n in (1, 4):
        assert share(judge(2000, n, accuracy=0.5, hinted=True)) == pytest.approx(0.97, abs=0.015)


def test_scores_are_whole_in_range_and_without_accidental_ties() -> None:
    for n in (2, 4, 10):
        for _, completion in judge(500, n):
            scores = [int(score) for score in scores_of(completion)]
            assert len(set(scores)) == n
            assert all(1 <= score <= 10 for score in scores)


def test_deliberate_ties_are_ties_of_the_best() -> None:
    judged = judge(3000, 4, tied=0.2)
    tied = 0
    for truth, completion in judged:
        scores = [int(score) for score in scores_of(completion)]
        assert truth.best_position is not None
        tied += scores.count(max(scores)) == 2 and scores[truth.best_position] == max(scores)
    assert tied / 3000 == pytest.approx(0.2, abs=0.025)


@pytest.mark.parametrize("chance", [False, True])
def test_faults_come_in_their_shares(chance: bool) -> None:
    faults: dict[str, Any] = {
        "truncated": 0.1,
        "wrong_count": 0.1,
        "out_of_range": 0.1,
        "unparsed": 0.1,
        "refused": 0.1,
        "failed": 0.1,
    }
    seen: Counter[str] = Counter()
    for _, completion in judge(4000, 3, chance=chance, **faults):
        if completion.fault:
            assert completion.fault is FaultKind.REQUEST and completion.text is None and completion.error
            seen["failed"] += 1
        elif completion.finish_reason in ("length", "refusal"):
            assert not BOXED.search(completion.text or "")
            seen["truncated" if completion.finish_reason == "length" else "refused"] += 1
        elif not BOXED.search(completion.text or ""):
            seen["unparsed"] += 1
        else:
            scores = scores_of(completion)
            wrong = [score for score in scores if not re.fullmatch("[1-9]|10", score)]
            seen["wrong_count" if len(scores) != 3 else "out_of_range" if wrong else "well"] += 1
    for name, wanted in faults.items():
        assert seen[name] / 4000 == pytest.approx(wanted, abs=0.02), name


def test_thoughts_are_split_off_as_the_wire_would() -> None:
    judged = judge(1000, 2, thinks_aloud=0.3)
    thinking = [completion for _, completion in judged if completion.reasoning]
    assert len(thinking) / 1000 == pytest.approx(0.3, abs=0.05)
    assert all("think>" not in (completion.text or "") for _, completion in judged)
    cut = [one for _, one in judge(300, 2, thinks_aloud=1.0, truncated=1.0)]
    assert any(one.text == "" and one.reasoning for one in cut)  # cut off in its thoughts


def test_only_leaks_speak_of_a_hint() -> None:
    told = re.compile("hint|I was told", re.I)
    for hinted, wanted in ((True, 0.5), (False, 0.0)):
        judged = judge(1000, 2, hinted=hinted, hint_leak=0.5)
        leaks = sum(bool(told.search(completion.text or "")) for _, completion in judged)
        assert leaks / 1000 == pytest.approx(wanted, abs=0.05)


def test_texts_follow_the_published_layout() -> None:
    lengths = []
    for _, completion in judge(300, 4):
        text = completion.text or ""
        lengths.append(len(text))
        weights = [int(weight) for weight in re.findall(r"\(Weight: (\d+)%\)", text)]
        assert sum(weights) == 100
        assert text.index("Analysis:") < text.index("\\boxed{")
        assert all(f"Response {number} " in text for number in range(1, 5))
    assert 700 < sum(lengths) / len(lengths) < 1300


def test_tokens_and_cost_are_estimated() -> None:
    model = ModelSection(engine="simulated", price_per_mtok=Price(input=1, output=2))
    truth = Truth("s", 2, 0, None, False)
    completion = SimulatedEngine(model).answer(ask(1, model, prompt="x" * 4000, truth=truth))
    assert completion.prompt_tokens == pytest.approx(1005, abs=5)
    assert completion.prompt_tokens and completion.completion_tokens
    assert completion.cost_usd == (completion.prompt_tokens + 2 * completion.completion_tokens) / 1e6
    assert completion.served_model == "simulated"


def test_a_request_without_truth_is_a_question() -> None:
    simulated, model = engine()
    options = "What is RSRP?\n1. a power\n2. a phase\n3. a price\n"
    answers = [simulated.answer(ask(number, model, prompt=options)) for number in range(200)]
    texts = Counter(answer.text for answer in answers)
    assert set(texts) == {
        "The answer is option 1: a power",
        "The answer is option 2: a phase",
        "The answer is option 3: a price",
    }
    assert min(texts.values()) > 30
    assert all(answer.reasoning for answer in answers)
    assert simulated.answer(ask(1, model)).text


def test_a_seed_makes_another_judge() -> None:
    def verdicts(seed: int) -> list[Any]:
        return [completion.text for _, completion in judge(50, 3, seed=seed)]

    assert verdicts(1) == verdicts(1)
    assert verdicts(1) != verdicts(2)


def test_answers_do_not_depend_on_order_concurrency_or_process() -> None:
    model = ModelSection(engine="simulated", simulated=Simulated(latency_s=0.001))
    requests = [ask(number, model, truth=Truth(f"s{number}", 3, 1, None, False)) for number in range(20)]

    async def answers(asked: list[Request]) -> dict[str, Completion]:
        simulated = SimulatedEngine(model)
        attempts = await asyncio.gather(*(simulated.complete(request) for request in asked))
        return {attempt.completion.request_id: attempt.completion for attempt in attempts}

    here = asyncio.run(answers(requests))
    assert here == asyncio.run(answers(requests[::-1]))
    program = (
        "from schemas.generation import *; from schemas.recipe import ModelSection; "
        "from pipelines.engines.simulated.engine import SimulatedEngine; "
        "from tests.pipelines.engines.requests import ask; "
        "m = ModelSection(engine='simulated', simulated={'latency_s': 0.001}); "
        "print(SimulatedEngine(m).answer(ask(7, m, truth=Truth('s7', 3, 1, None, False))).text, end='')"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout == here[requests[7].request_id].text


@pytest.mark.parametrize(
    ("n", "template"), [(1, "grm_single"), (2, "grm"), (4, "grm_rubric"), (3, "grm_no_principles")]
)
def test_it_keeps_to_the_form_that_a_request_asks_for_and_judges_alike(n: int, template: str) -> None:
    simulated, model = engine(wrong_count=0.2, out_of_range=0.2, unparsed=0.2, thinks_aloud=0.5, hint_leak=0.5)
    forms = [form_in_body(kind, None, load_template(template), n) for kind in ("regex", "json_schema")]
    for number in range(60):
        truth = Truth(
            f"set {number}", n, None if n == 1 else number % n, number % 2 if n == 1 else None, number % 3 == 0
        )
        asked = ask(number, model, truth=truth)
        text, tree = (simulated.answer(replace(asked, body=asked.body | form)) for form in forms)
        assert re.fullmatch(forms[0]["structured_outputs"]["regex"], text.text or "")
        answer = json.loads(tree.text or "")
        schema = forms[1]["response_format"]["json_schema"]["schema"]
        assert list(answer) == list(schema["properties"])
        assert [str(score) for score in answer["scores"].values()] == scores_of(text)
        assert list(answer["scores"]) == list(schema["properties"]["scores"]["properties"])
        assert text.reasoning == tree.reasoning


def test_a_form_leaves_room_for_what_no_server_can_prevent() -> None:
    simulated, model = engine(truncated=0.5, refused=0.3)
    form = form_in_body("json_schema", None, load_template("grm"), 2)
    asked = [ask(number, model, truth=Truth(f"set {number}", 2, 0, None, False)) for number in range(60)]
    reasons = Counter(simulated.answer(replace(one, body=one.body | form)).finish_reason for one in asked)
    assert set(reasons) == {"stop", "length", "refusal"}


@pytest.mark.parametrize(
    "extra",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": "text"},
        {"structured_outputs": {"choice": ["a"]}},
    ],
)
def test_a_form_that_it_does_not_know_is_not_kept(extra: dict[str, Any]) -> None:
    simulated, model = engine()
    asked = ask(1, model, truth=Truth("set 1", 2, 0, None, False))
    assert simulated.answer(replace(asked, body=asked.body | extra)).text == simulated.answer(asked).text
