r"""Parts of the number line, as inequalities and as intervals: `x<3` is `(-\infty,3)`, `x\ne 1` is all but 1."""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.question import Verdict

Number = Callable[[str], float | None]

_NEAR = 1e-9
_OR = re.compile(r"\\(?:cup|lor|vee)(?![a-zA-Z])|\\text\s*\{\s*or\s*\}|(?<![a-zA-Z\\])or(?![a-zA-Z])")
_AND = re.compile(r"\\(?:land|wedge)(?![a-zA-Z])|\\text\s*\{\s*and\s*\}|(?<![a-zA-Z\\])and(?![a-zA-Z])")
_COMMA = re.compile(r",(?=[^()\[\]]*[<>=])")
_BUILDER = re.compile(r"\\\{\s*(?:\\?[a-zA-Z]+)(?:\s*\\in\s*\\mathbb\{R\})?\s*(?:\||:|\\mid(?![a-z]))(?P<rest>.*)\\\}")
_MEMBER = re.compile(r"(?P<name>\\?[a-zA-Z]+)\s*\\in(?![a-z])(?P<rest>.*)")
_INTERVAL = re.compile(r"(?P<open>[(\[])(?P<low>[^,;]+)[,;](?P<high>[^,;]+)(?P<close>[)\]])")
_OPERATOR = re.compile(r"(\\(?:[lg]eq?(?:slant)?|[lg]t|neq?)(?![a-zA-Z])|[<>]=?|≠)")
_NAME = re.compile(r"[a-zA-Z]|\\(?:theta|alpha|beta|lambda|mu|phi|omega)")
_BELOW = {"<": True, r"\lt": True, "<=": False, r"\le": False, r"\leq": False, r"\leqslant": False}
_ABOVE = {">": True, r"\gt": True, ">=": False, r"\ge": False, r"\geq": False, r"\geqslant": False}


class Span(NamedTuple):
    """All numbers between two, with or without these."""

    low: float
    high: float
    low_open: bool
    high_open: bool


class _Line(NamedTuple):
    spans: list[Span]
    name: str
    is_plain: bool
    """Whether it is one pair in brackets, which may be a point."""


def verdict(gold: str, answer: str, number: Number) -> Verdict | None:
    """Compare two parts of the line; None where one is none, or both may be points."""
    first, second = _line(gold, number), _line(answer, number)
    if first is None or second is None or (first.is_plain and second.is_plain):
        return None
    if first.name and second.name and first.name != second.name:
        return Verdict.UNDECIDED
    if len(first.spans) != len(second.spans):
        return Verdict.WRONG
    both = list(zip(first.spans, second.spans, strict=True))
    if any(one[2:] != other[2:] for one, other in both):
        return Verdict.WRONG
    ends = [pair for one, other in both for pair in zip(one[:2], other[:2], strict=True)]
    if all(math.isclose(low, high, rel_tol=1e-12, abs_tol=1e-12) for low, high in ends):
        return Verdict.RIGHT
    far = any(not math.isclose(low, high, rel_tol=_NEAR, abs_tol=_NEAR) for low, high in ends)
    return Verdict.WRONG if far else Verdict.UNDECIDED


def _line(text: str, number: Number) -> _Line | None:
    text, name = text.strip(), ""
    if builder := _BUILDER.fullmatch(text):
        text = builder["rest"].strip()
    if member := _MEMBER.fullmatch(text):
        name, text = member["name"], member["rest"].strip()
    is_plain = _INTERVAL.fullmatch(text) is not None and not name
    unions = [part for piece in _OR.split(text) for part in _AND.split(piece)]
    if _OR.search(text) and _AND.search(text):
        return None
    if len(unions) == 1 and len(parts := _COMMA.split(text)) > 1:
        # "x<1, x>3" joins what cannot hold at once, and cuts what can
        found = [_part(part.strip(), number) for part in parts]
        return _joined(found, name, cut=_meet([one for one in found if one]))
    return _joined(
        [_part(part.strip(), number) for part in unions], name, cut=bool(_AND.search(text)), is_plain=is_plain
    )


def _meet(parts: Sequence[tuple[list[Span], str]]) -> bool:
    return bool(_cut([spans for spans, _ in parts]))


def _joined(
    parts: Sequence[tuple[list[Span], str] | None], name: str, *, cut: bool, is_plain: bool = False
) -> _Line | None:
    found = [part for part in parts if part is not None]
    names = {part[1] for part in found if part[1]} | ({name} if name else set())
    if len(found) != len(parts) or len(names) > 1:
        return None
    spans = _cut([one for one, _ in found]) if cut else _united([span for one, _ in found for span in one])
    return _Line(spans, "".join(names), is_plain) if spans else None


def _part(text: str, number: Number) -> tuple[list[Span], str] | None:
    """Return the spans of one interval or one chain of inequalities, and its variable."""
    if interval := _INTERVAL.fullmatch(text):
        low, high = _end(interval["low"], number), _end(interval["high"], number)
        if low is None or high is None or low >= high:
            return None
        return [Span(low, high, interval["open"] == "(", interval["close"] == ")")], ""
    pieces = [piece.strip() for piece in _OPERATOR.split(text)]
    names = [place for place, piece in enumerate(pieces) if place % 2 == 0 and _NAME.fullmatch(piece)]
    if len(pieces) not in (3, 5) or len(names) != 1 or (len(pieces) == 5 and names[0] != 2):
        return None
    spans = [[Span(-math.inf, math.inf, True, True)]]
    for place in range(1, len(pieces), 2):
        end = _end(pieces[place - 1 if names[0] > place else place + 1], number)
        half = None if end is None else _half(pieces[place], end, flipped=names[0] > place)
        if half is None:
            return None
        spans.append(half)
    return _cut(spans), pieces[names[0]]


def _half(operator: str, end: float, flipped: bool) -> list[Span] | None:
    """Return what `x operator end` leaves of the line; `end operator x` where it is flipped."""
    if operator in (r"\ne", r"\neq", "≠"):
        return [Span(-math.inf, end, True, True), Span(end, math.inf, True, True)]
    if operator in _BELOW:
        is_below, is_open = not flipped, _BELOW[operator]
    elif operator in _ABOVE:
        is_below, is_open = flipped, _ABOVE[operator]
    else:
        return None
    return [Span(-math.inf, end, True, is_open)] if is_below else [Span(end, math.inf, is_open, True)]


def _end(text: str, number: Number) -> float | None:
    text = text.strip()
    if text in (r"\infty", r"+\infty", r"-\infty"):
        return -math.inf if text.startswith("-") else math.inf
    return number(text)


def _cut(parts: Sequence[list[Span]]) -> list[Span]:
    """Return what all of some parts of the line share."""
    found = [Span(-math.inf, math.inf, True, True)]
    for part in parts:
        found = [
            Span(max(one.low, other.low), min(one.high, other.high),
                 max((span.low, span.low_open) for span in (one, other))[1],
                 min((span.high, not span.high_open) for span in (one, other))[1] is False)
            for one in found
            for other in part
            if max(one.low, other.low) < min(one.high, other.high)
        ]  # fmt: skip
    return sorted(found)


def _united(spans: Sequence[Span]) -> list[Span]:
    """Return spans in their order, overlapping ones as one."""
    found: list[Span] = []
    for span in sorted(spans):
        last = found[-1] if found else None
        if last and (span.low < last.high or (span.low == last.high and not (span.low_open and last.high_open))):
            high, closed = max((one.high, not one.high_open) for one in (last, span))
            found[-1] = Span(last.low, high, last.low_open, not closed)
        else:
            found.append(span)
    return found
