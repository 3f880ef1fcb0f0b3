r"""One list of scores as a judge writes it: `\boxed{7, 3}`, `[[7, 3]]`, `7/10, 3/10`, a score a line, a small table.

The notation is free, the meaning is not. Every item is an integer, perhaps with the top of the range below it. Labels
("Response 2: 3") decide the order. What leaves a doubt is no list: it breaks off, it mixes labelled scores with bare
ones, or words follow a bare number. Nothing here looks further than `LONGEST_LIST` characters, so that reading takes
time in proportion to the text.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from typing import NamedTuple

from pipelines.judging.score_items import (
    BOX,
    DRESS,
    ITEM,
    LINE_DRESS,
    TEXT_MACRO,
    Note,
    ScoreItem,
    has_label,
    item_of,
    label_of,
    read_note,
)

LONGEST_LIST = 6_000
"""Characters of the longest list that is looked at."""


class ScoreList(NamedTuple):
    """A list of scores, or the beginning of one."""

    items: tuple[ScoreItem, ...]
    """Empty where the list breaks off, or where nobody can be sure of it."""
    end: int
    """Where it ends in the text."""
    is_marked: bool = True
    """Whether a box or brackets hold it."""

    @property
    def is_labelled(self) -> bool:
        """Whether it says of each of several scores whose it is."""
        return len(self.items) > 1 and all(item.label is not None for item in self.items)


_OPENING = re.compile(rf"(?:{BOX}|{TEXT_MACRO}|\\left\s*)?\\?[\[({{]|<(?=\s*[0-9])")
_CLOSERS = {"[": "]", "(": ")", "{": "}", "<": ">"}
_MARK = r"\[\^\w{1,3}\]|[\u2600-\u27bf\u2b50\ufe0f\U0001f300-\U0001faff]"  # a mark of a footnote, or a picture
_GAP = re.compile(
    rf"(?:{LINE_DRESS}|[,;|&]|\\&|\b(?:and|und|et|y|e|en|och|og|ve|и|і)\b|{_MARK}|和|与|及|、)*", re.IGNORECASE
)
_LINE_END = re.compile(
    rf"(?:{LINE_DRESS}|{_MARK}|[.,;!|。]|\\\\|<\|\w+\|>|\brespectively\b|\(?\s*(?:/|out\s+of)\s*(?P<top>[0-9]+)\s*\)?|</?\w{{1,12}}>)*"
    r"(?=\n|\Z)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"[ \t*_]*(?:[-–(:;,.]|because\b|as\b)[^\n0-9\\]*(?=\n|\Z)", re.IGNORECASE)
_ASIDE = re.compile(r"[ \t*_]*\([^()\n0-9\\]{1,60}\)[ \t*_.]*(?=\n|\Z)")
_FOOTNOTE = re.compile(r"[ \t]*\[[0-9]{1,2}\][ \t]+[^\n0-9]{0,3}[^\W\d_]")
_NEXT_BOX = re.compile(rf"{BOX}\{{")
_TEXT_IN_BOX = re.compile(rf"{TEXT_MACRO}\{{([^{{}}]*)\}}")
_LATEX_BLANK = re.compile(r"\\[,;:! ]|\\q?quad(?![a-z])")
_SEPARATED = re.compile(r"[,;&|、和与及]|and|und|\n|quad", re.IGNORECASE)
_GOES_ON = re.compile(r"[,;&]\s*\Z")
_BETWEEN_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)?")
_ALL_DRESS = re.compile(
    rf"(?:```\w*|{DRESS}|\\begin\{{(?:tabular|array|itemize|enumerate|center|table)\}}(?:\{{[lcr| ]*\}})?)*"
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_TABLE = re.compile(r"(?:\|[^\n]*(?:\n[ \t]*|\Z))+")
_TABLE_RULE = re.compile(r"[ \t|:+=-]+")
_BARE_NUMBERS = re.compile(r"\s*[0-9]{1,3}(?:(?:\s*,\s*[0-9]{1,3})*|(?:\s+[0-9]{1,3})*)\s*")
_BROKEN_OPENING = re.compile(r"\\{1,4}(?:b(?:o(?:x(?:ed?)?)?)?)?\s*\Z|boxed\s*\Z", re.IGNORECASE)
_A_WORD = re.compile(r"[\W_]*[^\W\d_][\s\S]*")
# What a column of a table says that holds other numbers than scores.
_NO_SCORES = re.compile(
    r"\b(?:ranks?|ranking|places?|positions?|weights?|errors?|mistakes|counts?)\b|排名|名次|权重|错误", re.I
)
_NO_SCORE = re.compile(r"n\s*/\s*a|none|null|nan|unknown|undefined|tbd", re.IGNORECASE)
# A sentence that goes on behind its list speaks of scores.
_MENTIONED = re.compile(
    r"[\s`*_\"”“'’]*(?:is|was|are|were|would|could|might|should|may|cannot|can|must|isn['’]t|does|has|had|will|says?|said"
    r"|stands?|steht|appears?)\b",
    re.IGNORECASE,
)
_MORE_NUMBERS = re.compile(r"\s*(?:[,;:|&]|->|=>|→)\s*(?:\\+boxed\s*)?[\[({]*\s*[+-]?[0-9]|\s*[0-9]+\s*\Z")
_REVERSED = re.compile(r"[^\w\n]*(?:in\s+)?revers", re.IGNORECASE)
_SCALE_BEHIND = re.compile(
    r"\s*[(\[]?\s*(?:(?:/|\bout\s+of\b|\b(?:of|von|sur|de)\b)\s*(?P<top>[0-9]+)|(?:(?:on\s+)?(?:a\s+)?scale\b[^0-9\n]{0,20})?"
    r"(?P<low>[0-9]+)\s*(?:-|–|to|~)\s*(?P<high>[0-9]+)|(?P<percent>[%％]|per\s?cent\b))",
    re.IGNORECASE,
)
_WHOSE = re.compile(
    r"\s*[(\[]?\s*(?:for|of)?\s*((?:the\s+)?(?:responses?|answers?|candidates?|assistants?)\b[^.;:)\]\n]*)", re.I
)


def read_list(text: str, start: int) -> ScoreList | None:
    """Return the list of scores that begins at `start`, dress aside; None where something else stands there."""
    listed = _list_in(text[start : start + LONGEST_LIST])
    return None if listed is None else listed._replace(end=start + listed.end)


def _list_in(text: str) -> ScoreList | None:
    start = _past(_ALL_DRESS, text, 0)
    if start == len(text) or _BROKEN_OPENING.match(text, start):
        return ScoreList((), len(text))
    if text[start] == "|":
        return _table(text, start)
    opening = _OPENING.match(text, start)
    if opening is None:
        return _lines(text, start)
    end = _closing(text, opening.end() - 1)
    if end < 0:
        return ScoreList((), len(text))
    content = _unwrapped(text[opening.end() : end])
    items = _items_within(content)
    if items is not None and len(items) > 1:
        # What closes around it belongs to it.
        return ScoreList(items, len(text) - len(text[end + 1 :].lstrip("]})>$*_` ")))
    if items is not None or label_of(content) is not None:
        return _lines(text, start)
    return None if _is_placeholder(content) else ScoreList((), end + 1)


def _past(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Return where a pattern's match at a place ends; the place itself where there is no match."""
    match = pattern.match(text, place)
    return match.end() if match else place


def _is_placeholder(content: str) -> bool:
    r"""Return whether a box only says what is to stand in it, as in `\boxed{x, x, ..}`: each of its parts is a word."""
    parts = [part for part in content.split(",") if part.strip(" .\u2026")]
    return bool(parts) and all(_A_WORD.fullmatch(part) and not _NO_SCORE.search(part) for part in parts)


def _closing(text: str, opening: int) -> int:
    """Return where the bracket at `opening` is closed; -1 where it never is. A macro's braces may nest inside."""
    opener, closer = text[opening], _CLOSERS[text[opening]]
    depth = 0
    for place in range(opening, len(text)):
        if text[place] == opener:
            depth += 1
        elif text[place] == closer:
            depth -= 1
            if not depth:
                return place
    return -1


def _unwrapped(content: str) -> str:
    """Return what stands in a box without the brackets and macros that hold all of it."""
    for _ in range(6):
        content = content.strip(" \t\r\n$*_`").removeprefix("\\displaystyle").strip()
        content = re.sub(r"\\left\s*|\\right\s*", "", content).removesuffix("\\")
        opening = _OPENING.match(content)
        if opening is None or _closing(content, opening.end() - 1) != len(content) - 1:
            return content
        content = content[opening.end() : -1]
    return content


def _items_within(content: str) -> tuple[ScoreItem, ...] | None:
    """Return the scores of a content that holds nothing else; None where it holds something else."""
    if not _BARE_NUMBERS.fullmatch(content):
        if any(content.count(opener) != content.count(closer) for opener, closer in _CLOSERS.items() if opener != "<"):
            return None
        content = _LATEX_BLANK.sub(" ", _TEXT_IN_BOX.sub(r"\1", content)).replace("\\\\", "\n")
    if _BARE_NUMBERS.fullmatch(content):
        return tuple(map(ScoreItem, content.replace(",", " ").split()))
    items: list[ScoreItem] = []
    place = 0
    while item := ITEM.match(content, _past(_BLANKS, content, place)):
        items.append(item_of(item))
        place = _past(_GAP, content, item.end())
        if place == len(content):
            return None if re.search(r"[,;&|]\s*\Z", content) else tuple(items)
        if not _SEPARATED.search(content[item.end() : place + 1]) and not has_label(content, place):
            break
    return None


def _lines(text: str, start: int) -> ScoreList | None:
    """Return a list without a box of its own: items on one line, or on lines that hold nothing else."""
    items: list[ScoreItem] = []
    place, is_marked, on_line = start, True, 0
    # A footnote, or the whole list again in brackets, is no further line of it.
    while not (items and (_FOOTNOTE if on_line < 2 else _OPENING).match(text, place)):
        line = _line(text, place)
        if line is None or (items and not line.items):
            break
        if not line.items:
            return line
        items += line.items
        on_line = len(line.items)
        is_marked = is_marked and line.is_marked
        place = line.end
        between = _BETWEEN_LINES.match(text, place)
        if between is None:
            break
        place = between.end()
    return ScoreList(tuple(items), place, is_marked) if items else None


def _line(text: str, start: int) -> ScoreList | None:
    """Return the list on one line; empty where other words stand on the line, too. None where no score begins it."""
    items: list[ScoreItem] = []
    place, is_marked, gap = start, True, ""
    while (item := ITEM.match(text, place)) is not None and "\n" not in item.group().lstrip("\n"):
        items.append(item_of(item))
        is_marked = is_marked and any(bracket in item.group() for bracket in ("boxed", "[", "fbox"))
        place = _past(_GAP, text, item.end())
        gap = text[item.end() : place]
        if not gap.strip() and not has_label(text, place) and not _NEXT_BOX.match(text, place):
            break
    if not items:
        return None
    if _GOES_ON.search(gap) and not text[place:].strip(" \t\n"):
        return ScoreList((), place)
    if end := _LINE_END.match(text, place):
        return ScoreList(tuple(item._replace(top=item.top or end["top"]) for item in items), end.end(), is_marked)
    if is_marked and not re.match(r"[0-9]", text[place:]):
        line = text.find("\n", place)
        return ScoreList(tuple(items), len(text) if line < 0 else line)
    if len(items) == 1 and (remark := (_ASIDE if items[0].label is None else _REMARK).match(text, place)):
        return ScoreList(tuple(items), remark.end(), is_marked)
    return ScoreList((), place)


def _table(text: str, start: int) -> ScoreList | None:
    """Return the scores of a table: a row a response, or a column a response."""
    end = _past(_TABLE, text, start)
    lines = [line for line in text[start:end].split("\n") if line.strip() and not _TABLE_RULE.fullmatch(line)]
    rows = [[cell.strip(" \t*_`$") for cell in line.strip().strip("|").split("|")] for line in lines]
    if not rows:
        return None
    labels = [label_of(cell) for cell in rows[0]]
    if len(rows) == 2 and sum(label is not None for label in labels) > 1:
        columns = [(label, ITEM.fullmatch(cell)) for label, cell in zip(labels, rows[1], strict=False)]
        named = [(label, score) for label, score in columns if label is not None]
        scores = tuple(item_of(score)._replace(label=label) for label, score in named if score)
        return ScoreList(scores if len(scores) == len(named) and len(rows[1]) == len(labels) else (), end)
    first = _row_item(rows[0])
    if first is None and _NO_SCORES.search(" ".join(rows[0])):
        return ScoreList((), end)
    items = [_row_item(row) for row in (rows if first else rows[1:])]
    if not items or items[0] is None:
        return None
    whole = tuple(item for item in items if item)
    return ScoreList(whole if len(whole) == len(items) else (), end)


def _row_item(cells: list[str]) -> ScoreItem | None:
    """Return the score of a table's row: the name of a response, and one number."""
    if len(cells) != 2:
        return None
    label, number = label_of(cells[0]), ITEM.fullmatch(cells[1])
    if label is None and re.fullmatch(r"[0-9]{1,3}", cells[0]):
        label = int(cells[0])
    return None if number is None or label is None else item_of(number)._replace(label=label)


def with_rest_of_line(listed: ScoreList, rest: str) -> ScoreList | None:
    """Return a list in a box or brackets with what the rest of its line adds; None where a sentence speaks of it.

    Further numbers, and an order that is turned round, leave it empty.
    """
    if _MENTIONED.match(rest):
        return None
    if _MORE_NUMBERS.match(rest) or _REVERSED.match(rest):
        return listed._replace(items=())
    if scale := _SCALE_BEHIND.match(rest):
        top = "%" if scale["percent"] else scale["top"] or scale["high"]
        return listed._replace(items=tuple(item._replace(top=item.top or top) for item in listed.items))
    whose = _WHOSE.match(rest)
    note = read_note(whose[1]) if whose else Note()
    if (
        note.is_understood
        and len(note.labels) == len(listed.items)
        and all(item.label is None for item in listed.items)
    ):
        pairs = zip(listed.items, note.labels, strict=True)
        return listed._replace(items=tuple(item._replace(label=label) for item, label in pairs))
    return listed
