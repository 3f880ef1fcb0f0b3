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

The trials of one task by one agent under one policy are a set, a lone trial is one with a label. The query is policy,
tools and the user's first turn; the user's scenario and the criteria are never read into it. It is a benchmark, from
https://github.com/sierra-research/tau2-bench (arXiv 2506.07982) and not on the hub. [tau2.md](tau2.md) says how results
become sets, how rewards are checked, what is taken off because it would give the reward away (measured), and how the
judge reads tool calls. The 25 real runs at hand become 25 sets: 16 right, 9 wrong, 5 of them official test tasks.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pipelines.sources.files import SourceFiles
from pipelines.sources.source import Origin, Source
from pipelines.sources.tau2_files import INDEX_FILE, SPLIT_FILE, official_splits, runs_in, without_persona
from pipelines.sources.tau2_simulations import Simulation, simulation_of
from pipelines.sources.text import RowError
from schemas.preference import LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.query import Message
from schemas.recipe import SourceSection
from schemas.record import content_id


class Trials(NamedTuple):
    """Runs that are a set: one right run, or all of them where none or each of them is right."""

    chosen: list[Simulation]
    split: Split | None


def _trials(section: SourceSection, files: SourceFiles) -> Iterator[tuple[str, Trials | UnreadableRow]]:
    """Return the trials of each task, and an unreadable row for each run that is in no set.

    Raises SourceError: no results, or no list of the official test tasks.
    """
    splits = official_splits(files)
    by_task: defaultdict[tuple[str, str, str], list[Simulation]] = defaultdict(list)
    for run in runs_in(files):
        if isinstance(run, UnreadableRow):
            yield run.source_id, run
            continue
        try:
            simulation = simulation_of(run)
            by_task[simulation.task_id, simulation.system, simulation.agent].append(simulation)
        except RowError as error:
            yield run.location, error.row(run.location)
    for (task_id, _, _), trials in by_task.items():
        chosen, unused = _one_right(trials)
        yield from ((row.source_id, row) for row in unused)
        file = min(trial.location for trial in chosen).rpartition(":")[0]
        yield f"{file}: {task_id}", Trials(chosen, splits.get(without_persona(task_id)))


def _one_right(trials: list[Simulation]) -> tuple[list[Simulation], list[UnreadableRow]]:
    """Return (the trials of a set, a row for each trial that has no place in it).

    A set has one right response: of several right trials one is chosen by its hash, for nothing that could be seen in
    it. Where all are right, or all wrong, all stand in the set, which is dropped as a tie.
    """
    unused: list[UnreadableRow] = []
    distinct: dict[tuple[str, bool], Simulation] = {}
    for trial in trials:
        first = distinct.setdefault((trial.turns, trial.passed), trial)
        if first is not trial:
            unused.append(UnreadableRow(trial.location, "repeated_trial", f"the same conversation as {first.location}"))
    right = sorted((t for t in distinct.values() if t.passed), key=lambda t: content_id("tau2-right", t.turns))
    wrong = [trial for trial in distinct.values() if not trial.passed]
    if not wrong:
        return right, unused
    unused += [
        UnreadableRow(trial.location, "surplus_right_trial", f"the set's right one is {right[0].location}")
        for trial in right[1:]
    ]
    return [*right[:1], *wrong], unused


def _set_of(section: SourceSection, trials: Trials, origin: Origin) -> PreferenceSet:
    chosen = trials.chosen
    # Users of one task may open in other words. Whose words stand in the query says nothing of who is right.
    opening = min((trial.opening for trial in chosen), key=lambda words: content_id("tau2-opening", words))
    made = preference_set(
        query=(Message("system", chosen[0].system), Message("user", opening)),
        responses=[
            Response("", reward=float(trial.passed), turns=trial.turns, model=trial.model, origin=trial.location)
            for trial in chosen
        ],
        label_source=LabelSource.VERIFIER,
        label=int(chosen[0].passed) if len(chosen) == 1 else None,
        split=trials.split,
        **origin,
    )
    return replace(made, cluster=content_id("tau2-task", without_persona(chosen[0].task_id)))


SOURCE = Source(
    kind="tau2",
    place_needed="a tau2 source needs a path: tau2-bench publishes its results on GitHub, not on the hub",
    patterns=(
        SPLIT_FILE,
        f"*/{SPLIT_FILE}",
        INDEX_FILE,
        f"*/{INDEX_FILE}",
        "simulations/*.json",
        "*/simulations/*.json",
        "results/*.json",
        "*/results/*.json",
    ),
    license="MIT",
    domain="telecom tool use",
    benchmark=True,
    signature="tau2",
    unit="task with its trials",
    items=_trials,
    make=_set_of,
)
