"""Answers that LaTeX boxes: `\\boxed{..}` and `\\fbox{..}`, as solutions of mathematical problems mark their result.

So the slope is $\\boxed{\\frac{2}{3}}$.      braces nest
There are $\\boxed 5$ of them.               no braces at all
The set is $\\boxed{\\{1, 2\\}}$.              escaped braces are text
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(r"(?P<box>\\(?:boxed|fbox)(?![A-Za-z])\s*(?P<opens>\{)?)|\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"(?:[^\s${}]|\{[^{}$]*\}){1,200}")
_END = re.compile(r"(?:\\[\])]|[.,;:])*$")
_JOINED = re.compile(
    r"[\s$.,;\\()\[\]]*(?:\\text\s*\{)?\s*(?:and|or)\b"
    r"(?:[\s$.,;\\()\[\]{}]|\b[a-z](?:\([a-z]\))?\s*=)*",
    re.IGNORECASE,
)

_JOINT = 60  # characters of the longest text between two boxes that is looked at: the pattern backtracks


class Box(NamedTuple):
    """Where one box of a text stands. Its answer is not cut out: nested boxes would copy their text many times."""

    start: int
    end: int
    """Where the text goes on after it; the text's end where the box never closes."""
    content: slice = slice(0)
    """Where its answer stands; empty where the box never closes."""

    def answer(self, text: str) -> str:
        """Return the answer in the text that the box is of."""
        return text[self.content].strip()


def boxes(text: str) -> list[Box]:
    """Return the boxes of a text in the order in which they start. Takes time in proportion to the text."""
    boxes_so_far: list[Box] = []
    braces: list[tuple[int, int]] = []  # of each open brace: which box it opens, or -1, and where its content starts
    position = 0
    while token := _TOKEN.search(text, position):
        position = token.end()
        if token["opens"]:
            braces.append((len(boxes_so_far), position))
            boxes_so_far.append(Box(token.start(), len(text)))
        elif token["box"]:
            start = position
            if bare := _BARE.match(text, start):
                position += len(_END.sub("", bare[0]))
            boxes_so_far.append(Box(token.start(), position, slice(start, position)))
        elif token[0] == "{":
            braces.append((-1, position))
        elif token[0] == "}" and braces:
            box, start = braces.pop()
            if box >= 0:
                boxes_so_far[box] = Box(boxes_so_far[box].start, position, slice(start, token.start()))
    return boxes_so_far


def last_boxed(text: str) -> str | None:
    """Return the answer of the last box; None where there is none, or where the last one is empty or never closes."""
    all_boxes = boxes(text)
    return (all_boxes[-1].answer(text) or None) if all_boxes else None


def boxes_several(text: str) -> bool:
    """Whether the last two boxes are joined by "and" or "or", and differ: $\\boxed{2}$ and $\\boxed{-3}$.

    Then the last box alone is no gold answer. Two forms of one number (0.5 or 1/2) look the same to this.
    """
    last_two = boxes(text)[-2:]
    if len(last_two) < 2 or last_two[1].start - last_two[0].end > _JOINT:
        return False
    joined = _JOINED.fullmatch(text, last_two[0].end, last_two[1].start) is not None
    return joined and last_two[0].answer(text) != last_two[1].answer(text)
