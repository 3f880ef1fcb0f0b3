"""Licences by name: "Apache 2.0", "apache-2.0" and "Apache License, Version 2.0" are one."""

import difflib
import re
from collections.abc import Iterable, Sequence

_PARTS = re.compile(r"[^\s,_()-]+")
_SAYS_NOTHING = frozenset({"license", "licence", "licensed", "the", "version"})
_VERSION = re.compile(r"v(?=\d)")
_NEAR = 0.75


def license_key(name: str) -> str:
    """Return what two spellings of a licence share: lower case, joined by hyphens, without words that say nothing.

    Numbers stand as they are: CC-BY-4 is not CC-BY-4.0, and `near` finds it.
    """
    parts = [_VERSION.sub("", part) for part in _PARTS.findall(name.casefold())]
    return "-".join(part for part in parts if part not in _SAYS_NOTHING) or name.casefold().strip()


def allowed_among(found: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """Return the licences, as they are spelt, that an allow-list lets through."""
    keys = {license_key(name) for name in allowed}
    return sorted(name for name in set(found) if license_key(name) in keys)


def near(name: str, found: Iterable[str]) -> str | None:
    """Return the licence that was probably meant by a name that no row has."""
    keys = {license_key(spelt): spelt for spelt in sorted(found)}
    hits = difflib.get_close_matches(license_key(name), keys, n=1, cutoff=_NEAR)
    return keys[hits[0]] if hits else None
