"""Values as they enter from a data set: cleaned, bounded, and strictly of the type they claim to be.

Nothing here guesses. A value that cannot be used raises `RowError`. `Source.read` turns that into an `UnreadableRow`.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any, cast

from schemas.preference import UnreadableRow
from schemas.record import canonical_json, clean_text, is_blank

MAX_TEXT = 1_000_000
"""Longest text a row may hold, in characters. A longer one makes the row unreadable: no judge could read it."""

MAX_NAME = 1_000
"""Longest id, domain, licence or model of a row, in characters."""

MAX_DEPTH = 64
"""How deep a conversation's JSON may nest."""

Row = dict[str, Any]
"""A row of a data set, as JSON would hold it."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


class RowError(Exception):
    """A row that cannot be used. Rows are counted by `reason`; `detail` is one line about this row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def row(self, location: str) -> UnreadableRow:
        """Return the unreadable row that this error makes of a row."""
        return UnreadableRow(location, self.reason, self.detail)


def missing_field(name: str) -> RowError:
    """Return the error of a field that is missing or null."""
    return RowError("missing_field", f"the row has no field {name!r}")


def first_line(error: BaseException) -> str:
    """Return an exception's message as a detail shows it."""
    return shown(str(error).partition("\n")[0], 120).strip("'\"")


def shown(value: Any, length: int = 60) -> str:
    """Return a value as a detail shows it: one short line without control or escape characters."""
    if isinstance(value, list | dict):  # whose repr may be as large or as deep as the row itself
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = repr(value[: length + 1] if isinstance(value, str) else value)
    return clean_text(text if len(text) <= length else f"{text[:length]}..")


def cleaned(text: str) -> str:
    """Return the text as the project keeps it.

    Lone surrogates become U+FFFD, line ends become `\\n`, and the other C0 and C1 control characters except the tab
    are removed: NUL breaks readers of the tables, an escape character a terminal, and neither says anything.
    """
    text = clean_text(text)
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")) if _CONTROL.search(text) else text


def text_of(value: Any, name: str) -> str:
    """Return a text, cleaned. Raises RowError: missing_field, not_text, text_too_long."""
    if isinstance(value, bytes):  # of Parquet; those of a text are one already
        raise RowError("invalid_utf8", f"{name} holds bytes that are not UTF-8")
    if isinstance(value, str) and len(value) <= MAX_TEXT and value.isascii() and value.isprintable():
        return value  # nothing in it needs a second look, as in most texts of one line
    text: str = _checked(value, name, str, "not_text", "text")
    return cleaned(_bounded(text, name, MAX_TEXT, "text_too_long"))


def _bounded(text: str, name: str, most: int, reason: str) -> str:
    if len(text) > most:
        raise RowError(reason, f"{name} has {len(text):,} characters, more than {most:,}")
    return text


def _checked(value: Any, name: str, kind: type, reason: str, words: str) -> Any:
    """Return a value that is of its type. Raises RowError: missing_field, and this reason."""
    if value is None:
        raise missing_field(name)
    if not isinstance(value, kind):
        raise RowError(reason, f"{name} is {shown(value)}, not {words}")
    return value


def optional_text(value: Any, name: str) -> str | None:
    """Return a text that may be missing: null and the empty text are None."""
    return None if value is None else text_of(value, name) or None


def short_text(value: Any, name: str) -> str | None:
    """Return a name that may be missing. Raises RowError: not_text, name_too_long."""
    text = optional_text(value, name)
    return None if text is None else _bounded(text, name, MAX_NAME, "name_too_long")


def filled_text(value: Any, name: str) -> str:
    """Return a text that must say something. Raises RowError as `text_of` does, and empty_field."""
    text = text_of(value, name)
    if is_blank(text):
        raise RowError("empty_field", f"{name} is empty" + (" but for invisible characters" if text.strip() else ""))
    return text


def list_of(value: Any, name: str) -> list[Any]:
    """Return a list. Raises RowError: missing_field, not_a_list."""
    return cast(list[Any], _checked(value, name, list, "not_a_list", "a list"))


def mapping_of(value: Any, name: str) -> Mapping[str, Any]:
    """Return an object. Raises RowError: missing_field, not_an_object."""
    return cast(Mapping[str, Any], _checked(value, name, dict, "not_an_object", "an object"))


def number(value: Any) -> float | None:
    """Return a finite number, given as a number or a text; None for anything else: "N/A", null, NaN, booleans."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 40 or not _NUMBER.fullmatch(text):
            return None
        value = float(text)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) <= sys.float_info.max else None


def cleaned_json(value: Any, name: str) -> str:
    """Return a value of a row as canonical JSON, every text in it cleaned.

    Raises RowError: nested_too_deep, not_json, text_too_long.
    """
    try:
        text = canonical_json(_cleaned_tree(value, name, MAX_DEPTH)).decode()
    except TypeError as error:  # orjson: an integer beyond 64 bits, or a type that JSON does not have
        raise RowError("not_json", f"{name}: {error}") from None
    return _bounded(text, name, MAX_TEXT, "text_too_long")


def _cleaned_tree(value: Any, name: str, depth: int) -> Any:
    if depth == 0:
        raise RowError("nested_too_deep", f"{name} nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, Mapping):
        return {cleaned(str(key)): _cleaned_tree(item, name, depth - 1) for key, item in value.items()}
    return [_cleaned_tree(item, name, depth - 1) for item in value] if isinstance(value, list) else value
