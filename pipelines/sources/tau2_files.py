"""Files of tau2 results: one with all runs, or a directory with an index of the runs and a file for each of them.

    split_tasks.json         {"train": ["[..]", ..], "test": ["[..]", ..]}       the official split
    results.json             {"timestamp": "..", "info": {..}, "tasks": [..],
                              "simulation_index": [{"id": "3f6a", "task_id": "[..]", "trial": 0, "reward": 1.0}]}
    simulations/3f6a.json    one run, as a results file has it in its list `simulations`

Nothing but the files of the source is opened: an id is compared with their names, and never made a path of.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import json_of
from pipelines.sources.text import RowError, mapping_of, number, shown
from schemas.errors import SourceError
from schemas.preference import Split, UnreadableRow

SPLIT_FILE = "split_tasks.json"
INDEX_FILE = "results.json"
FOLDER = "simulations"

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@ +=-]{0,200}")
_SAME = ("id", "task_id", "trial")


class Run(NamedTuple):
    """One run as published, with what its results file says of all runs."""

    location: str
    """The results file and the run's number in it, from 1."""
    value: Any
    info: Any
    tasks: Mapping[str, Mapping[str, Any]]


def without_persona(task_id: str) -> str:
    """Return what a task sets up, whoever its user is: "[issue]fault|fault[PERSONA:Easy]" without the persona."""
    return task_id.partition("[PERSONA:")[0]


def official_splits(files: SourceFiles) -> dict[str, Split]:
    """Return the official split by what a task sets up. A test task's faults are test with every persona.

    Raises SourceError where there is none.
    """
    paths = [path for path in files.paths if path.name == SPLIT_FILE]
    if not paths:
        raise SourceError(
            f"tau2: {files.origin} has no {SPLIT_FILE}, and without it official test tasks would be trained on: give a "
            "directory that has it (data/tau2/domains/telecom in tau2-bench) and the results"
        )
    splits: dict[str, Split] = {}
    for path in paths:
        value = json_of(path, files.name(path))
        if not isinstance(value, dict) or not isinstance(value.get("test"), list):
            raise SourceError(f"tau2: {files.name(path)}: no object with the list of tasks 'test'")
        for split in (Split.TRAIN, Split.TEST):  # test last: it wins
            tasks = value.get(split.value)
            splits |= {without_persona(str(task)): split for task in (tasks if isinstance(tasks, list) else [])}
    return splits


def runs_in(files: SourceFiles) -> Iterator[Run | UnreadableRow]:
    """Return the runs of all results. Raises SourceError where there are none, and for a file of another layout."""
    paths = [path for path in files.paths if path.name != SPLIT_FILE]
    if not paths:
        raise SourceError(f"tau2: {files.origin} has no results: simulations/*.json, results/*/*.json or results.json")
    listed = {run for path in paths if path.name == INDEX_FILE for run in _listed_files(path, files)}
    for path in paths:
        if path in listed:
            continue
        name = files.name(path)
        results = json_of(path, name)
        if path.name == INDEX_FILE and _is_index(results):
            runs = _indexed_runs(results, path, files)
        elif isinstance(results, dict) and isinstance(results.get(FOLDER), list):
            runs = ((f"{name}:{number}", value) for number, value in enumerate(results[FOLDER], 1))
        else:
            raise SourceError(f"tau2: {name}: not a results file (info, tasks, simulations)")
        tasks = results.get("tasks")
        by_id = {str(t.get("id")): t for t in (tasks if isinstance(tasks, list) else []) if isinstance(t, dict)}
        for location, value in runs:
            yield value if isinstance(value, UnreadableRow) else Run(location, value, results.get("info"), by_id)


def _listed_files(index: Path, files: SourceFiles) -> Iterable[Path]:
    """Return the files of single runs that an index speaks for; none where the file is no index."""
    run_files = _run_files(index, files.paths).values()
    return run_files if run_files and _is_index(json_of(index, files.name(index))) else ()


def _is_index(results: Any) -> bool:
    """Say whether the content of a file is an index of runs that stand in files of their own."""
    return isinstance(results, dict) and not results.get(FOLDER) and isinstance(results.get("simulation_index"), list)


def _run_files(index: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files that may hold runs of an index, by the id that their name gives."""
    return {path.stem: path for path in paths if path.parent == index.parent / FOLDER and path != index}


def _indexed_runs(results: Mapping[str, Any], index: Path, files: SourceFiles) -> Iterator[tuple[str, Any]]:
    """Return the runs of an index in its order, and a row for each that is missing, wrong, or in no index."""
    name, run_files, seen = files.name(index), _run_files(index, files.paths), set[str]()
    for entry_number, entry in enumerate(results["simulation_index"], 1):
        location = f"{name}:{entry_number}"
        try:
            yield location, _run(entry, seen, run_files, files)
        except RowError as error:
            yield location, error.row(location)
    for run_id, path in run_files.items():
        if run_id not in seen:
            yield files.name(path), UnreadableRow(files.name(path), "not_in_index", f"{name} does not list it")


def _run(entry: Any, seen: set[str], run_files: Mapping[str, Path], files: SourceFiles) -> Mapping[str, Any]:
    """Return the run of an entry, whose id is then among those seen.

    Raises RowError: not_an_object, bad_simulation_id, repeated_simulation, missing_simulation, bad_json,
    index_disagrees.
    """
    run_id = mapping_of(entry, "the entry").get("id")
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise RowError("bad_simulation_id", f"the id is {shown(run_id)}, no name of a file in {FOLDER}/")
    if run_id in seen:
        raise RowError("repeated_simulation", f"the index lists {shown(run_id)} twice")
    seen.add(run_id)
    if run_id not in run_files:
        raise RowError("missing_simulation", f"there is no {FOLDER}/{run_id}.json")
    try:
        run = mapping_of(json_of(run_files[run_id], files.name(run_files[run_id])), "the run")
    except SourceError as error:
        raise RowError("bad_json", str(error)) from None
    info = run.get("reward_info")
    reward = info.get("reward") if isinstance(info, Mapping) else None
    given = [(key, entry.get(key), run.get(key)) for key in _SAME]
    for key, listed, written in [*given, ("reward", number(entry.get("reward")), number(reward))]:
        if listed is not None and str(listed) != str(written):
            raise RowError("index_disagrees", f"{key} is {shown(listed)} in the index, {shown(written)} in its file")
    return run
