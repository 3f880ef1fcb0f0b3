r"""What two answers must share besides values: math-verify reads past "and" and "or", primes, dots and repetition.

`x>2 and x<1` has no solution and `x>2 or x<1` has all; `f'` is not `f''`; `1,2,3,\ldots` goes on; `1,2,2` is not
`1,1,2`; the point (1,3) is not the set {1,3}. Only a verdict "right" needs these questions.
"""

import re
from collections import Counter
from collections.abc import Callable

from pipelines.grading import lists, notation

_CONNECTIVE = re.compile(r"(?<![a-zA-Z])(and|or)(?![a-zA-Z])|\\(land|wedge|lor|vee|cup|cap)(?![a-zA-Z])")
_PRIME = re.compile(r"'|\\prime(?![a-zA-Z])|′")
_DOUBLE_PRIME = re.compile(r"''|″")
_DOTS = re.compile(r"\\[lcd]?dots|\.\.\.|…")
_BETWEEN = re.compile(r",|;|(?<![a-zA-Z])(?:and|or)(?![a-zA-Z])")
_BETWEEN_OR_BRACKET = re.compile(rf"({_BETWEEN.pattern}|[()\[\]{{}}])")
_SIDES = {"(": "open", "[": "open", "{": "open", ")": "close", "]": "close", "}": "close"}
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_FOREIGN = re.compile(r"[^\x00-\x7f°€£]")
_CONTINENTAL = re.compile(r"-?\d{1,3}(?:\.\d{3})+,\d+")
_CLOSE = 1e-3


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
    dots = [bool(_DOTS.search(text)) for text in (gold, answer)]
    continental = any(_CONTINENTAL.fullmatch(text) for text in (gold, answer))
    return continental or dots[0] != dots[1] or bool(_FOREIGN.search(notation.without_text(gold + answer)))


def values(answer: str, number: Callable[[str], float | None]) -> list[float]:
    """Return the different numbers that the sides of an answer's equations say, such as 5 and 6 of `5=6`."""
    found: list[float] = []
    if "=" not in answer:
        return found
    for side in answer.split("="):
        value = number(side.strip()) if side.strip() else None
        if value is not None and all(abs(value - other) > _CLOSE * max(1, abs(value)) for other in found):
            found.append(value)
    return found


def _connectives_differ(gold: str, answer: str) -> bool:
    """Return whether the one says "and" where the other says "or", or is silent where that matters."""
    first, second = ({_joins(match) for match in _CONNECTIVE.finditer(text)} for text in (gold, answer))
    if first == second:
        return False
    letters = not re.search(r"\d|[<>=\\]", gold + answer)  # "A or B" is a hedge between two options
    unequal = all(re.search(r"[<>]|\\[lg](?:eq?)?(?![a-z])", text) for text in (gold, answer))
    return bool(first and second) or ((unequal or letters) and "or" in first | second)


def _joins(connective: re.Match[str]) -> str:
    return "and" if (connective[1] or connective[2]) in ("and", "land", "wedge", "cap") else "or"


def _bracket(answer: str) -> str:
    """Return the bracket that an answer stands in, the brace of a set too, or nothing."""
    opening = answer.strip().lstrip("\\")[:1]
    return opening if opening and opening in "([{" and answer.strip()[-1:] in ")]}" else ""


def _repetition_differs(gold: str, answer: str) -> bool:
    """Return whether two lists hold as many values, and where one repeats any, the same ones as often."""
    if _bracket(gold) or _bracket(answer) or r"\pm" in gold + answer or _DECIMAL_COMMA.fullmatch(answer):
        return False
    if lists.items(gold) and lists.items(answer):
        return False  # they were compared item by item
    first, second = (_items(text) for text in (gold, answer))
    if len(first) < 2 and len(second) < 2:
        return False
    repeats = max([*first.values(), *second.values()]) > 1
    return sum(first.values()) != sum(second.values()) or (repeats and first != second)


def _items(text: str) -> Counter[str]:
    """Return the items of a list; what stands in brackets is one, whatever commas it holds."""
    text = _THOUSANDS.sub(lambda grouped: grouped[0].replace(",", ""), text)
    items, depth = [""], 0
    for part in _BETWEEN_OR_BRACKET.split(text):
        depth += {"open": 1, "close": -1}.get(_SIDES.get(part, ""), 0)
        if depth <= 0 and _BETWEEN.fullmatch(part):
            items.append("")
        else:
            items[-1] += part
    return Counter(item for item in map(notation.without_spaces, map(str.strip, items)) if item)
