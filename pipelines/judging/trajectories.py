"""Sets and stored answers as trajectories: one row a sample, made column by column.

Only what differs from sample to sample, its order, prompt and ids, is made row by row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.judging.draws import Draws, draws_of
from pipelines.judging.hint_leaks import hint_leaks
from pipelines.judging.parts_wanted import lacking
from pipelines.judging.readings import begin_reading, readings_of
from pipelines.judging.samples import SamplingJob
from schemas.generation import RequestIds, request_ids
from schemas.preference import PreferenceSet
from schemas.query import single_turns, user
from schemas.record import content_id
from schemas.trajectory import JUDGED, Mode, Outcome, Principle, Reading

_OF_SET = ["set_id", "query_id", "source", "domain", "split", "n_responses", "label"]
OF_ANSWER = ["text", "reasoning", "finish_reason", "error", "prompt_tokens", "completion_tokens", "cost_usd"]
"""What of a stored completion is needed here, and by who counts."""
_OUTCOME = {outcome.value: outcome for outcome in Outcome}


class _Row(NamedTuple):
    set_number: int
    trajectory_id: str
    request_id: str
    mode: str
    sample_index: int
    prompt_template: str
    order: tuple[int, ...]
    best_position: int | None
    has_reference: bool
    prompt: str


@dataclass(slots=True, eq=False)
class _Open:
    """The samples of a set in a mode, as long as more of them may be wanted."""

    set_number: int
    draws: Draws
    ids: RequestIds
    # Of the set's prompts that begin alike, whatever their mode, the ids of those that begin with this text.
    beginnings: dict[str, RequestIds]


def trajectories(
    job: SamplingJob, sets: Sequence[PreferenceSet], answers: pl.DataFrame
) -> tuple[pa.Table, pl.DataFrame]:
    """Return the trajectories of these sets, in the order of sets and ids, as JUDGED has them, and the answer of each.

    `answers` has request_id and what a completion holds. All samples that are wanted at once are read at once; a set
    with unreadable ones wants more.
    """
    of_sets = _set_columns(sets)
    place_of = {request_id: place for place, request_id in enumerate(answers["request_id"])}
    rows: list[_Row] = []
    begun: list[pl.DataFrame] = []
    others: list[Reading | None] = []
    waiting = list(_open(job, sets))
    while drawn := list(_drawn(job, waiting)):
        new = [row for _, row in drawn]
        completions, questions = _questions(job, new, of_sets, _answers_to(new, answers, place_of))
        laid, long = begin_reading(questions)
        rows += new
        begun.append(pl.concat([completions, laid], how="horizontal"))
        others += long
        unsettled: dict[_Open, None] = {}
        for (open_set, row), value, reading in zip(drawn, laid["outcome"], long, strict=True):
            outcome = _OUTCOME[value] if reading is None else reading.outcome
            open_set.draws.outcomes[row.sample_index] = outcome
            if not outcome.readable:
                unsettled[open_set] = None
        waiting = list(unsettled)
    if not rows:  # single responses alone, which no comparison of criteria samples
        return JUDGED.empty_table(), answers.clear()
    places = sorted(range(len(rows)), key=lambda place: rows[place][:2])
    ordered = pl.concat(begun).select(pl.all().gather(places))
    completions = ordered.select(OF_ANSWER)
    read = readings_of(ordered, [others[place] for place in places])
    return _judged_table(job, [rows[place] for place in places], of_sets, completions, read), completions


def _drawn(job: SamplingJob, waiting: Iterable[_Open]) -> Iterator[tuple[_Open, _Row]]:
    purpose = job.purpose.value
    for open_set in waiting:
        number, draws, all_ids, beginnings = open_set.set_number, open_set.draws, open_set.ids, open_set.beginnings
        set_id, mode = draws.preference.set_id, draws.mode.value
        template, has_reference = draws.template.identity, draws.has_reference
        for index, order, best_position, before, rest in draws.following():
            ids = beginnings.get(before)
            if ids is None:
                ids = beginnings[before] = all_ids.following(before)
            request_id = ids.of(rest, index)
            yield (
                open_set,
                _Row(
                    number,
                    content_id("trajectory", set_id, mode, purpose, request_id),
                    request_id,
                    mode,
                    index,
                    template,
                    order,
                    best_position,
                    has_reference,
                    before + rest,
                ),
            )


def _answers_to(rows: Sequence[_Row], answers: pl.DataFrame, place_of: Mapping[str, int]) -> pl.DataFrame:
    """Return the answer to each draw; a row of nulls where there is none."""
    places = pl.Series([place_of.get(row.request_id) for row in rows], dtype=pl.UInt32)
    return answers.select(pl.col(OF_ANSWER).gather(places))


def _questions(
    job: SamplingJob, rows: Sequence[_Row], of_sets: pl.DataFrame, answers: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the answers, as the text that the template asks for, and what `begin_reading` needs of each."""
    truths = of_sets.select(pl.col("n_responses", "label").gather([row.set_number for row in rows]))
    best_position = pl.Series("best_position", [row.best_position for row in rows], pl.Int32)
    texts = _texts(job, answers["text"], truths["n_responses"])
    questions = [texts, answers["finish_reason"], truths["n_responses"], best_position, truths["label"]]
    return answers.with_columns(texts), pl.DataFrame(questions)


def _texts(job: SamplingJob, answers: pl.Series, n_responses: pl.Series) -> pl.Series:
    if job.settings.structured_output != "json_schema":
        return answers
    both = zip(answers, n_responses, strict=True)
    return pl.Series("text", [None if text is None else job.text_of(text, n) for text, n in both], pl.String)


def _set_columns(sets: Sequence[PreferenceSet]) -> pl.DataFrame:
    arrays = [pa.array([getattr(preference, name) for preference in sets], JUDGED.field(name).type) for name in _OF_SET]
    return pl.DataFrame(pa.table(arrays, _OF_SET))


def _open(job: SamplingJob, sets: Sequence[PreferenceSet]) -> Iterator[_Open]:
    ids_of = cache(partial(_ids, job))
    for number, preference in enumerate(sets):
        beginnings: dict[str, RequestIds] = {}
        for draws in draws_of(job, preference):
            yield _Open(number, draws, ids_of(preference.n_responses), beginnings)


def _ids(job: SamplingJob, n_responses: int) -> RequestIds:
    """Return the ids of requests that show so many responses, which the form of an answer may depend on."""
    return request_ids(job.role, job.identity, lambda text: job.body_of(user(text), n_responses))


def _judged_table(
    job: SamplingJob, rows: Sequence[_Row], of_sets: pl.DataFrame, completions: pl.DataFrame, read: pa.Table
) -> pa.Table:
    """Return the trajectories, from columns of the same rows."""
    own = dict(zip(_Row._fields, zip(*rows, strict=True), strict=True))
    columns = {
        "purpose": pa.repeat(job.purpose.value, len(rows)),
        "model": pa.repeat(job.model.name, len(rows)),
        "temperature": pa.repeat(job.settings.temperature, len(rows)),
        # By way of polars: a string array of Arrow's own that grows is copied again and again.
        "prompt": single_turns("user", pl.Series(own.pop("prompt"), dtype=pl.String).to_arrow().cast(pa.string())),
        "hint_leak": _hint_leaks(job, rows, completions["text"], read),
    }
    sets = of_sets[list(own.pop("set_number"))]
    columns |= lacking(completions["text"], sets["n_responses"], read, job.parts_wanted)
    for frame in (sets, completions.select(name for name in OF_ANSWER if name in JUDGED.names)):
        columns |= {column.name: column.to_arrow() for column in frame}
    columns |= {name: read.column(name) for name in read.column_names}
    columns |= {name: pa.array(values, JUDGED.field(name).type) for name, values in own.items()}
    return pa.table([columns[name].cast(JUDGED.field(name).type) for name in JUDGED.names], schema=JUDGED)


def _hint_leaks(job: SamplingJob, rows: Sequence[_Row], texts: pl.Series, read: pa.Table) -> pa.Array:
    """Return which rows speak of their hint; a reference that stands in every prompt may be spoken of."""
    hinted = [place for place, row in enumerate(rows) if row.mode == Mode.HINTED]
    leaks = np.zeros(len(rows), bool)
    leaks[hinted] = hint_leaks(
        texts.gather(hinted).fill_null(""),
        lambda number: _parts(read, hinted[number]),
        [rows[place].has_reference and job.settings.reference == "prompt" for place in hinted],
    )
    return pa.array(leaks)


def _parts(read: pa.Table, row: int) -> tuple[list[Principle], str | None]:
    principles = [Principle(**fields) for fields in read.column("principles")[row].as_py()]
    return principles, read.column("critique")[row].as_py()
