"""Markdown of data: texts stay texts, whatever marks they hold."""

from collections.abc import Iterable, Sequence

from pipelines.reporting.visible import visible

_MARKS = "\\`*_[]<>|"


def line(text: str) -> str:
    """Return text from a recipe or a source as one line of Markdown that stays text."""
    shown = " ".join(visible(text).split())
    for mark in _MARKS:
        shown = shown.replace(mark, f"\\{mark}")
    return shown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are texts of data, its head is not."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(map(line, row)) + " |" for row in rows]
    return "\n".join(lines)
