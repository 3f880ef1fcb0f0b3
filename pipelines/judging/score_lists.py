r"""One list of scores as a judge writes it: `\boxed{7, 3}`, `[[7, 3]]`, `7/10, 3/10`, a score a line, a small table.

The notation is free, the meaning is not. Every item is an integer, perhaps with the top of the range below it. Labels
("Response 2: 3") decide the order. What leaves a doubt is no list: it breaks off, it mixes labelled scores with bare
ones, or words follow a bare number. Nothing here looks further than `LONGEST_LIST` characters, so that reading takes
time in proportion to the text.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.judging.response_labels import COUNT_WORD, COUNT_WORDS, LABEL, label_in

LONGEST_LIST = 6_000
"""Characters of the longest list that is looked at."""
MOST_LABEL = 999


class ScoreItem(NamedTuple):
    """One score of a list, as written."""

    number: str
    top: str | None
    """What stands below it: "10" in 7/10, "%" in 70 %."""
    label: int | None
    """The response that it is said to belong to, counted from 1."""


class ScoreList(NamedTuple):
    """A list of scores, or the beginning of one."""

    items: tuple[ScoreItem, ...]
    is_whole: bool
    """Whether it can be read: it is closed, and nothing else stands in it."""
    is_marked: bool
    """Whether a box or brackets hold it."""
    end: int
    """Where it ends in the text."""


# What dresses a list and says nothing: blanks, emphasis, mathematics, tags.
_DRESS = r"(?:[\s*_`~$]|\\[,;:! ()\[\]]|\\q?quad|&nbsp;|</?[a-zA-Z][a-zA-Z0-9]{0,9}>)"
_LINE_DRESS = _DRESS.replace(r"\s", r" \t\r\f\v")
_QUOTE = "[\"'\u201c\u201d\u2018\u2019]?"
_BOX = r"\\*(?:boxed|fbox|framebox|bbox)\s*"
_TEXT_MACRO = r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|bm|boldsymbol|bf|rm|displaystyle)\s*"
_OPENING = re.compile(rf"(?:{_BOX}|{_TEXT_MACRO}|\\left\s*)?\\?[\[({{]|<(?=\s*[0-9])")
_CLOSERS = {"[": "]", "(": ")", "{": "}", "<": ">"}
_WRAPPED = rf"(?:(?:{_BOX}|{_TEXT_MACRO})?\s*[\[({{]\s*|[*_`$]{{1,3}}\s*)"
_UNWRAPPED = r"(?:\s*[\])}]|[ \t]*[*_`$]{1,3})"
_NUMBER = (
    rf"(?:\\[dt]?frac\s*\{{\s*(?P<over>[0-9]+)\s*\}}\s*\{{\s*(?P<under>[0-9]+)\s*\}}"
    rf"|(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?[½¼¾]?|\b(?:{COUNT_WORD})\b|[零一二三四五六七八九十](?:(?=[分点點])|(?!\w)))"
    rf"{_UNWRAPPED}{{0,3}}(?:\s*(?:/|\bout\s+of\b|\b(?:of|von|sur|su|sobre|de|из)\b)\s*(?P<top>[0-9]+(?:\.[0-9]+)?)|\s*\\?(?P<percent>[%％]))?"
    r"(?:\s*(?:points?\b|pts?\b\.?|分|点|點|점|баллов|балла|punkte\b))?)"
)
_LINK = (
    rf"(?:'s)?{_QUOTE}(?:\s+(?:final\s+|overall\s+)?(?:scores?|ratings?|grades?))?"
    rf"(?:{_LINE_DRESS}|[:=)\]|&]|->|=>|→|-(?![0-9]))*"
)
_ROW = r"\(?(?P<row>[0-9]{1,3})[.):]\)?[ \t]+"
_MARK = r"\[\^\w{1,3}\]|[\u2600-\u27bf\u2b50\ufe0f\U0001f300-\U0001faff]"
"""A mark of a footnote, or a picture."""
_ITEM = re.compile(
    rf"(?:{_LINE_DRESS}|[-•·+](?=\s)|\\item\b)*"
    rf"(?:(?:\(?[0-9]{{1,3}}[.)]\)?[ \t]+[*_]*)?[({{\[]?{_QUOTE}{LABEL.format('l')}{_LINK}"
    rf"|(?:(?<=\n)|(?<=\A))[ \t]*{_ROW})?"
    rf"{_QUOTE}{_WRAPPED}{{0,4}}{_NUMBER}{_UNWRAPPED}{{0,4}}{_QUOTE}"
    rf"(?:{_LINE_DRESS}*(?:\(|\bfor\b|\bto\b|-)?[ \t]*{LABEL.format('t')}(?![\s*_]*(?:[:=]|->|→))\)?)?(?![\w.]*[0-9])",
    re.IGNORECASE,
)
_GAP = re.compile(
    rf"(?:{_LINE_DRESS}|[,;|&]|\\&|\b(?:and|und|et|y|e|en|och|og|ve|и|і)\b|{_MARK}|和|与|及|、)*", re.IGNORECASE
)
_LINE_END = re.compile(
    rf"(?:{_LINE_DRESS}|{_MARK}|[.,;!|。]|\\\\|<\|\w+\|>|\brespectively\b|\(?\s*(?:/|out\s+of)\s*(?P<top>[0-9]+)\s*\)?|</?\w{{1,12}}>)*"
    r"(?=\n|\Z)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"[ \t*_]*(?:[-–(:;,.]|because\b|as\b)[^\n0-9\\]*(?=\n|\Z)", re.IGNORECASE)
_ASIDE = re.compile(r"[ \t*_]*\([^()\n0-9\\]{1,60}\)[ \t*_.]*(?=\n|\Z)")
_FOOTNOTE = re.compile(r"[ \t]*\[[0-9]{1,2}\][ \t]+[^\n0-9]{0,3}[^\W\d_]")
_NEXT_BOX = re.compile(rf"{_BOX}\{{")
_TEXT_IN_BOX = re.compile(rf"{_TEXT_MACRO}\{{([^{{}}]*)\}}")
_LATEX_BLANK = re.compile(r"\\[,;:! ]|\\q?quad(?![a-z])")
_BETWEEN_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)?")
_ALL_DRESS = re.compile(
    rf"(?:```\w*|{_DRESS}|\\begin\{{(?:tabular|array|itemize|enumerate|center|table)\}}(?:\{{[lcr| ]*\}})?)*"
)
_TABLE_RULE = re.compile(r"[ \t|:+=-]+")
_LABEL_ALONE = re.compile(rf"[\s*_`(\[]*{LABEL.format('l')}[\s*_`)\]:]*", re.IGNORECASE)
_BARE_NUMBERS = re.compile(r"\s*[0-9]{1,3}(?:(?:\s*,\s*[0-9]{1,3})*|(?:\s+[0-9]{1,3})*)\s*")
_BROKEN_OPENING = re.compile(r"\\{1,4}(?:b(?:o(?:x(?:ed?)?)?)?)?\s*\Z|boxed\s*\Z", re.IGNORECASE)
_A_WORD = re.compile(r"[\W_]*[^\W\d_][\s\S]*")
_NO_SCORES = re.compile(
    r"\b(?:ranks?|ranking|places?|positions?|weights?|errors?|mistakes|counts?)\b|排名|名次|权重|错误", re.I
)
"""What a column of a table says that holds other numbers than scores."""
_NO_SCORE = re.compile(r"n\s*/\s*a|none|null|nan|unknown|undefined|tbd", re.IGNORECASE)


def read_list(text: str, start: int) -> ScoreList | None:
    """Return the list of scores that begins at `start`, dress aside; None where something else stands there.

    A list that breaks off, or that nobody can be sure of, is returned with `is_whole` false.
    """
    window = text[start : start + LONGEST_LIST]
    found = _list_in(window)
    return None if found is None else found._replace(end=start + found.end)


def _list_in(text: str) -> ScoreList | None:
    dress = _ALL_DRESS.match(text)
    start = dress.end() if dress else 0
    if start == len(text) or _BROKEN_OPENING.match(text, start):
        return ScoreList((), False, False, len(text))
    if text[start] == "|":
        return _table(text, start)
    opening = _OPENING.match(text, start)
    if opening is None:
        return _lines(text, start)
    end = _closing(text, opening.end() - 1)
    if end < 0:
        return ScoreList((), False, True, len(text))
    content = _unwrapped(text[opening.end() : end])
    items = _items_within(content)
    if items is not None and len(items) > 1:
        return ScoreList(items, True, True, _after_group(text, end + 1))
    if items is not None or _LABEL_ALONE.fullmatch(content):
        return _lines(text, start)
    return None if _is_placeholder(content) else ScoreList((), False, True, end + 1)


def _is_placeholder(content: str) -> bool:
    r"""Return whether a box only says what is to stand in it, as in `\boxed{x, x, ..}`: each of its parts is a word."""
    parts = [part for part in content.split(",") if part.strip(" .\u2026")]
    return bool(parts) and all(_A_WORD.fullmatch(part) and not _NO_SCORE.search(part) for part in parts)


def _after_group(text: str, end: int) -> int:
    """Return where a list ends that `end` closes: what closes around it belongs to it."""
    while end < len(text) and text[end] in "]})>$*_` ":
        end += 1
    return end


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
        content = re.sub(r"\\left\s*|\\right\s*", "", content)
        if content.endswith("\\"):
            content = content[:-1]
        opening = _OPENING.match(content)
        if opening is None or _closing(content, opening.end() - 1) != len(content) - 1:
            return content
        content = content[opening.end() : -1]
    return content


def _items_within(content: str) -> tuple[ScoreItem, ...] | None:
    """Return the scores of a content that holds nothing else; None where it holds something else."""
    if bare := _bare_items(content):
        return bare
    if any(content.count(opener) != content.count(closer) for opener, closer in _CLOSERS.items() if opener != "<"):
        return None
    content = _LATEX_BLANK.sub(" ", _TEXT_IN_BOX.sub(r"\1", content)).replace("\\\\", "\n")
    if bare := _bare_items(content):
        return bare
    items: list[ScoreItem] = []
    place = 0
    while True:
        while place < len(content) and content[place] in " \t\r\n":
            place += 1
        item = _ITEM.match(content, place)
        if item is None:
            return None
        items.append(_item(item))
        gap = _GAP.match(content, item.end())
        assert gap is not None
        place = gap.end()
        if place == len(content):
            return None if re.search(r"[,;&|]\s*\Z", content) else tuple(items)
        if not re.search(r"[,;&|、和与及]|and|und|\n|quad", gap.group() + content[place], re.IGNORECASE) and (
            not _has_label(content, place)
        ):
            return None


def _bare_items(content: str) -> tuple[ScoreItem, ...] | None:
    """Return the scores of a content that is nothing but numbers."""
    if not _BARE_NUMBERS.fullmatch(content):
        return None
    return tuple(ScoreItem(number, None, None) for number in content.replace(",", " ").split())


def _has_label(text: str, place: int) -> bool:
    item = _ITEM.match(text, place)
    return item is not None and _item(item).label is not None


def _item(match: re.Match[str]) -> ScoreItem:
    found = match.groupdict()
    if found["over"] is not None:
        number, top = found["over"], found["under"]
    else:
        number, top = found["number"], "%" if found["percent"] else found["top"]
    word = COUNT_WORDS.get(number.lower())
    return ScoreItem(
        number if word is None else str(word), top, label_in(found, "l") or label_in(found, "t") or _row(found)
    )


def _row(found: dict[str, str | None]) -> int | None:
    return int(found["row"]) if found["row"] else None


def _lines(text: str, start: int) -> ScoreList | None:
    """Return a list without a box of its own: items on one line, or on lines that hold nothing else."""
    items: list[ScoreItem] = []
    place, marked = start, True
    on_line = 0
    # A footnote, or the whole list again in brackets, is no further line of it.
    while not (items and (_FOOTNOTE if on_line < 2 else _OPENING).match(text, place)):
        line = _line(text, place)
        if line is None:
            break
        found, is_whole, is_marked, end = line
        if not is_whole:
            if items:
                break
            return ScoreList(tuple(found), False, is_marked, end)
        items += found
        on_line = len(found)
        marked = marked and is_marked
        place = end
        between = _BETWEEN_LINES.match(text, place)
        if between is None:
            break
        place = between.end()
    return ScoreList(tuple(items), True, marked, place) if items else None


def _line(text: str, start: int) -> tuple[list[ScoreItem], bool, bool, int] | None:
    """Return the items of a line, whether it holds nothing else, whether boxes hold them, and where it ends."""
    items: list[ScoreItem] = []
    place, is_marked, ended_by = start, True, ""
    while (item := _ITEM.match(text, place)) is not None and "\n" not in item.group().lstrip("\n"):
        items.append(_item(item))
        is_marked = is_marked and any(bracket in item.group() for bracket in ("boxed", "[", "fbox"))
        gap = _GAP.match(text, item.end())
        assert gap is not None
        place, ended_by = gap.end(), gap.group()
        if not ended_by.strip() and not _has_label(text, place) and not _NEXT_BOX.match(text, place):
            break
    if not items:
        return None
    is_labelled = all(item.label is not None for item in items)
    is_open = bool(re.search(r"[,;&]\s*\Z", ended_by)) and not text[place:].strip(" \t\n")
    end = _LINE_END.match(text, place)
    if end is not None and not is_open:
        if end["top"]:
            items = [item._replace(top=item.top or end["top"]) for item in items]
        return items, True, is_marked, end.end()
    if is_marked and not is_open and not re.match(r"[0-9]", text[place:]):
        line = text.find("\n", place)
        return items, True, True, len(text) if line < 0 else line
    remark = (_REMARK if is_labelled else _ASIDE).match(text, place) if len(items) == 1 else None
    if remark is not None:
        return items, True, is_marked, remark.end()
    return items, False, is_marked, place


def _table(text: str, start: int) -> ScoreList | None:
    """Return the scores of a table: a row a response, or a column a response."""
    rows: list[list[str]] = []
    place = start
    while text[place : place + 1] == "|":
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        line = text[place:end]
        if not _TABLE_RULE.fullmatch(line):
            rows.append([cell.strip(" \t*_`$") for cell in line.strip().strip("|").split("|")])
        place = end + 1
        while text[place : place + 1] in (" ", "\t"):
            place += 1
    end = min(place, len(text))
    labels = [_LABEL_ALONE.fullmatch(cell) for cell in rows[0]] if rows else []
    if sum(label is not None for label in labels) > 1 and len(rows) == 2:
        pairs = [(cell, label) for cell, label in zip(rows[1], labels, strict=False) if label is not None]
        found = [(_ITEM.fullmatch(cell), label_in(label.groupdict(), "l")) for cell, label in pairs]
        items = [_item(item)._replace(label=label) for item, label in found if item is not None]
        return ScoreList(tuple(items), len(items) == len(pairs) and len(rows[1]) == len(labels), True, end)
    has_header = not (rows and _row_item(rows[0]))
    if has_header and rows and _NO_SCORES.search(" ".join(rows[0])):
        return ScoreList((), False, True, end)
    items = []
    for row in rows[1:] if has_header else rows:
        item = _row_item(row)
        if item is None:
            return ScoreList((), False, True, end) if items else None
        items.append(item)
    return ScoreList(tuple(items), True, True, end) if items else None


def _row_item(cells: Sequence[str]) -> ScoreItem | None:
    """Return the score of a table's row: the name of a response, and one number."""
    label = _LABEL_ALONE.fullmatch(cells[0]) if len(cells) == 2 else None
    number = None if len(cells) != 2 else _ITEM.fullmatch(cells[1])
    if number is None or (label is None and not re.fullmatch(r"[0-9]{1,3}", cells[0])):
        return None
    return _item(number)._replace(label=label_in(label.groupdict(), "l") if label else int(cells[0]))
