"""What the commands share: their arguments and options, and how they print texts for people and JSON for scripts."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.reporting.visible import visible

MOST = 2**31 - 1
"""The largest number that the command line takes."""

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe, such as recipes/demo.toml.")]
SetsOption = Annotated[
    str | None, typer.Option("--sets", help="Only these sets, such as rft,rl; published under <name>-rft-rl.")
]
RootOption = Annotated[
    str | None, typer.Option("--root", help="A directory or s3://bucket/prefix for everything; the recipe's root else.")
]
SnapshotsOption = Annotated[str, typer.Option("--root", help="Where the snapshots are.", show_default=True)]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many rows of every source.")
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Ask again for what an endpoint refused for good.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Stay until every batch is done, in place of ending with exit code 4.")
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on where most of a model's first answers are of no use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def show(value: object, lines: str | Iterable[str], json: bool) -> None:
    """Print what a command found: the value as JSON, or else a text, or lines, for people."""
    if json:
        print_json(value)
    else:
        say(lines)


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


def size_of(count: int) -> str:
    """Return a number of bytes as people read it."""
    if count < 1_000:
        return f"{count} B"
    power = min((len(str(count)) - 1) // 3, 4)
    return f"{count / 1_000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def counted(count: int, one: str, many: str) -> str:
    """Return a number with the word for what it counts."""
    return f"{count:,} {one if count == 1 else many}"
