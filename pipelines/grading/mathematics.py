r"""Are two answers the same mathematics?

The way of a pair: plain notation (`notation`), the meanings of its words and signs (`readings`), units, and then the
values, each kind in its own way: integers and fractions, which most answers are, words, numbers in bases, times,
ratios, parts of the line (`spans`), lists (`lists`). For the rest the library math-verify decides (`formulas`), except
where it would call answers equal that are not:

* It strips units by pattern, "+ c" and "cm" alike. Here they are split off first. Two that differ are undecided.
* It drops the base of `40_9`, takes `2,1` for the point (1,2), and rounds to six decimals whatever the size.
* It compares what it cannot parse as strings of its own making. Here such an answer is undecided.

Its time limits use signals of the main thread and are off: the caller limits what runs here.
"""

import functools
import math
import re
from fractions import Fraction

from pipelines.grading import formulas, lists, notation, quantities, readings, spans
from schemas.question import Verdict

_SAME = 1e-9  # a share: logarithms this near to a whole number are powers of ten
_CLOSE = 1e-3
_ROUNDED = 5e-3

_BASED = re.compile(r"(\d[\dA-Za-z.]*|[A-F\d]+(?=_\{?16))_\{?(?:\\text\{)?\s*(\w{1,6})\s*\}{0,2}")
_RATIO = re.compile(r"[0-9]+(?:\.[0-9]+)?(?::[0-9]+(?:\.[0-9]+)?){2,}")
_TIME = re.compile(r"(\d{1,2})\s?\\?:\s?(\d{2})")
_DOTTED = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")
# Text in a formula, and two numbers side by side: what is equal to such a thing may look unequal.
_UNREAD = re.compile(r"\\text(?!\s*\{\s*(?:and|or)\s*\})|\d\s+\d|\d\s*(?:\\text\s*\{\s*)?and\s*\}?\s*(?:\\frac|\d+/\d)")
_INEQUALITY = re.compile(r"[<>]|\\(?:[lg]eq?(?:slant)?|[lg]t)(?![a-zA-Z])")
_FRACTION_OF_UNITS = re.compile(r"(?<=[\d ])\\frac\{([a-zA-Z]{1,3})\}\{([a-zA-Z]{1,3})(?:\^\{?\d\}?)?\}\Z")
_UNBRACKETED_LIST = re.compile(r"[^()\[\]=<>]+,[^()\[\]=<>]+")
_DECIMAL = re.compile(r"-?\d+\.\d+")


@functools.lru_cache(maxsize=4096)
def verdict(gold: str, answer: str) -> Verdict:
    """Return whether an answer is mathematically the gold one: right, wrong or undecided."""
    try:
        return _verdict(gold, answer)
    except RecursionError:
        return Verdict.UNDECIDED  # brackets in brackets in brackets


def reads(gold: str) -> bool:
    """Return whether a gold answer can be compared with answers in other notations, and not only with itself."""
    if len(gold) > formulas.LONGEST:
        return False
    gold, _ = notation.without_unit(readings.repeated(notation.plain(gold)))
    if notation.exact_number(gold) is not None or _BASED.fullmatch(gold) or _TIME.fullmatch(gold):
        return True
    if notation.is_text(gold):
        return notation.words(gold) is not None
    return formulas.verdict(gold, gold) is Verdict.RIGHT


def _verdict(gold: str, answer: str) -> Verdict:
    if max(len(gold), len(answer)) > formulas.LONGEST:
        return Verdict.UNDECIDED
    gold, answer = (readings.repeated(readings.signs(notation.plain(text))) for text in (gold, answer))
    if gold and notation.without_spaces(gold) == notation.without_spaces(answer):
        return Verdict.RIGHT
    if notation.unknown_macros(gold, answer) or lists.are_odd(gold, answer):
        return Verdict.UNDECIDED
    full_gold, full_answer = readings.scaled(gold), readings.scaled(answer)
    in_words = notation.is_text(gold) and notation.is_text(answer)
    if not in_words and readings.changing(full_gold) != readings.changing(full_answer):
        return Verdict.UNDECIDED
    verdict = _over_readings(readings.in_digits(full_gold), readings.in_digits(full_answer))
    if verdict is Verdict.WRONG and (full_gold == gold) != (full_answer == answer):
        return Verdict.UNDECIDED  # a question may ask for so many millions
    return Verdict.UNDECIDED if verdict is Verdict.RIGHT and lists.contradict(gold, answer) else verdict


def _over_readings(gold: str, answer: str) -> Verdict:
    """Compare two answers in all that they may mean."""
    all_wrong = True
    for read in readings.readings(gold, answer):
        verdict = _compare(read.gold, read.answer)
        if verdict is Verdict.RIGHT and read.usual:
            return verdict
        all_wrong &= verdict is Verdict.WRONG and not (read.rounds and _near(read.gold, read.answer))
    return Verdict.WRONG if all_wrong else Verdict.UNDECIDED


def _near(gold: str, answer: str) -> bool:
    """Return whether two numbers differ by less than the digits that people write."""
    first, second = formulas.number(gold), formulas.number(answer)
    return first is not None and second is not None and abs(first - second) <= _ROUNDED * max(abs(first), abs(second))


def _compare(gold: str, answer: str) -> Verdict:
    """Compare two answers in plain notation, their units first."""
    gold, gold_unit = notation.without_unit(gold)
    answer, answer_unit = notation.without_unit(answer)
    if gold_unit and not answer_unit:
        answer, answer_unit = notation.without_loose_unit(answer)
    elif answer_unit and not gold_unit:
        gold, gold_unit = notation.without_loose_unit(gold)
    if gold_unit and answer_unit and not quantities.same_unit(gold_unit, answer_unit):
        return _in_two_units(gold, gold_unit, answer, answer_unit)
    verdict = _compare_values(gold, answer)
    if verdict is not Verdict.WRONG:
        return verdict
    if (gold_unit is None) != (answer_unit is None):
        # 25 cents may be 0.25, and 1.5 km 1500: the question may have named the other unit.
        may_be = _powers_apart(formulas.number(gold), formulas.number(answer))
    else:
        may_be = gold_unit is None and _differ_by_letter(gold, answer)
    return Verdict.UNDECIDED if may_be else Verdict.WRONG


def _in_two_units(gold: str, gold_unit: str, answer: str, answer_unit: str) -> Verdict:
    """Compare two numbers in different units: right where they convert into each other, wrong where neither the
    quantities nor the numbers agree.
    """
    first, second = formulas.number(gold), formulas.number(answer)
    into, unit = quantities.unit_name(gold_unit), quantities.unit_name(answer_unit)
    if not first or second is None or into is None or unit is None or first == second:
        return Verdict.UNDECIDED
    converted = quantities.convert(second, unit, into)
    if converted is None:
        return Verdict.UNDECIDED
    share = abs(converted / first - 1)
    return Verdict.RIGHT if share < _SAME else Verdict.UNDECIDED if share < _ROUNDED else Verdict.WRONG


def _powers_apart(gold: float | None, value: float | None) -> bool:
    if not gold or not value or value / gold <= 0:
        return False
    power = math.log10(value / gold)
    return abs(power - round(power)) < _SAME


def _differ_by_letter(gold: str, answer: str) -> bool:
    """Return whether one number is the other with a letter behind it that may be a unit: 5 and 5m, but not 2 and 2x."""
    (gold_body, gold_unit), (answer_body, answer_unit) = (
        notation.without_loose_unit(_FRACTION_OF_UNITS.sub(r"\1/\2", text)) for text in (gold, answer)
    )
    if (gold_unit is None) == (answer_unit is None) or quantities.unit_name(gold_unit or answer_unit or "") is None:
        return False
    return _compare_values(gold_body, answer_body) is not Verdict.WRONG


def _compare_values(gold: str, answer: str) -> Verdict:
    """Compare two answers without units: by the first way that knows both, or else as formulas."""
    for compare in (_exactly, _words, _numbers_in_bases, _ratios, _decimal_commas, spans.verdict, _listed):
        if (verdict := compare(gold, answer)) is not None:
            return verdict
    if _says_two_numbers(gold) or _says_two_numbers(answer):
        return Verdict.UNDECIDED
    verdict = formulas.verdict(gold, answer)
    both = (gold, answer)
    is_unread = any(map(_UNREAD.search, both)) or all(map(_INEQUALITY.search, both))
    return Verdict.UNDECIDED if is_unread and verdict is Verdict.WRONG else verdict


def _exactly(gold: str, answer: str) -> Verdict | None:
    """Compare integers and fractions of integers. None where one is none."""
    first, second = notation.exact_number(gold), notation.exact_number(answer)
    if first is None or second is None or _may_be_thousands(gold, answer):
        return None
    return Verdict.RIGHT if first == second else Verdict.WRONG


def _may_be_thousands(gold: str, answer: str) -> bool:
    """Return whether one number is the other with a full stop between its thousands."""
    both = (gold, answer), (answer, gold)
    return any(_DOTTED.fullmatch(dotted) and dotted.replace(".", "") == bare.replace(",", "") for dotted, bare in both)


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
        names_another = words and not notation.may_be_value(words) and formulas.number(other) is not None
        return Verdict.WRONG if names_another else Verdict.UNDECIDED
    if gold_words == answer_words:
        return Verdict.RIGHT
    letters = [all(len(word) == 1 for word in words) for words in (gold_words, answer_words)]
    first, second = set(gold_words), set(answer_words)
    different = first != second if letters[0] else not first & second
    return Verdict.WRONG if different and letters[0] == letters[1] else Verdict.UNDECIDED


def _numbers_in_bases(gold: str, answer: str) -> Verdict | None:
    """Compare answers of which one names its base, `40_9`; the question may have named it for the other."""
    based = [_BASED.fullmatch(gold), _BASED.fullmatch(answer)]
    if not any(based):
        return None
    digits = [(match[1] if match else text).casefold() for match, text in zip(based, (gold, answer), strict=True)]
    bases = [int(match[2]) if match and match[2].isdecimal() else None for match in based]
    bases = [base if base and 2 <= base <= 36 else None for base in bases]
    if bases[0] == bases[1]:
        if digits[0] == digits[1]:
            return Verdict.RIGHT
        if all(based):
            return Verdict.WRONG
    values = [
        _value_in_base(text, base) if match else formulas.number(text)
        for text, base, match in zip(digits, bases, based, strict=True)
    ]
    other = digits[0] != digits[1] and None not in values and values[0] != values[1]
    return Verdict.WRONG if other else Verdict.UNDECIDED


def _value_in_base(digits: str, base: int | None) -> float | None:
    try:
        return float(int(digits, base)) if base else None
    except ValueError:
        return None


def _ratios(gold: str, answer: str) -> Verdict | None:
    """Compare times such as 05:00 and 5:00, which math-verify would divide, and ratios of three numbers and more, such
    as 3:4:5. None where one is neither. 5:12 and 10:24 may be one ratio, and 1:02:03 may be no 2:04:06.
    """
    both = (gold, answer)
    are_times = all(map(_TIME.fullmatch, both))
    if not are_times and not all(map(_RATIO.fullmatch, both)):
        return None
    first, second = ([Fraction(part) for part in re.split(r"\s?\\?:\s?", text)] for text in both)
    if first == second:
        return Verdict.RIGHT
    if [part * second[0] for part in first] != [part * first[0] for part in second]:
        return Verdict.WRONG
    are_times |= any(len(part) > 1 and part.startswith("0") for part in f"{gold}:{answer}".split(":"))
    return Verdict.UNDECIDED if are_times else Verdict.RIGHT


def _decimal_commas(gold: str, answer: str) -> Verdict | None:
    """Compare 3.14 with 3,14, as half the world writes it; 1,875 may be 1.875 or 1875, and so may 1.875."""
    if _may_be_thousands(gold, answer):
        return Verdict.UNDECIDED
    are_decimals = _DECIMAL.fullmatch(gold) and lists.DECIMAL_COMMA.fullmatch(answer)
    if not are_decimals or float(gold) != float(answer.replace(",", ".")):
        return None
    return Verdict.RIGHT if notation.exact_number(answer) is None else Verdict.UNDECIDED


def _listed(gold: str, answer: str) -> Verdict | None:
    if gold.startswith("(") and gold.endswith(")") and _UNBRACKETED_LIST.fullmatch(answer):
        answer = f"({answer})"
    return lists.verdict(gold, answer, _compare)


def _says_two_numbers(answer: str) -> bool:
    """Return whether the sides of an answer's equations say different numbers, such as 5 and 6 of `5=6`."""
    sides = [side.strip() for side in answer.split("=") if side.strip()] if "=" in answer else []
    values = [value for value in map(formulas.number, sides) if value is not None]
    return any(abs(value - values[0]) > _CLOSE * max(1, abs(value)) for value in values)
