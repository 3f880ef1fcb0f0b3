"""The RL set: questions with a rule reward, those that a weaker model always gets right removed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.judging.prompt_length import estimated_tokens
from pipelines.judging.samples import SamplingJob
from pipelines.training_sets.balance import balanced
from pipelines.training_sets.compact import REASONS
from pipelines.training_sets.rejection import GROUP, READABLE_OUTCOMES
from pipelines.training_sets.rft import training_prompt
from schemas.preference import PreferenceSet
from schemas.recipe import Recipe, SameAsGrm
from schemas.record import canonical_json
from schemas.tables import struct_of, table_of
from schemas.training import RL
from schemas.trajectory import RejectReason

ABILITY = "judging"
REWARD_STYLE = "rule"
MIN_READABLE = 0.8
"""A difficulty model that cannot hold the format filters nothing."""


@dataclass(frozen=True, slots=True)
class RlRow:
    """What decides a row of the RL set."""

    best_position: int | None
    index: int
    """Number of the row within its split."""
    pass_count: int
    pass_samples: int


def filter_fault(samples: pl.DataFrame, recipe: Recipe) -> str | None:
    """Return why the samples that are to find the easy sets filter nothing; None where they do."""
    readable = int(samples["outcome"].is_in(READABLE_OUTCOMES).sum())
    if readable >= MIN_READABLE * samples.height:
        return None
    whose = "the GRM's" if isinstance(recipe.models.difficulty, SameAsGrm) else "the difficulty model's"
    ways = [f"a larger [grm] max_tokens than {recipe.grm.max_tokens}"]
    if recipe.grm.structured_output == "none":
        ways.append("a form that the server keeps it to ([grm] structured_output)")
    return (
        f"only {readable / samples.height:.0%} of {whose} answers could be read, and under {MIN_READABLE:.0%} they "
        f"filter nothing; give it {', '.join(ways)}, or take another model"
    )


def decide_rl(
    sets: pl.DataFrame,
    counts: pl.DataFrame,
    n_samples: int,
    suspects: pl.DataFrame | None = None,
    too_long: pl.Series | None = None,
) -> pl.DataFrame:
    """Return the sets, sorted by (query_id, set_id), with pass_count, pass_samples, reject_reason and best_position.

    `sets` has set_id, query_id, source, split, n_responses, label; `counts` are the `pass_counts` of the difficulty
    model's samples. Best positions are dealt out, not shuffled: each occurs equally often per source, number
    of responses and split. A set with fewer than `n_samples` readable samples is undecided: nothing says whether it is
    too easy. `suspects` has the set_id of those whose label is not trusted, `too_long` holds those whose prompt is.
    """
    nothing = sets["set_id"].clear()
    suspect_ids = nothing if suspects is None else suspects["set_id"]
    reason = (
        pl.when(pl.col("pass_samples") < n_samples)
        .then(pl.lit(RejectReason.UNDECIDED.value))
        .when(pl.col("pass_count") == pl.col("pass_samples"))
        .then(pl.lit(RejectReason.TOO_EASY.value))
        .when(pl.col("set_id").is_in(suspect_ids.implode()))
        .then(pl.lit(RejectReason.LABEL_SUSPECT.value))
        .when(pl.col("set_id").is_in((nothing if too_long is None else too_long).implode()))
        .then(pl.lit(RejectReason.TOO_LONG.value))
    )
    decided = (
        sets.join(counts, on="set_id", how="left")
        .with_columns(
            pl.col("pass_count", "pass_samples").fill_null(0), trajectory_id="set_id", mode=pl.lit("non_hinted")
        )
        .with_columns(reject_reason=reason.cast(REASONS))
    )
    decided = balanced(decided, GROUP, "label", 1.5, RejectReason.LABEL_BALANCE)
    kept = pl.col("reject_reason").is_null()
    dealt = (pl.col("set_id").rank("ordinal").over("source", "n_responses", "split", kept) - 1) % pl.col("n_responses")
    return decided.with_columns(
        best_position=pl.when(kept & (pl.col("n_responses") > 1)).then(dealt.cast(pl.Int32))
    ).sort("query_id", "set_id")


def order_with_best_at(preference: PreferenceSet, best_position: int | None, seed: int) -> tuple[int, ...]:
    """Return an order that shows the best response at a position, the others shuffled by their ids."""
    others = sorted(
        (index for index in range(preference.n_responses) if index != preference.best),
        key=lambda index: hashlib.blake2b(f"rl|{seed}|{preference.set_id}|{index}".encode(), digest_size=8).digest(),
    )
    if best_position is None or preference.best is None:
        return tuple(others)
    return (*others[:best_position], preference.best, *others[best_position:])


def ground_truth(preference: PreferenceSet, row: RlRow, order: Sequence[int]) -> dict[str, Any]:
    """Return what the reward of a plain row needs."""
    if preference.n_responses == 1:
        return {"n": 1, "label": preference.label}
    return {"n": preference.n_responses, "best": row.best_position}


def rl_table(
    sets: Sequence[PreferenceSet],
    rows: Sequence[RlRow],
    job: SamplingJob,
    difficulty_model: str,
    *,
    variant: str = "",
    truth_of: Callable[[PreferenceSet, RlRow, Sequence[int]], dict[str, Any]] = ground_truth,
) -> pa.Table:
    """Return the RL rows of these sets, in their order, as verl and TRL read them; `variant` ends their data_source."""
    both = list(zip(sets, rows, strict=True))
    orders = [order_with_best_at(preference, row.best_position, job.seed) for preference, row in both]
    prompts = [
        training_prompt(job, preference, order, has_reference=preference.reference is not None)
        for preference, order in zip(sets, orders, strict=True)
    ]
    extra = {name: [getattr(row, name) for row in rows] for name in RlRow.__match_args__} | {
        "order": orders,
        "difficulty_model": [difficulty_model] * len(sets),
        "prompt_tokens": [sum(estimated_tokens(message.content) for message in prompt) for prompt in prompts],
    }
    truths = [truth_of(preference, row, order) for (preference, row), order in zip(both, orders, strict=True)]
    reward = {"style": [REWARD_STYLE] * len(sets), "ground_truth": [canonical_json(one).decode() for one in truths]}
    columns = {
        "data_source": [f"grmforge/{preference.source}{variant}" for preference in sets],
        "prompt": prompts,
        "ability": [ABILITY] * len(sets),
        "reward_model": struct_of(RL.field("reward_model").type, sets, reward),
        "extra_info": struct_of(RL.field("extra_info").type, sets, extra),
    }
    return table_of(RL, sets, columns)
