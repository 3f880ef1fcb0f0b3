r"""Where a text gives its final answer.

The last mark wins. Marks are `\boxed{..}` and lines such as `#### 18`, `A: 18`, `Answer: 18`, `**Final Answer:** 18`.
A text without one is searched for its last sentence such as "the answer is 18" or "答案是 18". A text without that is
an answer where it is nothing but a value. A box that never closes broke off: the text has no answer, whatever stands
earlier. Every step takes time in proportion to the text.
"""

import re
from collections import deque
from typing import NamedTuple

from pipelines.grading.notation import group_end
from schemas.thoughts import split_thoughts

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
_UNBRACED = re.compile(r"[-+]?[\d.]*\d|[a-zA-Z](?![a-zA-Z])")
_BETWEEN_BOXES = re.compile(
    r"[\s$]*(?:\\[)\]])?[\s$]*(?:,?\s*\\?(?:text\{)?\s*(?:and|or)\b\s*\}?|,|;)[\s$]*(?:\\[(\[])?[\s$]*"
    r"(?:[a-zA-Z](?:_\{?\w\}?)?\s*=[\s$]*)?"
)
# A line `A: 5` before a line `B: 6` is a choice of several.
_LINE = re.compile(
    r"(?:^|\n)[ \t>*_#-]*(?:####(?=[ \t]*[-+−$]*[\d.,/]+\\?%?[ \t]*(?:\n|$))"
    r"|(?:A|(?:the |my )?(?:final |correct |right |best )?(?:answer|option|choice)|antwort|réponse|respuesta"
    r"|(?:最终)?答案)[ \t*_]*[:：])[ \t*_]*\n?(?P<stated>[^\n]*+)(?!\s*\n[ \t>*_#-]*B[ \t*_]*[:：)])",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?:\b(?:answer|solution|option|choice)(?: to (?:the|this) (?:question|problem))?"
    r" (?:is|would be|must be)(?: that)?\b|\b(?:i|we) (?:choose|select|pick)\b"
    r"|\bantwort (?:ist|lautet)\b|\bréponse est\b|\brespuesta es\b|答案[是为])[ \t]*[:：]?\s*",
    re.IGNORECASE,
)
_REST_OF_LINE = re.compile(r"[^\n]*+")
_SENTENCE_END = re.compile(r"[.!](?=\s|$)|[。;]|,? (?:because|since|which|where)\b")
_DELIMITED = re.compile(r"[\s*_]*(\$[^$]+\$|\\\(.*?\\\))(?![^\n]*[$\\])", re.DOTALL)
_VALUE = re.compile(
    r"[-+−$€£]*[\d.,]*\d(?:/\d+)?(?:\s?\\?%)?|\\\((?:(?!\\\)).)*\\\)|\\\[(?:(?!\\\]).)*\\\]|\$[^$]+\$", re.DOTALL
)
_DENIED = re.compile(
    r"(?:\b(?:is|was|be|are)(?: \w+ly)?(?: not|n't)(?: equal to)?|[,;] (?:and |but )?not"
    r"|\b(?:(?:common|typical|usual|classic|easy|tempting) (?:\w+ )?(?:error|mistake|trap|distractor)"
    r"|(?:wrong|incorrect|naive) (?:answer|option|choice|value|result))"
    r" (?:is|was|would be|gives)(?: to (?:say|write|answer))?|(?<![是否])不是|错误答案[是为])[\s$:*]*(?:\\[(\[])?\s*$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|actually,? (?:no|it is|it's|that|the (?:correct |right )?(?:answer|option))"
    r"|correction|on second thoughts?|scratch that|(?:i was|i am|that is|that's|that was|this is)"
    r" (?:wrong|incorrect|not (?:right|correct|true))|i made a mistake)\b|[.!?;]\s+(?:no|sorry)\b[ \t]*[,.;:!]"
    r"|\}[\s$*]*(?:\\[)\]])?[\s$*]*(?:(?:is|was|are|must be|would be)(?: \w+ly)? (?:wrong|incorrect|false"
    r"|not (?:the |a )?(?:answer|solution|right|correct|true|valid|final|possible))\b|(?:is|was)n't\b|cannot be\b"
    r"|can't be\b|(?:是|为)?(?:错误|错的|不对|不正确|不成立))",
    re.IGNORECASE,
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))


def final_answer(text: str, *, in_words: bool = False) -> str | None:
    """Return the final answer of a text as it stands there, decoration removed; None where it gives none.

    An answer `in_words` is all that its line says: "a link which is down" is no link.
    """
    answer, _ = split_thoughts(text)
    mark = _mark(answer)
    if mark is None:
        value: str | None = answer.strip()
        value = value if value and _VALUE.fullmatch(value) else None
    elif mark.boxes:
        value = _in_boxes(answer, mark.boxes)
    else:
        value = answer[mark.start : mark.end]
        if not in_words:  # without the prose around it
            delimited = _DELIMITED.match(value)
            value = delimited[1] if delimited else _SENTENCE_END.split(value, maxsplit=1)[0]
    return bare(value) or None if value else None


def taken_back(text: str) -> bool:
    """Return whether a text denies its final answer as it gives it, or goes on to take it back."""
    answer, _ = split_thoughts(text)
    mark = _mark(answer)
    if mark is None:
        return False
    is_denied = _DENIED.search(answer[max(0, mark.start - 60) : mark.start]) is not None
    return is_denied or _TAKEN_BACK.search(answer, mark.end if mark.boxes else mark.start) is not None


class _Mark(NamedTuple):
    """Where the last mark of an answer stands: a box, or what a line or sentence states."""

    start: int
    end: int
    boxes: list[re.Match[str]]


def _mark(answer: str) -> _Mark | None:
    boxes = list(_BOX.finditer(answer))
    line = _last(_LINE, answer, 0, len(answer))
    if boxes and not (line and line.start() > boxes[-1].start()):
        return _Mark(boxes[-1].start(), boxes[-1].end(), boxes)
    start, end = line.span("stated") if line else (0, len(answer))
    sentence = _last(_SENTENCE, answer, start, end)
    if sentence and not line:
        line = _REST_OF_LINE.match(answer, sentence.end())
    return _Mark(sentence.end() if sentence else start, line.end(), []) if line else None


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text, start, end), maxlen=1)), None)


def bare(answer: str) -> str:
    """Return an answer without what surrounds it: blanks, bold, math delimiters, a full stop."""
    answer = answer.strip()
    while True:
        inner = answer.removesuffix(".").strip("* \n")
        for opening, closing in _DELIMITERS:
            if inner.startswith(opening) and inner.endswith(closing) and len(inner) > len(opening + closing):
                within = inner[len(opening) : -len(closing)].strip()
                inner = inner if opening in within or closing in within else within
        if inner == answer:
            return answer
        answer = inner


def _in_boxes(text: str, boxes: list[re.Match[str]]) -> str | None:
    r"""Return what the last box holds; boxes with nothing but "and", "or" or a comma between them are one answer.

    Taken alone, the last box of `\boxed{3} or \boxed{5}` would pass a guess for an answer.
    """
    contents: list[str] = []
    next_start = None
    for box in reversed(boxes):
        end = _box_end(text, box.end())
        if next_start is not None and (end is None or not _BETWEEN_BOXES.fullmatch(text[end:next_start][:50])):
            break
        if end is None:
            return None
        contents.insert(0, text[box.end() : end].removeprefix("{").removesuffix("}"))
        next_start = box.start()
    return ", ".join(dict.fromkeys(content.strip() for content in contents))


def _box_end(text: str, start: int) -> int | None:
    """Return where the box ends whose content starts here; None where it never closes."""
    if text.startswith("{", start):
        return group_end(text, start)
    unbraced = _UNBRACED.match(text, start)
    return unbraced.end() if unbraced else None
