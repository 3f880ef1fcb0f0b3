"""What each column of somebody's data is taken for, where its name leaves no doubt."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.sources.preference_sets import COLUMNS
from pipelines.sources.text import shown

_BETTER = "chosen|better|preferred|accepted|winning|positive|good|best"
_WORSE = "rejected|worse|dispreferred|losing|negative|bad|worst"
_ENDING = "(?:_?(?:response|answer|completion|output|text|messages?))?"
_NAMES = {
    "query": re.compile("query|prompt|question|instruction|problem|input|user_(?:prompt|query|message)|context"),
    "chosen": re.compile(f"(?:(?:response|answer|completion|output)_)?(?:{_BETTER}){_ENDING}"),
    "rejected": re.compile(f"(?:(?:response|answer|completion|output)_)?(?:{_WORSE}){_ENDING}"),
}


def taken_for(row: Mapping[str, Any]) -> dict[str, str] | None:
    """Return which column of a row is its query, its better and its worse answer; None where a name leaves a doubt."""
    found = {
        name: [key for key in row if pattern.fullmatch(re.sub(r"[^a-z0-9]+", "_", key.casefold()).strip("_"))]
        for name, pattern in _NAMES.items()
    }
    if any(len(keys) > 1 or (not keys and name != "query") for name, keys in found.items()):
        return None
    return {name: keys[0] for name, keys in found.items() if keys}


def roles_in_words(columns: Iterable[str], taken: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield each column with what it is taken for, where that is another name, or that it is not read."""
    by_path = {path.partition(".")[0]: name for name, path in (taken or {}).items() if isinstance(path, str)}
    by_path |= {one: name for name, path in (taken or {}).items() if isinstance(path, list) for one in path}
    for column in columns:
        words = shown(column).strip("'")
        if taken is not None:
            words += f" = {by_path[column]}" if column in by_path else " (not read)"
        yield words


def columns_needed() -> str:
    """Return what to do about rows of which nobody can tell the columns' meaning."""
    example = "columns = { query = .., chosen = .., rejected = .. }"
    known = ", ".join(COLUMNS)
    return f"or say which column is which by {example} in the recipe, --columns here (known: {known})"
