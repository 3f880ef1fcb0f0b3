"""Texts of data sets and models as a person may be shown them: nothing hidden, nothing that a terminal obeys."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

# C0 and C1 controls but newline and tab, direction overrides, line separators, a byte order mark, lone surrogates and
# the invisible tag characters. Joiners stay: several scripts and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
GAP = "  "
"""Between the columns of a table in a terminal."""
_ELLIPSIS = "…"
_MARKS = re.compile(r"[\\`*_\[\]<>|]")
"""What Markdown would read as a mark."""


def visible(text: str) -> str:
    """Return the text with every control character as its escape, such as `\\x1b`; newlines and tabs stay."""
    return _HIDDEN.sub(_escape, text.replace("\r\n", "\n"))


def flat(text: str) -> str:
    """Return the text visible and on one line, its blanks as they are."""
    return visible(text).replace("\n", " ")


def cut(text: str, most: int) -> str:
    """Return the text, or its first `most` characters and how long it is."""
    return text if len(text) <= most else f"{text[:most].rstrip()} {_ELLIPSIS} [cut: {len(text):,} characters in all]"


def one_line(text: str, most: int) -> str:
    """Return a text of data as one visible line of at most `most` columns."""
    head = " ".join(visible(text[: 4 * most]).split())
    if columns(head) <= most and len(text) <= 4 * most:
        return head
    return f"{head[: _fitting(head, 0, most - 1)].rstrip()}{_ELLIPSIS}"


def wrapped(text: str, width: int, indent: str = "") -> str:
    """Return the text visible and wrapped, its own line breaks kept, every line indented.

    Linear in the length of the text, also where it is one word of a megabyte.
    """
    room = max(20, width - len(indent))
    lines = (part for line in visible(text).expandtabs(4).split("\n") for part in _parts(line, room))
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def markdown_line(text: str) -> str:
    """Return text from a recipe or a source as one line of Markdown that stays text."""
    return _MARKS.sub(r"\\\g<0>", " ".join(visible(text).split()))


def aligned(rows: Sequence[Sequence[str]], names: int = 1) -> list[str]:
    """Return a table's rows as lines: the first `names` columns flush left, those of counts flush right."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell + " " * (width - columns(cell)) if number < names else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def columns(text: str) -> int:
    """Return how many columns of a terminal a visible text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _parts(line: str, width: int) -> Iterator[str]:
    start = 0
    while (fits := _fitting(line, start, width)) < len(line):
        blank = line.rfind(" ", start + 1, fits + 1)
        end = blank if blank > start and line[start:blank].strip() else fits
        yield line[start:end]
        start = end + 1 if end == blank else end
    yield line[start:]


def _fitting(line: str, start: int, width: int) -> int:
    """Return where the part of a line ends that begins at `start` and takes at most `width` columns."""
    end = min(len(line), start + width)
    room = width - columns(line[start:end])
    while room < 0:
        end -= 1
        room += columns(line[end])
    return end


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
