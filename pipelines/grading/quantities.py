r"""Are two numbers the same quantity, within a tolerance, in units that may differ?

An answer is read as a number and a unit: `12.5`, `1.2 \times 10^{-3}\ \text{s}`, `3/4`, `25\%`, `30 dBm`, `\sqrt{2}`.
All else is undecided, and so is a unit that cannot be converted into the gold's. A unit that only one of the two names
is taken to be the question's, unless the numbers differ by a power of ten.

The library pint converts units. Decibels are names here, not logarithms: dBm is dBW and 30, but 30 dBm against 1 W is
undecided, since a tolerance on the one is none on the other. Bits are a dimension: 10 Mbit/s is not 10 MHz.
"""

import functools
import math
import re
from typing import TYPE_CHECKING

from pipelines.grading import formulas, notation, readings
from schemas.question import Verdict

if TYPE_CHECKING:
    import pint

TOLERANCE = 1e-2  # relative, where a gold answer has none of its own
LONGEST = 200  # characters of the longest answer that is read
_ZERO = 1e-9  # no share of 0 is a tolerance: what is nearer to a gold 0 than this counts as 0

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<over>{_DIGITS})(?:\s*/\s*(?P<under>\d+(?:\.\d+)?))?"
    r"|\\frac\{(?P<latex_over>\d+(?:\.\d+)?)\}\{(?P<latex_under>\d+(?:\.\d+)?)\})"
    r"(?:[eE](?P<e>[-+]?\d{1,3})(?!\d)"
    r"|\s*(?:\\times|\\cdot|[*x·])\s*10\s*(?:\^|\*\*)\s*[{(]?\s*(?P<power>[-+]?\d{1,3})\s*[})]?)?"
)
_POWER_OF_TEN = re.compile(r"(?P<sign>[-+]?)10\s*(?:\^|\*\*)\s*\{?(?P<power>[-+]?\d{1,3})\}?")
_BEFORE = re.compile(
    r"\A.*(?:=|≈|\\approx|\\simeq|\\sim(?:eq)?|~|\b(?:is|about|around|approximately|roughly)\b)", re.DOTALL
)
_TWO = re.compile(r"\b(?:or|and|to|not)\b|±|\\pm")
_THOUSANDS = re.compile(r"(\d)\s?k$")
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2}|\d{4,})(?![\d,.])")

_UNIT = re.compile(r"[A-Za-z%][A-Za-z0-9 /*^().%-]{0,40}")
_LETTERS = notation.UNIT_LETTERS | {"%"}
# A letter alone that is no unit may be an unknown: 12x; and `e3` an exponent.
_ODD = re.compile(r"e\d.*|[a-zA-Z]\d+", re.IGNORECASE)
_DECIBELS = re.compile(r"dB\w{0,3}(?:[ /].*)?|decibels?")
_LEVELS_OF_POWER = {"dBm": 0.0, "dBW": 30.0}
_SYMBOLS: notation.Rules = (
    (re.compile(r"\\mu ?"), "u"),
    (re.compile(r"\\Omega"), "ohm"),
    (re.compile(r"\^\{\\circ\}|\^?\\circ"), "°"),
    (re.compile(r"° ?([CF])"), r"deg\1"),
    (re.compile(r"\\cdot"), "*"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"USD"), "dollar"),
)
# The micro sign is two characters that look alike.
_CHARACTERS = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "Ω": "ohm", "°": "degree", "·": "*", "²": "^2", "³": "^3"}
    | {"$": "dollar", "{": "", "}": ""}
)
_WORDED: notation.Rules = (
    (re.compile(r"\b(?:square|sq)\.? +(\w+)"), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu)\.? +(\w+)"), r"\1^3"),
    (re.compile(r" *\bper +"), "/"),
    (re.compile(r"\bpercent(?:age)?\b"), "%"),
    (re.compile(r"\bbps\b"), "bit/s"),
    (re.compile(r"\b([kMGT])bps\b"), r"\1bit/s"),
    (re.compile(r"\b([kMGT]?)b/s"), r"\1bit/s"),
)


@functools.lru_cache(maxsize=4096)
def verdict(gold: str, answer: str, tolerance: float | None = None) -> Verdict:
    """Return whether an answer is the gold quantity within a relative tolerance: right, wrong or undecided."""
    if max(len(gold), len(answer)) > LONGEST:
        return Verdict.UNDECIDED
    share = TOLERANCE if tolerance is None else tolerance
    full_gold, full_answer = (readings.scaled(_THOUSANDS.sub(r"\1 thousand", text)) for text in (gold, answer))
    # A question may ask for so many thousands, and "5" and "5 thousand" be one answer.
    outcome = Verdict.UNDECIDED if (full_gold == gold) != (full_answer == answer) else Verdict.WRONG
    for read in readings.mixed_readings(notation.plain(full_gold), notation.plain(full_answer)):
        gold_quantity, quantity = (_quantity(readings.in_digits(text)) for text in (read.gold, read.answer))
        compared = _compare(gold_quantity, quantity, share)
        if compared is Verdict.RIGHT and read.usual:
            return compared
        outcome = outcome if compared is Verdict.WRONG else Verdict.UNDECIDED
    return outcome


def have_units(*answers: str) -> bool:
    """Return whether each answer is a number with a unit."""
    return all(quantity is not None and quantity[1] for quantity in map(_quantity, answers))


def _compare(gold: tuple[float, str] | None, answer: tuple[float, str] | None, share: float) -> Verdict:
    if gold is None or answer is None:
        return Verdict.UNDECIDED
    (gold_value, gold_unit), (value, unit) = gold, answer
    if {gold_unit, unit} == {"", "%"}:
        return _compare_percentage(gold_value, gold_unit, value, share)
    if gold_unit and unit:
        converted = convert(value, unit, gold_unit)
        if converted is None and same_unit(unit, gold_unit):
            converted = value
        if converted is None:
            return Verdict.UNDECIDED
        return Verdict.RIGHT if _near(gold_value, converted, share) else Verdict.WRONG
    if _near(gold_value, value, share):
        return Verdict.RIGHT
    return Verdict.UNDECIDED if gold_unit != unit and _powers_apart(gold_value, value, share) else Verdict.WRONG


def _compare_percentage(gold: float, gold_unit: str, value: float, share: float) -> Verdict:
    """Compare 25 % with 0.25 or 25; a bare number below 1 may be either, so 0.25 against 0.25 % is undecided."""
    bare, percent = (value, gold) if gold_unit else (gold, value)
    is_near = _near(gold, value, share)
    if _near(gold, value * 100 if gold_unit else value / 100, share) or (is_near and abs(bare) > 1):
        return Verdict.RIGHT
    return Verdict.UNDECIDED if is_near or _near(percent * 100, bare, share) else Verdict.WRONG


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
    plain = notation.plain(answer)
    text = notation.unwrapped(notation.joined_digits(plain))
    text = _DECIMAL_COMMA.sub(r"\1.\2", text.replace("$", "")).strip()
    if _TWO.search(text):
        return None
    text = _BEFORE.sub("", text).strip()
    if readings.changing(text):
        return None
    if number := _POWER_OF_TEN.match(text) or _NUMBER.match(text):
        value, rest = _value(number.groupdict()), text[number.end() :].strip()
        unit = unit_name(rest) if rest else ""
        if value is None or unit is not None:
            return None if value is None else (value, unit or "")
    # A formula, such as `2\pi \text{ rad}`.
    body, unit = notation.without_unit(plain)
    value, unit = formulas.number(body), unit_name(unit) if unit else ""
    return None if value is None or unit is None else (value, unit)


def _value(parts: dict[str, str | None]) -> float | None:
    """Return the number of what `_NUMBER` found; None where it is divided by 0 or beyond all size."""
    over = parts.get("over") or parts.get("latex_over") or "1"
    under = float(parts.get("under") or parts.get("latex_under") or 1)
    power = int(parts.get("e") or parts.get("power") or 0)
    value = float(f"{over.replace(',', '')}e{power}") / under if under else math.nan
    return (-value if parts["sign"] == "-" else value) if math.isfinite(value) else None


def unit_name(text: str) -> str | None:
    """Return a unit's name in one notation: "cm^2" for "square cm"; None where the text cannot be a unit."""
    text = notation.rewritten(text, _SYMBOLS).translate(_CHARACTERS)
    text = " ".join(notation.rewritten(text, _WORDED).split()).strip(" .")
    if (len(text) == 1 and text not in _LETTERS) or (_ODD.fullmatch(text) and text[0] not in _LETTERS):
        return None
    return text if _UNIT.fullmatch(text) else None


def same_unit(first: str, second: str) -> bool:
    """Return whether two texts name one unit: "cm" and "centimeters", "sq. units" and "units^2"."""
    name, other_name = unit_name(first), unit_name(second)
    if name is None or other_name is None:
        return first == second
    if _singular(name) == _singular(other_name):
        return True
    converted = None if _DECIBELS.fullmatch(name) or _DECIBELS.fullmatch(other_name) else convert(1.0, name, other_name)
    return converted is not None and abs(converted - 1) < 1e-12


def _singular(unit: str) -> str:
    """Return a unit's name in lower case and without the s of a plural, where it is a word."""
    return re.sub(r"(?<=[a-z]{3})s\b", "", unit.casefold()) if len(unit) > 3 else unit


def convert(value: float, unit: str, into: str) -> float | None:
    """Return the value in another unit; None where the units are unknown, of two dimensions, or not convertible."""
    if unit == into:
        return value
    if _DECIBELS.fullmatch(unit) or _DECIBELS.fullmatch(into):
        levels = _LEVELS_OF_POWER.get(unit), _LEVELS_OF_POWER.get(into)
        return None if levels[0] is None or levels[1] is None else value + levels[0] - levels[1]
    try:
        return float(_pint().Quantity(value, unit).to(into).magnitude)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what pint cannot read it refuses in many ways; such a unit is an unknown one
        return None


@functools.cache
def _pint() -> "pint.UnitRegistry[float]":
    """Return pint's units: loading them takes a third of a second."""
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(on_redefinition="ignore")
    registry.define("bit = [information]")
    return registry
