"""The selection variant of RL: pick the best response, and say what is wrong in each other one (METHOD section 4).

A second row for a set of RL, with a prompt and a `data_source` of its own. Its reward (pipelines/judging/rule.py) is
1 for the right pick, 0.1 more for each error named. An error is verified by its quotations alone: of the final answer
of the wrong response and of the right one, to the letter. So a set can have such a row only where those answers stand
in its texts, and where something other than taste says that the right one is right: a verifier, or a reference that
holds the answer. What a teacher with the reference could confirm beyond that would need a model at training time, and
`rewards.py` calls none; `quotable_answers` is where such a judgement would add what else may be quoted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.grading.final_answer import final_answer
from pipelines.judging.prompts import load_template
from pipelines.judging.rule import bare_answer
from pipelines.judging.samples import SamplingJob
from pipelines.training_sets.rl import RlRow, rl_table
from schemas.preference import LabelSource, PreferenceSet
from schemas.record import unit_interval

LONGEST_ANSWER = 300
"""Characters of an answer that a judge can be expected to copy to the letter."""
_BOX = "\\boxed"


class Selection(StrEnum):
    """What becomes of a set of RL in the selection variant."""

    KEPT = "kept"
    SINGLE_RESPONSE = "single_response"
    """There is nothing to pick from."""
    NOTHING_TO_CHECK_BY = "nothing_to_check_by"
    """No verifier and no reference says what is right: an opinion cannot verify an error."""
    NO_FINAL_ANSWERS = "no_final_answers"
    """The best response, or every other one, has no final answer of its own that could be quoted."""
    NOT_CHOSEN = "not_chosen"
    """Beyond `selection_share`."""


_SELECTIONS = pl.Enum([selection.value for selection in Selection])


def selection_job(job: SamplingJob) -> SamplingJob:
    """Return the job whose prompts are those of the variant."""
    return replace(job, template=load_template("selection"))


def quotable_answer(text: str, was_asked: bool) -> str | None:
    """Return the final answer of a response; None where there is none, or a quotation could not hold it.

    A short line without a box may be an answer as a whole, such as an option; where the response answers a question
    put to a model (`was_asked`), what it states as its answer comes first.
    """
    whole = text.strip()
    is_line = _BOX not in whole and "\n" not in whole and len(whole) <= LONGEST_ANSWER
    answer = (final_answer(text) or (whole if is_line else None)) if was_asked or not is_line else whole
    if answer is None or len(answer) > LONGEST_ANSWER or any(mark in answer for mark in '\n"“”'):
        return None
    return bare_answer(answer) or None


def quotable_answers(job: SamplingJob, preference: PreferenceSet) -> list[str | None]:
    """Return the final answer of each response by index, as a judge can quote it from the prompt.

    None for a response without one, and for a wrong one whose answer is that of the best response.
    """
    shown = job.shown_set(preference)
    found: list[str | None] = []
    for response, text in zip(preference.responses, shown.responses, strict=True):
        answer = quotable_answer(response.text, preference.label_source is LabelSource.VERIFIER)
        found.append(answer if answer is not None and answer in " ".join(text.split()) else None)
    right = None if preference.best is None else found[preference.best]
    return [None if answer == right and index != preference.best else answer for index, answer in enumerate(found)]


def selection_of(job: SamplingJob, preference: PreferenceSet, share: float = 1.0) -> Selection:
    """Return whether a set of RL gets a selection row, or why not."""
    if preference.n_responses < 2 or preference.best is None:
        return Selection.SINGLE_RESPONSE
    by_verifier = preference.label_source is LabelSource.VERIFIER
    if not by_verifier and preference.reference is None:
        return Selection.NOTHING_TO_CHECK_BY
    answers = quotable_answers(job, preference)
    if (right := answers[preference.best]) is None or all(answer is None for answer in answers if answer != right):
        return Selection.NO_FINAL_ANSWERS
    # It stands in the reference, and not as part of a longer word or number.
    in_reference = rf"(?<!\w){re.escape(right)}(?!\w)"
    if not by_verifier and not re.search(in_reference, " ".join((preference.reference or "").split())):
        return Selection.NOTHING_TO_CHECK_BY
    chosen = share >= 1 or unit_interval("selection", job.seed, preference.set_id) < share
    return Selection.KEPT if chosen else Selection.NOT_CHOSEN


def decide_selection(rl: pl.DataFrame, sets: Iterable[PreferenceSet], job: SamplingJob, share: float) -> pl.DataFrame:
    """Return RL's decisions, in their order, with `selection` and `selection_position`, and `index` over all rows.

    `rl` is what `decide_rl` returned, a row for each of the sets in their order; only sets that it keeps have a
    selection row, so that the same filter of what is too easy holds for both. Positions are dealt out anew, each
    equally often per source, number of responses and split. A set's selection row follows its other one.
    """
    found = [
        selection_of(job, preference, share).value if is_kept else None
        for preference, is_kept in zip(sets, rl["reject_reason"].is_null(), strict=True)
    ]
    outcome = pl.Series("selection", found, _SELECTIONS)
    selected = (pl.col("selection") == Selection.KEPT.value).fill_null(False)
    # One place further on than `decide_rl` deals: where every set is selected, its two rows are not in one order.
    rank = pl.col("set_id").rank("ordinal").over("source", "n_responses", "split", selected)
    position = (rank % pl.col("n_responses")).cast(pl.Int32)
    rows = pl.col("reject_reason").is_null().cast(pl.Int64) + selected.cast(pl.Int64)
    return rl.with_columns(outcome).with_columns(
        selection_position=pl.when(selected).then(position), index=rows.cum_sum().over("split") - rows
    )


def selection_table(
    sets: Sequence[PreferenceSet], rows: Sequence[RlRow], job: SamplingJob, difficulty_model: str
) -> pa.Table:
    """Return the selection rows of these sets, in their order; `job` is RL's own."""
    return rl_table(
        sets, rows, selection_job(job), difficulty_model, variant="/selection", truth_of=partial(_ground_truth, job)
    )


def _ground_truth(job: SamplingJob, preference: PreferenceSet, row: RlRow, order: Sequence[int]) -> dict[str, Any]:
    """Return what the reward needs: answers in the order shown."""
    answers = quotable_answers(job, preference)
    return {"n": preference.n_responses, "best": row.best_position, "answers": [answers[index] for index in order]}


def with_selection(
    plain: pa.Table,
    sets: Sequence[PreferenceSet],
    decided: Sequence[Mapping[str, Any]],
    job: SamplingJob,
    difficulty_model: str,
) -> tuple[pa.Table, list[PreferenceSet]]:
    """Return RL's rows of these sets with each selection row after its set's own, and the set of each row.

    `decided` holds a row of `decide_selection` for each set, whose own row stands at the same place in `plain`.
    """
    chosen = [place for place, row in enumerate(decided) if row["selection"] == Selection.KEPT]
    rows = [
        RlRow(row["selection_position"], row["index"] + 1, row["pass_count"], row["pass_samples"])
        for row in (decided[place] for place in chosen)
    ]
    table = selection_table([sets[place] for place in chosen], rows, job, difficulty_model)
    places = [*range(len(sets)), *chosen]
    order = sorted(range(len(places)), key=places.__getitem__)  # stable: a set's own row stays before the other
    return pa.concat_tables([plain, table]).take(pa.array(order, pa.int64())), [sets[places[row]] for row in order]
