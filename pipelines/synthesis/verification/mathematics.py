r"""Are two answers the same mathematics? The library math-verify decides; here is what it must not decide alone.

Integers and fractions of integers are compared as such, which is most answers. For the rest math-verify parses and
compares, with these differences from its own defaults, each for answers that it would call equal and are not:

* It strips units by pattern, "+ c" and "cm" alike. Here units are split off before, and where both answers name one
  and the two differ, the verdict is undecided.
* It drops the base of `40_9`, takes `2,1` for the point (1,2), and rounds to six decimals whatever the size: 0.0000001
  would equal 0.0000002, and 1/2004! equal 1/2005!.
* What it cannot parse it compares as strings of its own making. Here such an answer is undecided, and so are words
  that only resemble the gold ones.

Its time limits use signals of the main thread and are off: the caller limits what runs here.
"""

import functools
import logging
import math
import re
from collections.abc import Callable
from typing import Any

from pipelines.synthesis.verification import notation, units
from schemas.question import Verdict

LONGEST = 1_000
"""Characters of the longest answer that is compared. MATH's longest has 159."""
_SAME = 1e-9
"""And numbers that differ by less than this share may well be equal where it finds that they are not."""
_CLOSE = 1e-3
"""Numbers that math-verify finds equal differ by less than this share of the larger one."""

_BASED = re.compile(r"(\d[\dA-Za-z.]*)_\{?(?:\\text\{)?\s*(\w{1,6})\s*\}{0,2}")
_COLONED = re.compile(r"(\d{1,2})\s?\\?:\s?(\d{2})")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_UNSURE = (
    re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)\b.*\\circ", re.DOTALL),  # read as of so many radians
    re.compile(r"\\(?:overline|triangle|angle|vec)\b"),
    re.compile(r"(?<![\\{a-zA-Z])[a-zA-Z]{3,}"),  # a word, read as a product of its letters
)
"""Where math-verify is blind, its "not equal" says nothing."""
_UNBRACKETED_LIST = re.compile(r"[^()\[\]=<>]+,[^()\[\]=<>]+")


@functools.lru_cache(maxsize=4096)
def verdict(gold: str, answer: str) -> Verdict:
    """Return whether an answer is mathematically the gold one: right, wrong or undecided."""
    if max(len(gold), len(answer)) > LONGEST:
        return Verdict.UNDECIDED
    gold, answer = notation.plain(gold), notation.plain(answer)
    if gold and notation.without_spaces(gold) == notation.without_spaces(answer):
        return Verdict.RIGHT
    gold, gold_unit = notation.without_unit(gold)
    answer, answer_unit = notation.without_unit(answer)
    if gold_unit and not answer_unit:
        answer, answer_unit = notation.without_loose_unit(answer)
    if gold_unit and answer_unit and not units.same_unit(gold_unit, answer_unit):
        return Verdict.UNDECIDED
    if (gold_unit == "degree") != (answer_unit == "degree") and r"\pi" in gold + answer:
        return Verdict.UNDECIDED
    exact_gold, exact_answer = notation.exact_number(gold), notation.exact_number(answer)
    if exact_gold is not None and exact_answer is not None:
        return _right_if(exact_gold == exact_answer)
    for compare in (_words, _numbers_in_bases, _clock_times, _decimal_commas):
        if (found := compare(gold, answer)) is not None:
            return found
    return _equivalent(gold, answer)


def reads(gold: str) -> bool:
    """Return whether a gold answer can be compared with answers in other notations, and not only with itself."""
    if len(gold) > LONGEST:
        return False
    gold, _ = notation.without_unit(notation.plain(gold))
    if notation.exact_number(gold) is not None or _BASED.fullmatch(gold) or _COLONED.fullmatch(gold):
        return True
    if notation.is_text(gold):
        return notation.words(gold) is not None
    return _equivalent(gold, gold) is Verdict.RIGHT


def number(answer: str) -> float | None:
    """Return the value of a formula without unknowns; None for all else."""
    value = _parsed(answer) if len(answer) <= LONGEST else None
    if not getattr(value, "is_number", False):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) else None


def _right_if(equal: bool) -> Verdict:
    return Verdict.RIGHT if equal else Verdict.WRONG


def _words(gold: str, answer: str) -> Verdict | None:
    r"""Compare answers of which one is text: `\text{Evelyn}`, `\text{(C)}`, `\text{A, D}`. None where neither is.

    Words that differ altogether are wrong, and so is a number for words that name neither it nor an option. Words in
    another order, or more of them, may say the same.
    """
    if not notation.is_text(gold) and not notation.is_text(answer):
        return None
    gold_words, answer_words = notation.words(gold), notation.words(answer)
    if gold_words is None or answer_words is None:
        words, other = (gold_words, answer) if gold_words else (answer_words, gold)
        return (
            Verdict.WRONG
            if words and not notation.may_be_value(words) and number(other) is not None
            else Verdict.UNDECIDED
        )
    if gold_words == answer_words:
        return Verdict.RIGHT
    letters = [all(len(word) == 1 for word in words) for words in (gold_words, answer_words)]
    if letters[0] != letters[1]:
        return Verdict.UNDECIDED
    same = set(gold_words) & set(answer_words)
    different = set(gold_words) != set(answer_words) if letters[0] else not same
    return Verdict.WRONG if different else Verdict.UNDECIDED


def _numbers_in_bases(gold: str, answer: str) -> Verdict | None:
    """Compare answers of which one names its base, `40_9`; the question may have named it for the other."""
    gold_based, answer_based = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
    if not gold_based and not answer_based:
        return None
    gold_digits, answer_digits = (
        (based[1] if based else text).casefold() for based, text in ((gold_based, gold), (answer_based, answer))
    )
    same_base = not gold_based or not answer_based or gold_based[2] == answer_based[2]
    if same_base and gold_digits == answer_digits:
        return Verdict.RIGHT
    return Verdict.WRONG if gold_based and answer_based and same_base else Verdict.UNDECIDED


def _clock_times(gold: str, answer: str) -> Verdict | None:
    """Compare two answers such as 05:00 and 5:00, which math-verify would divide; 5:12 and 10:24 may be one ratio."""
    gold_time, answer_time = _COLONED.fullmatch(gold), _COLONED.fullmatch(answer)
    if not gold_time or not answer_time:
        return None
    (first, second), (third, fourth) = ([int(part) for part in time.groups()] for time in (gold_time, answer_time))
    if (first, second) == (third, fourth):
        return Verdict.RIGHT
    return Verdict.UNDECIDED if first * fourth == second * third else Verdict.WRONG


def _decimal_commas(gold: str, answer: str) -> Verdict | None:
    """Compare 3.14 with 3,14, as half the world writes it; 1,875 may be 1.875 or 1875."""
    if not _DECIMAL.fullmatch(gold) or not _DECIMAL_COMMA.fullmatch(answer):
        return None
    if float(gold) != float(answer.replace(",", ".")):
        return None
    return Verdict.RIGHT if notation.exact_number(answer) is None else Verdict.UNDECIDED


def _equivalent(gold: str, answer: str) -> Verdict:
    """Return what math-verify says."""
    if gold.startswith("(") and gold.endswith(")") and _UNBRACKETED_LIST.fullmatch(answer):
        answer = f"({answer})"
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
    if equal:
        far = distance is not None and distance > _CLOSE and "%" not in gold + answer
        return Verdict.WRONG if far else Verdict.RIGHT
    commas = _DECIMAL_COMMA.fullmatch(gold) or _DECIMAL_COMMA.fullmatch(answer)
    if not commas and (_is_no_number(gold_value, answer_value) or _is_no_number(answer_value, gold_value)):
        return Verdict.WRONG
    # Inside, it takes running out of memory for "not equal": a wrong formula must be seen to differ.
    unsure = _kind(gold_value) != _kind(answer_value) or any(one.search(gold + answer) for one in _UNSURE)
    alike = _kind(gold_value) == "value" and (distance is None or distance < _SAME)
    return Verdict.UNDECIDED if unsure or alike else Verdict.WRONG


def _is_half(equation: Any, other: Any) -> bool:
    """Return whether a value is but the right side of an equation such as `x + y = 5`; of `y = 5`, it may be all."""
    is_equation = _kind(equation) == "relation" and getattr(getattr(equation, "lhs", None), "is_Add", False)
    return is_equation and _kind(other) != "relation"


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
    """Return how far two formulas differ, as a share of the larger, at one point; None where they have no value there.

    The point is odd enough that different formulas hardly meet in it, and complex, so that roots have values.
    """
    import sympy

    if not isinstance(gold, sympy.Expr) or not isinstance(answer, sympy.Expr):
        return None
    unknowns = gold.free_symbols | answer.free_symbols
    names = sorted({str(unknown) for unknown in unknowns})  # the i of "i" and of "1i" are read as two
    point = {unknown: 1.37 + 0.611 * names.index(str(unknown)) + 0.23j for unknown in unknowns}
    try:
        first, second = (
            sympy.N(value.replace(sympy.UnevaluatedExpr, lambda inner: inner), 20, subs=point)
            for value in (gold, answer)
        )
        return float(abs(first - second) / (max(abs(first), abs(second)) or 1))
    except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
        return None


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
    return found[0] if found and not isinstance(found[0], str) else None


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
