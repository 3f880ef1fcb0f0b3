r"""Units of measurement by name. The library pint knows which are the same, and how one is converted into another.

Decibels are names here, not logarithms: dB is dB, and dBm is dBW and 30, but 30 dBm against 1 W cannot be told, since a
tolerance on the one is none on the other. Bits are a dimension of their own: 10 Mbit/s is not 10 MHz.
"""

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pint

_NAME = re.compile(r"[A-Za-z%][A-Za-z0-9 /*^().%-]{0,40}")
_LETTERS = frozenset("smghdlbVAWJNFHTCBLK%")
_ODD = re.compile(r"e\d.*|[a-zA-Z]\d+", re.IGNORECASE)
"""A letter alone that is no unit may be an unknown: 12x; and `e3` an exponent."""
_DECIBELS = re.compile(r"dB\w{0,3}(?:[ /].*)?|decibels?")
_LEVELS_OF_POWER = {"dBm": 0.0, "dBW": 30.0}
_SYMBOLS = (
    (r"\mu ", "u"),
    (r"\mu", "u"),
    ("µ", "u"),  # two characters that look alike
    ("μ", "u"),
    (r"\Omega", "ohm"),
    ("Ω", "ohm"),
    ("Ω", "ohm"),
    (r"^{\circ}", "°"),
    (r"^\circ", "°"),
    (r"\circ", "°"),
    ("° C", "degC"),
    ("°C", "degC"),
    ("° F", "degF"),
    ("°F", "degF"),
    ("°", "degree"),
    (r"\cdot", "*"),
    ("·", "*"),
    ("²", "^2"),
    ("³", "^3"),
    (r"\%", "%"),
    ("$", "dollar"),
    ("USD", "dollar"),
    ("{", ""),
    ("}", ""),
)
_WORDED = (
    (re.compile(r"\b(?:square|sq)\.? +(\w+)"), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu)\.? +(\w+)"), r"\1^3"),
    (re.compile(r" *\bper +"), "/"),
    (re.compile(r"\bpercent(?:age)?\b"), "%"),
    (re.compile(r"\bbps\b"), "bit/s"),
    (re.compile(r"\b([kMGT])bps\b"), r"\1bit/s"),
    (re.compile(r"\b([kMGT]?)b/s"), r"\1bit/s"),
)


def unit_name(text: str) -> str | None:
    """Return a unit's name in one notation: "cm^2" for "square cm"; None where the text cannot be a unit."""
    for symbol, name in _SYMBOLS:
        text = text.replace(symbol, name)
    for pattern, replacement in _WORDED:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split()).strip(" .")
    if (len(text) == 1 and text not in _LETTERS) or (_ODD.fullmatch(text) and text[0] not in _LETTERS):
        return None
    return text if _NAME.fullmatch(text) else None


def same_unit(first: str, second: str) -> bool:
    """Return whether two texts name one unit: "cm" and "centimeters", "sq. units" and "units^2"."""
    one, other = unit_name(first), unit_name(second)
    if one is None or other is None:
        return first == second
    if _singular(one) == _singular(other):
        return True
    converted = None if is_decibels(one) or is_decibels(other) else convert(1.0, one, other)
    return converted is not None and abs(converted - 1) < 1e-12


def is_decibels(unit: str) -> bool:
    """Return whether a unit counts decibels, of whatever reference."""
    return _DECIBELS.fullmatch(unit) is not None


def convert(value: float, unit: str, into: str) -> float | None:
    """Return the value in another unit; None where the units are unknown, of two dimensions, or not convertible."""
    if unit == into:
        return value
    if is_decibels(unit) or is_decibels(into):
        levels = _LEVELS_OF_POWER.get(unit), _LEVELS_OF_POWER.get(into)
        return None if levels[0] is None or levels[1] is None else value + levels[0] - levels[1]
    registry = _registry()
    try:
        return float(registry.Quantity(value, unit).to(into).magnitude)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what pint cannot read it refuses in many ways; such a unit is an unknown one
        return None


def _singular(unit: str) -> str:
    """Return a unit's name in lower case and without the s of a plural, where it is a word."""
    return re.sub(r"(?<=[a-z]{3})s\b", "", unit.casefold()) if len(unit) > 3 else unit


@functools.cache
def _registry() -> "pint.UnitRegistry[float]":
    """Return pint's units: loading them takes a third of a second."""
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(on_redefinition="ignore")
    registry.define("bit = [information]")
    return registry
