"""The report's pictures: inline SVG, drawn from counts, coloured by the page's classes. Numbers stand beside them."""

from collections.abc import Iterable, Sequence

from pipelines.reporting.markup import Html, element

_WIDTH = 1000
_COLUMN, _GAP, _HEIGHT, _BASE = 12, 8, 64, 77
"""Of position columns, in the units of their own view box."""


def stacked_bar(segments: Iterable[tuple[str, int]], total: int, label: str, ticks: Sequence[float] = ()) -> Html:
    """Return a bar of (kind, count) segments on a scale from 0 to `total`; ticks are shares of it."""
    drawn, start = [], 0
    for kind, count in segments:
        if count:
            x, width = _scaled(start, total), _scaled(count, total)
            title = element("title", f"{kind}: {count:,}")
            shape = element(
                "rect", title, class_=_kind(kind), x=f"{x:.1f}", y=0, width=f"{max(width, 1):.1f}", height=16
            )
            drawn.append(shape)
            start += count
    for tick in ticks:
        at = f"{_scaled(tick, 1):.1f}"
        drawn.append(element("line", class_="tick", x1=at, x2=at, y1=0, y2=16))
    back = element("rect", class_="back", x=0, y=0, width=_WIDTH, height=16)
    return element(
        "svg", back, *drawn, class_="bar", viewBox=f"0 0 {_WIDTH} 16", preserveAspectRatio="none", role="img",
        aria_label=label,
    )  # fmt: skip


def position_columns(before: Sequence[int], after: Sequence[int], label: str) -> Html:
    """Return, for each position, the share of best responses there before and after balancing; a line marks 1/n."""
    shares = [[count / (sum(counts) or 1) for count in counts] for counts in (before, after)]
    highest = max([*shares[0], *shares[1], 1 / max(1, len(before))]) or 1
    drawn = []
    for position in range(len(before)):
        left = position * (2 * _COLUMN + _GAP) + _GAP / 2
        for kind, values, counts, offset in zip(
            ("before", "after"), shares, (before, after), (0, _COLUMN), strict=True
        ):
            height = values[position] / highest * _HEIGHT
            title = element("title", f"{kind}, position {position + 1}: {counts[position]:,} ({values[position]:.1%})")
            drawn.append(
                element(
                    "rect",
                    title,
                    class_=kind,
                    x=f"{left + offset:.1f}",
                    y=f"{_HEIGHT - height:.1f}",
                    width=_COLUMN - 1,
                    height=f"{height:.1f}",
                )
            )
        drawn.append(element("text", str(position + 1), x=f"{left + _COLUMN:.1f}", y=_BASE, text_anchor="middle"))
    width = len(before) * (2 * _COLUMN + _GAP)
    even = f"{_HEIGHT - _HEIGHT / max(1, len(before)) / highest:.1f}"
    line = element("line", class_="tick even", x1=0, x2=width, y1=even, y2=even)
    return element(
        "svg", *drawn, line, class_="columns", viewBox=f"0 0 {width} {_BASE + 4}", role="img", aria_label=label
    )


def legend(kinds: Iterable[tuple[str, str]]) -> Html:
    """Return what each colour stands for, by (kind, words)."""
    return element("ul", *(element("li", swatch(kind), words) for kind, words in kinds), class_="legend")


def swatch(kind: str) -> Html:
    """Return a small square in a kind's colour."""
    square = element("rect", class_=_kind(kind), width=10, height=10, rx=2)
    return element("svg", square, class_="swatch", viewBox="0 0 10 10", aria_hidden="true")


def _scaled(value: float, total: float) -> float:
    return max(0.0, min(1.0, value / total)) * _WIDTH if total else 0.0


def _kind(kind: str) -> str:
    return kind.replace(" ", "-")
