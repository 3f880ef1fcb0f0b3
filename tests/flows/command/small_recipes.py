"""A recipe over a few questions, with simulated models."""

from pathlib import Path
from typing import Any

from tests.end_to_end.commands import write_recipe
from tests.end_to_end.questions import write_teleqna


def write_small(directory: Path, count: int = 40, **sections: Any) -> Path:
    """Write a recipe over `count` questions with simulated models, and return its path."""
    write_teleqna(directory / "teleqna.txt", count)
    usual: dict[str, Any] = {
        "build": {"name": "small", "sets": ["rft", "rl"]},
        "sources": [{"kind": "teleqna", "path": "teleqna.txt"}],
        "models": {"grm": {"engine": "simulated"}, "difficulty": {"engine": "simulated", "simulated": {"seed": 1}}},
    }
    return write_recipe(directory / "small.toml", **(usual | sections))
