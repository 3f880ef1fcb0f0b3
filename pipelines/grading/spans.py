r"""Parts of the number line, as inequalities and as intervals: `x<3` is `(-\infty,3)`, `x\ne 1` is all but 1."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.grading import formulas
from schemas.question import Verdict

_NEAR = 1e-9
_OR = re.compile(r"\\(?:cup|lor|vee)(?![a-zA-Z])|\\text\s*\{\s*or\s*\}|(?<![a-zA-Z\\])or(?![a-zA-Z])")
_AND = re.compile(r"\\(?:land|wedge)(?![a-zA-Z])|\\text\s*\{\s*and\s*\}|(?<![a-zA-Z\\])and(?![a-zA-Z])")
_COMMA = re.compile(r",(?=[^()\[\]]*[<>=])")
_BUILDER = re.compile(r"\\\{\s*(?:\\?[a-zA-Z]+)(?:\s*\\in\s*\\mathbb\{R\})?\s*(?:\||:|\\mid(?![a-z]))(?P<rest>.*)\\\}")
_MEMBER = re.compile(r"(?P<name>\\?[a-zA-Z]+)\s*\\in(?![a-z])(?P<rest>.*)")
_INTERVAL = re.compile(r"(?P<open>[(\[])(?P<low>[^,;]+)[,;](?P<high>[^,;]+)(?P<close>[)\]])")
_OPERATOR = re.compile(r"(\\(?:[lg]eq?(?:slant)?|[lg]t|neq?)(?![a-zA-Z])|[<>]=?|≠)")
_NAME = re.compile(r"[a-zA-Z]|\\(?:theta|alpha|beta|lambda|mu|phi|omega)")
_UNEQUAL = (r"\ne", r"\neq", "≠")
# Whether the end itself is left out.
_BELOW = {"<": True, r"\lt": True, "<=": False, r"\le": False, r"\leq": False, r"\leqslant": False}
_ABOVE = {">": True, r"\gt": True, ">=": False, r"\ge": False, r"\geq": False, r"\geqslant": False}
_INFINITIES = {r"\infty": math.inf, r"+\infty": math.inf, r"-\infty": -math.inf}


class Span(NamedTuple):
    """All numbers between two ends.

    Beside its number an end has 0 where the number belongs to the span, and else a step inwards: 1 of a low end, -1 of
    a high one. So ends compare: what two spans share lies between the larger low end and the smaller high one.
    """

    low: tuple[float, int]
    high: tuple[float, int]


_ALL = Span((-math.inf, 1), (math.inf, -1))


class _Part(NamedTuple):
    spans: list[Span]
    name: str = ""  # the variable, where one is named
    is_plain: bool = False  # whether it is one pair in brackets, which may be a point


def verdict(gold: str, answer: str) -> Verdict | None:
    """Compare two parts of the line; None where one is none, or both may be points."""
    first, second = _line(gold), _line(answer)
    if first is None or second is None or (first.is_plain and second.is_plain):
        return None
    if first.name and second.name and first.name != second.name:
        return Verdict.UNDECIDED
    if len(first.spans) != len(second.spans):
        return Verdict.WRONG
    ends = [both for pair in zip(first.spans, second.spans, strict=True) for both in zip(*pair, strict=True)]
    if any(end[1] != other[1] for end, other in ends):
        return Verdict.WRONG
    if all(math.isclose(end[0], other[0], rel_tol=1e-12, abs_tol=1e-12) for end, other in ends):
        return Verdict.RIGHT
    are_near = all(math.isclose(end[0], other[0], rel_tol=_NEAR, abs_tol=_NEAR) for end, other in ends)
    return Verdict.UNDECIDED if are_near else Verdict.WRONG


def _line(text: str) -> _Part | None:
    """Return the part of the line that a text describes; None where it describes none."""
    text, name = text.strip(), ""
    if builder := _BUILDER.fullmatch(text):
        text = builder["rest"].strip()
    if member := _MEMBER.fullmatch(text):
        name, text = member["name"], member["rest"].strip()
    is_pair = _INTERVAL.fullmatch(text) is not None and not name
    either, both = bool(_OR.search(text)), bool(_AND.search(text))
    if either and both:
        return None
    pieces = _OR.split(text) if either else _AND.split(text)
    by_commas = len(pieces) == 1 and len(pieces := _COMMA.split(text)) > 1
    parts = [_part(piece.strip()) for piece in pieces]
    known = [part for part in parts if part is not None]
    names = {part.name for part in known if part.name} | ({name} if name else set())
    if len(known) != len(parts) or len(names) > 1:
        return None
    shared = _common(part.spans for part in known)
    # "x<1, x>3" joins what cannot hold at once.
    is_shared = both or (by_commas and shared)
    spans = shared if is_shared else _united(span for part in known for span in part.spans)
    return _Part(spans, "".join(names), is_pair and not by_commas) if spans else None


def _part(text: str) -> _Part | None:
    """Return the spans of one interval or one chain of inequalities, and its variable."""
    if interval := _INTERVAL.fullmatch(text):
        low, high = _end(interval["low"]), _end(interval["high"])
        if low is None or high is None or low >= high:
            return None
        return _Part([Span((low, int(interval["open"] == "(")), (high, -int(interval["close"] == ")")))])
    pieces = [piece.strip() for piece in _OPERATOR.split(text)]
    names = [place for place, piece in enumerate(pieces) if place % 2 == 0 and _NAME.fullmatch(piece)]
    if len(pieces) not in (3, 5) or len(names) != 1 or (len(pieces) == 5 and names[0] != 2):
        return None
    sides = []
    for place in range(1, len(pieces), 2):
        flipped = names[0] > place
        end = _end(pieces[place - 1 if flipped else place + 1])
        side = None if end is None else _side(pieces[place], end, flipped)
        if side is None:
            return None
        sides.append(side)
    return _Part(_common(sides), pieces[names[0]])


def _side(operator: str, end: float, flipped: bool) -> list[Span] | None:
    """Return what `x operator end` leaves of the line; `end operator x` where it is flipped."""
    if operator in _UNEQUAL:
        return [Span(_ALL.low, (end, -1)), Span((end, 1), _ALL.high)]
    if operator not in _BELOW and operator not in _ABOVE:
        return None
    if (operator in _BELOW) != flipped:
        return [Span(_ALL.low, (end, -int((_BELOW | _ABOVE)[operator])))]
    return [Span((end, int((_BELOW | _ABOVE)[operator])), _ALL.high)]


def _end(text: str) -> float | None:
    text = text.strip()
    return _INFINITIES[text] if text in _INFINITIES else formulas.number(text)


def _common(parts: Iterable[list[Span]]) -> list[Span]:
    """Return what all parts of the line share."""
    shared = [_ALL]
    for part in parts:
        pairs = [Span(max(span.low, other.low), min(span.high, other.high)) for span in shared for other in part]
        shared = [span for span in pairs if span.low[0] < span.high[0]]
    return sorted(shared)


def _united(spans: Iterable[Span]) -> list[Span]:
    """Return spans in their order, overlapping ones as one."""
    united: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.low[0], span.high[0], span.low[1])):
        last = united[-1] if united else None
        touches = last and span.low[0] == last.high[0] and not (span.low[1] and last.high[1])
        if last and (span.low[0] < last.high[0] or touches):
            united[-1] = Span(last.low, max(last.high, span.high))
        else:
            united.append(span)
    return united
