"""Keys that stand where none belongs: found in settings before anything is published, and masked in what is said."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# Keys by their usual beginnings.
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk)-(?=[-_A-Za-z]*[0-9])[-_A-Za-z0-9]{12,}"
    r"|(?:sk|pk|gsk|csk|xai|hf|r8|ghp|gho|ghs|github_pat|glpat|nvapi|pplx|tgp|xox[abp])[-_](?=[A-Za-z_]*[0-9])[A-Za-z0-9_]{16,}"
    r"|(?:hf|gsk|nvapi|sk_live|sk_test|rk_live|pk_live)_(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{12,}"
    r"|AIza[-_A-Za-z0-9]{16,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|eyJ[-_A-Za-z0-9]{12,}(?:\.[-_A-Za-z0-9.]+)?)"
)
# Letters and digits in one run as long as no word of a variable's name is.
_DENSE = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,}|[A-Za-z0-9]{25,}")
# Names of an address's parameters that hold a key.
_PARAMETER = re.compile(
    r"(?:.*[_-])?(?:keys?|token|secret|passw(?:or)?d|pwd|pass|credentials?|auth|sig|signature|code|jwt)|"
    r"(?:api|access|subscription|auth|secret|private)key|authorization|bearer",
    re.IGNORECASE,
)
# Names of settings that do, and nothing else: `stop_token` is none.
_SETTING = re.compile(
    r"(?:x[_-])?(?:(?:api|secret|access|private|subscription)[_-]?)keys?|(?:(?:access|auth|bearer|api)[_-])?token"
    r"|secret|passwd|password|credentials?|authorization|bearer",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=:/)(/?)[^/\s'\"?#@]*(?:@[^/\s'\"?#@]*)*@")
_BARE_USERINFO = re.compile(r"(?<![\w/.])[^\s/:@'\"]+:[^\s/@'\"]+@(?=[\w.-]+:\d)")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/[^\s'\"?#]*)[?#][^\s'\"]*")


def is_variable_name(text: str) -> bool:
    """Say whether a text can be the name of an environment variable, and is no key that was pasted in its place."""
    return _VARIABLE.fullmatch(text) is not None and not _KEY.search(text) and not _DENSE.search(text)


def address_secret(address: str) -> str | None:
    """Return what part of an address holds a key: "a password", or a parameter by its name; None where none does."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if "@" in parts.netloc:
        return "a user's name or password"
    if parts.fragment:
        return "a part behind #"
    if _KEY.search(parts.path):
        return "a key in its path"
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    holds_key = any(_PARAMETER.fullmatch(name) or _KEY.search(key) or _DENSE.search(key) for name, key in parameters)
    return "a key in its query" if holds_key else None


def looks_like_key(text: str) -> bool:
    """Say whether a text holds a key, by its usual beginning."""
    return _KEY.search(text) is not None


def secret_in(value: Any, name: str = "") -> str | None:
    """Return the key of a table, at any depth, under which a text looks like a secret; None where none does."""
    if isinstance(value, Mapping):
        return next(filter(None, (secret_in(item, str(key)) for key, item in value.items())), None)
    if isinstance(value, list | tuple):
        return next(filter(None, (secret_in(item, name) for item in value)), None)
    return name if isinstance(value, str) and value and (_SETTING.fullmatch(name) or _KEY.search(value)) else None


def masked(text: str) -> str:
    """Return a text without what looks like a key: in addresses, and by the usual beginnings of keys."""
    if ":" in text:
        text = _QUERY.sub(r"\1?..", _BARE_USERINFO.sub("..@", _USERINFO.sub(r"\1..@", text)))
    return _KEY.sub("(a key)", text)
