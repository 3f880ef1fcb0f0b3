"""One score as a judge writes it ("Response 2: **7/10**"), and the words that say whose scores they are.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from typing import NamedTuple

RESPONSE_WORDS = (
    r"responses?|resp\.?|answers?|assistants?(?:'s)?|candidates?|options?|replies|reply|completions?|outputs?|models?"
    r"|antwort(?:en)?|r[ée]ponses?|respuestas?|respostas?|rispost[ae]|antwoord(?:en)?|ответы?|відповід[ьі]|odpowied[źz]"
    r"|cevap|yanıt|jawaban|回答|回复|回覆|回應|回应|响应|答案|答复|选项|候选|応答|返答|응답|답변"
)
_COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_COUNT_WORDS = {word: number for words in (_COUNTS, "零一二三四五六七八九十") for number, word in enumerate(words)}
_ORDINALS = (
    "first|1st|second|2nd|third|3rd|fourth|4th|fifth|5th|sixth|6th|seventh|7th|eighth|8th"  # two for each number
)
_COUNT_WORD = "|".join(_COUNT_WORDS)
# The name of a response. Format it with a prefix for the names of its groups a, b, c and d.
_NAMED = (
    rf"(?:(?<![a-zA-Z])(?:the\s+)?(?:{RESPONSE_WORDS}|r|resp)[\s_]*(?:[#№]|no\.?\s|nr\.?\s|number\s)?\s*"
    r"(?P<{0}a>[0-9]{{1,3}}|[一二三四五六七八九十](?=[\s:：是为得]))"
    rf"|(?:the\s+)?(?P<{{0}}b>{_ORDINALS})(?:\s+(?:{RESPONSE_WORDS}))?"
    rf"|第\s*(?P<{{0}}c>[0-9]{{{{1,3}}}}|[一二三四五六七八九十])\s*(?:个|個)?\s*(?:回答|回复|响应|答案|回應|回答案)"
    r"|[#№]\s*(?P<{0}d>[0-9]{{1,3}}))(?![0-9]|\.[0-9])"
)
_NOTE_WORDS = re.compile(
    rf"(?:\s|[-,;:&|/#.()\[\]*_`]|\b(?:for|of|the|each|both|all|every|in|order|as|shown|presented|given|listed|respectively"
    r"|out|on|a|scale|from|to|and|is|are|range|integers?|only|top|max(?:imum)?|between|points?|per|same|above|this"
    rf"|final|overall|scores?|ratings?|von|bis|für|pour|para|per|de|le|la|1\s*(?:-|to|~)\s*10|{RESPONSE_WORDS})\b"
    r"|满分|分|个|各|和|与|按|顺序|对|至|到|\[[0-9]{1,2}\])*",
    re.IGNORECASE,
)
_NOTE_LABEL = re.compile(_NAMED.format("n") + r"(?:\s*(?:-|to|~|\.\.|至|到)\s*(?P<last>[0-9]{1,3}))?", re.IGNORECASE)
_NOTE_MORE = re.compile(r"\s*(?:,|&|and|和|与|\|)\s*(?:and\s*)?(?P<more>[0-9]{1,3})(?![0-9])", re.IGNORECASE)
_NOTE_SCALE = re.compile(
    r"(?:out\s+of|(?:0\s*)?/|满分|max(?:imum)?|von|top)\s*(?P<top>[0-9]{1,4})"
    r"|(?P<low>[0-9]{1,3})\s*(?:-|to|~|\.\.|or|bis|至|到)\s*(?P<high>[0-9]{1,4})",
    re.IGNORECASE,
)
# What dresses a list and says nothing: blanks, emphasis, mathematics, tags.
DRESS = r"(?:[\s*_`~$]|\\[,;:! ()\[\]]|\\q?quad|&nbsp;|</?[a-zA-Z][a-zA-Z0-9]{0,9}>)"
LINE_DRESS = DRESS.replace(r"\s", r" \t\r\f\v")
BOX = r"\\*(?:boxed|fbox|framebox|bbox)\s*"
TEXT_MACRO = r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|bm|boldsymbol|bf|rm|displaystyle)\s*"
_QUOTE = "[\"'\u201c\u201d\u2018\u2019]?"
_WRAPPED = rf"(?:(?:{BOX}|{TEXT_MACRO})?\s*[\[({{]\s*|[*_`$]{{1,3}}\s*)"
_UNWRAPPED = r"(?:\s*[\])}]|[ \t]*[*_`$]{1,3})"
_NUMBER = (
    rf"(?:\\[dt]?frac\s*\{{\s*(?P<over>[0-9]+)\s*\}}\s*\{{\s*(?P<under>[0-9]+)\s*\}}"
    rf"|(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?[½¼¾]?|\b(?:{_COUNT_WORD})\b|[零一二三四五六七八九十](?:(?=[分点點])|(?!\w)))"
    rf"{_UNWRAPPED}{{0,3}}(?:\s*(?:/|\bout\s+of\b|\b(?:of|von|sur|su|sobre|de|из)\b)\s*(?P<top>[0-9]+(?:\.[0-9]+)?)|\s*\\?(?P<percent>[%％]))?"
    r"(?:\s*(?:points?\b|pts?\b\.?|分|点|點|점|баллов|балла|punkte\b))?)"
)
_LINK = (
    rf"(?:'s)?{_QUOTE}(?:\s+(?:final\s+|overall\s+)?(?:scores?|ratings?|grades?))?"
    rf"(?:{LINE_DRESS}|[:=)\]|&]|->|=>|→|-(?![0-9]))*"
)
_ROW = r"\(?(?P<row>[0-9]{1,3})[.):]\)?[ \t]+"
ITEM = re.compile(
    rf"(?:{LINE_DRESS}|[-•·+](?=\s)|\\item\b)*"
    rf"(?:(?:\(?[0-9]{{1,3}}[.)]\)?[ \t]+[*_]*)?[({{\[]?{_QUOTE}{_NAMED.format('l')}{_LINK}"
    rf"|(?:(?<=\n)|(?<=\A))[ \t]*{_ROW})?"
    rf"{_QUOTE}{_WRAPPED}{{0,4}}{_NUMBER}{_UNWRAPPED}{{0,4}}{_QUOTE}"
    rf"(?:{LINE_DRESS}*(?:\(|\bfor\b|\bto\b|-)?[ \t]*{_NAMED.format('t')}(?![\s*_]*(?:[:=]|->|→))\)?)?(?![\w.]*[0-9])",
    re.IGNORECASE,
)
_LABEL_ALONE = re.compile(rf"[\s*_`(\[]*{_NAMED.format('l')}[\s*_`)\]:]*", re.IGNORECASE)


class ScoreItem(NamedTuple):
    """One score of a list, as written."""

    number: str
    top: str | None = None
    """What stands below it: "10" in 7/10, "%" in 70 %."""
    label: int | None = None
    """The response that it is said to belong to, counted from 1."""


class Note(NamedTuple):
    """What words beside a heading or behind a list say of its scores."""

    labels: tuple[int, ...] = ()
    """The responses that they name, in order; -1 for a name that is no number."""
    top: int | None = None
    """The top of the range."""
    is_understood: bool = True
    """Whether they say nothing else."""


def read_note(words: str) -> Note:
    """Return what a note says: which responses, in which order, on which scale."""
    labels: list[int] = []
    others, place = "", 0
    while name := _NOTE_LABEL.search(words, place):
        others += words[place : name.start()] + " "
        place = name.end()
        number = name["na"] or name["nd"]
        first = _number_of(number) if number else -1
        labels += _span(first, int(name["last"])) if name["last"] else [first]
        while more := _NOTE_MORE.match(words, place):
            labels.append(int(more["more"]))
            place = more.end()
    others += words[place:]
    scale = _NOTE_SCALE.search(others)
    if scale is None:
        return Note(tuple(labels), None, _NOTE_WORDS.fullmatch(others) is not None)
    if scale["low"] and int(scale["low"]) > int(scale["high"]):
        return Note((-1,))  # "(2-1)": an order, or no scale at all
    others = others[: scale.start()] + others[scale.end() :]
    return Note(tuple(labels), int(scale["top"] or scale["high"]), _NOTE_WORDS.fullmatch(others) is not None)


def label_of(text: str) -> int | None:
    """Return the response that a text names, and nothing else; None where it does not."""
    label = _LABEL_ALONE.fullmatch(text)
    return _label_in(label, "l") if label else None


def item_of(match: re.Match[str]) -> ScoreItem:
    """Return the score that ITEM matched."""
    number, top = match["over"], match["under"]
    if number is None:
        number, top = match["number"], "%" if match["percent"] else match["top"]
    label = _label_in(match, "l") or _label_in(match, "t") or (int(match["row"]) if match["row"] else None)
    return ScoreItem(str(_COUNT_WORDS.get(number.lower(), number)), top, label)


def has_label(text: str, place: int) -> bool:
    """Return whether a score that says whose it is stands at a place."""
    item = ITEM.match(text, place)
    return item is not None and item_of(item).label is not None


def _label_in(match: re.Match[str], prefix: str) -> int | None:
    if number := match[f"{prefix}a"] or match[f"{prefix}c"] or match[f"{prefix}d"]:
        return _number_of(number)
    ordinal = match[f"{prefix}b"]
    return _ORDINALS.split("|").index(ordinal.lower()) // 2 + 1 if ordinal else None


def _number_of(name: str) -> int:
    """Return the number that a response goes by: "2", 二."""
    return int(name) if name.isdigit() else _COUNT_WORDS[name]


def _span(first: int, last: int) -> range:
    """Return the labels from one to another, up or down; a hundred at most."""
    return range(first, min(last, first + 100) + 1) if first <= last else range(first, max(last, first - 100) - 1, -1)
