r"""What two answers may mean, where a notation means several things.

* `2\frac{1}{2}` is two and a half, and may be the product 1.
* A percent or degree sign that only one of two answers has: 7.2 % may be 7.2 or 0.072, 90° may be 90 or π/2.
* `\sqrt12` is twice the root of 1, and meant as the root of 12.
* `5k` may be five thousand, and `x1` may be x_1, where the other answer writes the number out, or the index below.

A verdict holds only over all readings: right where a usual one is right, wrong where every one is.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

_MIXED = re.compile(
    r"(?<![\w.,^_{}])(?P<whole>\d{1,9})(?:\s|\\[ ,;!])*"
    r"(?:\\frac\{(?P<over>\d{1,9})\}\{(?P<under>\d{1,9})\}"
    r"|(?<=[ ,;!\s])(?P<slash_over>\d{1,4})\s?/\s?(?P<slash_under>\d{1,4})(?![\d/.]))"
)
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_VALUE = (
    rf"(?<![\^_\d.])(?:\\frac\{{(?P<over>[^{{}}]*)\}}\{{(?P<under>[^{{}}]*)\}}"
    rf"|(?P<number>{_NUMBER})(?:/(?P<slash>\d+))?)"
)
_PERCENT = re.compile(rf"{_VALUE}(?:\s|~|\\[,;:! ])*\\%")
_DEGREES = re.compile(rf"{_VALUE}(?:\s|~|\\[,;:! ])*\^\\circ")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")

_WORDS = (
    (re.compile(r"(?<!\\)%"), r"\\%"),
    (
        re.compile(
            r"(?:\\text\s*\{\s*)?(?<![a-zA-Z])(?:percentage[ -]points?|per ?cent|pct\.?)(?![a-zA-Z])(?:\s*\})?",
            re.IGNORECASE,
        ),
        r"\\%",
    ),
    (re.compile(r"\\text\s*\{\s*(\\%)\s*\}"), r"\1"),
    (
        re.compile(
            r"(?:\^\s*\{?\s*\\circ\s*\}?|°|(?<=\d)\s*\\circ|(?:\\text\s*\{\s*|(?<=[\d}])\s*)(?:degrees?|deg\.?|°))"
            r"(?:\s|\\[,;:! ])*(?:\\text\s*)?\{?\s*(?P<scale>[CF]|Celsius|Fahrenheit)(?![a-zA-Z])\s*\}?"
        ),
        lambda found: rf"\text{{deg{found['scale'][0]}}}",
    ),
    (
        re.compile(
            r"\^\s*\{?\s*\\circ\s*\}?|°|\\degree(?![a-zA-Z])|(?<=\d)\s*\\circ(?!\s*[a-zA-Z(])"
            r"|\\text\s*\{\s*(?:degrees?|deg\.?)\s*\}|(?<=[\d}])\s*(?:degrees?|deg)(?![a-zA-Z])",
        ),
        r"^\\circ",
    ),
)
_MINUTES = re.compile(
    r"(?<![\d.])(?P<degrees>\d{1,4})\s*\^\\circ\s*(?P<minutes>\d{1,2})\s*(?:['′’]|\^\{?\\prime\}?)(?!['′’])"
    r"(?:\s*(?P<seconds>\d{1,2})\s*(?:''|″|\"|\^\{?\\prime\\prime\}?))?"
)
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*(?:\\%|\^\\circ)")
"""A number with its thousands set apart, before a sign; in brackets they would be two numbers."""
_REPEATED = re.compile(
    r"(?<![\d.,])(?P<whole>\d{0,20})\.(?P<fixed>\d{0,20}?)"
    r"(?:\\(?:overline|bar)\s*\{?(?P<block>\d{1,20})\}?|\\dot\s*\{?(?P<dotted>\d)\}?(?![\d\\])"
    r"|(?:(?P<again>\d)(?P=again){2,}|(?P<more>\d{2,6})(?P=more)+)\s*(?:\\[lc]?dots|\.\.\.|…))"
)
_SHORT = re.compile(
    rf"(?<![\w.\\])(?P<number>{_NUMBER})\s?(?:\\(?:text|mathrm)\s*\{{\s*)?(?P<scale>[kKMB]|bn)(?![a-zA-Z_^])(?:\s*\}})?"
)
_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9}
_BARE_ROOT = re.compile(r"\\sqrt\s*(\d{2,})")
_BARE_INDEX = re.compile(r"(?<![a-zA-Z\\])([a-zA-Z])(\d+)(?![\d.])")
_RADIANS = re.compile(r"(?:\\text\s*\{\s*(?:radians?|rads?)\s*\}|(?<=[\d}\s])(?:radians?|rads?)(?![a-zA-Z]))")


class Reading(NamedTuple):
    """Two answers as they may be meant."""

    gold: str
    answer: str
    usual: bool = True
    """Whether anyone means it so; of the others equality says only that it may be."""
    rounds: bool = False
    """Whether a sign is turned into a number, which the other answer may give in few digits."""


_UNREADABLE = Reading("", "", usual=False)
"""Two answers of which nobody can say what they mean: they may be equal."""


def signs(answer: str) -> str:
    r"""Return an answer with its words for percent and degrees as signs: `\%` and `^\circ`."""
    for pattern, sign in _WORDS:
        answer = pattern.sub(sign, answer)
    answer = _MINUTES.sub(_in_degrees, answer)
    grouped = _GROUPED.fullmatch(answer)
    return answer.replace(",", "") if grouped else answer


def _in_degrees(found: re.Match[str]) -> str:
    """Return degrees, minutes and seconds as a fraction of degrees."""
    seconds = int(found["degrees"]) * 3600 + int(found["minutes"]) * 60 + int(found["seconds"] or 0)
    return rf"\frac{{{seconds}}}{{3600}}^\circ"


def readings(gold: str, answer: str) -> Iterator[Reading]:
    """Yield what two answers may mean, the usual meanings first."""
    radians = bool(_RADIANS.search(gold) or _RADIANS.search(answer))
    gold, answer = (_RADIANS.sub("", text) for text in (gold, answer))
    found = [
        as_angle
        for mixed in mixed_readings(gold, answer)
        for as_share in _percent(mixed)
        for as_angle in _degrees(as_share, radians)
    ]
    found += [read for read in (_written_out(gold, answer), _indexed(gold, answer), _rooted(gold, answer)) if read]
    return iter(sorted(dict.fromkeys(found), key=lambda one: not one.usual))


def _written_out(gold: str, answer: str) -> Reading | None:
    """Return two answers with `5k` as 5000, where only one of them has such a number."""
    long = [_SHORT.sub(lambda found: str(Fraction(found["number"]) * _SCALES[found["scale"]]), text)
            for text in (gold, answer)]  # fmt: skip
    one_is_short = (long[0] == gold) != (long[1] == answer)
    return Reading(long[0], long[1], usual=False) if one_is_short else None


def _rooted(gold: str, answer: str) -> Reading | None:
    """Return two answers with roots over all digits that stand behind them without braces."""
    roots = [_BARE_ROOT.sub(r"\\sqrt{\1}", text) for text in (gold, answer)]
    return None if roots == [gold, answer] else Reading(roots[0], roots[1], usual=False)


def _indexed(gold: str, answer: str) -> Reading | None:
    """Return two answers with `x1` as x_{1}, where only one of them sets its indices below."""
    if ("_" in gold) == ("_" in answer):
        return None
    below = [_BARE_INDEX.sub(r"\1_{\2}", text) for text in (gold, answer)]
    return Reading(below[0], below[1], usual=False)


def repeated(answer: str) -> str:
    r"""Return an answer with its repeating decimals as fractions: `0.\overline{3}`, `0.333\ldots`."""
    return _REPEATED.sub(_as_fraction, answer)


def _as_fraction(found: re.Match[str]) -> str:
    whole, fixed, block = (
        found["whole"] or "0",
        found["fixed"],
        found["block"] or found["again"] or found["more"] or found["dotted"],
    )
    under = 10 ** len(fixed) * (10 ** len(block) - 1)
    return rf"\frac{{{int(whole + fixed + block) - int(whole + fixed)}}}{{{under}}}"


def mixed_readings(gold: str, answer: str) -> Iterator[Reading]:
    """Yield two answers with their mixed numbers as fractions: sums, and then products."""
    gold_sum, answer_sum = _with_fractions(gold, False), _with_fractions(answer, False)
    gold_product, answer_product = _with_fractions(gold, True), _with_fractions(answer, True)
    yield Reading(gold_sum, answer_sum)
    if gold_product != gold_sum:
        yield Reading(gold_product, answer_sum, usual=False)
    if answer_product != answer_sum:
        yield Reading(gold_sum, answer_product, usual=False)


def _with_fractions(text: str, other: bool) -> str:
    return _MIXED.sub(lambda found: _fraction(found, other), text)


def _fraction(found: re.Match[str], other: bool) -> str:
    """Return a whole number and a fraction as one fraction: their sum where that is proper, else their product."""
    whole, over, under = (int(part) for part in found.groups() if part is not None)
    is_sum = (over < under) != other
    return rf"\frac{{{whole * under + over if is_sum else whole * over}}}{{{under}}}"


def _percent(read: Reading) -> Iterator[Reading]:
    gold, answer = read.gold, read.answer
    if gold.count(r"\%") == answer.count(r"\%"):
        yield read._replace(gold=gold.replace(r"\%", ""), answer=answer.replace(r"\%", ""))
        return
    bare = [text.replace(r"\%", "") for text in (gold, answer)]
    large = all(_size(found) > 1 for text in (gold, answer) for found in _PERCENT.finditer(text))
    for factor in (Fraction(1, 100), Fraction(100)):
        scaled = [_scaled(text, factor) for text in (gold, answer)]
        if any(r"\%" in text for text in scaled):
            yield _UNREADABLE
        else:
            yield Reading(scaled[0], scaled[1], usual=read.usual and factor < 1, rounds=True)
    yield Reading(bare[0], bare[1], usual=read.usual and large)


def _degrees(read: Reading, radians: bool) -> Iterator[Reading]:
    gold, answer = read.gold, read.answer
    counts = [text.count(r"^\circ") for text in (gold, answer)]
    bare = read._replace(gold=gold.replace(r"^\circ", ""), answer=answer.replace(r"^\circ", ""))
    trigonometry = any(counts) and (_TRIGONOMETRY.search(gold) or _TRIGONOMETRY.search(answer))
    if counts[0] == counts[1] and not trigonometry:
        yield bare
        return
    turned = [_DEGREES.sub(_in_radians, text) for text in (gold, answer)]
    if any(r"^\circ" in text for text in turned):
        yield _UNREADABLE
    else:
        yield Reading(turned[0], turned[1], usual=read.usual, rounds=True)
    if not trigonometry and not radians:
        yield bare


def _size(found: re.Match[str]) -> float:
    value = _exact(found)
    return float(value) if value is not None else 0.0


def _scaled(text: str, factor: Fraction) -> str:
    return _PERCENT.sub(lambda found: _times(found, factor), text)


def _times(found: re.Match[str], factor: Fraction) -> str:
    value = _exact(found)
    if value is not None:
        return rf"\frac{{{(value * factor).numerator}}}{{{(value * factor).denominator}}}"
    return rf"\frac{{({found['over']}) \cdot {factor.numerator}}}{{({found['under']}) \cdot {factor.denominator}}}"


def _in_radians(found: re.Match[str]) -> str:
    value = _exact(found)
    if value is not None:
        return rf"\frac{{{(value / 180).numerator} \pi}}{{{(value / 180).denominator}}}"
    return rf"\frac{{({found['over']}) \pi}}{{({found['under']}) \cdot 180}}"


def _exact(found: re.Match[str]) -> Fraction | None:
    """Return the number before a sign; None where it is a fraction of formulas."""
    try:
        over = Fraction(found["number"] or found["over"])
        return over / Fraction(found["slash"] or found["under"] or 1)
    except (ValueError, ZeroDivisionError):
        return None
