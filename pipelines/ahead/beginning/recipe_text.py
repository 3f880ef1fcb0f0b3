"""The recipe as it is written: every key with the reason for its value, in a comment above it."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import RecipeError
from schemas.recipe import Recipe, recipe_of

_WIDTH = 118


@dataclass(frozen=True, slots=True)
class Choice:
    """A key of the recipe, its value, and why it has it."""

    section: str
    """As the recipe writes it, such as `models.grm`; `sources` is a list of one."""
    key: str
    value: Any
    why: str


def tree_of(choices: Sequence[Choice]) -> dict[str, Any]:
    """Return the recipe's tree."""
    tree: dict[str, Any] = {}
    for choice in choices:
        *path, last = choice.section.split(".")
        below = tree
        for name in path:
            below = below.setdefault(name, {})
        below.setdefault(last, {})[choice.key] = choice.value
    tree["sources"] = [tree["sources"]]
    return tree


def recipe_by(choices: Sequence[Choice], directory: Path) -> Recipe:
    """Return the recipe of these choices. Raises RecipeError, which names the key."""
    return recipe_of(tree_of(choices), directory, name="grmforge init")


def text_of(choices: Sequence[Choice], head: Sequence[str]) -> str:
    """Return the recipe as TOML; `head` are the lines of its first comment."""
    lines = [line for words in head for line in _comment(words)]
    section = ""
    for choice in choices:
        if choice.section != section:
            section = choice.section
            lines += ["", f"[[{section}]]" if section == "sources" else f"[{section}]"]
        lines += [*_comment(choice.why), f"{choice.key} = {_value(choice.value)}"]
    return "\n".join(lines) + "\n"


def _comment(words: str) -> Iterator[str]:
    for line in textwrap.wrap(_printable(words), _WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _printable(words: str) -> str:
    """Return words on one line: what data and endpoints say may hold a line break, which would end the comment."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def _value(value: Any) -> str:
    """Return a value as TOML writes it. Raises RecipeError for a name that is no text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if not isinstance(value, str):
        return str(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RecipeError(f"{value!r} is not UTF-8, and no recipe can hold it; rename the file") from None
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
