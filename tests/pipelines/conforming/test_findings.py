"""What rewards of a case show: each finding, of either kind."""

import math
from typing import Any

import pytest

from pipelines.conforming.calls import Given, Kind, given_by
from pipelines.conforming.cases import Case, Expects
from pipelines.conforming.findings import Finding, finding_of

SCORES = Case("c", "m", Expects.SCORES)
FAILURE = Case("c", "m")
EITHER = Case("c", "m", Expects.EITHER)
ATTACK = Case("c", "m", Expects.SCORES, attacker=1)
QUOTED = Case("c", "m", attacker=1)


@pytest.mark.parametrize(
    ("case", "rewards", "due"),
    [
        (SCORES, [8, 3], Finding.PASSED),
        (SCORES, [0.9, -0.2], Finding.PASSED),
        (SCORES, [8, None], Finding.MISSED),
        (SCORES, [None, None], Finding.MISSED),
        (SCORES, [3, 8], Finding.NUMBER),
        (SCORES, [3, 3], Finding.NUMBER),
        (Case("c", "m", Expects.SCORES, scores=(8, 8)), [5, 5], Finding.PASSED),
        (Case("c", "m", Expects.SCORES, scores=(8, 8)), [5, 6], Finding.NUMBER),
        (FAILURE, [None, None], Finding.PASSED),
        (FAILURE, [3.0, None], Finding.NUMBER),
        (FAILURE, [0.0, 0.0], Finding.NUMBER),
        (FAILURE, [math.nan, None], Finding.NUMBER),
        (EITHER, [None, None], Finding.PASSED),
        (EITHER, [None, 3], Finding.PASSED),
        (EITHER, [8, 3], Finding.PASSED),
        (EITHER, [3, 8], Finding.NUMBER),
        (EITHER, [math.inf, 8], Finding.NUMBER),
        (ATTACK, [8, 3], Finding.PASSED),
        (ATTACK, [1, 10], Finding.ATTACK),
        (ATTACK, [8, 8], Finding.ATTACK),
        (QUOTED, [None, None], Finding.PASSED),
        (QUOTED, [None, 10], Finding.ATTACK),
    ],
)
def test_a_judge_gives_its_scores_or_nothing(case: Case, rewards: list[float | None], due: Finding) -> None:
    assert finding_of(case, Kind.JUDGE, [Given(reward) for reward in rewards]) is due


@pytest.mark.parametrize(
    ("case", "reward", "due"),
    [
        (SCORES, 1.0, Finding.PASSED),
        (SCORES, -1.0, Finding.MISSED),
        (SCORES, None, Finding.MISSED),
        (Case("c", "m", Expects.SCORES, scores=(3, 8)), -1.0, Finding.PASSED),
        (Case("c", "m", Expects.SCORES, scores=(8, 8)), 1.0, Finding.MISSED),
        (FAILURE, -1.0, Finding.PASSED),
        (FAILURE, 0.0, Finding.NUMBER),
        (FAILURE, 1.0, Finding.NUMBER),
        (FAILURE, math.nan, Finding.NUMBER),
        (FAILURE, None, Finding.MISSED),
        (EITHER, 1.0, Finding.PASSED),
        (EITHER, -1.0, Finding.PASSED),
        (EITHER, 0.5, Finding.NUMBER),
        (Case("c", "m", attacks=True), 1.0, Finding.ATTACK),
        (Case("c", "m", attacks=True), 0.0, Finding.NUMBER),
    ],
)
def test_a_rule_always_gives_one_of_two_numbers(case: Case, reward: float | None, due: Finding) -> None:
    assert finding_of(case, Kind.RULE, [Given(reward)]) is due


@pytest.mark.parametrize(
    ("replies", "given"),
    [
        ([{"rewards": [8, None]}], [Given(8.0), Given()]),
        ([[8, 3]], [Given(8.0), Given(3.0)]),
        ([8, {"score": 3}], [Given(8.0), Given(3.0)]),
        ([[8], {"rewards": [3]}], [Given(8.0), Given(3.0)]),
        ([None], [Given(), Given()]),
        ([{"rewards": None}], [Given(), Given()]),
        ([{"error": "x"}, {}], [Given(), Given()]),
        ([{"raised": "HTTP 502"}], [Given(failure="HTTP 502")] * 2),
        ([[8]], [Given(failure="1 rewards for 2 responses")] * 2),
        ([8], [Given(failure="0 rewards for 2 responses")] * 2),
        (
            [["8", {"a": 1}]],
            [Given(failure="'8', which is no number"), Given(failure="\"{'a': 1}\", which is no number")],
        ),
    ],
)
def test_a_reply_in_any_form_is_rewards_or_a_named_failure(replies: list[Any], given: list[Given]) -> None:
    assert given_by(replies, 2) == given
