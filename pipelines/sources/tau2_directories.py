"""Results that tau2 saves as a directory: an index of the runs, and a file for each of them.

    results.json             {"timestamp": "..", "info": {..}, "tasks": [..],
                              "simulation_index": [{"id": "3f6a", "task_id": "[..]", "trial": 0, "reward": 1.0}]}
    simulations/3f6a.json    one run, as a results file has it in its list `simulations`

Nothing but the files of the source is opened: an id is compared with their names, and never made a path of.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import json_of
from pipelines.sources.text import RowError, mapping_of, number, shown
from schemas.errors import SourceError
from schemas.preference import UnreadableRow

INDEX_FILE = "results.json"
FOLDER = "simulations"

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@ +=-]{0,200}")
_SAME = ("id", "task_id", "trial")

Run = tuple[str, Any]
"""Where a run stands (the index file and its number there), and the run."""


def is_index(results: Any) -> bool:
    """Say whether the content of a file is an index of runs that stand in files of their own."""
    return isinstance(results, dict) and not results.get(FOLDER) and isinstance(results.get("simulation_index"), list)


def run_files(index: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files that may hold runs of an index, by the id that their name gives."""
    folder = index.parent / FOLDER
    return {path.stem: path for path in paths if path.parent == folder and path != index}


def indexed_runs(results: Mapping[str, Any], index: Path, files: SourceFiles) -> Iterator[Run | UnreadableRow]:
    """Return the runs of an index in its order, and a row for each that is missing, wrong, or in no index."""
    name, left, seen = files.name(index), run_files(index, files.paths), set[str]()
    found = dict(left)
    for entry_number, entry in enumerate(results["simulation_index"], 1):
        location = f"{name}:{entry_number}"
        try:
            run_id = _run_id(entry, seen)
            left.pop(run_id, None)
            yield location, _run(entry, run_id, found, files)
        except RowError as error:
            yield UnreadableRow(location, error.reason, error.detail)
    for path in left.values():
        yield UnreadableRow(files.name(path), "not_in_index", f"{name} does not list it")


def _run_id(entry: Any, seen: set[str]) -> str:
    """Return the id of an entry. Raises RowError: not_an_object, bad_simulation_id, repeated_simulation."""
    run_id = mapping_of(entry, "the entry").get("id")
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise RowError("bad_simulation_id", f"the id is {shown(run_id)}, no name of a file in {FOLDER}/")
    if run_id in seen:
        raise RowError("repeated_simulation", f"the index lists {shown(run_id)} twice")
    seen.add(run_id)
    return run_id


def _run(entry: Mapping[str, Any], run_id: str, found: Mapping[str, Path], files: SourceFiles) -> Mapping[str, Any]:
    """Return the run of an entry. Raises RowError: missing_simulation, bad_json, not_an_object, index_disagrees."""
    if run_id not in found:
        raise RowError("missing_simulation", f"there is no {FOLDER}/{run_id}.json")
    try:
        run = mapping_of(json_of(found[run_id], files.name(found[run_id])), "the run")
    except SourceError as error:
        raise RowError("bad_json", str(error)) from None
    info = run.get("reward_info")
    reward = info.get("reward") if isinstance(info, Mapping) else None
    given = [(key, entry.get(key), run.get(key)) for key in _SAME]
    for key, listed, written in [*given, ("reward", number(entry.get("reward")), number(reward))]:
        if listed is not None and str(listed) != str(written):
            raise RowError("index_disagrees", f"{key} is {shown(listed)} in the index, {shown(written)} in its file")
    return run
