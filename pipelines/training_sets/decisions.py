"""What becomes of every trajectory and set, decided over ids and verdicts alone; only checks load texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.curation.hint_traces import hint_traces
from pipelines.curation.leak_check import leak_probe
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets
from pipelines.training_sets.balance import position_counts, rounded, uniformity
from pipelines.training_sets.label_bound import noise_bound
from pipelines.training_sets.meta_rm import choose_meta_rm, meta_rm_candidates, set_alone_auc
from pipelines.training_sets.paired_accuracy import paired_accuracy
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide
from pipelines.training_sets.rft import chosen_general, general_ids
from pipelines.training_sets.rl import decide_rl, filter_fault
from pipelines.training_sets.selection import decide_selection
from pipelines.training_sets.suspicion import Suspicion, suspicion_of
from pipelines.training_sets.too_long import NOTHING_TOO_LONG, TooLong, too_long_of
from schemas.errors import ForgeError
from schemas.preference import SETS, Split
from schemas.recipe import Recipe
from schemas.training import GENERAL
from schemas.trajectory import JUDGED, Purpose, RejectReason
from storage.stages import Stage
from storage.tables import read_frame, read_table

CAPS = (
    RejectReason.LABEL_BALANCE,
    RejectReason.POSITION_BALANCE,
    RejectReason.HINTED_SHARE,
    RejectReason.MAX_ACCEPTED,
)
"""Reasons that take rows for the sake of the whole, not for what they are."""


@dataclass(frozen=True)
class Decisions:
    """Verdicts of a build."""

    trajectories: Mapping[Purpose, pl.DataFrame]
    """In the order of the judged tables: DECISION_COLUMNS, accepted, reject_reason, in_meta_rm, and counts."""
    rl: pl.DataFrame | None
    """A row a sampled set; see `decide_rl` and `decide_selection`. None where the recipe wants no rl set, and where the
    difficulty model filters nothing, which the check `rl` says."""
    suspicion: Suspicion
    not_paired: frozenset[str]
    """Ids of the kept sets that are too suspect, or too long, for pairs."""
    general: frozenset[str]
    """Example ids of the general rows that are mixed in."""
    checks: Mapping[str, Any]
    funnel: Sequence[Mapping[str, Any]]
    """(source, stage, outcome, rows) of what was decided here."""


def decisions_of(recipe: Recipe, job: SamplingJob, curated: Stage, judged: Mapping[Purpose, Stage]) -> Decisions:
    """Return all decisions of a build; `job` is RFT's. Raises ForgeError where a set cannot be made well."""
    suspicion = suspicion_of(curated, judged)
    suspects = suspicion.above(recipe.rejection.max_label_suspicion)
    frames = _judged_frames(judged, suspicion)
    too_long = NOTHING_TOO_LONG
    if (most := recipe.training.max_tokens) is not None:
        too_long = too_long_of(most, job, curated, judged)
        frames = {purpose: too_long.marked(frame) for purpose, frame in frames.items()}
    checks: dict[str, Any] = {"lengths": _lengths(curated), **_label_checks(suspicion)}
    funnel: list[dict[str, Any]] = []
    if Purpose.RFT in frames:
        rft = frames[Purpose.RFT] = decide(frames[Purpose.RFT], recipe.rejection, recipe.grm.n_rft)
        checks["positions"] = _positions(rft)
        funnel += _counted(rft, "rft", "accepted", "mode")
    rl = _rl(recipe, curated, frames, suspects, too_long, checks) if "rl" in recipe.build.sets else None
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
        checks["meta_rm"] = _mark_meta_rm(frames, recipe.meta_rm.one_label_share, suspects)
        funnel += _meta_rm_counts(frames, suspects)
    if "pairs" in recipe.build.sets:
        several = suspicion.sets.filter(pl.col("is_kept") & (pl.col("n_responses") > 1))
        funnel += _counted(_suspect(several, suspects), "pairs", "kept")
        trusted = several.join(suspects, on="set_id", how="anti")
        funnel += _counted(_too_long(trusted.filter(pl.col("set_id").is_in(list(too_long.pairs)))), "pairs", "kept")
    checks["leak_probe"] = leak_probe(recipe.grm.shown, recipe.leaks.threshold, curated, judged, frames)
    if Purpose.RFT in frames:
        checks["hint_traces"] = hint_traces(curated, judged[Purpose.RFT], frames[Purpose.RFT])
    general = frozenset[str]()
    if recipe.general and "rft" in recipe.build.sets:
        general, rows = _general(curated, recipe.general.ratio, frames[Purpose.RFT], too_long)
        funnel += _counted(rows, "rft general", "accepted")
    not_paired = frozenset(suspects["set_id"]) | too_long.pairs
    return Decisions(frames, rl, suspicion, not_paired, general, checks, funnel)


def _judged_frames(judged: Mapping[Purpose, Stage], suspicion: Suspicion) -> dict[Purpose, pl.DataFrame]:
    """Return what decisions rest on, in the order of the judged tables."""
    kept, columns = suspicion.kept(), [*DECISION_COLUMNS, "model"]
    return {
        purpose: read_frame(stage.paths("judged"), JUDGED, columns).join(
            kept, on="set_id", how="left", maintain_order="left"
        )
        for purpose, stage in judged.items()
    }


def _rl(
    recipe: Recipe,
    curated: Stage,
    frames: Mapping[Purpose, pl.DataFrame],
    suspects: pl.DataFrame,
    too_long: TooLong,
    checks: dict[str, Any],
) -> pl.DataFrame | None:
    """Return RL's decisions, by the difficulty model's samples or, where the recipe says so, by the GRM's own.

    Where these filter nothing, the check `rl` says why it is missing, and all other sets are made without it. Raises
    ForgeError where there are no others.
    """
    sets = read_frame(
        curated.paths("sets"), SETS, ["set_id", "query_id", "source", "split", "n_responses", "label", "drop_reason"]
    ).filter(pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value))
    samples = frames.get(Purpose.DIFFICULTY, frames.get(Purpose.RFT))
    assert samples is not None
    if fault := filter_fault(samples, recipe):
        if list(recipe.build.sets) == ["rl"]:
            raise ForgeError(f"rl: {fault}")
        checks["rl"] = {"missing": fault}
        return None
    decided = decide_rl(sets.drop("drop_reason"), samples, recipe.grm.n_rft, suspects, too_long.prompts)
    return decided.with_columns(index=(pl.col("reject_reason").is_null().cum_sum().over("split") - 1))


def _meta_rm_counts(frames: Mapping[Purpose, pl.DataFrame], suspects: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the funnel of Meta RM: what was chosen, and what was not to choose from, as its set is suspect."""
    funnel: list[dict[str, Any]] = []
    for purpose, frame in frames.items():
        if "in_meta_rm" in frame.columns:
            marked = frame.filter("in_meta_rm").with_columns(reject_reason=pl.lit(None, pl.String))
            candidates = meta_rm_candidates(frame)
            suspect = _suspect(candidates, suspects)
            long = _too_long(too_long_candidates(candidates).join(suspects, on="set_id", how="anti"))
            for rows in (marked, suspect, long):
                funnel += _counted(rows, f"meta_rm from {purpose}", "kept")
    return funnel


def _suspect(rows: pl.DataFrame, suspects: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of suspect sets, with that as their reason."""
    return rows.join(suspects, on="set_id", how="semi").with_columns(
        reject_reason=pl.lit(RejectReason.LABEL_SUSPECT.value)
    )


def _too_long(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with that as their reason."""
    return rows.with_columns(reject_reason=pl.lit(RejectReason.TOO_LONG.value))


def too_long_candidates(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are marked as too long; none where the recipe limits nothing."""
    return candidates.filter("too_long") if "too_long" in candidates.columns else candidates.clear()


def _mark_meta_rm(
    frames: dict[Purpose, pl.DataFrame], one_label_share: float, suspects: pl.DataFrame
) -> dict[str, Any]:
    """Add in_meta_rm, right, set_correct and set_readable to the frames; return the check."""
    columns = ["trajectory_id", "set_id", "split", "model", "mode", "outcome", "draft_verdict"]
    purposes = [purpose for purpose in (Purpose.RFT, Purpose.ON_POLICY) if purpose in frames]
    columns += [name for name in ("too_long",) if name in frames[purposes[0]].columns]
    candidates = meta_rm_candidates(pl.concat([frames[purpose].select(columns) for purpose in purposes]))
    candidates = candidates.join(suspects, on="set_id", how="anti")
    candidates = candidates.join(
        too_long_candidates(candidates).select("trajectory_id"), on="trajectory_id", how="anti"
    )
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
        "negatives": rounded(chosen.filter(~pl.col("right")).height / chosen.height) if chosen.height else None,
        "set_alone_auc_before": rounded(set_alone_auc(candidates)),
        "set_alone_auc": rounded(set_alone_auc(chosen)),
    }


def _general(curated: Stage, ratio: float, rft: pl.DataFrame, too_long: TooLong) -> tuple[frozenset[str], pl.DataFrame]:
    """Return the ids of the general rows that are mixed in, and the kept rows, each other one with its reason."""
    table = read_table(curated.paths("general"), GENERAL, ["query_id", "source", "source_id", "split", "drop_reason"])
    general = pl.DataFrame({name: pl.from_arrow(table.column(name)) for name in ("source", "split", "drop_reason")})
    general = general.with_columns(pl.Series("example_id", general_ids(table), pl.String))
    kept = too_long.general_marked(general.filter(pl.col("drop_reason").is_null()))
    chosen = chosen_general(
        kept.filter(~pl.col("too_long")), dict(rft.filter("accepted").group_by("split").len().iter_rows()), ratio
    )
    why = pl.when("too_long").then(pl.lit(RejectReason.TOO_LONG.value)).otherwise(pl.lit("surplus"))
    return chosen, kept.with_columns(reject_reason=pl.when(~pl.col("example_id").is_in(list(chosen))).then(why))


def _label_checks(suspicion: Suspicion) -> dict[str, Any]:
    """Return what judgements say of the labels; nothing where there are none."""
    checks = {"label_suspicion": suspicion.check(), "label_noise": noise_bound(suspicion.votes)}
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
    sets = read_frame(curated.paths("sets"), SETS, ["source", "responses", "best", "n_responses", "drop_reason"])
    found = (
        sets.filter(pl.col("drop_reason").is_null() & pl.col("best").is_not_null())
        .with_columns(lengths=pl.col("responses").list.eval(pl.element().struct.field("text").str.len_chars()))
        .group_by("source")
        .agg(
            best_is_longest=(pl.col("lengths").list.get(pl.col("best")) == pl.col("lengths").list.max()).mean(),
            chance=(1 / pl.col("n_responses")).mean(),
        )
        .sort("source")
    )
    return {
        source: {"best_is_longest": round(longest, 4), "chance": round(chance, 4)}
        for source, longest, chance in found.iter_rows()
    }


def _counted(frame: pl.DataFrame, stage: str, otherwise: str, detail: str | None = None) -> list[dict[str, Any]]:
    """Return a frame's rows by source and reject_reason, or `otherwise`, as the funnel counts them.

    `detail` is a column that splits the stage further.
    """
    named = pl.concat_str(pl.lit(f"{stage} "), detail) if detail else pl.lit(stage)
    outcome = pl.coalesce("reject_reason", pl.lit(otherwise))
    counts = frame.with_columns(stage=named, outcome=outcome).group_by("source", "stage", "outcome").len("rows")
    return counts.sort("source", "stage", "outcome").to_dicts()
