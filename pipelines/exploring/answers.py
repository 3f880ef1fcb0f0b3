"""What the page may ask: each name of /api with the module that answers it, which is loaded when somebody asks.

All of them together take a second to load: nobody waits for that before a first page.
"""

import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pipelines.exploring.opening import Opened

_MODULES = {
    **dict.fromkeys(("rows", "count", "facets", "row"), "rows"),
    **dict.fromkeys(("set", "trajectory"), "sets"),
    **dict.fromkeys(("versions", "changes"), "changes"),
    **{"overview": "overview", "failures": "failures", "evaluation": "evaluated", "review": "reviewing"},
}
NAMES = frozenset(_MODULES)


def answer_to(name: str, opened: Opened, query: Mapping[str, str], stop: threading.Event) -> Any:
    """Return the answer to one of NAMES."""
    module = import_module(f"pipelines.exploring.{_MODULES[name]}")
    return getattr(module, f"{name}_answer")(opened, query, stop)


def load_all() -> None:
    for module in dict.fromkeys(_MODULES.values()):
        import_module(f"pipelines.exploring.{module}")
