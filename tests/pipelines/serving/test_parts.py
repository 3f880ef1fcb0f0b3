"""Groups that no prompt holds: parts overlap, and their scores come to one scale."""

import numpy as np
import pytest

from pipelines.serving.parts import Judged, divided, on_one_scale


@pytest.mark.parametrize(("n", "most"), [(9, 8), (64, 8), (5, 2), (7, 4), (33, 5)])
def test_every_response_is_in_a_part_and_all_parts_are_linked(n: int, most: int) -> None:
    parts = divided([f"r{index}" for index in range(n)], most, 1)
    assert all(len(set(part)) == most for part in parts)
    linked = set(parts[0])
    for _ in parts:
        for part in parts:
            linked |= set(part) if linked & set(part) else set()
    assert linked == set(range(n))
    assert parts == divided([f"r{index}" for index in range(n)], most, 1)
    assert len(divided([f"r{index}" for index in range(n)], most, 3)) > len(parts)


def test_a_group_that_a_prompt_holds_is_one_part() -> None:
    assert divided(["a", "b", "c"], 8, 4) == [(0, 1, 2)]


def test_a_known_order_comes_back_though_every_part_has_a_scale_of_its_own() -> None:
    draw = np.random.default_rng(5)
    worth = draw.permutation(40) / 4
    parts = divided([f"r{index}" for index in range(40)], 8, 2)
    judged = []
    for part in parts:
        shift = draw.normal(0, 3)  # a judge is stricter here than there, by more than responses differ
        noise = draw.normal(0, 0.01, len(part))
        judged.append(Judged(part, tuple(worth[list(part)] + shift + noise), samples=4))
    found = np.array(on_one_scale(40, judged), float)
    assert list(np.argsort(found)) == list(np.argsort(worth))
    plain = np.array(
        [np.mean([one.scores[one.indices.index(i)] for one in judged if i in one.indices]) for i in range(40)]
    )
    assert list(np.argsort(plain)) != list(np.argsort(worth)), "without shifts the order is lost"


def test_one_part_keeps_its_scores_and_the_scale_stays_the_judges() -> None:
    assert on_one_scale(3, [Judged((0, 2), (7.5, 3.0), 4)]) == [7.5, None, 3.0]
    both = [Judged((0, 1), (4.0, 6.0), 1), Judged((1, 2), (8.0, 10.0), 1)]
    assert on_one_scale(3, both) == pytest.approx([5.0, 7.0, 9.0])
    assert on_one_scale(2, []) == [None, None]


def test_what_is_not_linked_has_no_worth() -> None:
    apart = [Judged((0, 1, 2), (1.0, 2.0, 3.0), 1), Judged((3, 4), (9.0, 10.0), 1)]
    assert on_one_scale(5, apart) == [1.0, 2.0, 3.0, None, None]
