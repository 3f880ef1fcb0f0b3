"""tau2-bench telecom: whole conversations of an agent with a user, both with tools, rewarded by what they achieved.

A results file holds many runs ("simulations") of one agent under one policy:

    {"info": {"agent_info": {"implementation": "llm_agent", "llm": "xai/grok-3"},
              "environment_info": {"domain_name": "telecom", "policy": "# Telecom Agent Policy ..", "tool_defs": null}},
     "tasks": [{"id": "[mobile_data_issue]data_mode_off[PERSONA:None]",
                "evaluation_criteria": {"reward_basis": ["ENV_ASSERTION"], ..}, "user_scenario": {..}}],
     "simulations": [{"id": "..", "task_id": "[mobile_data_issue]data_mode_off[PERSONA:None]", "trial": 0,
                      "termination_reason": "user_stop",
                      "reward_info": {"reward": 1.0, "reward_basis": ["ENV_ASSERTION"],
                                      "env_assertions": [{"met": true, ..}]},
                      "messages": [{"role": "assistant", "content": "Hi! How can I help you today?"}, ..]}]}

A directory of results is read too (tau2_directories).

The trials of one task by one agent under one policy are a set, a lone trial is one with a label. The query is policy,
tools and the user's first turn; the user's scenario and the criteria are never read into it.
Source: https://github.com/sierra-research/tau2-bench (arXiv 2506.07982), MIT. Docs: docs/tau2.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import json_of
from pipelines.sources.tau2_directories import INDEX_FILE, Run, indexed_runs, is_index, run_files
from pipelines.sources.tau2_simulations import Simulation, conversation_of, passed, task_id_of
from pipelines.sources.tau2_system import DOMAINS, system_text
from pipelines.sources.text import RowError, mapping_of, optional_text, shown
from schemas.errors import SourceError
from schemas.preference import LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.query import Message
from schemas.recipe import Tau2
from schemas.record import content_id

HUB = ""
SPLIT_FILE = "split_tasks.json"
PATTERNS = (
    SPLIT_FILE,
    f"*/{SPLIT_FILE}",
    INDEX_FILE,
    f"*/{INDEX_FILE}",
    "simulations/*.json",
    "*/simulations/*.json",
    "results/*.json",
    "*/results/*.json",
)
LICENSE = "MIT"
DOMAIN = "telecom tool use"


def read(section: Tau2, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set for the trials of a task, and an unreadable row for each run that is in none.

    Raises SourceError: no results, or no list of the official test tasks.
    """
    splits = _splits(files)
    trials: dict[tuple[str, str, str], list[Simulation]] = {}
    for simulation in _simulations(files):
        if isinstance(simulation, UnreadableRow):
            yield simulation
        else:
            key = (simulation.task_id, simulation.system, simulation.agent)
            trials.setdefault(key, []).append(simulation)
    for group in trials.values():
        yield from _set_of(group, splits, files.revision)


def _set_of(
    trials: list[Simulation], splits: Mapping[str, Split], revision: str
) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return the set of a task's trials, and a row for each trial that has no place in it.

    A set has one right response: of several right trials one is chosen by its hash, for nothing that could be seen in
    it. Where all are right, or all wrong, all stand in the set, which is dropped as a tie.
    """
    distinct: dict[tuple[str, bool], Simulation] = {}
    for trial in trials:
        first = distinct.setdefault((trial.turns, trial.passed), trial)
        if first is not trial:
            yield UnreadableRow(trial.location, "repeated_trial", f"the same conversation as {first.location}")
    right = sorted((t for t in distinct.values() if t.passed), key=lambda t: content_id("tau2-right", t.turns))
    wrong = [trial for trial in distinct.values() if not trial.passed]
    surplus = right[1:] if wrong else []
    for trial in surplus:
        yield UnreadableRow(trial.location, "surplus_right_trial", f"the set's right one is {right[0].location}")
    yield _preference([*(right[:1] if wrong else right), *wrong], splits, revision)


def _preference(chosen: list[Simulation], splits: Mapping[str, Split], revision: str) -> PreferenceSet:
    first = chosen[0]
    # Users of one task may open in other words. Whose words stand in the query says nothing of who is right.
    opening = min((trial.opening for trial in chosen), key=lambda words: content_id("tau2-opening", words))
    made = preference_set(
        query=(Message("system", first.system), Message("user", opening)),
        responses=[
            Response("", reward=float(trial.passed), turns=trial.turns, model=trial.model, origin=trial.location)
            for trial in chosen
        ],
        source="tau2",
        source_id=f"{min(trial.location for trial in chosen).rpartition(':')[0]}: {first.task_id}",
        source_revision=revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.VERIFIER,
        label=int(first.passed) if len(chosen) == 1 else None,
        benchmark=True,
        split=splits.get(_faults(first.task_id)),
    )
    return replace(made, cluster=content_id("tau2-task", _faults(first.task_id)))


def _faults(task_id: str) -> str:
    """Return what a task sets up, whoever its user is: "[issue]fault|fault[PERSONA:Easy]" without the persona."""
    return task_id.partition("[PERSONA:")[0]


def _splits(files: SourceFiles) -> dict[str, Split]:
    """Return the official split by what a task sets up. A test task's faults are test with every persona."""
    paths = [path for path in files.paths if path.name == SPLIT_FILE]
    if not paths:
        raise SourceError(
            f"tau2: {files.origin} has no {SPLIT_FILE}, and without it official test tasks would be trained on: give a "
            "directory that has it (data/tau2/domains/telecom in tau2-bench) and the results"
        )
    found: dict[str, Split] = {}
    for path in paths:
        value = json_of(path, files.name(path))
        if not isinstance(value, dict) or not isinstance(value.get("test"), list):
            raise SourceError(f"tau2: {files.name(path)}: no object with the list of tasks 'test'")
        for split in (Split.TRAIN, Split.TEST):  # test last: it wins
            tasks = value.get(split.value)
            found |= {_faults(str(task)): split for task in (tasks if isinstance(tasks, list) else [])}
    return found


def _simulations(files: SourceFiles) -> Iterator[Simulation | UnreadableRow]:
    paths = [path for path in files.paths if path.name != SPLIT_FILE]
    if not paths:
        raise SourceError(f"tau2: {files.origin} has no results: simulations/*.json, results/*/*.json or results.json")
    listed = {run for path in paths if path.name == INDEX_FILE for run in _listed(path, files)}
    for path in paths:
        if path not in listed:
            yield from _simulations_of(path, files)


def _listed(index: Path, files: SourceFiles) -> Iterable[Path]:
    """Return the files of single runs that an index speaks for; none where the file is no index."""
    found = run_files(index, files.paths).values()
    return found if found and is_index(json_of(index, files.name(index))) else ()


def _simulations_of(path: Path, files: SourceFiles) -> Iterator[Simulation | UnreadableRow]:
    """Return the runs of one results file, or of its directory; a run that cannot be used is an unreadable row."""
    name = files.name(path)
    results = json_of(path, name)
    runs: Iterable[Run | UnreadableRow]
    if path.name == INDEX_FILE and is_index(results):
        runs = indexed_runs(results, path, files)
    elif isinstance(results, dict) and isinstance(results.get("simulations"), list):
        runs = ((f"{name}:{number}", value) for number, value in enumerate(results["simulations"], 1))
    else:
        raise SourceError(f"tau2: {name}: not a results file (info, tasks, simulations)")
    tasks = {
        str(task.get("id")): task
        for task in (results["tasks"] if isinstance(results.get("tasks"), list) else [])
        if isinstance(task, dict)
    }
    for run in runs:
        if isinstance(run, UnreadableRow):
            yield run
            continue
        location, value = run
        try:
            yield _simulation(location, value, results.get("info"), tasks)
        except RowError as error:
            yield UnreadableRow(location, error.reason, error.detail)


def _simulation(location: str, value: Any, info: Any, tasks: Mapping[str, Mapping[str, Any]]) -> Simulation:
    run = mapping_of(value, "the run")
    environment = mapping_of(mapping_of(info, "info").get("environment_info"), "info.environment_info")
    if environment.get("domain_name") not in DOMAINS:
        raise RowError("other_domain", f"the domain is {shown(environment.get('domain_name'))}, not telecom")
    agent = mapping_of(info.get("agent_info"), "info.agent_info")
    model = optional_text(agent.get("llm"), "agent_info.llm")
    task_id = task_id_of(run)
    has_passed = passed(run, tasks.get(task_id, {}))
    opening, turns = conversation_of(run)
    return Simulation(
        location=location,
        task_id=task_id,
        system=system_text(environment),
        agent=f"{model} {optional_text(agent.get('implementation'), 'agent_info.implementation')}",
        model=model,
        passed=has_passed,
        opening=opening,
        turns=turns,
    )
