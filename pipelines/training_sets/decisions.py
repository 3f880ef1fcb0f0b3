"""What becomes of every trajectory and set, decided over ids and verdicts alone; only checks load texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow.compute as pc

from pipelines.curation.hint_traces import hint_traces
from pipelines.curation.leak_check import leak_probe
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets
from pipelines.training_sets.balance import position_counts, uniformity
from pipelines.training_sets.compact import check_distinct, compacted, short_ids, words_of
from pipelines.training_sets.judged_frames import judged_frames, sampled_frame
from pipelines.training_sets.label_bound import noise_bound
from pipelines.training_sets.meta_rm_marks import mark_meta_rm, passed_over
from pipelines.training_sets.paired_accuracy import paired_accuracy
from pipelines.training_sets.rejection import evened_out
from pipelines.training_sets.rft import chosen_general, general_ids
from pipelines.training_sets.rl import decide_rl, filter_fault
from pipelines.training_sets.selection import decide_selection
from pipelines.training_sets.suspicion import Suspicion, suspicion_of
from pipelines.training_sets.too_long import NOTHING_TOO_LONG, TooLong, too_long_of
from schemas.errors import ForgeError
from schemas.preference import SETS
from schemas.recipe import Recipe
from schemas.training import GENERAL
from schemas.trajectory import Purpose, RejectReason
from storage.stages import Stage
from storage.tables import read_batches

CAPS = (
    RejectReason.LABEL_BALANCE,
    RejectReason.POSITION_BALANCE,
    RejectReason.HINTED_SHARE,
    RejectReason.MAX_ACCEPTED,
)
"""Reasons that take rows for the sake of the whole, not for what they are."""
_SUSPECT, _TOO_LONG = RejectReason.LABEL_SUSPECT.value, RejectReason.TOO_LONG.value
_WHY = pl.Enum([RejectReason.TOO_LONG.value, "surplus"])
_DECIDED = ("trajectory_id", "source", "outcome", "draft_verdict", "n_responses", "too_long")
"""What nothing rests on any more when all sets are decided."""
_PUBLISHED = (
    "accepted", "reject_reason", "pass_count", "pass_samples", "in_meta_rm", "right", "set_correct", "set_readable"
)  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """Verdicts of a build."""

    trajectories: Mapping[Purpose, pl.DataFrame]
    """In the order of the judged tables: accepted, reject_reason, in_meta_rm, and counts; made small."""
    rl: pl.DataFrame | None
    """A row a sampled set; see `decide_rl` and `decide_selection`. None where the recipe wants no rl set, and where the
    difficulty model filters nothing, which the check `rl` says."""
    suspicion: Suspicion
    not_paired: pl.Series
    """Ids, as numbers that ascend, of the kept sets that are too suspect, or too long, for pairs."""
    general: pl.Series
    """Example ids, in the same way, of the general rows that are mixed in."""
    checks: Mapping[str, Any]
    funnel: Sequence[Mapping[str, Any]]
    """(source, stage, outcome, rows) of what was decided here."""


def decisions_of(recipe: Recipe, job: SamplingJob, curated: Stage, judged: Mapping[Purpose, Stage]) -> Decisions:
    """Return all decisions of a build; `job` is RFT's. Raises ForgeError where a set cannot be made well."""
    suspicion = suspicion_of(curated, judged)
    check_distinct(suspicion.sets.filter("is_kept")["set_id"])
    suspects = suspicion.above(recipe.rejection.max_label_suspicion)
    too_long = NOTHING_TOO_LONG
    if (most := recipe.training.max_tokens) is not None:
        too_long = too_long_of(most, job, curated, judged)
    frames, counts = judged_frames(recipe, curated, judged, suspicion, None if most is None else too_long)
    checks: dict[str, Any] = {"lengths": _lengths(curated), **_label_checks(suspicion)}
    funnel: list[dict[str, Any]] = []
    if Purpose.RFT in frames:
        frames[Purpose.RFT] = evened_out(frames[Purpose.RFT], recipe.rejection)
        checks["positions"] = _positions(frames[Purpose.RFT])
        funnel += _counted(frames[Purpose.RFT], "rft", "accepted", "mode")
    rl = None
    if "rl" in recipe.build.sets:
        easy = Purpose.DIFFICULTY if Purpose.DIFFICULTY in frames else Purpose.RFT
        rl = _rl(recipe, curated, frames[easy], counts[easy], suspects, too_long, checks)
    del counts
    if rl is not None:
        funnel += _counted(rl, "rl", "kept")
        if recipe.rl.selection:
            sampled = (preference for _, bucket in sampled_sets(curated) for preference in bucket)
            rl = decide_selection(rl, sampled, job, recipe.rl.selection_share)
            selected = rl.filter(pl.col("selection").is_not_null()).with_columns(reject_reason="selection")
            funnel += _counted(selected, "rl selection", "kept")
        if Purpose.DIFFICULTY in frames:
            frames[Purpose.DIFFICULTY] = frames[Purpose.DIFFICULTY].join(
                rl.select("set_id", "reject_reason"), on="set_id", how="left", maintain_order="left"
            )
    if Purpose.PAIRED in frames:
        checks["principles"] = paired_accuracy(frames[Purpose.RFT], frames[Purpose.PAIRED], recipe.grm.principles)
    if "meta_rm" in recipe.build.sets:
        checks["meta_rm"] = mark_meta_rm(frames, recipe.meta_rm.one_label_share, suspects)
        funnel += _meta_rm_counts(frames, suspects)
    if "pairs" in recipe.build.sets:
        several = suspicion.sets.lazy().filter(pl.col("is_kept") & (pl.col("n_responses") > 1))
        funnel += _counted(several.join(suspects.lazy(), on="set_id", how="semi"), "pairs", "kept", reason=_SUSPECT)
        trusted = several.join(suspects.lazy(), on="set_id", how="anti")
        long = trusted.filter(pl.col("set_id").is_in(too_long.pairs.implode()))
        funnel += _counted(long, "pairs", "kept", reason=_TOO_LONG)
    # Before libraries are loaded, and texts.
    frames = {purpose: frame.drop(_DECIDED, strict=False) for purpose, frame in frames.items()}
    checks["leak_probe"] = leak_probe(recipe.grm.shown, recipe.leaks.threshold, curated, judged, frames)
    if Purpose.RFT in frames:
        checks["hint_traces"] = hint_traces(curated, judged[Purpose.RFT], frames[Purpose.RFT])
    general = pl.Series([], dtype=pl.UInt64)
    if recipe.general and "rft" in recipe.build.sets:
        general, rows = _general(curated, recipe.general.ratio, frames[Purpose.RFT], too_long)
        funnel += _counted(rows, "rft general", "accepted")
    not_paired = pl.concat([suspects["set_id"], too_long.pairs]).unique().sort()
    published = {
        purpose: frame.select(one for one in _PUBLISHED if one in frame.columns) for purpose, frame in frames.items()
    }
    return Decisions(published, rl, suspicion, not_paired, general, checks, funnel)


def _rl(
    recipe: Recipe,
    curated: Stage,
    samples: pl.DataFrame,
    counts: pl.DataFrame,
    suspects: pl.DataFrame,
    too_long: TooLong,
    checks: dict[str, Any],
) -> pl.DataFrame | None:
    """Return RL's decisions, by the difficulty model's samples or, where the recipe says so, by the GRM's own.

    Where these filter nothing, the check `rl` says why it is missing, and all other sets are made without it. Raises
    ForgeError where there are no others.
    """
    if fault := filter_fault(samples, recipe):
        if list(recipe.build.sets) == ["rl"]:
            raise ForgeError(f"rl: {fault}")
        checks["rl"] = {"missing": fault}
        return None
    decided = decide_rl(sampled_frame(curated), counts, recipe.grm.n_rft, suspects, too_long.prompts)
    return decided.drop("query_id", "mode", "trajectory_id").with_columns(
        index=(pl.col("reject_reason").is_null().cum_sum().over("split") - 1)
    )


def _meta_rm_counts(frames: Mapping[Purpose, pl.DataFrame], suspects: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the funnel of Meta RM: what was chosen, and what was not to choose from, as its set is suspect."""
    funnel: list[dict[str, Any]] = []
    for purpose, frame in frames.items():
        if "in_meta_rm" in frame.columns:
            suspect, long = passed_over(frames, suspects, purpose)
            for rows, reason in ((frame.lazy().filter("in_meta_rm"), "kept"), (suspect, _SUSPECT), (long, _TOO_LONG)):
                funnel += _counted(rows, f"meta_rm from {purpose}", "kept", reason=reason)
    return funnel


def _general(curated: Stage, ratio: float, rft: pl.DataFrame, too_long: TooLong) -> tuple[pl.Series, pl.DataFrame]:
    """Return the ids of the general rows that are mixed in, and the kept rows, each other one with its reason."""
    paths, parts = curated.paths("general"), []
    kind = words_of(paths, GENERAL, "source")
    for batch in read_batches(paths, GENERAL, ["query_id", "source", "source_id", "split", "drop_reason"]):
        batch = batch.filter(pc.is_null(batch.column("drop_reason")))
        ids = pl.Series("example_id", short_ids(general_ids(batch)))
        parts.append(compacted(pl.DataFrame(batch.select(["source", "split"])), source=kind).with_columns(ids))
    if not parts:
        return pl.Series([], dtype=pl.UInt64), pl.DataFrame(schema={"source": pl.String, "reject_reason": pl.String})
    kept = too_long.general_marked(pl.concat(parts))
    accepted = rft.lazy().filter("accepted").group_by("split").len().collect()
    chosen = chosen_general(kept.filter(~pl.col("too_long")), dict(accepted.iter_rows()), ratio)
    why = pl.when("too_long").then(pl.lit(RejectReason.TOO_LONG.value, _WHY)).otherwise(pl.lit("surplus", _WHY))
    return chosen, kept.with_columns(reject_reason=pl.when(~pl.col("example_id").is_in(chosen.implode())).then(why))


def _label_checks(suspicion: Suspicion) -> dict[str, Any]:
    """Return what judgements say of the labels; nothing where there are none."""
    checks = {"label_suspicion": suspicion.check(), "label_noise": noise_bound(suspicion.patterns)}
    return checks if checks["label_noise"] else {}


def _positions(rft: pl.DataFrame) -> dict[str, Any]:
    """Return, per source and number of responses, where the best responses stood before and after balancing."""
    is_balanced_away = pl.col("reject_reason").is_in([str(cap) for cap in CAPS])
    before = position_counts(rft, pl.col("reject_reason").is_null() | is_balanced_away)
    after = position_counts(rft, pl.col("accepted"))
    found: dict[str, Any] = {}
    for group, counts in before.items():
        found[group] = {}
        for when, rows in (("before", counts), ("after", after.get(group, [0] * len(counts)))):
            chi_square, p = uniformity(rows)
            found[group] |= {when: rows, f"chi_square_{when}": round(chi_square, 3), f"p_{when}": p}
    return found


def _lengths(curated: Stage) -> dict[str, Any]:
    """Return, per source, how often the best response of a kept set is the longest, beside the rate of chance."""
    lengths = pl.col("responses").list.eval(pl.element().struct.field("text").str.len_chars())
    parts = [pl.DataFrame(schema={"source": pl.String, "longest": pl.Int64, "chance": pl.Float64, "sets": pl.Int64})]
    for batch in read_batches(
        curated.paths("sets"), SETS, ["source", "responses", "best", "n_responses", "drop_reason"]
    ):
        found = (
            pl.DataFrame(batch)
            .filter(pl.col("drop_reason").is_null() & pl.col("best").is_not_null())
            .with_columns(lengths=lengths)
            .with_columns(is_longest=pl.col("lengths").list.get(pl.col("best")) == pl.col("lengths").list.max())
            .group_by("source")
            .agg(longest=pl.col("is_longest").sum(), chance=(1 / pl.col("n_responses")).sum(), sets=pl.len())
        )
        parts.append(found.cast(parts[0].schema))
    total = pl.concat(parts).group_by("source").sum().sort("source")
    return {
        source: {"best_is_longest": round(longest / sets, 4), "chance": round(chance / sets, 4)}
        for source, longest, chance, sets in total.iter_rows()
    }


def _counted(
    frame: pl.DataFrame | pl.LazyFrame, stage: str, otherwise: str, detail: str | None = None, reason: str | None = None
) -> list[dict[str, Any]]:
    """Return a frame's rows by source and reject_reason, or `otherwise`, as the funnel counts them.

    `detail` is a column that splits the stage further; `reason` is that of all rows.
    """
    keys = ["source", *([detail] if detail else []), *(["reject_reason"] if reason is None else [])]
    counts = frame.lazy().group_by(keys).len("rows").collect().cast({pl.Enum: pl.String})
    named = pl.concat_str(pl.lit(f"{stage} "), detail) if detail else pl.lit(stage)
    outcome = pl.lit(reason) if reason else pl.coalesce("reject_reason", pl.lit(otherwise))
    counts = counts.select("source", stage=named, outcome=outcome, rows="rows")
    return counts.sort("source", "stage", "outcome").to_dicts()
