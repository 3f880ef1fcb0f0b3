"""The RFT set: accepted trajectories under the prompt a trainer wants, hints stripped, with general rows mixed in."""

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.prompts import render
from pipelines.judging.samples import SamplingJob
from pipelines.training_sets.completions import completions
from schemas.columns import replaced
from schemas.preference import PreferenceSet
from schemas.query import Messages, messages_array, single_turns
from schemas.record import content_id
from schemas.training import RFT
from schemas.trajectory import Mode

GENERAL_MODE = "general"

_FROM_TRAJECTORY = [
    "set_id", "trajectory_id", "query_id", "source", "domain", "mode", "n_responses", "best_position", "label",
    "scores", "margin", "has_reference", "prompt_tokens", "completion_tokens", "model", "prompt_template",
]  # fmt: skip


def rft_table(accepted: pa.Table, sets: Mapping[str, PreferenceSet], job: SamplingJob) -> pa.Table:
    """Return the examples of accepted trajectories, in their order.

    `accepted` has JUDGED's columns with pass_count and pass_samples. A hinted trajectory's prompt is rendered anew
    without its hint; every other prompt is the one that was sent. `has_reference` says whether this prompt has one.
    """
    is_hinted = pc.equal(accepted.column("mode"), Mode.HINTED.value)
    hinted = accepted.filter(is_hinted).select(["set_id", "order", "has_reference"]).to_pylist()
    unhinted = [training_prompt(job, sets[row["set_id"]], row["order"], row["has_reference"]) for row in hinted]
    columns = {name: accepted.column(name) for name in (*_FROM_TRAJECTORY, "pass_count", "pass_samples")}
    columns |= {
        "example_id": pa.array([content_id("rft", one) for one in accepted.column("trajectory_id").to_pylist()]),
        "prompt": replaced(accepted.column("prompt"), is_hinted, messages_array(unhinted)),
        "completion": completions(accepted),
        "license": pa.array([sets[set_id].license for set_id in accepted.column("set_id").to_pylist()], pa.string()),
    }
    if job.settings.reference != "prompt":
        columns["has_reference"] = pa.repeat(False, accepted.num_rows)
    return pa.table([columns[name] for name in RFT.names], schema=RFT)


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


def general_table(general: pa.Table, chosen: frozenset[str]) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the chosen general rows, by their example ids, as RFT examples, and their splits."""
    ids = general_ids(general)
    general = general.filter(pa.array([example_id in chosen for example_id in ids], pa.bool_()))
    mode = pa.array([GENERAL_MODE] * general.num_rows, pa.string())
    columns = {
        "example_id": pa.array([example_id for example_id in ids if example_id in chosen], pa.string()),
        "completion": single_turns("assistant", general.column("completion")),
        "mode": mode,
        "domain": mode,
    }
    columns |= {name: general.column(name) for name in ("query_id", "source", "license", "prompt")}
    table = pa.table([columns.get(field.name, pa.nulls(general.num_rows, field.type)) for field in RFT], schema=RFT)
    return table, general.column("split")


def general_ids(general: pa.Table) -> list[str]:
    """Return the example ids of general rows."""
    return [
        content_id("general", query_id, source_id)
        for query_id, source_id in zip(
            general.column("query_id").to_pylist(), general.column("source_id").to_pylist(), strict=True
        )
    ]


def chosen_general(general: pl.DataFrame, judged_rows: Mapping[str, int], ratio: float) -> frozenset[str]:
    """Return the example ids of general rows to mix in: `ratio` for each judged row of a split, chosen by id.

    `general` has example_id, split and drop_reason.
    """
    chosen: set[str] = set()
    kept = general.filter(pl.col("drop_reason").is_null())
    for split, rows in sorted(judged_rows.items()):
        ids = sorted(kept.filter(pl.col("split") == split)["example_id"])
        chosen.update(ids[: round(ratio * rows)])
    return frozenset(chosen)
