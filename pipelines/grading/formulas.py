"""Formulas: what the library math-verify says of two, where numbers do not contradict it, and the value of one.

It takes half a second to import, and so do the modules that use it.
"""

import functools
import logging
import math
import re
from contextlib import suppress
from typing import Any

import math_verify
import sympy
from latex2sympy2_extended import NormalizationConfig

from pipelines.grading.notation import closes
from schemas.question import Verdict

LONGEST = 1_000  # characters of the longest answer that is compared. MATH's longest has 159
_CLOSE = 1e-3  # numbers that math-verify finds equal differ by less than this share of the larger one
_SAME = 1e-9  # and numbers that differ by less than this share may well be equal where it finds that they are not
_EXACT = 1e-13  # formulas without rounded numbers that differ by less than this share, at two points, are equal
_LATER = 1e-40  # exact values that differ by less than this share are equal
_MOST_DIGITS = 120
_LONGEST_INTEGER = 1_000  # digits of the longest integer that is written out
# What sympy raises, by the kind of expression, where it has no number for it.
_NO_NUMBER = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError, RecursionError)
# Where math-verify is blind, its "not equal" says nothing; it reads a word as the product of its letters.
_UNSURE = re.compile(r"\\(?:overline|triangle|angle|vec)\b|(?<![\\{a-zA-Z])[a-zA-Z]{3,}")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_TARGET = math_verify.LatexExtractionConfig(
    normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last")
)
logging.getLogger("math_verify").setLevel(logging.ERROR)  # it would warn that its time limits are off


def verdict(gold: str, answer: str) -> Verdict:
    """Return what math-verify says."""
    gold_value, answer_value = _parsed(gold), _parsed(answer)
    if gold_value is None or answer_value is None:
        return Verdict.UNDECIDED
    both = ((gold_value, answer_value), (answer_value, gold_value))
    try:
        equal = math_verify.verify(
            gold_value, answer_value, timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=True
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - it fails on odd mathematics in any way; what it cannot compare is undecided
        return Verdict.UNDECIDED
    if equal and any(_is_half(value, other) for value, other in both):
        return Verdict.UNDECIDED
    distance = _distance(gold_value, answer_value)
    is_close = distance is not None and distance < _EXACT
    if (equal or is_close) and _differ_in_later_digits(gold_value, answer_value):
        return Verdict.WRONG  # it compares 15 digits
    if not equal and (is_close or _are_equal_reals(gold_value, answer_value)):
        return Verdict.RIGHT  # it gives up on what it cannot simplify
    if equal:
        return Verdict.WRONG if distance is not None and distance > _CLOSE else Verdict.RIGHT
    commas = _DECIMAL_COMMA.fullmatch(gold) or _DECIMAL_COMMA.fullmatch(answer)
    if not commas and any(_is_no_number(value, other) for value, other in both):
        return Verdict.WRONG
    # Inside, it takes running out of memory for "not equal": a wrong formula must be seen to differ.
    kinds = _kind(gold_value), _kind(answer_value)
    alike = kinds[0] == "value" and (distance is None or distance < _SAME)
    unsure = alike or kinds[0] != kinds[1] or _name_two_unknowns(gold_value, answer_value)
    return Verdict.UNDECIDED if unsure or _UNSURE.search(gold + answer) else Verdict.WRONG


def number(answer: str) -> float | None:
    """Return the value of a formula without unknowns; None for all else."""
    value = _parsed(answer) if len(answer) <= LONGEST else None
    if value is None or not getattr(value, "is_number", False):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return result if math.isfinite(result) else None


@functools.lru_cache(maxsize=1024)
def _parsed(answer: str) -> Any | None:
    """Return math-verify's reading of an answer; None where it has none, or would guess how a brace closes."""
    if not closes(answer):
        return None
    values = math_verify.parse(rf"\boxed{{{answer}}}", extraction_config=[_TARGET], parsing_timeout=None)
    if not values or isinstance(values[0], str):
        return None
    value: Any = values[0]
    # An i is the imaginary unit, as it is in 1i and e^{i}, and no unknown.
    letters = [letter for letter in value.free_symbols if str(letter) == "i"] if isinstance(value, sympy.Expr) else []
    return value.subs(dict.fromkeys(letters, sympy.I)) if letters else value


def _distance(gold: Any, answer: Any) -> float | None:
    """Return how far two formulas differ, as a share of the larger, at two points; None where they have no value there.

    The points are odd enough that different formulas hardly meet in them, and complex, so that roots have values.
    """
    if not isinstance(gold, sympy.Expr) or not isinstance(answer, sympy.Expr):
        return None
    unknowns = gold.free_symbols | answer.free_symbols
    names = sorted({str(unknown) for unknown in unknowns})
    points = [
        {unknown: sign * (1.37 + 0.611 * names.index(str(unknown))) + 0.23j for unknown in unknowns}
        for sign in ((1, -1) if unknowns else (1,))
    ]
    try:
        return max(_distance_at(gold, answer, point) for point in points)
    except _NO_NUMBER:
        return None


def _distance_at(gold: Any, answer: Any, point: dict[Any, complex]) -> float:
    first, second = (
        sympy.N(value.replace(sympy.UnevaluatedExpr, lambda inner: inner), 20, subs=point) for value in (gold, answer)
    )
    return float(abs(first - second) / (max(abs(first), abs(second)) or 1))


def _are_equal_reals(first: Any, second: Any) -> bool:
    """Return whether two values are equal once odd roots of negative numbers are real, as schools have them."""
    if not isinstance(first, sympy.Expr) or not isinstance(second, sympy.Expr):
        return False
    try:
        real = [
            value.replace(_is_odd_root, lambda part: (-1) ** part.exp.p * (-part.base) ** part.exp)
            for value in (first, second)
        ]
        distance = None if real == [first, second] else _distance(*real)
    except _NO_NUMBER:
        return False
    return distance is not None and distance < _EXACT


def _is_odd_root(part: Any) -> bool:
    is_root = part.is_Pow and part.exp.is_Rational and part.exp.q > 1
    return bool(is_root and part.exp.q % 2 and part.base.is_number and part.base.is_negative)


def _differ_in_later_digits(first: Any, second: Any) -> bool:
    """Return whether two exact values differ behind the digits that math-verify compares."""
    both = (first, second)
    if not all(isinstance(value, sympy.Expr) for value in both):
        return False
    with suppress(*_NO_NUMBER):
        if all(_is_short_integer(value) for value in both) and int(first) != int(second):
            return True
    try:
        if not all(value.is_number and not value.atoms(sympy.Float) for value in both):
            return False
        return bool(abs(sympy.N(first - second, 5, maxn=_MOST_DIGITS)) > _LATER * max(abs(sympy.N(first, 5)), 1))
    except _NO_NUMBER:
        return False


def _is_short_integer(value: Any) -> bool:
    is_exact = not value.free_symbols and not value.atoms(sympy.Float) and value.is_integer
    return bool(is_exact and abs(sympy.N(value, 5)) <= 10**_LONGEST_INTEGER)


def _is_half(equation: Any, other: Any) -> bool:
    """Return whether a value is but the right side of an equation such as `x + y = 5`; of `y = 5`, it may be all."""
    is_equation = _kind(equation) == "relation" and getattr(getattr(equation, "lhs", None), "is_Add", False)
    return is_equation and _kind(other) != "relation"


def _name_two_unknowns(first: Any, second: Any) -> bool:
    """Return whether two equations name different unknowns: x = 2, y = 2."""
    sides = [getattr(value, "lhs", None) for value in (first, second) if _kind(value) == "relation"]
    return len(sides) == 2 and all(getattr(side, "is_Symbol", False) for side in sides) and sides[0] != sides[1]


def _is_no_number(value: Any, number: Any) -> bool:
    """Return whether one value is a number, and the other, found unequal, one that no number is in other words.

    That is a point, an interval, a matrix, several values of which none is the number (who writes "6 or 7" may mean
    6), and `x = 5`, which says another number.
    """
    if not getattr(number, "is_number", False):
        return False
    kind = _kind(value)
    if kind == "relation":
        return getattr(value, "rel_op", "") == "==" and value.lhs.is_Symbol and bool(value.rhs.is_number)
    if kind == "set":
        return number not in value.args
    return kind in ("matrix", "tuple") and getattr(value, "shape", ()) != (1, 1)


def _kind(value: Any) -> str:
    """Return what a parsed answer is: values of two kinds may say the same in a way that math-verify cannot see."""
    if isinstance(value, sympy.MatrixBase | sympy.MatrixExpr):
        return "matrix"
    if isinstance(value, sympy.Tuple | sympy.Interval | sympy.Union):
        return "tuple"
    if isinstance(value, sympy.Set):
        return "set" if len(getattr(value, "args", ())) > 1 else "value"
    return "relation" if isinstance(value, sympy.core.relational.Relational | sympy.And) else "value"
