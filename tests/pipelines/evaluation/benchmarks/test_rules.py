"""What rules share, on votes written by hand: ties, unreadable answers, and one response alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.benchmarks import rules
from schemas.evaluation import Protocol, Row
from schemas.preference import Response
from schemas.query import user
from tests.pipelines.evaluation.benchmarks.readings import NAN, votes_of


def row(responses: int = 4, right: tuple[int, ...] = (0,)) -> Row:
    texts = tuple(Response(str(index)) for index in range(responses))
    return Row("1", "all", user("Which?"), texts, tuple(map(str, range(responses))), right)


def credit(one: Row, prompts: list[list[float]], protocol: Protocol = Protocol.JOINT, **more: bool) -> float:
    return float(rules.best_of([one], votes_of([prompts]), protocol, **more)[0, 0])


@pytest.mark.parametrize(
    ("scores", "right", "expected", "strict"),
    [
        ([9, 1, 1, 1], (0,), 1, 1),
        ([1, 9, 1, 1], (0,), 0, 0),
        ([9, 9, 1, 1], (0,), 1 / 2, 0),
        ([9, 9, 9, 9], (0,), 1 / 4, 0),
        ([1, 9, 9, 1], (0,), 0, 0),
        ([9, 9, 1, 1], (0, 1), 1, 1),
        ([9, 9, 9, 1], (0, 1), 2 / 3, 0),
        ([NAN, NAN, NAN, NAN], (0,), 0, 0),
    ],
)
def test_a_tie_gets_its_expected_credit(
    scores: list[float], right: tuple[int, ...], expected: float, strict: float
) -> None:
    assert credit(row(4, right), [scores]) == pytest.approx(expected)
    assert credit(row(4, right), [scores], strict=True) == strict
    alone = [[score] for score in scores]
    assert credit(row(4, right), alone, Protocol.SINGLE) == pytest.approx(expected)


def test_a_response_without_a_score_is_never_compared() -> None:
    assert credit(row(3), [[9], [1], [NAN]], Protocol.SINGLE) == 0
    assert credit(row(3), [[9], [1], [NAN]], Protocol.SINGLE, strict=True) == 0


def test_pairs_must_all_be_won_and_a_tie_is_half() -> None:
    assert credit(row(3), [[9, 1], [9, 2]], Protocol.PAIRS) == 1
    assert credit(row(3), [[9, 1], [2, 2]], Protocol.PAIRS) == 1 / 2
    assert credit(row(3), [[9, 1], [2, 2]], Protocol.PAIRS, strict=True) == 0
    assert credit(row(3), [[9, 1], [NAN, NAN]], Protocol.PAIRS) == 0
    # Two right responses against two wrong ones: the first wins both, the second wins one and ties one.
    assert credit(row(4, (1, 3)), [[9, 1], [9, 1], [9, 1], [1, 1]], Protocol.PAIRS) == 3 / 4


def test_both_orders_are_averaged() -> None:
    assert credit(row(2, (1,)), [[1, 9], [9, 1]], Protocol.BOTH_ORDERS) == 1 / 2
    assert credit(row(2, (1,)), [[1, 9], [5, 5]], Protocol.BOTH_ORDERS) == 3 / 4
    assert credit(row(2, (1,)), [[1, 9], [NAN, NAN]], Protocol.BOTH_ORDERS) == 1 / 2
    assert credit(row(3, (2,)), [[1, 9, 9], [1, 2, 9]], Protocol.BOTH_ORDERS) == 3 / 4


@pytest.mark.parametrize(("mean", "if_right", "if_wrong"), [(8, 1, 0), (5.5, 0.5, 0.5), (2, 0, 1), (NAN, 0, 0)])
@pytest.mark.parametrize("protocol", [Protocol.SINGLE, Protocol.JOINT, Protocol.BOTH_ORDERS])
def test_one_response_is_judged_by_the_middle_of_the_scale(
    mean: float, if_right: float, if_wrong: float, protocol: Protocol
) -> None:
    prompts = [[mean]] * (2 if protocol is Protocol.BOTH_ORDERS else 1)
    assert credit(row(1, (0,)), prompts, protocol) == if_right
    assert credit(row(1, ()), prompts, protocol) == if_wrong


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=2, max_size=5), st.integers(0, 4))
def test_the_credits_of_all_responses_add_up_to_one(scores: list[float], shift: int) -> None:
    n = len(scores)
    total = sum(credit(row(n, (index,)), [scores]) for index in range(n))
    assert total == pytest.approx(1)
    index = shift % n
    rotated = scores[index:] + scores[:index]
    assert credit(row(n, (index,)), [scores]) == pytest.approx(credit(row(n, (0,)), [rotated]))


def test_a_mean_with_a_missing_part_is_none() -> None:
    parts = {"a": np.array(0.5), "b": np.array(1.0)}
    assert rules.weighted_mean(parts, {"a": 3, "b": 1}) == pytest.approx(0.625)
    assert rules.plain_mean(parts, "ab") == pytest.approx(0.75)
    assert rules.plain_mean(parts, "abc") is None
    means = np.array([[[0.5], [NAN]]])
    assert list(rules.subset_means(["a", "b"], means)) == ["a"]
