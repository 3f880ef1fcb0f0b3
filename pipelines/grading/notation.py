r"""How an answer is written, apart from what it says: spacing, thousands, units, words.

What is dropped here changes no answer's meaning: `5,\!040` is 5040, `\frac\pi2` is `\frac{\pi}{2}`. Units are split off
rather than dropped, since 5 cm is not 5 m.
"""

import re
from fractions import Fraction

from pipelines.grading import styles

_TEXT = r"\\(?:text(?:normal|rm|bf|it|sf)?|mbox|hbox|math(?:rm|bf|sf|it)|operatorname)\s*"
_WRAPPED = re.compile(rf"{_TEXT}\{{([^{{}}]*)\}}")
_UNIT = re.compile(
    rf"(?P<body>.*[\d}})\]a-z])[\s~]*(?:\\[,;:! ])*{_TEXT}\{{(?P<unit>[^{{}}\d]*[a-zA-Z%][^{{}}\d]*)\}}"
    r"\s*(?:\^\s*\{?\s*(?P<power>[23])\s*\}?)?",
    re.DOTALL,
)
_WORD_UNIT = re.compile(r"(?P<body>[-+]?[\d.,/]*\d)\s+(?P<unit>[a-zA-Z]{3,}[a-zA-Z. /]*)")
_LETTER_UNIT = re.compile(
    r"(?P<body>[-+]?[\d.,/]*\d)\s*(?P<unit>[a-zA-Z][a-zA-Z. /]*)(?:\^\s*\{?\s*(?P<power>[23])\s*\}?)?"
)
_DEGREES = re.compile(r"(?P<body>[-+]?[\d.]*\d|\\frac\{\d+\}\{\d+\})\s*(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree\b)")
_MONEY = re.compile(r"(?:\\?[$€£]|USD|EUR|GBP)\s*(?P<body>[-+]?[\d.,]*\d)")
_CURRENCY = {"$": "dollar", "€": "euro", "£": "pound", "U": "dollar", "E": "euro", "G": "pound"}

_TOKEN = r"\s*(\{[^{}]*\}|\\[a-zA-Z]+|[\da-zA-Z])"
_FRACTION = re.compile(rf"\\[dtc]?frac{_TOKEN}{_TOKEN}")
_GROUP = re.compile(r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3}(?!\d))")
_SPACED_GROUP = re.compile(r"(?<=\d)(?:\\,|\\ |\\:|\\;|~|[ \u00a0\u202f\u2009])(?=\d{3}(?!\d))")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_NOTHING = re.compile(
    r"\\!|\\(?:left|right|big|Big|bigg|Bigg)[lrm]?(?![a-zA-Z])(?=\s*[(\[|)\]\\])|\\phantom\s*(?:\{[^{}]*\}|.)"
)
_SPACES = re.compile(r"(?<!\\)\\[,;: ]|~|\\q?quad\b|\s+")

_IDLE_SPACE = re.compile(r"(?<!\d)\s|\s(?!\d)")

_INTEGER = re.compile(r"([-+]?)(\d{1,40}|\d{1,3}(?:,\d{3}){1,12})(?:\.0{1,20})?")
_FRACTION_OF_INTEGERS = re.compile(r"([-+]?)(?:(\d{1,20})\s?/\s?(\d{1,20})|\\frac\{(\d{1,20})\}\{(\d{1,20})\})")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")
_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_VALUES = frozenset(
    _WORDS.findall(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million "
        "billion dozen half halves third thirds quarter quarters fourth fourths fifth fifths sixth eighth tenth "
        "percent once twice thrice none nothing never solution solutions real infinite infinity infinitely undefined "
        "exist exists true false yes monday tuesday wednesday thursday friday saturday sunday january february march "
        "april may june july august september october november december option choice answer pi minus negative plus "
        "over divided times squared cubed root degrees"
    )
)
"""Words that may stand for a number, or for there being none."""


def plain(answer: str) -> str:
    """Return an answer without what only sets its type: thin spaces, sizes of brackets, phantoms, thousands."""
    answer = styles.unstyled(answer)
    answer = _GROUP.sub("", answer)
    answer = _NOTHING.sub("", answer)
    answer = _FRACTION.sub(_braced, answer)
    answer = _SPACES.sub(" ", answer).strip().rstrip(".").rstrip()
    answer = joined_digits(answer) if _GROUPED.fullmatch(answer) else answer
    return answer if _LETTER.search(unwrapped(answer)) or not is_text(answer) else unwrapped(answer)


def without_spaces(answer: str) -> str:
    """Return an answer without blanks, but for those between digits: "2 3" is not 23."""
    return _IDLE_SPACE.sub("", answer)


def _braced(fraction: re.Match[str]) -> str:
    """Return a fraction with both of its arguments in braces."""
    over, under = (part if part.startswith("{") else f"{{{part}}}" for part in fraction.groups())
    return rf"\frac{over}{under}"


def without_unit(answer: str) -> tuple[str, str | None]:
    r"""Return an answer and its unit, or None: ("12", "cm^2") of `12 \text{ cm}^2`, ("3", "dollar") of `\$3`."""
    if unit := _UNIT.fullmatch(answer):
        return unit["body"].strip(), _powered(unit)
    if unit := _WORD_UNIT.fullmatch(answer):
        return unit["body"], unit["unit"].strip(" .")
    if degrees := _DEGREES.fullmatch(answer):
        return degrees["body"], "degree"
    if money := _MONEY.fullmatch(answer):
        return money["body"], _CURRENCY[answer.lstrip("\\")[0]]
    return answer, None


def without_loose_unit(answer: str) -> tuple[str, str | None]:
    """Return an answer and the letters behind its number, which are a unit only where the gold answer has one."""
    unit = _LETTER_UNIT.fullmatch(answer)
    return (unit["body"], _powered(unit)) if unit else (answer, None)


def _powered(unit: re.Match[str]) -> str:
    return unit["unit"].strip(" .") + (f"^{unit['power']}" if unit["power"] else "")


def joined_digits(answer: str) -> str:
    """Return an answer with the blanks taken out that group the digits of its numbers: 10000 for "10 000"."""
    return _SPACED_GROUP.sub("", answer)


def exact_number(answer: str) -> Fraction | None:
    r"""Return the value of an integer or a fraction of integers, however its thousands are set; None for all else."""
    answer = joined_digits(answer)
    if whole := _INTEGER.fullmatch(answer):
        return Fraction(int(whole[1] + whole[2].replace(",", "")))
    if parts := _FRACTION_OF_INTEGERS.fullmatch(answer):
        over, under = int(parts[2] or parts[4]), int(parts[3] or parts[5])
        return Fraction(-over if parts[1] == "-" else over, under) if under else None
    return None


def unwrapped(answer: str) -> str:
    r"""Return an answer with the content of its `\text{..}` in place of them."""
    return _WRAPPED.sub(r"\1", answer).strip()


def without_text(answer: str) -> str:
    r"""Return an answer without its `\text{..}`."""
    return _WRAPPED.sub(" ", answer)


def closes(answer: str) -> bool:
    """Return whether every brace that an answer opens is closed in it."""
    depth = 0
    for brace in _BRACE.findall(answer):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            return False
    return depth == 0


def is_text(answer: str) -> bool:
    r"""Return whether all of an answer stands in one `\text{..}`."""
    return _WRAPPED.fullmatch(answer.strip()) is not None


def words(answer: str) -> tuple[str, ...] | None:
    """Return an answer's words in lower case; None where it is more than words, such as a number or a formula."""
    text = unwrapped(answer)
    if re.search(r"[\d\\^_=+*/<>{}|]", text):
        return None
    return tuple(word for word in _WORDS.findall(text.casefold()) if word not in ("and", "or", "the")) or None


def may_be_value(words: tuple[str, ...]) -> bool:
    """Return whether words may stand for a number: Evelyn does not, while "two", "none" and (C), some option, may."""
    parts = [part for word in words for part in word.split("-")]
    return any(len(part) < 3 or part in _VALUES for part in parts)
