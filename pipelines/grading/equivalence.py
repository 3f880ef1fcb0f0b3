"""What the library math-verify says of two formulas, where numbers do not contradict it."""

import functools
import logging
import math
import re
from collections.abc import Callable
from typing import Any

from pipelines.grading import notation
from schemas.question import Verdict

LONGEST = 1_000
"""Characters of the longest answer that is compared. MATH's longest has 159."""
_CLOSE = 1e-3
"""Numbers that math-verify finds equal differ by less than this share of the larger one."""
_SAME = 1e-9
"""And numbers that differ by less than this share may well be equal where it finds that they are not."""
_EXACT = 1e-13
"""Formulas without rounded numbers that differ by less than this share, at two points, are equal."""
_LATER = 1e-40
"""Exact values that differ by less than this share are equal."""
_MOST_DIGITS = 120
_LONGEST_INTEGER = 1_000
"""Digits of the longest integer that is written out."""
_NO_NUMBER = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError, RecursionError)
"""What sympy raises, by the kind of expression, where it has no number for it."""
_UNSURE = (
    re.compile(r"\\(?:overline|triangle|angle|vec)\b"),
    re.compile(r"(?<![\\{a-zA-Z])[a-zA-Z]{3,}"),  # a word, read as a product of its letters
)
"""Where math-verify is blind, its "not equal" says nothing."""
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


def verdict(gold: str, answer: str) -> Verdict:
    """Return what math-verify says."""
    gold_value, answer_value = _parsed(gold), _parsed(answer)
    if gold_value is None or answer_value is None:
        return Verdict.UNDECIDED
    _, verify = _library()
    try:
        equal = verify(
            gold_value, answer_value, timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=True
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - it fails on odd mathematics in any way; what it cannot compare is undecided
        return Verdict.UNDECIDED
    if equal and (_is_half(gold_value, answer_value) or _is_half(answer_value, gold_value)):
        return Verdict.UNDECIDED
    distance = _distance(gold_value, answer_value)
    is_close = distance is not None and distance < _EXACT
    if (equal or is_close) and _differ_in_later_digits(gold_value, answer_value):
        return Verdict.WRONG  # it compares 15 digits
    if not equal and (is_close or _are_equal_reals(gold_value, answer_value)):
        return Verdict.RIGHT  # it gives up on what it cannot simplify
    if equal:
        far = distance is not None and distance > _CLOSE
        return Verdict.WRONG if far else Verdict.RIGHT
    commas = _DECIMAL_COMMA.fullmatch(gold) or _DECIMAL_COMMA.fullmatch(answer)
    if not commas and (_is_no_number(gold_value, answer_value) or _is_no_number(answer_value, gold_value)):
        return Verdict.WRONG
    if _are_equations_of_two(gold_value, answer_value):
        return Verdict.UNDECIDED
    # Inside, it takes running out of memory for "not equal": a wrong formula must be seen to differ.
    unsure = _kind(gold_value) != _kind(answer_value) or any(one.search(gold + answer) for one in _UNSURE)
    alike = _kind(gold_value) == "value" and (distance is None or distance < _SAME)
    return Verdict.UNDECIDED if unsure or alike else Verdict.WRONG


def number(answer: str) -> float | None:
    """Return the value of a formula without unknowns; None for all else."""
    value = _parsed(answer) if len(answer) <= LONGEST else None
    if value is None or not getattr(value, "is_number", False):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) else None


def _are_equal_reals(first: Any, second: Any) -> bool:
    """Return whether two values are equal once odd roots of negative numbers are real, as schools have them."""
    import sympy

    def is_odd_root(part: Any) -> bool:
        return bool(
            part.is_Pow
            and part.exp.is_Rational
            and part.exp.q > 1
            and part.exp.q % 2
            and part.base.is_number
            and part.base.is_negative
        )

    if not all(isinstance(value, sympy.Expr) for value in (first, second)):
        return False
    try:
        real = [
            value.replace(is_odd_root, lambda part: (-1) ** part.exp.p * (-part.base) ** part.exp)
            for value in (first, second)
        ]
        if real == [first, second]:
            return False
        distance = _distance(*real)
    except _NO_NUMBER:
        return False
    return distance is not None and distance < _EXACT


def _differ_in_later_digits(first: Any, second: Any) -> bool:
    """Return whether two exact values differ behind the digits that math-verify compares."""
    import sympy

    if _are_other_integers(first, second):
        return True
    try:
        if not all(
            isinstance(one, sympy.Expr) and one.is_number and not one.atoms(sympy.Float) for one in (first, second)
        ):
            return False
        apart = abs(sympy.N(first - second, 5, maxn=_MOST_DIGITS))
        return bool(apart > _LATER * max(abs(sympy.N(first, 5)), 1))
    except _NO_NUMBER:
        return False


def _are_other_integers(first: Any, second: Any) -> bool:
    """Return whether two values are integers, of a thousand digits at most, that differ."""
    import sympy

    try:
        for value in (first, second):
            if not isinstance(value, sympy.Expr) or value.free_symbols or value.atoms(sympy.Float):
                return False
            if not value.is_integer or abs(sympy.N(value, 5)) > 10**_LONGEST_INTEGER:
                return False
        return int(first) != int(second)
    except _NO_NUMBER:
        return False


def _is_half(equation: Any, other: Any) -> bool:
    """Return whether a value is but the right side of an equation such as `x + y = 5`; of `y = 5`, it may be all."""
    is_equation = _kind(equation) == "relation" and getattr(getattr(equation, "lhs", None), "is_Add", False)
    return is_equation and _kind(other) != "relation"


def _are_equations_of_two(first: Any, second: Any) -> bool:
    """Return whether two equations name different unknowns: x = 2, y = 2."""
    sides = [getattr(one, "lhs", None) for one in (first, second) if _kind(one) == "relation"]
    return len(sides) == 2 and all(getattr(side, "is_Symbol", False) for side in sides) and sides[0] != sides[1]


def _is_no_number(value: Any, number: Any) -> bool:
    """Return whether one value is a number, and the other, found unequal, one that no number is in other words.

    That is a point, an interval, a matrix, several values of which none is the number (who writes "6 or 7" may mean
    6), and `x = 5`, which says another number.
    """
    if not getattr(number, "is_number", False):
        return False
    if _kind(value) == "relation":
        return getattr(value, "rel_op", "") == "==" and value.lhs.is_Symbol and bool(value.rhs.is_number)
    if _kind(value) == "set":
        return number not in value.args
    return _kind(value) in ("matrix", "tuple") and getattr(value, "shape", ()) != (1, 1)


def _distance(gold: Any, answer: Any) -> float | None:
    """Return how far two formulas differ, as a share of the larger, at two points; None where they have no value there.

    The points are odd enough that different formulas hardly meet in them, and complex, so that roots have values.
    """
    import sympy

    if not isinstance(gold, sympy.Expr) or not isinstance(answer, sympy.Expr):
        return None
    unknowns = gold.free_symbols | answer.free_symbols
    names = sorted({str(unknown) for unknown in unknowns})
    points = [
        {unknown: sign * (1.37 + 0.611 * names.index(str(unknown))) + 0.23j for unknown in unknowns}
        for sign in ((1, -1) if unknowns else (1,))
    ]
    try:
        return max(_apart(gold, answer, point) for point in points)
    except _NO_NUMBER:
        return None


def _apart(gold: Any, answer: Any, point: dict[Any, complex]) -> float:
    """Return how far two formulas differ at a point, as a share of the larger."""
    import sympy

    first, second = (
        sympy.N(value.replace(sympy.UnevaluatedExpr, lambda inner: inner), 20, subs=point) for value in (gold, answer)
    )
    return float(abs(first - second) / (max(abs(first), abs(second)) or 1))


def _kind(value: Any) -> str:
    """Return what a parsed answer is: values of two kinds may say the same in a way that math-verify cannot see."""
    import sympy

    if isinstance(value, sympy.MatrixBase | sympy.MatrixExpr):
        return "matrix"
    if isinstance(value, sympy.Tuple | sympy.Interval | sympy.Union):
        return "tuple"
    if isinstance(value, sympy.Set):
        return "set" if len(getattr(value, "args", ())) > 1 else "value"
    return "relation" if isinstance(value, sympy.core.relational.Relational | sympy.And) else "value"


@functools.lru_cache(maxsize=1024)
def _parsed(answer: str) -> Any | None:
    """Return math-verify's reading of an answer; None where it has none, or would guess how a brace closes."""
    if not notation.closes(answer):
        return None
    parse, _ = _library()
    found = parse(answer)
    return _with_imaginary_unit(found[0]) if found and not isinstance(found[0], str) else None


def _with_imaginary_unit(value: Any) -> Any:
    """Return a value whose i is the imaginary unit, as it is in 1i and e^{i}, and no unknown."""
    import sympy

    if not isinstance(value, sympy.Expr):
        return value
    letters = [one for one in value.free_symbols if str(one) == "i"]
    return value.subs(dict.fromkeys(letters, sympy.I)) if letters else value


@functools.cache
def _library() -> tuple[Callable[[str], list[Any]], Callable[..., bool]]:
    """Return math-verify's two functions: loading it takes half a second."""
    import math_verify
    from latex2sympy2_extended import NormalizationConfig

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it would warn that its time limits are off
    form = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last")
    target = [math_verify.LatexExtractionConfig(normalization_config=form)]

    def parse(answer: str) -> list[Any]:
        return list(math_verify.parse(rf"\boxed{{{answer}}}", extraction_config=target, parsing_timeout=None))

    return parse, math_verify.verify
