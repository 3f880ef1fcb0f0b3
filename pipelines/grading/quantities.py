r"""Are two numbers the same quantity, within a tolerance, in units that may differ?

An answer is read as a number and a unit: `12.5`, `1.2 \times 10^{-3}\ \text{s}`, `3/4`, `25\%`, `30 dBm`, `\sqrt{2}`.
What is no such thing is undecided, and so is a unit that is not the gold's and cannot be converted into it. A unit that
only one of the two names is taken to be the question's, unless the numbers differ by a power of ten.
"""

import functools
import math
import re

from pipelines.grading import equivalence, notation, number_words, readings, units
from schemas.question import Verdict

TOLERANCE = 1e-2
"""Relative, where a gold answer has none of its own."""
LONGEST = 200
"""Characters of the longest answer that is read."""
_ZERO = 1e-9
"""No share of 0 is a tolerance: what is nearer to a gold 0 than this counts as 0."""

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<over>{_DIGITS})(?:\s*/\s*(?P<under>\d+(?:\.\d+)?))?"
    r"|\\frac\{(?P<latex_over>\d+(?:\.\d+)?)\}\{(?P<latex_under>\d+(?:\.\d+)?)\})"
    r"(?:[eE](?P<e>[-+]?\d{1,3})(?!\d)"
    r"|\s*(?:\\times|\\cdot|[*x·])\s*10\s*(?:\^|\*\*)\s*[{(]?\s*(?P<power>[-+]?\d{1,3})\s*[})]?)?"
)
_POWER_OF_TEN = re.compile(r"(?P<sign>[-+]?)10\s*(?:\^|\*\*)\s*\{?(?P<power>[-+]?\d{1,3})\}?")
_BEFORE = re.compile(
    r".*(?:=|≈|\\approx|\\simeq|\\sim(?:eq)?|~|\b(?:is|about|around|approximately|roughly)\b)", re.DOTALL
)
_TWO = re.compile(r"\b(?:or|and|to|not)\b|±|\\pm")
_THOUSANDS = re.compile(r"(\d)\s?k$")
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2}|\d{4,})(?![\d,.])")


@functools.lru_cache(maxsize=4096)
def verdict(gold: str, answer: str, tolerance: float | None = None) -> Verdict:
    """Return whether an answer is the gold quantity within a relative tolerance: right, wrong or undecided."""
    if max(len(gold), len(answer)) > LONGEST:
        return Verdict.UNDECIDED
    found = Verdict.WRONG
    for read in readings.mixed_readings(*(notation.plain(_multiplied(text)) for text in (gold, answer))):
        wanted, given = (_quantity(number_words.in_digits(text)) for text in (read.gold, read.answer))
        compared = _compare(wanted, given, tolerance)
        if compared is Verdict.RIGHT and read.usual:
            return compared
        found = found if compared is Verdict.WRONG else Verdict.UNDECIDED
    # A question may ask for so many thousands, and "5" and "5 thousand" be one answer.
    one_scaled = (_multiplied(gold) == gold) != (_multiplied(answer) == answer)
    return Verdict.UNDECIDED if found is Verdict.WRONG and one_scaled else found


def _compare(wanted: tuple[float, str] | None, given: tuple[float, str] | None, tolerance: float | None) -> Verdict:
    if wanted is None or given is None:
        return Verdict.UNDECIDED
    (gold_value, gold_unit), (value, unit) = wanted, given
    share = TOLERANCE if tolerance is None else tolerance
    if {gold_unit, unit} == {"", "%"}:
        return _compare_percentage(gold_value, gold_unit, value, share)
    if gold_unit and unit:
        converted = units.convert(value, unit, gold_unit)
        if converted is None and units.same_unit(unit, gold_unit):
            converted = value
        if converted is None:
            return Verdict.UNDECIDED
        return Verdict.RIGHT if _near(gold_value, converted, share) else Verdict.WRONG
    if _near(gold_value, value, share):
        return Verdict.RIGHT
    return Verdict.UNDECIDED if gold_unit != unit and _powers_apart(gold_value, value, share) else Verdict.WRONG


def have_units(*answers: str) -> bool:
    """Return whether each answer is a number with a unit."""
    return all(found is not None and found[1] for found in map(_quantity, answers))


def _multiplied(answer: str) -> str:
    return number_words.scaled(_THOUSANDS.sub(r"\1 thousand", answer))


def reads(gold: str) -> bool:
    """Return whether a gold answer is a quantity, in a unit that can be converted or none."""
    return verdict(gold, gold) is Verdict.RIGHT


def _compare_percentage(gold: float, gold_unit: str, value: float, share: float) -> Verdict:
    """Compare 25 % with 0.25 or 25; a bare number below 1 may be either, so 0.25 against 0.25 % is undecided."""
    bare, percent = (value, gold) if gold_unit else (gold, value)
    as_share = _near(gold, value * 100 if gold_unit else value / 100, share)
    if as_share or (_near(gold, value, share) and abs(bare) > 1):
        return Verdict.RIGHT
    may_be = _near(gold, value, share) or _near(percent * 100, bare, share)
    return Verdict.UNDECIDED if may_be else Verdict.WRONG


def _near(gold: float, value: float, share: float) -> bool:
    return abs(value - gold) <= (share * abs(gold) * (1 + 1e-9) if gold else _ZERO)


def _powers_apart(gold: float, value: float, share: float) -> bool:
    """Return whether two numbers differ by a power of ten, as they do where one is in MHz and one in Hz."""
    if gold * value <= 0:
        return False
    power = round(math.log10(abs(value / gold)))
    return power != 0 and abs(power) <= 24 and _near(gold, value / 10.0**power, share)


def _quantity(answer: str) -> tuple[float, str] | None:
    """Return an answer's number and unit, "" for none; None where it is no single quantity."""
    if len(answer) > LONGEST:
        return None
    text = notation.unwrapped(notation.joined_digits(notation.plain(answer)))
    text = _DECIMAL_COMMA.sub(r"\1.\2", text.replace("$", "")).strip()
    if _TWO.search(text):
        return None
    if before := _BEFORE.match(text):
        text = text[before.end() :].strip()
    if number_words.changing(text):
        return None
    number = _POWER_OF_TEN.match(text) or _NUMBER.match(text)
    if number is None:
        return _expression(answer)
    value = _value(number.groupdict())
    if value is None:
        return None
    rest = text[number.end() :].strip()
    unit = units.unit_name(rest) if rest else ""
    return _expression(answer) if unit is None else (value, unit)


def _value(parts: dict[str, str | None]) -> float | None:
    """Return the number of what `_NUMBER` found; None where it is divided by 0 or beyond all size."""
    over = parts.get("over") or parts.get("latex_over") or "1"
    under = float(parts.get("under") or parts.get("latex_under") or 1)
    power = int(parts.get("e") or parts.get("power") or 0)
    value = float(f"{over.replace(',', '')}e{power}") / under if under else math.nan
    return (-value if parts["sign"] == "-" else value) if math.isfinite(value) else None


def _expression(answer: str) -> tuple[float, str] | None:
    r"""Return the number and unit of an answer that is a formula, such as `2\pi \text{ rad}`."""
    body, unit = notation.without_unit(notation.plain(answer))
    value = equivalence.number(body)
    name = units.unit_name(unit) if unit else ""
    return None if value is None or name is None else (value, name)
