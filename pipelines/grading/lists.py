r"""Points, intervals and lists: what they hold, and what they must share besides values.

They are compared item by item: `(3, 90^\circ)` against `(3, \pi/2)`, `n=2,3,4` against `2, 4, 3`. Items in brackets
have their order, items of a list or a set have none.

math-verify reads past "and" and "or", primes, dots and repetition. `x>2 and x<1` has no solution and `x>2 or x<1` has
all; `f'` is not `f''`; `1,2,3,\ldots` goes on; `1,2,2` is not `1,1,2`; the point (1,3) is not the set {1,3}. Only a
verdict "right" needs these questions (`contradict`).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.grading import notation
from schemas.question import Verdict

LONGEST = 30  # items of the longest list that is compared here: each item may be compared with each

_JOINTS = r",|;|(?<![a-zA-Z])(?:and|or)(?![a-zA-Z])"
_SPLIT = re.compile(r"\\[{}]|[()\[\]{}]|,(?!\d{3}(?!\d))|,(?=\d{3},?\s)|;|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])")
_SPLIT_ALL = re.compile(r"\\[{}]|[()\[\]{}]|,|;|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])")
_VARIABLE = re.compile(r"\s*(?P<name>\\?[a-zA-Z]+(?:_\{?\w+\}?)?)\s*(?:=|\\in(?![a-z]))\s*(?P<rest>.*)", re.DOTALL)
_OTHER = re.compile(
    r"[<>|]|\\(?:[lg]eq?|[lg]eqslant|[lg]t|ne|neq|pm|mp|cup|cap|setminus|begin|ldots|dots|cdots)(?![a-zA-Z])|\.\.\."
)
_OPEN, _CLOSE = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")

_AND = re.compile(r"(?<![a-zA-Z])and(?![a-zA-Z])|\\(?:land|wedge|cap)(?![a-zA-Z])")
_OR = re.compile(r"(?<![a-zA-Z])or(?![a-zA-Z])|\\(?:lor|vee|cup)(?![a-zA-Z])")
_PRIME = re.compile(r"'|\\prime(?![a-zA-Z])|′")
_DOTS = re.compile(r"\\[lcd]?dots|\.\.\.|…")
_JOINT_OR_BRACKET = re.compile(rf"({_JOINTS}|[()\[\]{{}}])")
_INEQUALITY = re.compile(r"[<>]|\\[lg](?:eq?)?(?![a-z])")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])")
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_FOREIGN = re.compile(r"[^\x00-\x7f°€£]")
_CONTINENTAL = re.compile(r"-?\d{1,3}(?:\.\d{3})+,\d+")


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
        compared = {compare(*both) for both in zip(first.items, second.items, strict=True)}
        return next((worst for worst in (Verdict.WRONG, Verdict.UNDECIDED) if worst in compared), Verdict.RIGHT)
    table = [[compare(item, other) for other in second.items] for item in first.items]
    unordered = _unordered(table)
    repeats = len(set(first.items)) < len(first.items)
    if unordered is Verdict.RIGHT and repeats and any(line[place] is Verdict.WRONG for place, line in enumerate(table)):
        return Verdict.UNDECIDED  # what holds an item twice may be a sequence
    return unordered


def _unordered(table: Sequence[Sequence[Verdict]]) -> Verdict:
    """Return right where each item has its own equal, wrong where one has none."""
    columns = list(zip(*table, strict=True))
    if any(set(line) == {Verdict.WRONG} for line in (*table, *columns)):
        return Verdict.WRONG
    if len(table) != len(columns):
        return Verdict.UNDECIDED
    left = list(range(len(table)))
    for line in table:
        match = next((place for place in left if line[place] is Verdict.RIGHT), None)
        if match is None:
            return Verdict.UNDECIDED
        left.remove(match)
    return Verdict.RIGHT


def items(answer: str) -> Items | None:
    """Return the items of an answer that lists two or more; None for all else."""
    if _OTHER.search(answer):
        return None
    name, rest = "", answer.replace(r"\text{ and }", " and ").replace(r"\text{ or }", " or ").strip()
    if (named := _VARIABLE.fullmatch(rest)) and "=" not in named["rest"]:
        name, rest = named["name"], named["rest"].strip()
    brackets, parts = "", None
    if rest.startswith(r"\{") and rest.endswith(r"\}"):
        parts = _split(rest[2:-2], _SPLIT_ALL)
    elif rest[:1] in ("(", "[") and rest[-1:] in (")", "]"):
        parts = _split(rest[1:-1], _SPLIT_ALL)
        brackets = rest[0] + rest[-1] if parts is not None else ""
    if parts is None:
        parts = _split(rest, _SPLIT)
    if parts is None or not 2 <= len(parts) <= LONGEST or not all(parts):
        return None
    values = [_VARIABLE.fullmatch(part) for part in parts]
    names = {value["name"] for value in values if value}
    if names and (brackets or name or len(names) > 1 or not all(values)):
        return None
    texts = [value["rest"].strip() if value else part for value, part in zip(values, parts, strict=True)]
    return Items(brackets, tuple(texts), name or "".join(names))


def _split(text: str, pattern: re.Pattern[str]) -> list[str] | None:
    """Return what commas divide outside brackets; None where a bracket closes that never opened, or the reverse."""
    parts, depth, start = [], 0, 0
    for mark in pattern.finditer(text):
        depth += (mark[0] in _OPEN) - (mark[0] in _CLOSE)
        if depth < 0:
            return None
        if depth == 0 and mark[0] not in _CLOSE:
            parts.append(text[start : mark.start()].strip())
            start = mark.end()
    parts.append(text[start:].strip())
    if len(parts) > 2 and not parts[-2]:
        del parts[-2]  # "1, 2, and 3"
    return parts if depth == 0 else None


def contradict(gold: str, answer: str) -> bool:
    """Return whether two answers whose values were found equal may differ in what joins, repeats or marks them."""
    gold, answer = (notation.unwrapped(text) for text in (gold, answer))
    return (
        _connectives_differ(gold, answer)
        or len(_PRIME.findall(gold)) != len(_PRIME.findall(answer))
        or bool(_DOTS.search(gold)) != bool(_DOTS.search(answer))
        or {_bracket(gold), _bracket(answer)} in ({"(", "{"}, {"[", "{"})
        or _repetition_differs(gold, answer)
    )


def are_odd(gold: str, answer: str) -> bool:
    """Return whether a sign stands in two answers that nothing here reads, or dots in one of them."""
    return (
        any(_CONTINENTAL.fullmatch(text) for text in (gold, answer))
        or bool(_DOTS.search(gold)) != bool(_DOTS.search(answer))
        or bool(_FOREIGN.search(notation.without_text(gold + answer)))
    )


def _connectives_differ(gold: str, answer: str) -> bool:
    """Return whether the one says "and" where the other says "or", or is silent where that matters."""
    first, second = ((bool(_AND.search(text)), bool(_OR.search(text))) for text in (gold, answer))
    if first == second:
        return False
    letters = not re.search(r"\d|[<>=\\]", gold + answer)  # "A or B" is a hedge between two options
    unequal = all(_INEQUALITY.search(text) for text in (gold, answer))
    return (any(first) and any(second)) or ((unequal or letters) and (first[1] or second[1]))


def _bracket(answer: str) -> str:
    """Return the bracket that an answer stands in, the brace of a set too, or nothing."""
    opening = answer.strip().lstrip("\\")[:1]
    return opening if opening and opening in "([{" and answer.strip()[-1:] in ")]}" else ""


def _repetition_differs(gold: str, answer: str) -> bool:
    """Return whether two lists hold as many values, and where one repeats any, the same ones as often."""
    if _bracket(gold) or _bracket(answer) or r"\pm" in gold + answer or DECIMAL_COMMA.fullmatch(answer):
        return False
    if items(gold) and items(answer):
        return False  # they were compared item by item
    first, second = (_item_counts(text) for text in (gold, answer))
    if len(first) < 2 and len(second) < 2:
        return False
    return first.total() != second.total() or (first != second and max([*first.values(), *second.values()]) > 1)


def _item_counts(text: str) -> Counter[str]:
    """Return the items of a list; what stands in brackets is one, whatever commas it holds."""
    text = _THOUSANDS.sub(lambda grouped: grouped[0].replace(",", ""), text)
    parts, depth = [""], 0
    for part in _JOINT_OR_BRACKET.split(text):
        depth += (part in _OPEN) - (part in _CLOSE)
        if depth <= 0 and re.fullmatch(_JOINTS, part):
            parts.append("")
        else:
            parts[-1] += part
    return Counter(part for part in (notation.without_spaces(part.strip()) for part in parts) if part)
