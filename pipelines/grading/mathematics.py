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
import math
import re
from fractions import Fraction

from pipelines.grading import equivalence, lists, notation, number_words, readings, shapes, spans, styles, units
from schemas.question import Verdict

_SAME = 1e-9
"""A share: logarithms this near to a whole number are powers of ten."""

_ROUNDED = 5e-3

_BASED = re.compile(r"(\d[\dA-Za-z.]*|[A-F\d]+(?=_\{?16))_\{?(?:\\text\{)?\s*(\w{1,6})\s*\}{0,2}")
_RATIO = re.compile(r"[0-9]+(?:\.[0-9]+)?(?::[0-9]+(?:\.[0-9]+)?){2,}")
_COLONED = re.compile(r"(\d{1,2})\s?\\?:\s?(\d{2})")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_DOTTED = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")
_UNREAD = re.compile(r"\\text(?!\s*\{\s*(?:and|or)\s*\})|\d\s+\d|\d\s*(?:\\text\s*\{\s*)?and\s*\}?\s*(?:\\frac|\d+/\d)")
"""Text in a formula, and two numbers side by side: what is equal to such a thing may look unequal."""
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


def _verdict(gold: str, answer: str) -> Verdict:
    if max(len(gold), len(answer)) > equivalence.LONGEST:
        return Verdict.UNDECIDED
    gold, answer = (readings.repeated(readings.signs(notation.plain(text))) for text in (gold, answer))
    if gold and notation.without_spaces(gold) == notation.without_spaces(answer):
        return Verdict.RIGHT
    if styles.unknown_macros(gold, answer) or shapes.are_odd(gold, answer):
        return Verdict.UNDECIDED
    full_gold, full_answer = number_words.scaled(gold), number_words.scaled(answer)
    in_words = notation.is_text(gold) and notation.is_text(answer)
    if not in_words and number_words.changing(full_gold) != number_words.changing(full_answer):
        return Verdict.UNDECIDED
    found = _over_readings(number_words.in_digits(full_gold), number_words.in_digits(full_answer))
    if found is Verdict.WRONG and (full_gold == gold) != (full_answer == answer):
        return Verdict.UNDECIDED  # a question may ask for so many millions
    return Verdict.UNDECIDED if found is Verdict.RIGHT and shapes.contradict(gold, answer) else found


def _over_readings(gold: str, answer: str) -> Verdict:
    """Compare two answers in all that they may mean."""
    verdicts = []
    for read in readings.readings(gold, answer):
        found = _compare(read.gold, read.answer)
        if found is Verdict.RIGHT and read.usual:
            return found
        may_round = found is Verdict.WRONG and read.rounds and _near(read.gold, read.answer)
        verdicts.append(Verdict.UNDECIDED if may_round else found)
    return Verdict.WRONG if set(verdicts) == {Verdict.WRONG} else Verdict.UNDECIDED


def _near(gold: str, answer: str) -> bool:
    """Return whether two numbers differ by less than the digits that people write."""
    first, second = equivalence.number(gold), equivalence.number(answer)
    return first is not None and second is not None and abs(first - second) <= _ROUNDED * max(abs(first), abs(second))


def _compare(gold: str, answer: str) -> Verdict:
    """Compare two answers in plain notation, their units first."""
    gold, gold_unit = notation.without_unit(gold)
    answer, answer_unit = notation.without_unit(answer)
    if gold_unit and not answer_unit:
        answer, answer_unit = notation.without_loose_unit(answer)
    elif answer_unit and not gold_unit:
        gold, gold_unit = notation.without_loose_unit(gold)
    if gold_unit and answer_unit and not units.same_unit(gold_unit, answer_unit):
        return _in_two_units(gold, gold_unit, answer, answer_unit)
    found = _compare_values(gold, answer)
    # 25 cents may be 0.25, and 1.5 km 1500: the question may have named the other unit.
    one_unit = (gold_unit is None) != (answer_unit is None)
    may_convert = found is Verdict.WRONG and one_unit
    if may_convert and _powers_apart(equivalence.number(gold), equivalence.number(answer)):
        return Verdict.UNDECIDED
    if found is Verdict.WRONG and gold_unit is answer_unit is None and _differ_by_letter(gold, answer):
        return Verdict.UNDECIDED
    return found


def _in_two_units(gold: str, gold_unit: str, answer: str, answer_unit: str) -> Verdict:
    """Compare two numbers in different units: right where they convert into each other, wrong where neither the
    quantities nor the numbers agree.
    """
    first, second = equivalence.number(gold), equivalence.number(answer)
    names = units.unit_name(gold_unit), units.unit_name(answer_unit)
    if first is None or second is None or names[0] is None or names[1] is None or first == second:
        return Verdict.UNDECIDED
    converted = units.convert(second, names[1], names[0])
    if converted is None or not first:
        return Verdict.UNDECIDED
    share = abs(converted / first - 1)
    return Verdict.RIGHT if share < _SAME else Verdict.UNDECIDED if share < _ROUNDED else Verdict.WRONG


def _differ_by_letter(gold: str, answer: str) -> bool:
    """Return whether one number is the other with a letter behind it that may be a unit: 5 and 5m, but not 2 and 2x."""
    (gold_body, gold_unit), (answer_body, answer_unit) = (
        notation.without_loose_unit(_FRACTION_OF_UNITS.sub(r"\1/\2", text)) for text in (gold, answer)
    )
    if (gold_unit is None) == (answer_unit is None) or units.unit_name(gold_unit or answer_unit or "") is None:
        return False
    return _compare_values(gold_body, answer_body) is not Verdict.WRONG


def _compare_values(gold: str, answer: str) -> Verdict:
    exact_gold, exact_answer = notation.exact_number(gold), notation.exact_number(answer)
    if exact_gold is not None and exact_answer is not None and not _may_be_thousands(gold, answer):
        return _right_if(exact_gold == exact_answer)
    for compare in (_words, _numbers_in_bases, _clock_times, _ratios, _decimal_commas, _spans, _listed):
        if (found := compare(gold, answer)) is not None:
            return found
    if len(shapes.values(gold, equivalence.number)) > 1 or len(shapes.values(answer, equivalence.number)) > 1:
        return Verdict.UNDECIDED
    found = equivalence.verdict(gold, answer)
    is_read = not any(_UNREAD.search(text) for text in (gold, answer))
    is_read = is_read and not all(_INEQUALITY.search(text) for text in (gold, answer))
    return found if is_read or found is not Verdict.WRONG else Verdict.UNDECIDED


def _ratios(gold: str, answer: str) -> Verdict | None:
    """Compare ratios of three numbers and more, such as 3:4:5. None where one is none."""
    if not (_RATIO.fullmatch(gold) and _RATIO.fullmatch(answer)):
        return None
    first, second = ([Fraction(part) for part in text.split(":")] for text in (gold, answer))
    if first == second:
        return Verdict.RIGHT
    if len(first) != len(second) or any(
        one * second[0] != other * first[0] for one, other in zip(first, second, strict=True)
    ):
        return Verdict.WRONG
    is_time = any(len(part) > 1 and part.startswith("0") for part in f"{gold}:{answer}".split(":"))
    return Verdict.UNDECIDED if is_time else Verdict.RIGHT  # 1:02:03 is no 2:04:06


def _powers_apart(gold: float | None, value: float | None) -> bool:
    if not gold or not value or value / gold <= 0:
        return False
    power = math.log10(value / gold)
    return abs(power - round(power)) < _SAME


def reads(gold: str) -> bool:
    """Return whether a gold answer can be compared with answers in other notations, and not only with itself."""
    if len(gold) > equivalence.LONGEST:
        return False
    gold, _ = notation.without_unit(readings.repeated(notation.plain(gold)))
    if notation.exact_number(gold) is not None or _BASED.fullmatch(gold) or _COLONED.fullmatch(gold):
        return True
    if notation.is_text(gold):
        return notation.words(gold) is not None
    return equivalence.verdict(gold, gold) is Verdict.RIGHT


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
            if words and not notation.may_be_value(words) and equivalence.number(other) is not None
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
    bases = [_base(based[2]) if based else None for based in (gold_based, answer_based)]
    if gold_digits == answer_digits and bases[0] == bases[1]:
        return Verdict.RIGHT
    if gold_based and answer_based and bases[0] == bases[1]:
        return Verdict.WRONG
    values = [
        _value_in_base(digits, base) if based else equivalence.number(digits)
        for digits, base, based in zip((gold_digits, answer_digits), bases, (gold_based, answer_based), strict=True)
    ]
    other = gold_digits != answer_digits and None not in values and values[0] != values[1]
    return Verdict.WRONG if other else Verdict.UNDECIDED


def _base(name: str) -> int | None:
    return int(name) if name.isdecimal() and 2 <= int(name) <= 36 else None


def _value_in_base(digits: str, base: int | None) -> float | None:
    try:
        return float(int(digits, base)) if base else None
    except ValueError:
        return None


def _spans(gold: str, answer: str) -> Verdict | None:
    return spans.verdict(gold, answer, equivalence.number)


def _listed(gold: str, answer: str) -> Verdict | None:
    if gold.startswith("(") and gold.endswith(")") and _UNBRACKETED_LIST.fullmatch(answer):
        answer = f"({answer})"
    return lists.verdict(gold, answer, _compare)


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
    """Compare 3.14 with 3,14, as half the world writes it; 1,875 may be 1.875 or 1875, and so may 1.875."""
    if _may_be_thousands(gold, answer):
        return Verdict.UNDECIDED
    if not _DECIMAL.fullmatch(gold) or not _DECIMAL_COMMA.fullmatch(answer):
        return None
    if float(gold) != float(answer.replace(",", ".")):
        return None
    return Verdict.RIGHT if notation.exact_number(answer) is None else Verdict.UNDECIDED


def _may_be_thousands(gold: str, answer: str) -> bool:
    """Return whether one number is the other with a full stop between its thousands."""
    both = (gold, answer), (answer, gold)
    return any(_DOTTED.fullmatch(one) and one.replace(".", "") == other.replace(",", "") for one, other in both)
