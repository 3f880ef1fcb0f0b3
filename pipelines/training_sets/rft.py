"""The RFT set: accepted trajectories under the prompt a trainer wants, hints stripped, with general rows mixed in."""

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.meta_rm_text import canonical_answer
from pipelines.judging.prompts import render, score_range
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import FORGIVEN
from pipelines.training_sets.compact import is_among
from schemas.columns import replaced
from schemas.preference import PreferenceSet
from schemas.query import Messages, messages_array, single_turns
from schemas.record import content_id
from schemas.tables import table_of
from schemas.training import RFT
from schemas.trajectory import Mode

GENERAL_MODE = "general"


def rft_table(accepted: pa.Table, sets: Mapping[str, PreferenceSet], job: SamplingJob) -> pa.Table:
    """Return the examples of accepted trajectories, in their order.

    `accepted` has JUDGED's columns with pass_count and pass_samples. A hinted trajectory's prompt is rendered anew
    without its hint; every other prompt is the one that was sent. `has_reference` says whether this prompt has one.
    """
    is_hinted = pc.equal(accepted.column("mode"), Mode.HINTED.value)
    hinted = accepted.filter(is_hinted).select(["set_id", "order", "has_reference"]).to_pylist()
    unhinted = [training_prompt(job, sets[row["set_id"]], row["order"], row["has_reference"]) for row in hinted]
    columns = {
        "example_id": [content_id("rft", one) for one in accepted.column("trajectory_id").to_pylist()],
        "prompt": replaced(accepted.column("prompt"), is_hinted, messages_array(unhinted)),
        "completion": completions(accepted),
        "license": [sets[set_id].license for set_id in accepted.column("set_id").to_pylist()],
    }
    if job.settings.reference != "prompt":
        columns["has_reference"] = pa.repeat(False, accepted.num_rows)
    return table_of(RFT, accepted, columns)


def training_prompt(
    job: SamplingJob, preference: PreferenceSet, order: Sequence[int], has_reference: bool = False
) -> Messages:
    """Return the non-hinted prompt of a set in this order; a reference that the hint held goes with the hint."""
    return render(
        job.template_of(preference.n_responses),
        job.shown_set(preference),
        order,
        reference=has_reference and job.settings.reference == "prompt",
    )


def completions(trajectories: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return what is trained on as the answer of each trajectory: its text, the verdict in the form that is asked for.

    Of JUDGED, text, n_responses and verdict_form are needed. A forgiven verdict is rewritten as the canonical last
    line; what followed it goes. The text as answered stays in the table of trajectories.
    """
    is_forgiven = pc.fill_null(pc.equal(trajectories.column("verdict_form"), FORGIVEN), False)
    forgiven = trajectories.filter(is_forgiven).select(["text", "n_responses"]).to_pylist()
    answers = [canonical_answer(row["text"], n, score_range(n)) for row in forgiven for n in [row["n_responses"]]]
    rewritten = pa.array(answers, pa.string())
    return single_turns("assistant", replaced(trajectories.column("text"), is_forgiven, rewritten))


def general_table(general: pa.Table, chosen: pl.Series) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the chosen general rows, by their example ids as numbers, as RFT examples, and their splits."""
    ids = general_ids(general)
    general = general.append_column("example_id", pa.array(ids, pa.string())).filter(pa.array(is_among(ids, chosen)))
    given = {name: general.column(name) for name in ("example_id", "query_id", "source", "license", "prompt")}
    columns = {field.name: pa.nulls(general.num_rows, field.type) for field in RFT} | given
    columns["completion"] = single_turns("assistant", general.column("completion"))
    columns["mode"] = columns["domain"] = pa.repeat(GENERAL_MODE, general.num_rows)
    return table_of(RFT, general, columns), general.column("split")


def general_ids(general: pa.Table) -> list[str]:
    """Return the example ids of general rows."""
    rows = zip(*(general.column(name).to_pylist() for name in ("query_id", "source_id")), strict=True)
    return [content_id("general", query_id, source_id) for query_id, source_id in rows]


def chosen_general(general: pl.DataFrame, judged_rows: Mapping[str, int], ratio: float) -> pl.Series:
    """Return the example ids, ascending, of general rows to mix in: `ratio` for each judged row of a split, by id.

    `general` has example_id and split of the rows that are kept.
    """
    chosen = [
        general.filter(pl.col("split") == split)["example_id"].sort().head(round(ratio * rows))
        for split, rows in judged_rows.items()
    ]
    return pl.concat([general["example_id"].clear(), *chosen]).sort()
