"""Guards: what trips names both figures; chance in small sources does not."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.upkeep import guards
from schemas.comparison import AcceptanceChange, Comparison, InputChange, InputCounts, Judged, LeakChange
from schemas.recipe import LeaksSection, RefreshSection

LIMITS = RefreshSection()
NOTHING = AcceptanceChange("all", Judged(), Judged(), Judged())
BLANK = Comparison("small@1", "small@2", (), 0, (), (), NOTHING, (), (), (), (), ())


def tripped(comparison: Comparison, limits: RefreshSection) -> tuple[str, ...]:
    return guards.tripped(comparison, limits, LeaksSection())


def counts(kept: int) -> InputCounts:
    return InputCounts("r", kept, kept, 0, 0)


def shrunk(before: int | None, after: int | None) -> Comparison:
    sides = [None if kept is None else counts(kept) for kept in (before, after)]
    return replace(BLANK, inputs=(InputChange("telecom", sides[0], sides[1]),))


def judged(sets: int, share: float, of_each: int = 4) -> Judged:
    return Judged(sets * of_each, round(sets * of_each * share), sets)


def moved(before: Judged, after: Judged, new: Judged | None = None) -> Comparison:
    change = AcceptanceChange("telecom", before, after, after if new is None else new)
    return replace(BLANK, acceptance=(change,), overall=replace(change, source="all"))


def leakier(before: float | None, after: float | None, se: float = 0.01) -> Comparison:
    return replace(BLANK, leaks=(LeakChange("telecom", "best", before, se, after, se),))


@pytest.mark.parametrize(("before", "after"), [(100, 90), (100, 150), (0, 0), (None, 5), (0, None), (10, 9)])
def test_a_source_may_lose_a_tenth(before: int | None, after: int | None) -> None:
    assert tripped(shrunk(before, after), LIMITS) == ()


@pytest.mark.parametrize(("before", "after", "said"), [(100, 89, "11.0%"), (5, None, "100.0%"), (1_000, 0, "100.0%")])
def test_a_source_that_shrinks_or_goes_is_named(before: int, after: int | None, said: str) -> None:
    (reason,) = tripped(shrunk(before, after), LIMITS)
    assert reason.startswith(f"telecom shrank from {before:,} kept sets to {after or 0:,}: {said} less")


def test_a_source_that_went_trips_even_where_shrinking_is_free() -> None:
    free = RefreshSection(max_source_shrink=1)
    assert tripped(shrunk(100, 1), free) == ()
    assert len(tripped(shrunk(100, None), free)) == 1


def test_acceptance_that_moved_is_named_with_both_figures() -> None:
    (reason,) = tripped(moved(judged(5_000, 0.62), judged(5_000, 0.5)), LIMITS)
    assert reason == (
        "acceptance of telecom moved from 62.0% (of 20,000 answers) to 50.0% (of 20,000): 12.0 points, where "
        "max_acceptance_change is 5 and chance may add 2.0"
    )
    (risen,) = tripped(moved(judged(5_000, 0.5), judged(5_000, 0.62)), LIMITS)
    assert "from 50.0%" in risen, "what rises without a reason is as strange"


@pytest.mark.parametrize("sets", [10, 50, 200])
def test_what_chance_does_to_a_small_source_trips_nothing(sets: int) -> None:
    by_chance = 2 * (0.25 * 2 / sets) ** 0.5
    assert tripped(moved(judged(sets, 0.5 - by_chance / 2), judged(sets, 0.5 + by_chance / 2)), LIMITS) == ()
    assert tripped(moved(judged(sets, 0.1), judged(sets, 0.9)), LIMITS)


@pytest.mark.parametrize("sets", [10, 50, 200])
def test_nights_of_sets_like_the_last_ones_trip_nothing(sets: int) -> None:
    """Three samples and a hinted one a set, accepted as rejection does: sets that are too easy give none."""
    draw = np.random.default_rng(sets)

    def a_version() -> Judged:
        rightness = draw.beta(2, 1.2, sets)
        right = (draw.random((sets, 3)) < rightness[:, None]).sum(axis=1)
        hinted = draw.random(sets) < np.clip(rightness + 0.15, 0, 1)
        return Judged(4 * sets, int(np.where(right == 3, 0, right + hinted).sum()), sets)

    nights = [len(tripped(moved(a_version(), a_version()), LIMITS)) for _ in range(1_000)]
    assert sum(nights) <= 5


def test_where_the_answers_are_the_same_nothing_is_chance() -> None:
    """A changed rejection rule moves what is accepted of the very same answers."""
    assert tripped(moved(judged(50, 0.5), judged(50, 0.4), Judged()), LIMITS)
    assert not tripped(moved(judged(50, 0.5), judged(50, 0.4)), LIMITS)


def test_new_answers_are_looked_at_by_themselves() -> None:
    before, after = judged(1_000, 0.6), Judged(4_400, 2_400, 1_100)
    (reason,) = tripped(moved(before, after, Judged(400, 0, 100)), LIMITS)
    assert reason.startswith("acceptance of the new answers of telecom moved from 60.0%")


def test_a_source_that_nobody_judged_any_more_is_named() -> None:
    assert tripped(moved(judged(10, 0.5), Judged()), LIMITS) == (
        "none of telecom was judged, where 40 answers were before",
    )
    assert tripped(moved(Judged(), judged(10, 0.5)), LIMITS) == ()


def test_all_sources_together_are_looked_at_where_there_are_several() -> None:
    one = AcceptanceChange("a", judged(5_000, 0.5), judged(5_000, 0.5), Judged())
    overall = AcceptanceChange("all", judged(10_000, 0.5), judged(10_000, 0.4), judged(5_000, 0.3))
    reasons = tripped(replace(BLANK, acceptance=(one, replace(one, source="b")), overall=overall), LIMITS)
    assert all("of all sources" in reason for reason in reasons)
    assert reasons


def test_a_leak_that_rose_is_named_and_chance_is_not() -> None:
    (reason,) = tripped(leakier(0.55, 0.70), LIMITS)
    assert reason == (
        "the leak probe of telecom (best) rose from AUC 0.550 to 0.700: by 0.150, where max_leak_rise is 0.05 and "
        "chance may add 0.028"
    )
    for comparison in (leakier(0.55, 0.62), leakier(0.55, 0.70, se=0.05), leakier(0.7, 0.5)):
        assert tripped(comparison, LIMITS) == ()


def test_a_leak_that_was_not_measured_before_is_held_against_the_threshold() -> None:
    (reason,) = tripped(leakier(None, 0.7), LIMITS)
    assert reason == (
        "the leak probe of telecom (best) is at AUC 0.700, and was not measured before: the threshold of [leaks] is "
        "0.6 and chance may add 0.020"
    )
    assert guards.tripped(leakier(None, 0.7), LIMITS, LeaksSection(threshold=0.75)) == ()
    for comparison in (leakier(None, 0.61), leakier(None, 0.7, se=0.06), leakier(0.7, None)):
        assert tripped(comparison, LIMITS) == ()


def test_guards_can_be_switched_off() -> None:
    off = RefreshSection(max_acceptance_change=100, max_source_shrink=1, max_leak_rise=1)
    every = replace(
        moved(judged(5_000, 0.9), judged(5_000, 0.1)), leaks=leakier(0.5, 1.0).leaks, inputs=shrunk(100, 1).inputs
    )
    assert len(tripped(every, LIMITS)) == 3
    assert tripped(every, off) == ()
