r"""Points, intervals and lists, item by item: `(3, 90^\circ)` against `(3, \pi/2)`, `n=2,3,4` against `2, 4, 3`.

Items in brackets have their order, items of a list or a set have none.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.question import Verdict

LONGEST = 30
"""Items of the longest list that is compared here: each item may be compared with each."""

_SPLIT = re.compile(r"\\[{}]|[()\[\]{}]|,(?!\d{3}(?!\d))|,(?=\d{3},?\s)|;|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])")
_SPLIT_ALL = re.compile(r"\\[{}]|[()\[\]{}]|,|;|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])")
_VARIABLE = re.compile(r"\s*(?P<name>\\?[a-zA-Z]+(?:_\{?\w+\}?)?)\s*(?:=|\\in(?![a-z]))\s*(?P<rest>.*)", re.DOTALL)
_OTHER = re.compile(
    r"[<>|]|\\(?:[lg]eq?|[lg]eqslant|[lg]t|ne|neq|pm|mp|cup|cap|setminus|begin|ldots|dots|cdots)(?![a-zA-Z])|\.\.\."
)
_OPEN, _CLOSE = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")


class Items(NamedTuple):
    """What an answer lists."""

    brackets: str
    """Of a point or an interval, such as `(]`; empty for what has no order."""
    items: tuple[str, ...]
    name: str
    """The variable that the items are values of; empty where none is named."""


def verdict(gold: str, answer: str, compare: Callable[[str, str], Verdict]) -> Verdict | None:
    """Return what the items of two answers say; None where they are not two lists of one kind."""
    first, second = items(gold), items(answer)
    if first is None or second is None or first.brackets != second.brackets:
        return None
    if first.name and second.name and first.name != second.name:
        return None
    if first.brackets:
        if len(first.items) != len(second.items):
            return Verdict.WRONG
        found = {compare(*both) for both in zip(first.items, second.items, strict=True)}
        return next((one for one in (Verdict.WRONG, Verdict.UNDECIDED) if one in found), Verdict.RIGHT)
    table = [[compare(one, other) for other in second.items] for one in first.items]
    unordered = _unordered(table)
    repeats = len(set(first.items)) < len(first.items)
    if unordered is Verdict.RIGHT and repeats and any(line[place] is Verdict.WRONG for place, line in enumerate(table)):
        return Verdict.UNDECIDED  # what holds an item twice may be a sequence
    return unordered


def items(answer: str) -> Items | None:
    """Return the items of an answer that lists two or more; None for all else."""
    if _OTHER.search(answer):
        return None
    name, rest = "", answer.replace(r"\text{ and }", " and ").replace(r"\text{ or }", " or ").strip()
    if (named := _VARIABLE.fullmatch(rest)) and "=" not in named["rest"]:
        name, rest = named["name"], named["rest"].strip()
    is_set = rest.startswith(r"\{") and rest.endswith(r"\}")
    opening, closing = rest[:1], rest[-1:]
    brackets = opening + closing if opening in ("(", "[") and closing in (")", "]") else ""
    found = _split(rest[2:-2], _SPLIT_ALL) if is_set else _split(rest[1:-1], _SPLIT_ALL) if brackets else None
    if found is None:
        brackets, found = "", _split(rest, _SPLIT)
    if found is None or not 2 <= len(found) <= LONGEST or not all(found):
        return None
    values = [_VARIABLE.fullmatch(one) for one in found]
    names = {one["name"] for one in values if one}
    if names and (brackets or name or len(names) > 1 or not all(values)):
        return None
    return Items(
        brackets,
        tuple(one["rest"].strip() if one else text for one, text in zip(values, found, strict=True)),
        name or "".join(names),
    )


def _split(text: str, pattern: re.Pattern[str]) -> list[str] | None:
    """Return what commas divide outside brackets; None where a bracket closes that never opened."""
    found, depth, start = [], 0, 0
    for part in pattern.finditer(text):
        depth += (part[0] in _OPEN) - (part[0] in _CLOSE)
        if depth < 0:
            return None
        if depth == 0 and part[0] not in _CLOSE:
            found.append(text[start : part.start()].strip())
            start = part.end()
    found.append(text[start:].strip())
    if len(found) > 2 and not found[-2]:
        del found[-2]  # "1, 2, and 3"
    return found if depth == 0 else None


def _unordered(table: Sequence[Sequence[Verdict]]) -> Verdict:
    """Return right where each item has its own equal, wrong where one has none."""
    columns = list(zip(*table, strict=True))
    if any(all(one is Verdict.WRONG for one in line) for line in (*table, *columns)):
        return Verdict.WRONG
    if len(table) != len(columns):
        return Verdict.UNDECIDED
    return Verdict.RIGHT if _pairs_off(table) else Verdict.UNDECIDED


def _pairs_off(table: Sequence[Sequence[Verdict]]) -> bool:
    """Return whether items that repeat have an equal each."""
    left = set(range(len(table)))
    for line in table:
        match = next((place for place in sorted(left) if line[place] is Verdict.RIGHT), None)
        if match is None:
            return False
        left.discard(match)
    return True
