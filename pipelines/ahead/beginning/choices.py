"""The recipe that follows from what was seen: every key with its reason."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.ahead.beginning.data import Data
from pipelines.ahead.beginning.judge import Judge
from pipelines.ahead.beginning.limits import Limits
from pipelines.ahead.beginning.recipe_text import Choice
from pipelines.ahead.beginning.trials import (
    FREE,
    GRAMMAR,
    JSON_SCHEMA,
    REGEX,
    SHORT_FREE,
    SHORT_GRAMMAR,
    SHORT_JSON,
    SHORT_REGEX,
    Form,
    Trial,
)
from schemas.recipe import TRAINING_SETS

FEW_SETS = 1_000
MOST_IN_FLIGHT, USUAL_IN_FLIGHT, LEAST_IN_FLIGHT = 256, 16, 4
LONGEST_WAIT_S = 120.0
"""No more requests are in flight than are answered in this time."""
SMALL_CONTEXT = 3_072
"""A context up to which the built-in prompt and its whole form leave too little room for responses."""
_KEYS = {
    "config": "Which configuration of the data set.",
    "split": "Which of its splits.",
    "where": "Which of its rows, in SQL; the others are counted.",
    "columns": "Which column is taken for what; no other column is read.",
}
GOOD = 0.8
"""Where so many of the answers are of use, no shorter prompt is tried."""


@dataclass(frozen=True)
class Place:
    """Where the recipe goes, and what it keeps its data in."""

    output: Path
    root: str

    @property
    def prompt(self) -> Path:
        """The file of the short prompt, beside the recipe."""
        return self.output.with_name(f"{self.output.stem}_prompt.txt")


def forms_to_try(judge: Judge, fits: bool) -> tuple[list[Form], list[Form]]:
    """Return the forms to try, the freest first, and those to try where few answers of the first are of use.

    `fits` says whether sets fit beside the built-in prompt.
    """
    takes = judge.abilities
    kept = [
        (REGEX, SHORT_REGEX, takes.regex.is_taken),
        (GRAMMAR, SHORT_GRAMMAR, takes.grammar.is_taken and not takes.regex.is_taken),
        (JSON_SCHEMA, SHORT_JSON, takes.json_schema.is_taken),
    ]
    short = next((short for _, short, is_taken in kept if is_taken), SHORT_FREE)
    if not fits:
        return ([SHORT_FREE, short] if short is not SHORT_FREE else [short]), []
    if judge.context is not None and judge.context <= SMALL_CONTEXT:
        return [FREE, short], []
    return [FREE, *(whole for whole, _, is_taken in kept if is_taken)], [short]


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial whose form reads best; of equal ones the freest, which stands first."""
    return max(trials, key=lambda trial: (trial.usable / max(trial.asked, 1), trial.readable / max(trial.asked, 1)))


def choices_of(data: Data, judge: Judge, place: Place, form: Form, limits: Limits, trial: Trial | None) -> list[Choice]:
    """Return every key of the recipe. Without a trial it is a draft, by which the trials are asked."""
    chosen = [
        Choice("build", "name", data.name, "What the snapshot is called."),
        Choice("build", "root", place.root, "Everything is kept here; relative to where the command runs."),
        Choice("build", "sets", list(TRAINING_SETS), "The judge's samples for rft serve the other sets too."),
        *_source(data, place),
        *_models(data, judge, trial),
        *_grm(judge, place, form, limits, trial),
    ]
    if len(data.records) < FEW_SETS and data.is_whole:
        why = f"Of {len(data.records):,} rows the usual 2 % would be next to none."
        chosen.append(Choice("splits", "validation", 0.1, why))
    if data.source.gives == "questions":
        why = f"Length of an answer to a question at most, as the context of the judge allows ({judge.where})."
        chosen.append(Choice("synthesis", "max_tokens", limits.max_tokens, why))
        fewer = 2 if judge.context and judge.context <= SMALL_CONTEXT else 4
        chosen.append(Choice("synthesis", "n_responses", fewer, "Responses of a set at most, so that a prompt fits."))
    return chosen


def _source(data: Data, place: Place) -> Iterator[Choice]:
    unit = "questions with a known answer" if data.source.gives == "questions" else "sets"
    why = f"{len(data.records):,} of the first {data.rows:,} rows" if not data.is_whole else f"{data.rows:,} rows"
    yield Choice("sources", "kind", data.source.kind, f"Reads its rows as {unit}: {why} were looked at.")
    if data.path is not None:
        relative = os.path.relpath(Path(data.path).expanduser().absolute(), place.output.parent.absolute())
        yield Choice("sources", "path", relative, "Relative to this file.")
    elif data.hub is not None and data.hub != data.source.hub:
        yield Choice("sources", "hub", data.hub, "On the hub.")
    for key, value in data.keys.items():
        yield Choice("sources", key, value, _KEYS[key])
    if "name" in data.source.section.model_fields:
        yield Choice("sources", "name", data.name, "What tables and reports call it.")


def _models(data: Data, judge: Judge, trial: Trial | None) -> Iterator[Choice]:
    roles = ["grm", *(["responder"] if data.source.gives == "questions" else [])]
    in_flight, why_flight = _in_flight(trial)
    for role in roles:
        name = f"models.{role}"
        does = "The judge." if role == "grm" else "Answers the questions. A model that is often right and often wrong."
        yield Choice(name, "engine", "openai", f"{does} Any OpenAI-compatible endpoint.")
        yield Choice(name, "model", judge.section.model, "As the endpoint lists it.")
        yield Choice(name, "base_url", judge.url, "Where it is asked; a list of several is shared between them.")
        if judge.section.api_key_env:
            why = "The environment variable that holds the key, which stands nowhere else."
            yield Choice(name, "api_key_env", judge.section.api_key_env, why)
        yield Choice(name, "max_concurrency", in_flight, why_flight)
    why = "A weaker model finds what is too easy for RL; without one the judge's own samples stand in for it."
    yield Choice("models.difficulty", "same_as_grm", True, why)


def _in_flight(trial: Trial | None) -> tuple[int, str]:
    """Return how many requests may be in flight, and why."""
    if trial is None:
        why = "A guess: no answer in this form was timed. Run init again when the server is free, to have it measured."
        return USUAL_IN_FLIGHT, why
    if (rate := trial.rate) is None:
        return USUAL_IN_FLIGHT, "A guess: the answers of the trial were stored already, and tell no speed."
    why = (
        f"{trial.answered} answers came in {trial.seconds:.1f} s: so many requests are answered within "
        f"{LONGEST_WAIT_S / 60:.0f} minutes. Raise it where the server has room for more."
    )
    return max(LEAST_IN_FLIGHT, min(MOST_IN_FLIGHT, round(rate * LONGEST_WAIT_S))), why


def _grm(judge: Judge, place: Place, form: Form, limits: Limits, trial: Trial | None) -> Iterator[Choice]:
    for key, value in form.settings.items():
        why = "Criteria and a line on each response, and no more: a judge that never ends a line comes to its verdict."
        if key == "structured_output":
            why = "The server keeps the judge to the form." + _read(trial)
        yield Choice("grm", key, value, why)
    if not form.settings:
        yield Choice("grm", "structured_output", "none", "The judge keeps the form by itself." + _read(trial))
    if form.is_short:
        why = "A short prompt: it leaves more of the context to the responses, and small models hold it better."
        yield Choice("grm", "template", place.prompt.name, why)
    yield Choice("grm", "max_tokens", limits.max_tokens, _length(limits, trial))
    if limits.max_prompt_tokens is not None and judge.context is not None:
        why = (
            f"Longer sets lose wrong responses, then are dropped as too_long: prompt and answer share "
            f"{judge.context:,} tokens ({judge.context_from}). Of the sets looked at, {limits.kept:,} fit whole."
        )
        yield Choice("grm", "max_prompt_tokens", limits.max_prompt_tokens, why)


def _read(trial: Trial | None) -> str:
    return f" In a trial {trial.readable} of {trial.asked} answers were readable so." if trial else ""


def _length(limits: Limits, trial: Trial | None) -> str:
    """Return why an answer may have so many tokens."""
    if trial is None or trial.longest is None:
        return "What the context leaves to an answer beside most prompts."
    if trial.max_tokens < limits.max_tokens:
        return f"{trial.cut_off} of {trial.asked} answers were cut off at {trial.max_tokens:,}: more are allowed."
    return (
        f"The longest of {trial.answered} answers took {trial.longest:,}. With this number the answers of the trial "
        "count for a build."
    )
