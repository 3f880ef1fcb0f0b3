"""Sets and stored answers as trajectories: one row a sample, made column by column.

Only what differs from sample to sample, its order, prompt and ids, is made row by row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from pipelines.grm.hint_leaks import leaks_hint, may_leak
from pipelines.grm.readings import readings
from pipelines.grm.samples import SamplingJob, SetPrompts, modes_of, next_samples, samples_wanted, shown_set
from schemas.generation import RequestIds, request_ids
from schemas.preference import PreferenceSet
from schemas.query import single_turns, user
from schemas.record import content_id
from schemas.trajectory import JUDGED, Mode, Outcome, Principle

_OF_SET = ["set_id", "query_id", "source", "domain", "split", "n_responses", "label"]
OF_ANSWER = ["text", "reasoning", "finish_reason", "error", "prompt_tokens", "completion_tokens", "cost_usd"]
"""What of a stored completion is needed here, and by who counts."""
_OUTCOME = {outcome.value: outcome for outcome in Outcome}


class _Draw(NamedTuple):
    """One sample of a set."""

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


@dataclass(slots=True)
class _SetInMode:
    """A set's samples in one mode, while it is not settled how many it needs."""

    number: int
    preference: PreferenceSet
    mode: Mode
    prompts: SetPrompts
    ids: RequestIds
    outcomes: list[Outcome] = field(default_factory=list)

    def next_draws(self, job: SamplingJob) -> Iterator[_Draw]:
        """Yield the samples that the set needs next, given the outcomes so far."""
        wanted = next_samples(self.outcomes, samples_wanted(job, self.mode), job.resample)
        beginning, ids = None, self.ids
        for index in wanted:
            order = self.prompts.order(index)
            before, responses, after = self.prompts.pieces(order)
            if before != beginning:
                beginning, ids = before, self.ids.following(before)
            request_id = ids.of(responses + after, index)
            yield _Draw(
                self.number,
                content_id("trajectory", self.preference.set_id, self.mode, job.purpose, request_id),
                request_id,
                self.mode.value,
                index,
                self.prompts.template.identity,
                order,
                self.prompts.best_position(order),
                self.prompts.has_reference,
                f"{before}{responses}{after}",
            )


def trajectories(
    job: SamplingJob, sets: Sequence[PreferenceSet], answers: pl.DataFrame
) -> tuple[pa.Table, pl.DataFrame]:
    """Return the trajectories of these sets, in the order of sets and ids, as JUDGED has them, and the answer of each.

    `answers` has request_id and what a completion holds. All samples that are wanted at once are read at once; a set
    with unreadable ones wants more.
    """
    of_sets = _set_columns(sets)
    drawn: list[_Draw] = []
    answered: list[pl.DataFrame] = []
    read: list[pa.Table] = []
    waiting = list(_in_modes(job, sets))
    while draws := [(state, draw) for state in waiting for draw in state.next_draws(job)]:
        new = [draw for _, draw in draws]
        found = pl.DataFrame({"request_id": [draw.request_id for draw in new]}).join(
            answers, on="request_id", how="left", maintain_order="left"
        )
        truths = of_sets[[draw.set_number for draw in new], ["n_responses", "label"]].with_columns(
            best_position=pl.Series([draw.best_position for draw in new], dtype=pl.Int32)
        )
        found, readable = _texts(job, found, truths["n_responses"])
        both = truths.select(readable, found["finish_reason"], "n_responses", "best_position", "label")
        drawn += new
        answered.append(found)
        read.append(readings(both))
        for (state, _), outcome in zip(draws, read[-1].column("outcome").to_pylist(), strict=True):
            state.outcomes.append(_OUTCOME[outcome])
        waiting = list({id(state): state for state, _ in draws}.values())
    if not drawn:  # single responses alone, which no comparison of criteria samples
        return JUDGED.empty_table(), answers.clear()
    rows = sorted(range(len(drawn)), key=lambda row: drawn[row][:2])
    ordered = [drawn[row] for row in rows]
    completions = pl.concat(answered)[rows]
    table = _judged_table(job, ordered, of_sets, completions, pa.concat_tables(read).take(pa.array(rows)))
    return table, completions


def _texts(job: SamplingJob, answers: pl.DataFrame, n_responses: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Return the answers as the text that the template asks for, and the column `text` of what of it may be read."""
    if job.structured_output != "json_schema":
        return answers, answers["text"]
    both = [
        (None, None) if text is None else job.text_of(text, n)
        for text, n in zip(answers["text"], n_responses, strict=True)
    ]
    texts = pl.DataFrame(both, schema={"text": pl.String, "readable": pl.String}, orient="row")
    return answers.with_columns(texts["text"]), texts["readable"].rename("text")


def _set_columns(sets: Sequence[PreferenceSet]) -> pl.DataFrame:
    arrays = [pa.array([getattr(one, name) for one in sets], JUDGED.field(name).type) for name in _OF_SET]
    frame = pl.from_arrow(pa.table(arrays, _OF_SET))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _in_modes(job: SamplingJob, sets: Sequence[PreferenceSet]) -> Iterator[_SetInMode]:
    ids: dict[int, RequestIds] = {}  # by the number of responses, which the form of an answer may depend on
    for number, preference in enumerate(sets):
        shown, n = shown_set(job, preference), preference.n_responses
        if n not in ids:
            ids[n] = _ids(job, n)
        for mode in modes_of(job, preference):
            yield _SetInMode(number, preference, mode, SetPrompts(job, preference, shown, mode), ids[n])


def _ids(job: SamplingJob, n_responses: int) -> RequestIds:
    return request_ids(job.role, job.identity, lambda text: job.body(user(text), n_responses))


def _judged_table(
    job: SamplingJob, drawn: Sequence[_Draw], of_sets: pl.DataFrame, completions: pl.DataFrame, read: pa.Table
) -> pa.Table:
    """Return the trajectories, from columns of the same rows."""
    own = dict(zip(_Draw._fields, zip(*drawn, strict=True), strict=True))
    columns = {
        "purpose": pa.repeat(job.purpose.value, len(drawn)),
        "model": pa.repeat(job.model.name, len(drawn)),
        "temperature": pa.repeat(job.temperature, len(drawn)),
        "prompt": single_turns("user", pa.array(own.pop("prompt"), pa.string())),
        "hint_leak": pa.array(_hint_leaks(job, drawn, completions["text"], read), pa.bool_()),
    }
    for frame in (
        of_sets[list(own.pop("set_number"))],
        completions.select(name for name in OF_ANSWER if name in JUDGED.names),
    ):
        columns |= {column.name: column.to_arrow() for column in frame}
    columns |= {name: read.column(name) for name in read.column_names}
    columns |= {name: pa.array(values, JUDGED.field(name).type) for name, values in own.items()}
    return pa.table([columns[name].cast(JUDGED.field(name).type) for name in JUDGED.names], schema=JUDGED)


def _hint_leaks(job: SamplingJob, drawn: Sequence[_Draw], texts: pl.Series, read: pa.Table) -> list[bool]:
    """Return which rows speak of their hint; a reference that stands in every prompt may be spoken of."""
    leaks = [False] * len(drawn)
    hinted = [row for row, draw in enumerate(drawn) if draw.mode == Mode.HINTED]
    suspect = may_leak(texts.gather(hinted).fill_null(""))
    for row in (row for row, suspected in zip(hinted, suspect, strict=True) if suspected):
        found = read.slice(row, 1).to_pylist()[0]
        leaks[row] = leaks_hint(
            texts[row],
            principles=[Principle(**one) for one in found["principles"]],
            critique=found["critique"],
            reference_shown=drawn[row].has_reference and job.reference == "prompt",
        )
    return leaks
