"""Pictures of curves: everything stands within them, and labels stand apart."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.charts import NARROW, WIDE, Chart, Layout, Series, curve_chart, scale_of
from pipelines.evaluation.figures import Value


def value(share: float, reach: float = 0.02) -> Value:
    return Value(share, max(0.0, share - reach), min(1.0, share + reach), 100, 90)


def curve(*shares: float) -> dict[int, Value]:
    return {2**power: value(share) for power, share in enumerate(shares)}


def drawn(series: list[Series], layout: Layout = WIDE, greedy: Value | None = None) -> Chart:
    chart = curve_chart(series, greedy, layout)
    assert chart is not None
    return chart


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (point.partition(",") for point in path.split())]


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=1, max_size=11),
    st.sampled_from([WIDE, NARROW]),
    st.booleans(),
)
def test_everything_stands_within_the_picture(curves: list[list[float]], layout: Layout, is_whole: bool) -> None:
    series = [Series("voting", "voting", curve(*curves[0]), has_band=True, has_dots=True)]
    series += [Series("other", "pass", curve(*one), has_dots=True, is_shown_whole=is_whole) for one in curves[1:]]
    chart = drawn(series, layout, value(curves[0][0]))
    for line in chart.lines:
        for x, y in [*places(line.path), *places(line.band), *((float(x), float(y)) for x, y, _ in line.dots)]:
            assert layout.left <= x <= layout.edge + 0.1 and layout.top - 0.1 <= y <= layout.floor + 0.1
    labels = sorted(float(line.label_y) for line in chart.lines)
    assert all(after - before >= layout.line - 0.2 for before, after in pairwise(labels))
    assert labels[-1] <= layout.floor + 0.1
    assert len(chart.lines) + len(chart.outside) == len(series)


def test_a_line_is_cut_where_it_leaves_the_scale() -> None:
    chart = drawn(
        [
            Series("voting", "voting", curve(0.70, 0.72, 0.74)),
            Series("pass@k", "pass", curve(0.70, 0.95, 1.0), is_shown_whole=False),
            Series("longest response", "blind", {1: value(0.3)}, is_level=True, is_shown_whole=False),
        ]
    )
    voting, cut = chart.lines
    assert len(places(voting.path)) == 3
    ends = places(cut.path)
    assert len(ends) == 2 and ends[1][1] == WIDE.top and ends[1][0] < places(voting.path)[1][0]
    assert chart.outside == ["longest response: 30.0% (28.0 to 32.0), below the picture"]


def test_the_axis_counts_in_doublings_and_ends_with_the_largest() -> None:
    values = {k: value(0.5 + k / 100) for k in (1, 2, 3, 6, 12)}
    chart = drawn([Series("voting", "voting", values)])
    assert [label for _, label in chart.x_ticks] == ["1", "2", "4", "8", "12"]
    xs = [float(x) for x, _ in chart.x_ticks]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert curve_chart([], None, WIDE) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_scales_hold_their_values_and_are_never_thin(shares: list[float]) -> None:
    low, high = scale_of(shares)
    assert 0 <= low <= min(shares) + 1e-9 and max(shares) - 1e-9 <= high <= 1
    assert high - low >= 0.0299
