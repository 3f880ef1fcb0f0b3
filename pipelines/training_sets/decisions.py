"""What becomes of every trajectory and set, decided over ids and verdicts alone; only checks load texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.curation.hint_traces import hint_traces
from pipelines.curation.leak_check import leak_probe
from pipelines.judging.samples import sampling_job
from pipelines.judging.sampling import sampled_sets
from pipelines.training_sets.balance import position_counts, uniformity
from pipelines.training_sets.meta_rm import choose_meta_rm, meta_rm_candidates, set_alone_auc
from pipelines.training_sets.paired_accuracy import paired_accuracy
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide
from pipelines.training_sets.rft import chosen_general, general_ids
from pipelines.training_sets.rl import decide_rl, filter_fault
from pipelines.training_sets.selection import decide_selection
from schemas.errors import ForgeError
from schemas.preference import SETS, Split
from schemas.recipe import Recipe
from schemas.training import GENERAL
from schemas.trajectory import JUDGED, Purpose, RejectReason
from storage.stages import Stage
from storage.tables import read_table

CAPS = [
    reason.value
    for reason in (
        RejectReason.LABEL_BALANCE,
        RejectReason.POSITION_BALANCE,
        RejectReason.HINTED_SHARE,
        RejectReason.MAX_ACCEPTED,
    )
]
"""Reasons that take rows for the sake of the whole, not for what they are."""


@dataclass(frozen=True)
class Decisions:
    """Verdicts of a build."""

    trajectories: Mapping[Purpose, pl.DataFrame]
    """In the order of the judged tables: DECISION_COLUMNS, accepted, reject_reason, in_meta_rm, and counts."""
    rl: pl.DataFrame | None
    """A row a sampled set; see `decide_rl` and `decide_selection`. None where the recipe wants no rl set, and where the
    difficulty model filters nothing, which the check `rl` says."""
    general: frozenset[str]
    """Example ids of the general rows that are mixed in."""
    checks: Mapping[str, Any]
    funnel: Sequence[Mapping[str, Any]]
    """(source, stage, outcome, rows) of what was decided here."""


def decisions_of(recipe: Recipe, curated: Stage, judged: Mapping[Purpose, Stage]) -> Decisions:
    """Return all decisions of a build. Raises ForgeError where a set cannot be made well."""
    columns = [*DECISION_COLUMNS, "model"]
    frames = {purpose: frame_of(stage.paths("judged"), JUDGED, columns) for purpose, stage in judged.items()}
    checks: dict[str, Any] = {"lengths": _lengths(curated)}
    funnel: list[dict[str, Any]] = []
    if Purpose.RFT in frames:
        rft = decide(frames[Purpose.RFT], recipe.rejection, recipe.grm.n_rft)
        frames[Purpose.RFT] = rft
        checks["positions"] = _positions(rft)
        funnel += _rows(rft.with_columns(outcome=pl.coalesce("reject_reason", pl.lit("accepted"))), "rft", "mode")
    rl = _rl(recipe, curated, frames, checks) if "rl" in recipe.build.sets else None
    if rl is not None:
        funnel += _rows(rl.with_columns(outcome=pl.coalesce("reject_reason", pl.lit("kept"))), "rl")
        if recipe.rl.selection:
            rl = _selection(recipe, curated, rl)
            funnel += _rows(
                rl.filter(pl.col("selection").is_not_null()).with_columns(outcome="selection"), "rl selection"
            )
        if Purpose.DIFFICULTY in frames:
            removed = rl.select("set_id", reject_reason=pl.col("reject_reason"))
            frames[Purpose.DIFFICULTY] = frames[Purpose.DIFFICULTY].join(
                removed, on="set_id", how="left", maintain_order="left"
            )
    if Purpose.PAIRED in frames:
        checks["principles"] = paired_accuracy(frames[Purpose.RFT], frames[Purpose.PAIRED], recipe.grm.principles)
    if "meta_rm" in recipe.build.sets:
        checks["meta_rm"] = _mark_meta_rm(frames, recipe.meta_rm.one_label_share)
        for purpose, frame in frames.items():
            if "in_meta_rm" in frame.columns:
                kept = frame.filter("in_meta_rm").with_columns(outcome=pl.lit("kept"))
                funnel += _rows(kept, f"meta_rm from {purpose}")
    checks["leak_probe"] = leak_probe(recipe.grm.shown, recipe.leaks.threshold, curated, judged, frames)
    if Purpose.RFT in frames:
        checks["hint_traces"] = hint_traces(curated, judged[Purpose.RFT], frames[Purpose.RFT])
    general = frozenset[str]()
    if recipe.general and "rft" in recipe.build.sets:
        general, mixed_in = _general(recipe, curated, frames[Purpose.RFT])
        funnel += _rows(mixed_in, "rft general")
    return Decisions(frames, rl, general, checks, funnel)


def frame_of(paths: Sequence[Any], schema: pa.Schema, columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of a table as a frame, in the table's order."""
    frame = pl.from_arrow(read_table(paths, schema, columns))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _rl(
    recipe: Recipe, curated: Stage, frames: Mapping[Purpose, pl.DataFrame], checks: dict[str, Any]
) -> pl.DataFrame | None:
    """Return RL's decisions, by the difficulty model's samples or, where the recipe says so, by the GRM's own.

    Where these filter nothing, the check `rl` says why it is missing, and all other sets are made without it. Raises
    ForgeError where there are no others.
    """
    sets = frame_of(
        curated.paths("sets"), SETS, ["set_id", "query_id", "source", "split", "n_responses", "label", "drop_reason"]
    ).filter(pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value))
    samples = frames.get(Purpose.DIFFICULTY, frames.get(Purpose.RFT))
    assert samples is not None
    if fault := filter_fault(samples):
        if list(recipe.build.sets) == ["rl"]:
            raise ForgeError(f"rl: {fault}")
        checks["rl"] = {"missing": fault}
        return None
    decided = decide_rl(sets.drop("drop_reason"), samples, recipe.grm.n_rft)
    kept = pl.col("reject_reason").is_null()
    return decided.with_columns(index=(kept.cum_sum().over("split") - 1))


def _selection(recipe: Recipe, curated: Stage, rl: pl.DataFrame) -> pl.DataFrame:
    """Return RL's decisions with those on the selection variant."""
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    sets = (preference for _, bucket in sampled_sets(curated) for preference in bucket)
    return decide_selection(rl, sets, job, recipe.rl.selection_share)


def _mark_meta_rm(frames: dict[Purpose, pl.DataFrame], one_label_share: float) -> dict[str, Any]:
    """Add in_meta_rm, right, set_correct and set_readable to the frames; return the check."""
    columns = ["trajectory_id", "set_id", "split", "model", "mode", "outcome", "draft_verdict"]
    purposes = [purpose for purpose in (Purpose.RFT, Purpose.ON_POLICY) if purpose in frames]
    candidates = meta_rm_candidates(pl.concat([frames[purpose].select(columns) for purpose in purposes]))
    chosen = choose_meta_rm(candidates, one_label_share)
    marks = chosen.select("trajectory_id", "right", "set_correct", "set_readable", in_meta_rm=pl.lit(True))
    for purpose in purposes:
        frames[purpose] = (
            frames[purpose]
            .join(marks, on="trajectory_id", how="left", maintain_order="left")
            .with_columns(pl.col("in_meta_rm").fill_null(False))
        )
    return {
        "candidates": candidates.height,
        "rows": chosen.height,
        "on_policy": int(frames[Purpose.ON_POLICY]["in_meta_rm"].sum()) if Purpose.ON_POLICY in frames else 0,
        "negatives": _rounded(chosen.filter(~pl.col("right")).height / chosen.height) if chosen.height else None,
        "set_alone_auc_before": _rounded(set_alone_auc(candidates)),
        "set_alone_auc": _rounded(set_alone_auc(chosen)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _general(recipe: Recipe, curated: Stage, rft: pl.DataFrame) -> tuple[frozenset[str], pl.DataFrame]:
    """Return the ids of the general rows that are mixed in, and the kept rows by source and outcome."""
    assert recipe.general is not None
    general = read_table(curated.paths("general"), GENERAL, ["query_id", "source", "source_id", "split", "drop_reason"])
    frame = pl.from_arrow(general.select(["source", "split", "drop_reason"]))
    assert isinstance(frame, pl.DataFrame)
    frame = frame.with_columns(pl.Series("example_id", general_ids(general), pl.String))
    judged_rows = dict(rft.filter("accepted").group_by("split").len().iter_rows())
    chosen = chosen_general(frame, judged_rows, recipe.general.ratio)
    mixed_in = pl.when(pl.col("example_id").is_in(list(chosen))).then(pl.lit("accepted")).otherwise(pl.lit("surplus"))
    return chosen, frame.filter(pl.col("drop_reason").is_null()).select("source", outcome=mixed_in)


def _positions(rft: pl.DataFrame) -> dict[str, Any]:
    """Return, per source and number of responses, where the best responses stood before and after balancing."""
    before = position_counts(rft, pl.col("reject_reason").is_null() | pl.col("reject_reason").is_in(CAPS))
    after = position_counts(rft, pl.col("accepted"))
    found = {}
    for group, counts in before.items():
        kept = after.get(group, [0] * len(counts))
        (chi_before, p_before), (chi_after, p_after) = uniformity(counts), uniformity(kept)
        found[group] = {
            "before": counts,
            "chi_square_before": round(chi_before, 3),
            "p_before": p_before,
            "after": kept,
            "chi_square_after": round(chi_after, 3),
            "p_after": p_after,
        }
    return found


def _lengths(curated: Stage) -> dict[str, Any]:
    """Return, per source, how often the best response of a kept set is the longest, beside the rate of chance."""
    sets = frame_of(curated.paths("sets"), SETS, ["source", "responses", "best", "n_responses", "drop_reason"])
    lengths = pl.col("responses").list.eval(pl.element().struct.field("text").str.len_chars())
    found = (
        sets.filter(pl.col("drop_reason").is_null() & pl.col("best").is_not_null())
        .with_columns(lengths=lengths)
        .with_columns(best_length=pl.col("lengths").list.get(pl.col("best")))
        .group_by("source")
        .agg(
            best_is_longest=(pl.col("best_length") == pl.col("lengths").list.max()).mean(),
            chance=(1 / pl.col("n_responses")).mean(),
        )
        .sort("source")
    )
    return {
        source: {"best_is_longest": round(longest, 4), "chance": round(chance, 4)}
        for source, longest, chance in found.select("source", "best_is_longest", "chance").iter_rows()
    }


def _rows(frame: pl.DataFrame, stage: str, detail: str | None = None) -> list[dict[str, Any]]:
    """Return a frame's rows by source and outcome, as the funnel counts them; `detail` splits the stage further."""
    named = pl.concat_str(pl.lit(f"{stage} "), detail) if detail else pl.lit(stage)
    counts = frame.with_columns(stage=named).group_by("source", "stage", "outcome").len("rows")
    return counts.sort("source", "stage", "outcome").to_dicts()
