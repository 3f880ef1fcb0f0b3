"""Identity: canonical JSON, content ids, buckets, and the format version that every file carries."""

import hashlib
import re
import unicodedata
from typing import Any

import orjson
import pyarrow as pa

FORMAT = 1
"""Version of every table, journal and manifest. Readers fill what an older one lacks, and refuse a newer one."""

BUCKETS = 256

_UNSEEN = frozenset({"Cc", "Cf"})
# Letters and signs without a shape: joiners, fillers, variation selectors and the empty Braille pattern.
_SHAPELESS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
)

_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_json(value: Any) -> bytes:
    """Serialise to the one byte form that ids are made of: sorted keys, UTF-8, no spaces.

    Raises TypeError on a lone surrogate; `clean_text` replaces those where text enters the project.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_id(tag: str, *parts: Any) -> str:
    """Return the 32 hex digits of blake2b-128 over the canonical JSON of `[tag, *parts]`."""
    return hashlib.blake2b(canonical_json([tag, *parts]), digest_size=16).hexdigest()


def bucket_of(query_id: str) -> int:
    """Return the bucket (0..255) of a query: the first byte of its id."""
    return int(query_id[:2], 16)


def unit_interval(*parts: Any) -> float:
    """Map content to a number in [0, 1), the same on every machine: the source of every 'random' choice."""
    return int(content_id("unit", *parts)[:13], 16) / 16**13


def clean_text(text: str) -> str:
    """Return the text with lone surrogates, which JSON permits and UTF-8 does not, replaced by U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def is_blank(text: str) -> bool:
    """Say whether nothing of a text can be seen: spaces, zero-width characters, fillers."""
    if text[:1].isascii() and text[:1].isalnum():
        return False
    return all(
        character.isspace() or character in _SHAPELESS or unicodedata.category(character) in _UNSEEN
        for character in text
    )


def table_schema(name: str, fields: "list[pa.Field[Any]]") -> pa.Schema:
    """Return the Arrow schema of one of grmforge's tables, with its name and format in the metadata."""
    return pa.schema(fields, metadata={"grmforge.table": name, "grmforge.format": str(FORMAT)})
