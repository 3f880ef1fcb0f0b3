"""Where everything in a picture stands, in the units of its SVG. The page draws it, and computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log2

from pipelines.evaluation.figures import Value, interval_of, percent
from pipelines.evaluation.selectors import selector_sizes

Points = Sequence[tuple[float, float]]
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Distances of the lines of a scale."""
_MOST_LINES = 7
_LEAST_HEIGHT = 0.06
"""A picture shows at least this much of the scale, so that noise does not look like a mountain."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a picture and of its margins."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    line: int
    """Height of a line of text."""
    with_values: bool
    """Whether the labels of lines say the last value, too."""

    @property
    def floor(self) -> int:
        """Where the picture's lower edge is, above the labels of the x-axis."""
        return self.height - self.bottom

    @property
    def edge(self) -> int:
        """Where the picture's right edge is, before the labels of lines."""
        return self.width - self.right


WIDE = Layout("wide", 880, 420, left=48, right=160, top=14, bottom=46, line=16, with_values=True)
NARROW = Layout("narrow", 360, 320, left=38, right=112, top=12, bottom=42, line=13, with_values=False)


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a picture before it is placed."""

    name: str
    kind: str
    """Its class in the style sheet."""
    values: Mapping[int, Value]
    """By k; a single one is drawn as a level through the whole picture where `is_level`."""
    is_level: bool = False
    has_dots: bool = False
    has_band: bool = False
    is_shown_whole: bool = True
    """Whether the scale reaches as far as the line does. Others are cut at the edge, and a mark says where they go."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is drawn."""

    name: str
    kind: str
    path: str
    band: str
    dots: tuple[tuple[str, str, str], ...]
    """(x, y, what stands there in words)"""
    label: str
    label_y: str
    end: tuple[str, str]
    """Where the line ends, and its label's pointer begins."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of curves by the number of samples."""

    layout: Layout
    x_ticks: list[tuple[str, str]]
    y_ticks: list[tuple[str, str]]
    lines: list[Line]
    marks: list[tuple[str, str, str, str, str]]
    """(x, y, y of the lower end, y of the upper end, words) of figures that stand alone."""
    outside: list[str] = field(default_factory=list)
    """What lies beyond the scale, in words."""


def curve_chart(series: Sequence[Series], greedy: Value | None, layout: Layout) -> Chart | None:
    """Return the picture of these lines over log2 of the number of samples; None where there is nothing to draw."""
    sizes = sorted({k for one in series if not one.is_level for k in one.values})
    if not sizes:
        return None
    scale = _scale(series, greedy)
    place = _Places(layout, sizes[-1], scale)
    inside = [one for one in series if not _is_outside(one, scale)]
    outside = [_outside_words(one, scale) for one in series if _is_outside(one, scale)]
    lines = [_line(one, place) for one in inside]
    marks = []
    if greedy is not None:
        low, high = greedy.low or greedy.value, greedy.high or greedy.value
        y, below, above = (_at(place.y(part)) for part in (greedy.value, low, high))
        marks.append((_at(place.x(1)), y, below, above, f"greedy: {_words(greedy)}"))
    return Chart(
        layout,
        [(_at(place.x(k)), str(k)) for k in _ticks_of(sizes[-1])],
        [(_at(place.y(tick)), f"{100 * tick:.0f}%") for tick in _lines_of_scale(*scale)],
        _with_labels(lines, layout),
        marks,
        outside,
    )


@dataclass(frozen=True, slots=True)
class _Places:
    layout: Layout
    largest: int
    scale: tuple[float, float]

    def x(self, k: float) -> float:
        share = log2(k) / log2(self.largest) if self.largest > 1 else 0.0
        return self.layout.left + 10 + share * (self.layout.edge - self.layout.left - 10)

    def y(self, value: float) -> float:
        low, high = self.scale
        share = (min(max(value, low), high) - low) / (high - low)
        return self.layout.floor - share * (self.layout.floor - self.layout.top)


def scale_of(values: Sequence[float], least: float = _LEAST_HEIGHT) -> tuple[float, float]:
    """Return round ends of a scale that holds these values, within 0 and 1."""
    low, high = min(values), max(values)
    missing = max(0.0, least - (high - low)) / 2
    low, high = max(0.0, low - missing), min(1.0, high + missing)
    step = _step(high - low)
    return max(0.0, floor(low / step + 1e-9) * step), min(1.0, ceil(high / step - 1e-9) * step)


def _scale(series: Sequence[Series], greedy: Value | None) -> tuple[float, float]:
    values = [value.value for one in series if one.is_shown_whole for value in one.values.values()]
    bands = [value for one in series if one.has_band for value in one.values.values()]
    for value in [*bands, *([greedy] if greedy else [])]:
        values += [end for end in (value.low, value.high, value.value) if end is not None]
    return scale_of(values)


def _step(height: float) -> float:
    return next((step for step in _STEPS if height / step <= _MOST_LINES - 1), _STEPS[-1])


def _lines_of_scale(low: float, high: float) -> Iterator[float]:
    step = _step(high - low)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    yield from (number * step for number in range(first, last + 1))


def _ticks_of(largest: int) -> list[int]:
    powers = [2**power for power in range(largest.bit_length())]
    # The largest k stands for itself where it is no power of two, unless the two numbers would touch.
    return powers if powers[-1] == largest or largest < 1.4 * powers[-1] else [*powers, largest]


def _is_outside(one: Series, scale: tuple[float, float]) -> bool:
    return not one.is_shown_whole and all(not scale[0] <= value.value <= scale[1] for value in one.values.values())


def _outside_words(one: Series, scale: tuple[float, float]) -> str:
    last = one.values[max(one.values)]
    return f"{one.name}: {_words(last)}, {'above' if last.value > scale[1] else 'below'} the picture"


def _line(one: Series, place: _Places) -> Line:
    if one.is_level:
        level = next(iter(one.values.values()))
        points: Points = [(place.x(1), place.y(level.value)), (place.x(place.largest), place.y(level.value))]
        last = level
    else:
        inside = _cut(sorted(one.values.items()), place.scale)
        points = [(place.x(k), place.y(value)) for k, value in inside]
        last = one.values[max(one.values)]
    dots = [
        (k, one.values[k])
        for k in selector_sizes(place.largest)
        if one.has_dots and k in one.values and _is_in(one.values[k], place.scale)
    ]
    return Line(
        one.name,
        one.kind,
        _path(points),
        _band(sorted(one.values.items()), place) if one.has_band else "",
        tuple(
            (_at(place.x(k)), _at(place.y(value.value)), f"{one.name}, k = {k}: {_words(value)}") for k, value in dots
        ),
        f"{one.name} {percent(last.value)}" if place.layout.with_values else one.name,
        "",
        (_at(points[-1][0]), _at(points[-1][1])),
    )


def _is_in(value: Value, scale: tuple[float, float]) -> bool:
    return scale[0] <= value.value <= scale[1]


def _cut(values: Sequence[tuple[int, Value]], scale: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the points of a line within the scale, and where it crosses its edges."""
    kept: list[tuple[float, float]] = []
    for number, (k, value) in enumerate(values):
        if number:
            kept += _crossings(values[number - 1], (k, value), scale)
        if _is_in(value, scale):
            kept.append((k, value.value))
    return kept


def _crossings(
    one: tuple[int, Value], other: tuple[int, Value], scale: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    (k, value), (next_k, next_value) = one, other
    for edge in scale if next_value.value > value.value else scale[::-1]:
        if (value.value - edge) * (next_value.value - edge) < 0:
            share = (edge - value.value) / (next_value.value - value.value)
            yield 2 ** (log2(k) + share * (log2(next_k) - log2(k))), edge


def _band(values: Sequence[tuple[int, Value]], place: _Places) -> str:
    known = [(k, value) for k, value in values if value.low is not None and value.high is not None]
    if len(known) < 2:
        return ""
    upper = [(place.x(k), place.y(value.high or 0.0)) for k, value in known]
    lower = [(place.x(k), place.y(value.low or 0.0)) for k, value in reversed(known)]
    return _path([*upper, *lower])


def _with_labels(lines: Sequence[Line], layout: Layout) -> list[Line]:
    """Place the labels beside the ends of their lines, a line of text apart, within the picture."""
    placed = sorted(lines, key=lambda line: float(line.end[1]))
    ys: list[float] = []
    for line in placed:
        ys.append(max(float(line.end[1]), ys[-1] + layout.line if ys else layout.top))
    below = float(layout.floor)
    for number in reversed(range(len(ys))):
        ys[number] = min(ys[number], below)
        below = ys[number] - layout.line
    labels = {id(line): _at(y) for line, y in zip(placed, ys, strict=True)}
    return [
        Line(line.name, line.kind, line.path, line.band, line.dots, line.label, labels[id(line)], line.end)
        for line in lines
    ]


def _path(points: Points) -> str:
    return " ".join(f"{_at(x)},{_at(y)}" for x, y in points)


def _at(place: float) -> str:
    return f"{place:.1f}"


def _words(value: Value) -> str:
    ends = interval_of(value)
    return f"{percent(value.value)}" + (f" ({ends})" if ends else "")
