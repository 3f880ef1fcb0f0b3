r"""Answers in words: which option of a question do they pick, and are they a short text word for word?

An option is picked by number ("3", "option 3"), by letter ("C", "(c)"), by its text, or by several of these: "option 3:
the UE". Where they name different options the answer is undecided: the options may have been shuffled. A short text is
right where it is the gold one word for word, and wrong where it is another option. A teacher must judge the rest.
"""

import re
from itertools import pairwise

from pipelines.grading.final_answer import bare, final_answer
from pipelines.grading.notation import unwrapped
from schemas.question import Verdict
from schemas.thoughts import split_thoughts

LONGEST = 1_000  # characters of the longest answer that is read
_SHORTEST = 4  # characters of the shortest option that is looked for inside a longer text: "5" stands in many sentences

_NAMED = re.compile(
    r"(?P<noun>(?:the )?(?:(?:correct|right|best) )?(?:options?|choices?|answers?|number|no\.|选项)\s*#?\s*)?"
    r"[(\[]?(?P<name>\d{1,2}|[A-Za-z])(?![\w%])(?P<mark>\s*[)\].:：,]+(?!\d)|\s+[-–—]\s)?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER = re.compile(
    r"\s*(?:,|&|/|\band\b|\bor\b)?\s*(?:options?\s*)?[(\[]?(\d{1,2}|[A-Za-z])[)\].]?(?=\s*(?:$|,|&|/|and\b|or\b))"
)
_SPOKEN_OF = re.compile(r"\s*(?:is|isn't|are|was|can|cannot|could|does|would|may|seems|says)\b", re.IGNORECASE)
# Said of an option in a sentence of its own: "many believe option 2 is correct" picks none.
_CALLED_RIGHT = re.compile(
    r"(?:^|(?<=[.!:,;\n]))[ \t*_]*(?:(?:so|thus|hence|therefore|clearly)\b,? *)?(?:the )?"
    r"(?P<option>(?:option|answer|choice)\s*[(\[]?(?:\d{1,2}|[A-Za-z])[)\]]?) is (?:the )?(?:correct|right|best)"
    r"(?: (?:one|answer|option|choice))?(?=[ \t*_]*(?:[.!]|\n|$|,? (?:because|since|as)\b))",
    re.IGNORECASE,
)
# What stands beside an option and may deny it.
_DOUBT = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|except|unless|if|only|than|but|however|although|instead|rather|wrong|false"
    r"|incorrect|untrue|mistaken?|many|some|believe|might|may|could|seems?|would|actually|wait)\b|n't\b|n’t\b|\?",
    re.IGNORECASE,
)


# A number, a word or a sign: what a sign may mean is much, and -5 is not 5.
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+|\S")
# Punctuation where it ends something, and quotation marks: nothing else says nothing.
_SET_OFF = re.compile(r"[.,;:?]+(?=\s|$)|(?<!\d)!+(?=\s|$)|[\"“”„]")
_DECORATED = re.compile(r"(?<!\w)(?P<mark>\*{1,3}|_{1,2}|`|\$)(?=\S)(?P<inner>[^*_`$\n]{0,300})(?<=\S)(?P=mark)(?!\w)")
_UNIT = 3  # characters of a word behind a number whose case counts: 5 mW is not 5 MW
_DASHES = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "’": "'"})


def picked_answer(options: tuple[str, ...], text: str) -> str | None:
    """Return the final answer of a text; a last line that is an option, or "option 3 is correct", is one, too."""
    if (answer := final_answer(text)) is not None:
        return answer
    after = split_thoughts(text)[0].rstrip()
    if called := list(_CALLED_RIGHT.finditer(after)):
        return called[-1]["option"] + (after[called[-1].end() :] if _DOUBT.search(after, called[-1].end()) else "")
    lines = [bare(line) for line in after.splitlines()[-8:] if line.strip() or not line]
    repeats_options = len(lines) > 1 and len(lines[-2]) <= LONGEST and _opens(options, lines[-2])
    if not lines or len(lines[-1]) > LONGEST or repeats_options:
        return None
    return lines[-1] if picks(options, lines[-1]) and _opens(options, lines[-1]) else None


def verdict(gold: str, options: tuple[str, ...], answer: str) -> Verdict:
    """Return whether an answer picks the gold option, a number from 1: right, wrong or undecided."""
    picked = picks(options, answer) if _is_option(gold, options) and len(answer) <= LONGEST else set()
    if len(picked) != 1:
        return Verdict.UNDECIDED
    return Verdict.RIGHT if picked == {int(gold)} else Verdict.WRONG


def reads(gold: str, options: tuple[str, ...]) -> bool:
    """Return whether the gold is the number of an option, and its text no other option's."""
    return _is_option(gold, options) and picks(options, f"option {gold}: {options[int(gold) - 1]}") == {int(gold)}


def _is_option(gold: str, options: tuple[str, ...]) -> bool:
    return gold.isascii() and gold.isdecimal() and len(gold) <= 2 and 1 <= int(gold) <= len(options)


def picks(options: tuple[str, ...], answer: str) -> set[int]:
    """Return the numbers, from 1, of all options that an answer may mean; none where it names none."""
    answer = bare(unwrapped(answer))
    by_text = _equal(options, answer)
    if not by_text and _DOUBT.search(_around(options, answer)):
        return set()
    named = _NAMED.fullmatch(answer)
    if named is None or not _names(named):
        return by_text or _mentioned(options, answer)
    numbers, rest = {_number(named["name"])}, named["rest"]
    if _SPOKEN_OF.match(rest) and not _CALLED_RIGHT.match(answer):
        return set()
    stated = _equal(options, rest)
    while another := _ANOTHER.match(rest):
        numbers.add(_number(another[1]))
        rest = rest[another.end() :]
    numbers = {number for number in numbers if number <= len(options)}
    return numbers | stated | (set() if named["noun"] else by_text) | _mentioned(options, rest)


def _opens(options: tuple[str, ...], line: str) -> bool:
    """Return whether a line is or opens with an option, and does not merely speak of one."""
    named = _NAMED.fullmatch(line)
    return bool(_equal(options, line)) or (named is not None and _names(named))


def _names(named: re.Match[str]) -> bool:
    """Return whether what opens like an option does so on purpose: "3 dB" and "A base station" do not."""
    return bool(named["noun"] or named["mark"] or not named["rest"].strip(" )]."))


def _number(name: str) -> int:
    """Return the number, from 1, of an option that goes by a number or a letter."""
    return int(name) if name.isdecimal() else ord(name.lower()) - ord("a") + 1


def _normal(text: str) -> str:
    """Return a text in lower case, without differences in blanks, quotes and the full stop at its end."""
    return " ".join(unwrapped(text).casefold().replace("’", "'").split()).strip(" .;:\"'`*")


def _equal(options: tuple[str, ...], text: str) -> set[int]:
    normal = _normal(text)
    return {number for number, option in enumerate(options, 1) if normal and _normal(option) == normal}


def _around(options: tuple[str, ...], text: str) -> str:
    """Return a text without the options that stand in it, which may themselves say "not"."""
    text = _normal(text)
    for option in sorted(map(_normal, options), key=len, reverse=True):
        text = text.replace(option, " ") if len(option) >= _SHORTEST else text
    return text


def _mentioned(options: tuple[str, ...], text: str) -> set[int]:
    """Return the options whose text is this one or, failing that, stands in it and in no other option that does."""
    if equal := _equal(options, text):
        return equal
    normal = _normal(text)
    within = {
        number: option
        for number, option in enumerate(map(_normal, options), 1)
        if len(option) >= _SHORTEST and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", normal)
    }
    longer = within.values()
    return {
        number for number, option in within.items() if not any(option in other and option != other for other in longer)
    }


def stated_text(text: str) -> str | None:
    """Return what a text answers in words: its final answer where it marks one, or all of it."""
    return final_answer(text, in_words=True) or split_thoughts(text)[0].strip() or None


def text_verdict(gold: str, answer: str, options: tuple[str, ...] = ()) -> Verdict:
    """Return right where both hold the same words and signs in the same order, whatever punctuation stands between
    them, wrong where the answer holds those of another of the question's options; else undecided.
    """
    gold_tokens, tokens = _tokens(gold), _tokens(answer)
    if not gold_tokens or not tokens:
        return Verdict.UNDECIDED
    if tokens == gold_tokens:
        return Verdict.RIGHT
    return Verdict.WRONG if any(tokens == _tokens(option) for option in options) else Verdict.UNDECIDED


def _tokens(text: str) -> list[str]:
    text = _DECORATED.sub(r"\g<inner>", text.translate(_DASHES))
    tokens = _TOKEN.findall(_SET_OFF.sub(" ", text))
    return [
        token if before[0].isdigit() and len(token) <= _UNIT else token.casefold()
        for before, token in pairwise(["-", *tokens])
    ]
