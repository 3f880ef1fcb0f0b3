r"""Words and notations that make a number another one: "5 million" is no 5, nor is "5 halves", "5 plus six", "5 not".

A noun behind a number is a unit, and what counts eggs counts eggs. What is written out plainly is put in digits
here; of all other words that may change a number it is only said that they are there.
"""

import re
from fractions import Fraction

from pipelines.grading import notation

_SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000,
    "dozen": 12,
}
_SCALED = re.compile(
    r"(?<![\w.,/^_{}])(?P<number>(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,30})(?:\.\d{1,30})?)[\s~]*(?P<text>\\text\s*\{)?\s*"
    rf"(?P<scale>{'|'.join(_SCALES)})s?(?![\w-])(?!\s*\d)"
)
_NO_TEXT = re.compile(r"\\text\s*\{\s*\}")
_MIXED = re.compile(r"(?<![\w.,/^_}])(\d{1,9}) +(\d{1,2})\s?/\s?(\d{1,3})(?![\d/.])")
_WITH_EXPONENT = re.compile(r"([-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}))[eE]([-+]?\d{1,3})")
_ORDINAL = re.compile(r"(\d{1,15})\s*\^?\s*\{?\s*(?:\\text\s*\{\s*)?(?:st|nd|rd|th)\s*\}{0,2}")
_ABOUT = re.compile(r"\s*(?:\\text\s*\{\s*)?(?:about|around|approximately|roughly)\b\s*\}?[\s~]*(?=[-+\\$\d.])")

_LETTERS = re.compile(r"[a-z]+")
_CHANGING = frozenset(
    _LETTERS.findall(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds "
        "thousand thousands million millions billion billions trillion trillions dozen dozens "
        "half halves third thirds fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths "
        "ninth ninths tenth tenths hundredth hundredths thousandth thousandths millionth millionths "
        "squared cubed factorial root power exponent plus minus negative times over divided multiplied added "
        "subtracted less more fewer greater larger smaller bigger higher lower than below above under beyond between "
        "point mod modulo least most out up down to through until double triple twice thrice "
        "not no never none neither nor wrong false incorrect untrue invalid isn doesn impossible cannot except "
        "unless if but however although instead rather maybe perhaps possibly probably actually wait"
    )
)
_WORD = re.compile(r"(?<![\\a-z])[a-z]+(?![a-z])")
_MORE_WORDS = re.compile(r"(?<![\\a-z])(?:and|or)[^\w\\]+[a-z]{2}")
_POWER_OF_UNIT = re.compile(r"(?<=[a-z]) +(?:squared|cubed)\b|\bto the (?=nearest\b)")


def in_digits(answer: str) -> str:
    """Return an answer with its mixed fractions, exponents, ordinals and "about" in plain notation: 5/2 for 2 1/2."""
    answer = _ABOUT.sub("", answer, count=1) if _ABOUT.match(answer) else answer
    if ordinal := _ORDINAL.fullmatch(answer):
        return ordinal[1]
    if number := _WITH_EXPONENT.fullmatch(answer):
        return rf"{number[1]} \times 10^{{{int(number[2])}}}"
    return _MIXED.sub(_improper, answer)


def scaled(answer: str) -> str:
    r"""Return an answer with the words multiplied out that scale its numbers: `\$5000000` for `\$5\text{ million}`."""
    for _ in range(2):  # "five hundred thousand" scales twice
        answer = _NO_TEXT.sub("", _SCALED.sub(_multiplied, answer)).rstrip()
    return answer


def changing(answer: str) -> list[str]:
    """Return the words of an answer that may make its number another: scales, operators, comparisons, denials."""
    text = _POWER_OF_UNIT.sub("", notation.unwrapped(answer).casefold())
    return [word for word in _WORD.findall(text) if word in _CHANGING] + _MORE_WORDS.findall(text)


def _improper(mixed: re.Match[str]) -> str:
    whole, over, under = (int(part) for part in mixed.groups())
    return f"{whole * under + over}/{under}" if over < under else mixed[0]


def _multiplied(number: re.Match[str]) -> str:
    value = Fraction(number["number"].replace(",", "")) * _SCALES[number["scale"]]
    digits = str(value) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return f"{digits} {number['text'] or ''}"
