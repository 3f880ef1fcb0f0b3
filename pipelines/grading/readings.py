r"""What an answer may mean.

Words change numbers: "5 million" is no 5, nor is "5 halves" or "5 not". Plain ones are put in digits (`scaled`,
`in_digits`, `repeated`), and others are only pointed out (`changing`). A noun behind a number is a unit.

Some notations mean several things (`readings`). `2\frac{1}{2}` may be a product. A percent or degree sign that only one
answer has: 7.2 % may be 7.2 or 0.072, 90° may be 90 or π/2. `\sqrt12` is often meant as the root of 12. `5k` may be
5000, and `x1` may be x_1, where the other answer writes so. A verdict holds over all readings: right where a usual one
is right, wrong where all are.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from pipelines.grading.notation import Replacement, Rules, rewritten, unwrapped

_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SCALED = re.compile(
    r"(?<![\w.,/^_{}])(?P<number>(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,30})(?:\.\d{1,30})?)[\s~]*(?P<text>\\text\s*\{)?\s*"
    rf"(?P<scale>{'|'.join(_SCALES)})s?(?![\w-])(?!\s*\d)"
)
_NO_TEXT = re.compile(r"\\text\s*\{\s*\}")
_SLASHED = re.compile(r"(?<![\w.,/^_}])(\d{1,9}) +(\d{1,2})\s?/\s?(\d{1,3})(?![\d/.])")
_WITH_EXPONENT = re.compile(r"([-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}))[eE]([-+]?\d{1,3})")
_ORDINAL = re.compile(r"(\d{1,15})\s*\^?\s*\{?\s*(?:\\text\s*\{\s*)?(?:st|nd|rd|th)\s*\}{0,2}")
_ABOUT = re.compile(r"\A\s*(?:\\text\s*\{\s*)?(?:about|around|approximately|roughly)\b\s*\}?[\s~]*(?=[-+\\$\d.])")

_CHANGING = frozenset(
    re.findall(
        "[a-z]+",
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds "
        "thousand thousands million millions billion billions trillion trillions dozen dozens "
        "half halves third thirds fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths "
        "ninth ninths tenth tenths hundredth hundredths thousandth thousandths millionth millionths "
        "squared cubed factorial root power exponent plus minus negative times over divided multiplied added "
        "subtracted less more fewer greater larger smaller bigger higher lower than below above under beyond between "
        "point mod modulo least most out up down to through until double triple twice thrice "
        "not no never none neither nor wrong false incorrect untrue invalid isn doesn impossible cannot except "
        "unless if but however although instead rather maybe perhaps possibly probably actually wait",
    )
)
_WORD = re.compile(r"(?<![\\a-z])[a-z]+(?![a-z])")
_MORE_WORDS = re.compile(r"(?<![\\a-z])(?:and|or)[^\w\\]+[a-z]{2}")
_POWER_OF_UNIT = re.compile(r"(?<=[a-z]) +(?:squared|cubed)\b|\bto the (?=nearest\b)")

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
_PERCENT_SIGN = re.compile(r"\\%")
_PERCENT = re.compile(rf"{_VALUE}(?:\s|~|\\[,;:! ])*\\%")
_DEGREES = re.compile(rf"{_VALUE}(?:\s|~|\\[,;:! ])*\^\\circ")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_SIGNS: Rules = (
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
        lambda degrees: rf"\text{{deg{degrees['scale'][0]}}}",
    ),
    (
        re.compile(
            r"\^\s*\{?\s*\\circ\s*\}?|°|\\degree(?![a-zA-Z])|(?<=\d)\s*\\circ(?!\s*[a-zA-Z(])"
            r"|\\text\s*\{\s*(?:degrees?|deg\.?)\s*\}|(?<=[\d}])\s*(?:degrees?|deg)(?![a-zA-Z])",
        ),
        r"^\\circ",
    ),
    (
        re.compile(
            r"(?<![\d.])(?P<degrees>\d{1,4})\s*\^\\circ\s*(?P<minutes>\d{1,2})\s*(?:['′’]|\^\{?\\prime\}?)(?!['′’])"
            r"(?:\s*(?P<seconds>\d{1,2})\s*(?:''|″|\"|\^\{?\\prime\\prime\}?))?"
        ),
        lambda angle: (
            rf"\frac{{{int(angle[1]) * 3600 + int(angle[2]) * 60 + int(angle['seconds'] or 0)}}}{{3600}}^\circ"
        ),
    ),
)
# A number with its thousands set apart, before a sign; in brackets they would be two numbers.
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*(?:\\%|\^\\circ)")
_REPEATED = re.compile(
    r"(?<![\d.,])(?P<whole>\d{0,20})\.(?P<fixed>\d{0,20}?)"
    r"(?:\\(?:overline|bar)\s*\{?(?P<block>\d{1,20})\}?|\\dot\s*\{?(?P<dotted>\d)\}?(?![\d\\])"
    r"|(?:(?P<again>\d)(?P=again){2,}|(?P<more>\d{2,6})(?P=more)+)\s*(?:\\[lc]?dots|\.\.\.|…))"
)
_SHORT = re.compile(
    rf"(?<![\w.\\])(?P<number>{_NUMBER})\s?(?:\\(?:text|mathrm)\s*\{{\s*)?(?P<scale>[kKMB]|bn)(?![a-zA-Z_^])(?:\s*\}})?"
)
_SHORT_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9}
_BARE_ROOT = re.compile(r"\\sqrt\s*(\d{2,})")
_BARE_INDEX = re.compile(r"(?<![a-zA-Z\\])([a-zA-Z])(\d+)(?![\d.])")
_RADIANS = re.compile(r"(?:\\text\s*\{\s*(?:radians?|rads?)\s*\}|(?<=[\d}\s])(?:radians?|rads?)(?![a-zA-Z]))")


def scaled(answer: str) -> str:
    r"""Return an answer with the words multiplied out that scale its numbers: `\$5000000` for `\$5\text{ million}`."""
    for _ in range(2):  # "five hundred thousand" scales twice
        answer = _NO_TEXT.sub("", _SCALED.sub(_multiplied, answer)).rstrip()
    return answer


def _multiplied(number: re.Match[str]) -> str:
    return f"{Fraction(number['number'].replace(',', '')) * _SCALES[number['scale']]} {number['text'] or ''}"


def in_digits(answer: str) -> str:
    """Return an answer with its mixed fractions, exponents, ordinals and "about" in plain notation: 5/2 for 2 1/2."""
    answer = _ABOUT.sub("", answer)
    if ordinal := _ORDINAL.fullmatch(answer):
        return ordinal[1]
    if number := _WITH_EXPONENT.fullmatch(answer):
        return rf"{number[1]} \times 10^{{{int(number[2])}}}"
    return _SLASHED.sub(_improper, answer)


def _improper(mixed: re.Match[str]) -> str:
    whole, over, under = map(int, mixed.groups())
    return f"{whole * under + over}/{under}" if over < under else mixed[0]


def changing(answer: str) -> list[str]:
    """Return the words of an answer that may make its number another: scales, operators, comparisons, denials."""
    text = _POWER_OF_UNIT.sub("", unwrapped(answer).casefold())
    return [word for word in _WORD.findall(text) if word in _CHANGING] + _MORE_WORDS.findall(text)


def repeated(answer: str) -> str:
    r"""Return an answer with its repeating decimals as fractions: `0.\overline{3}`, `0.333\ldots`."""
    return _REPEATED.sub(_as_fraction, answer)


def _as_fraction(decimal: re.Match[str]) -> str:
    whole, fixed, *blocks = decimal.groups()
    block = next(filter(None, blocks))
    over = int(whole + fixed + block) - int(whole + fixed or 0)
    return rf"\frac{{{over}}}{{{10 ** len(fixed) * (10 ** len(block) - 1)}}}"


def signs(answer: str) -> str:
    r"""Return an answer with its words for percent and degrees as signs: `\%` and `^\circ`."""
    answer = rewritten(answer, _SIGNS)
    return answer.replace(",", "") if _GROUPED.fullmatch(answer) else answer


class Reading(NamedTuple):
    """Two answers as they may be meant."""

    gold: str
    answer: str
    usual: bool = True
    """Whether anyone means it so; of the others equality says only that it may be."""
    rounds: bool = False
    """Whether a sign is turned into a number, which the other answer may give in few digits."""


_UNREADABLE = Reading("", "", usual=False)  # two answers of which nobody can say what they mean: they may be equal


def readings(gold: str, answer: str) -> list[Reading]:
    """Return what two answers may mean, the usual meanings first."""
    radians = bool(_RADIANS.search(gold) or _RADIANS.search(answer))
    gold, answer = _in_both(_RADIANS, "", gold, answer)
    meanings = [
        as_angle
        for mixed in mixed_readings(gold, answer)
        for as_share in _percent(mixed)
        for as_angle in _degrees(as_share, radians)
    ]
    return sorted(dict.fromkeys([*meanings, *_shorthand(gold, answer)]), key=lambda read: not read.usual)


def _in_both(pattern: re.Pattern[str], replacement: Replacement, gold: str, answer: str) -> tuple[str, str]:
    return pattern.sub(replacement, gold), pattern.sub(replacement, answer)


def _shorthand(gold: str, answer: str) -> Iterator[Reading]:
    r"""Yield `5k` as 5000 and `x1` as x_{1}, where only one answer is written so, and `\sqrt12` as the root of 12."""
    written_out = _in_both(_SHORT, lambda short: str(Fraction(short[1]) * _SHORT_SCALES[short[2]]), gold, answer)
    if (written_out[0] == gold) != (written_out[1] == answer):
        yield Reading(*written_out, usual=False)
    if ("_" in gold) != ("_" in answer):
        yield Reading(*_in_both(_BARE_INDEX, r"\1_{\2}", gold, answer), usual=False)
    roots = _in_both(_BARE_ROOT, r"\\sqrt{\1}", gold, answer)
    if roots != (gold, answer):
        yield Reading(*roots, usual=False)


def mixed_readings(gold: str, answer: str) -> Iterator[Reading]:
    """Yield two answers with their mixed numbers as fractions: sums, and then products."""
    sums, products = (_in_both(_MIXED, partial(_fraction, other=other), gold, answer) for other in (False, True))
    yield Reading(*sums)
    if products[0] != sums[0]:
        yield Reading(products[0], sums[1], usual=False)
    if products[1] != sums[1]:
        yield Reading(sums[0], products[1], usual=False)


def _fraction(mixed: re.Match[str], other: bool) -> str:
    """Return a mixed number as one fraction: a sum where the fraction is proper, else a product."""
    whole, over, under = (int(part) for part in mixed.groups() if part is not None)
    is_sum = (over < under) != other
    return rf"\frac{{{whole * under + over if is_sum else whole * over}}}{{{under}}}"


def _percent(read: Reading) -> Iterator[Reading]:
    gold, answer = read.gold, read.answer
    bare = _in_both(_PERCENT_SIGN, "", gold, answer)
    if gold.count(r"\%") == answer.count(r"\%"):
        yield read._replace(gold=bare[0], answer=bare[1])
        return
    for factor in (Fraction(1, 100), Fraction(100)):
        yield _converted(read, _PERCENT, r"\%", usual=read.usual and factor < 1, factor=factor)
    is_large = all((_exact(value) or 0) > 1 for text in (gold, answer) for value in _PERCENT.finditer(text))
    yield Reading(*bare, usual=read.usual and is_large)


def _degrees(read: Reading, radians: bool) -> Iterator[Reading]:
    gold, answer = read.gold, read.answer
    counts = gold.count(r"^\circ"), answer.count(r"^\circ")
    bare = read._replace(gold=gold.replace(r"^\circ", ""), answer=answer.replace(r"^\circ", ""))
    trigonometry = any(counts) and (_TRIGONOMETRY.search(gold) or _TRIGONOMETRY.search(answer))
    if counts[0] == counts[1] and not trigonometry:
        yield bare
        return
    yield _converted(read, _DEGREES, r"^\circ", usual=read.usual, factor=Fraction(1, 180), pi=r" \pi")
    if not trigonometry and not radians:
        yield bare


def _converted(
    read: Reading, pattern: re.Pattern[str], sign: str, *, usual: bool, factor: Fraction, pi: str = ""
) -> Reading:
    """Return two answers with a sign turned into a number; behind anything but a number it cannot be read."""
    both = _in_both(pattern, partial(_times, factor=factor, pi=pi), read.gold, read.answer)
    return _UNREADABLE if any(sign in text for text in both) else Reading(*both, usual=usual, rounds=True)


def _times(match: re.Match[str], factor: Fraction, pi: str) -> str:
    """Return the number before a sign, times a factor; of an angle, times π."""
    if (value := _exact(match)) is not None:
        return rf"\frac{{{(value * factor).numerator}{pi}}}{{{(value * factor).denominator}}}"
    over = pi or rf" \cdot {factor.numerator}"
    return rf"\frac{{({match['over']}){over}}}{{({match['under']}) \cdot {factor.denominator}}}"


def _exact(match: re.Match[str]) -> Fraction | None:
    """Return the number before a sign; None where it is a fraction of formulas."""
    try:
        return Fraction(match["number"] or match["over"]) / Fraction(match["slash"] or match["under"] or 1)
    except (ValueError, ZeroDivisionError):
        return None
