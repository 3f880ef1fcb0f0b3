"""What a command prints: texts for people, JSON for scripts."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import typer

from pipelines.reporting.visible import visible


class Finding(Protocol):
    """What a command found, in both forms."""

    def as_json(self) -> Any: ...
    def as_text(self) -> str: ...


def show(found: Finding, json: bool) -> None:
    """Print what a command found."""
    if json:
        print_json(found.as_json())
    else:
        say(found.as_text())


def say(text: str | Iterable[str]) -> None:
    """Print a text, or lines, for people: names and texts of data move no cursor."""
    for line in [text] if isinstance(text, str) else text:
        typer.echo(visible(line))


def print_json(value: object) -> None:
    import orjson

    def plain(part: Any) -> Any:
        return part._asdict()  # messages are named tuples, which orjson leaves to us

    sys.stdout.buffer.write(orjson.dumps(value, plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def columns(most: int = 118, *, without_terminal: int | None = None) -> int:
    """Return how wide a text may be: as the terminal is, `most` at most."""
    return min(shutil.get_terminal_size((without_terminal or most, 24)).columns, most)


def shown_path(location: str) -> str:
    """Return a path as short as it can be typed from here; an address as it is."""
    return location.removeprefix(f"{Path.cwd()}/")
