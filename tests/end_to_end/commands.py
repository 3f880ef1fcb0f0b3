"""The `grmforge` command as a user starts it: a process of its own, its exit code, and what it leaves on disk."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from storage.root import Root
from storage.segments import read_segment
from storage.snapshots import Snapshot, find_snapshot
from tests.end_to_end.warm import WarmProcess, can_be_warm

GRMFORGE = str(Path(sys.executable).with_name("grmforge"))
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that are no progress."""
        return [line for line in self.err.splitlines() if line.startswith(("error: ", "stopped: "))]


def start(
    *arguments: str | Path, env: Mapping[str, str] | None = None, cold: bool = False, **settings: Any
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own; from its executable where it is to be `cold`."""
    environment = os.environ | dict(env or {})
    kind = subprocess.Popen[str] if cold or not can_be_warm(environment) else WarmProcess
    return kind(
        [GRMFORGE, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **settings,
    )


def grmforge(*arguments: str | Path, env: Mapping[str, str] | None = None, cold: bool = False, **settings: Any) -> Done:
    """Run a command to its end. No command may ever show a traceback."""
    with start(*arguments, env=env, cold=cold, **settings) as process:
        out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return Done(process.returncode, out, err)


def toml(tree: Mapping[str, Any]) -> str:
    """Return a recipe's tree as TOML: a table a section, `[[sources]]` for a list of them."""
    lines = []
    for name, section in tree.items():
        if isinstance(section, list):
            lines += [f"[[{name}]]\n{_keys(entry)}" for entry in section]
        elif all(isinstance(value, dict) for value in section.values()):
            lines += [f"[{name}.{key}]\n{_keys(value)}" for key, value in section.items()]
        else:
            lines.append(f"[{name}]\n{_keys(section)}")
    return "\n\n".join(lines) + "\n"


def _keys(section: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in section.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def write_recipe(path: Path, **sections: Any) -> Path:
    """Write a recipe, and return its path."""
    path.write_text(toml(sections), "utf-8")
    return path


def latest(root: Path, name: str) -> Snapshot:
    """Return the snapshot that a name means."""
    return find_snapshot(Root(root), name)


def data_files(snapshot: Snapshot) -> dict[str, bytes]:
    """Return every data file of a snapshot, by its path in it."""
    files = {str(path.relative_to(snapshot.path)): path.read_bytes() for path in snapshot.path.rglob("*.parquet")}
    assert set(files) == {file.path for table in snapshot.manifest.tables.values() for file in table.files}
    return files


def paid(root: Path) -> Counter[str]:
    """Return how often an answer to each request stands under a root, folded or not."""
    stored: Counter[str] = Counter()
    for path in (root / "generations").rglob("*.parquet"):
        stored.update(pl.read_parquet(path)["request_id"])
    for path in (root / "generations").rglob("*.arrows"):
        for batch in read_segment(path):
            stored.update(batch.column("request_id").to_pylist())
    return stored


def frame(snapshot: Snapshot, table: str) -> pl.DataFrame:
    """Return a whole table of a snapshot."""
    return pl.read_parquet(snapshot.files(table))
