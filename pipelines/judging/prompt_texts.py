"""Prompts as text files beside the code that sends them, with slots such as `{{question}}`."""

import re
from functools import lru_cache
from importlib import resources

_SLOT = re.compile(r"\{\{(\w+)\}\}")


@lru_cache(maxsize=32)
def prompt_text(package: str, name: str) -> str:
    """Return the text of `<name>.txt` in a package of templates."""
    return (resources.files(package) / f"{name}.txt").read_text("utf-8").strip()


def filled(package: str, name: str, **values: str) -> str:
    """Return the text with its slots filled in one pass: what stands in a value is never a slot."""
    return _SLOT.sub(lambda slot: values[slot[1]], prompt_text(package, name))
