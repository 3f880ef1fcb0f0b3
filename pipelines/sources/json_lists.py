"""The items of a file that is one JSON list, one at a time: memory holds the longest item and never the file.

Python's own parser reads an item from a text that may end in its midst. Where it finds the end too early, more of the
file is read and the item is tried again, each time with twice as much, so that a long item costs little more than once.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.sources.packing import check_growth, opened
from pipelines.sources.text import first_line
from schemas.errors import SourceError
from schemas.strict_json import RepeatedKey, object_of

MAX_ITEM = 1 << 28
"""Characters of one item: where a longer one would end, nobody knows without holding it."""
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_LONGEST_WORD = len("-Infinity")
_BYTE_ORDER_MARK = "\ufeff"


def items_of(path: Path, name: str) -> Iterator[tuple[Any, int, RepeatedKey | None]]:
    """Yield each item, its length in characters, and a key that an object in it holds twice; nothing of an empty file.

    Raises SourceError: no list, truncated, not JSON, not UTF-8, or of an item that cannot be held.
    """
    with opened(path, name) as file:
        text = _Text(file, name, lambda: check_growth(file, path, name))
        if not (character := text.next_character()):
            return
        if character != "[":
            raise SourceError(f"{name}: holds no list of rows; write it as .jsonl, a row a line")
        text.place += 1
        number, character = 0, text.next_character()
        while character != "]":
            number += 1
            yield text.item(number)
            character = text.next_character()
            if character == ",":
                text.place += 1
            elif character != "]":
                raise text.fault(number, f"{character!r} stands behind it" if character else "the file ends behind it")
        text.place += 1
        if text.next_character():
            raise text.fault(number, "something stands behind the list")


class _Text:
    """The text of a file, as far as it is read, from the item on that is looked at."""

    def __init__(self, file: BinaryIO, name: str, check: Callable[[], None]) -> None:
        self._file, self._name, self._check = file, name, check
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes_read = 0
        self._text, self.place = "", 0
        self._is_whole = False
        self._repeated: list[RepeatedKey] = []
        self._parse = json.JSONDecoder(object_pairs_hook=self._lenient_object).raw_decode
        self._read_on()
        self._text = self._text.removeprefix(_BYTE_ORDER_MARK)

    def next_character(self) -> str:
        """Go to the next character that is no space, and return it; "" at the end of the file."""
        while True:
            match = _SPACE.match(self._text, self.place)
            assert match is not None  # it may be empty
            self.place = match.end()
            if self.place < len(self._text) or self._is_whole:
                return self._text[self.place : self.place + 1]
            self._read_on()

    def item(self, number: int) -> tuple[Any, int, RepeatedKey | None]:
        """Return the value that stands next, its length, and a key that stands twice in it; go behind it."""
        self.next_character()
        while True:
            self._repeated.clear()
            try:
                value, end = self._parse(self._text, self.place)
            except RecursionError:
                raise self.fault(number, "nests too deep to be read") from None
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _LONGEST_WORD
                if self._is_whole or not is_cut:
                    raise self.fault(number, error.msg) from None
            except ValueError as error:  # an integer of thousands of digits
                raise self.fault(number, first_line(error)) from None
            else:
                if end + 2 < len(self._text) or self._is_whole:  # else it may be a number that goes on: 1e+ ..
                    length, self.place = end - self.place, end
                    return value, length, self._repeated[0] if self._repeated else None
            if len(self._text) - self.place > MAX_ITEM:
                raise SourceError(f"{self._name}: item {number} is larger than {MAX_ITEM >> 20} MiB; leave it out")
            self._read_on()

    def fault(self, number: int, words: str) -> SourceError:
        return SourceError(f"{self._name}: truncated or not valid JSON: item {number}: {words}")

    def _read_on(self) -> None:
        """Read as much again as is looked at, and forget what was looked at before."""
        left = self._text[self.place :]
        block = self._file.read(max(_BLOCK, len(left)))
        before = self._bytes_read - len(self._decoder.getstate()[0])
        try:
            self._text = left + self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise SourceError(f"{self._name}: byte {before + error.start} is not UTF-8") from None
        self.place, self._is_whole = 0, not block
        self._bytes_read += len(block)
        self._check()

    def _lenient_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        try:
            return object_of(pairs)
        except RepeatedKey as error:
            self._repeated.append(error)
            return dict(pairs)
