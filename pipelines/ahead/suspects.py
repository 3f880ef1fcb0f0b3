"""What the two rules on labels that are off by default would remove, on the answers that are stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.judging.judging import find_judged
from pipelines.steps import jobs_of
from pipelines.training_sets.compact import short_id
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide, is_suspect
from pipelines.training_sets.suspicion import suspicion_of
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Mode, Purpose
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_frame

LIMITS = (0.9, 0.5, 0.2, 0.1)
"""Values of max_label_suspicion that are tried, beside the recipe's own."""
NOT_JUDGED = "  what min_pass_for_hinted and max_label_suspicion would remove is known once a build has judged the sets"


@dataclass(frozen=True)
class Removed:
    """What one value of a rule would remove."""

    value: float
    sets: int | None
    """Kept sets; None for a rule on samples."""
    accepted: int
    """Of the answers that are accepted without either rule."""


@dataclass(frozen=True)
class RulesPlan:
    """What either rule would remove, each alone, before balance is made anew."""

    accepted: int
    """Answers that are accepted without either rule."""
    hinted: int
    """Of these, those with a hint."""
    judged_sets: int
    min_pass_for_hinted: tuple[Removed, ...]
    max_label_suspicion: tuple[Removed, ...]

    def lines(self) -> Iterator[str]:
        """Yield it for a terminal."""
        yield (
            f"  labels: what two rules of [rejection] would remove of {self.accepted:,} accepted answers, "
            f"{self.hinted:,} of them hinted, and {self.judged_sets:,} judged sets"
        )
        for one in self.min_pass_for_hinted:
            yield f"    min_pass_for_hinted = {one.value:<5g} answers {one.accepted:>9,}"
        for one in self.max_label_suspicion:
            yield f"    max_label_suspicion = {one.value:<5g} answers {one.accepted:>9,}   sets {one.sets or 0:>9,}"


def plan_rules(recipe: Recipe, root: Root, curated: Stage) -> RulesPlan | None:
    """Return what the rules would remove; None where nothing of these sets is judged yet. No model is asked."""
    found = {job.purpose: find_judged(root, job, curated) for job in jobs_of(recipe)}
    judged = {purpose: stage for purpose, stage in found.items() if stage is not None}
    if not judged:
        return None
    suspicion = suspicion_of(curated, judged).kept().drop_nulls()
    accepted = _accepted(recipe, judged).join(suspicion, on="set_id", how="left")
    hinted = accepted.filter(pl.col("mode") == Mode.HINTED.value)
    own = recipe.rejection.max_label_suspicion
    return RulesPlan(
        accepted.height,
        hinted.height,
        suspicion.height,
        tuple(
            Removed(least, None, hinted.filter(pl.col("pass_count") < least).height)
            for least in range(1, recipe.grm.n_rft + 1 if hinted.height else 1)
        ),
        tuple(
            Removed(limit, suspicion.filter(is_suspect(limit)).height, accepted.filter(is_suspect(limit)).height)
            for limit in sorted({*LIMITS, *([] if own is None else [own])}, reverse=True)
        ),
    )


def _accepted(recipe: Recipe, judged: Mapping[Purpose, Stage]) -> pl.DataFrame:
    """Return set_id, mode and pass_count of the answers that are accepted without either rule."""
    rules = recipe.rejection.model_copy(update={"min_pass_for_hinted": None, "max_label_suspicion": None})
    paths = judged[Purpose.RFT].paths("judged") if Purpose.RFT in judged else []
    decided = decide(read_frame(paths, JUDGED, DECISION_COLUMNS), rules, recipe.grm.n_rft)
    return decided.filter("accepted").select(short_id("set_id"), "mode", "pass_count")
