"""The RL set: questions with a rule reward, those that a weaker model always gets right removed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from pipelines.judging.prompt_length import estimated_tokens
from pipelines.judging.samples import SamplingJob
from pipelines.training_sets.balance import balanced
from pipelines.training_sets.rejection import READABLE_OUTCOMES, pass_counts
from pipelines.training_sets.rft import training_prompt
from schemas.preference import PreferenceSet
from schemas.query import messages_array
from schemas.record import canonical_json
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


def filter_fault(difficulty: pl.DataFrame) -> str | None:
    """Return why the difficulty model's samples filter nothing; None where they do."""
    readable = difficulty.filter(pl.col("outcome").is_in(READABLE_OUTCOMES)).height
    if readable >= MIN_READABLE * difficulty.height:
        return None
    return (
        f"only {readable / difficulty.height:.0%} of the difficulty model's answers could be read, and under "
        f"{MIN_READABLE:.0%} it filters nothing; give it a larger max_tokens, a form that the server keeps it to "
        "([grm] structured_output), or another model"
    )


def decide_rl(sets: pl.DataFrame, difficulty: pl.DataFrame, n_samples: int) -> pl.DataFrame:
    """Return the sets, sorted by (query_id, set_id), with pass_count, pass_samples, reject_reason and best_position.

    `sets` has set_id, query_id, source, split, n_responses, label; `difficulty` the difficulty model's samples with
    set_id, mode and outcome. Best positions are dealt out, not shuffled: each occurs equally often per source, number
    of responses and split. A set with fewer than `n_samples` readable samples is undecided: nothing says whether it is
    too easy.
    """
    is_decided = pl.col("pass_samples") >= n_samples
    reason = (
        pl.when(is_decided & (pl.col("pass_count") == pl.col("pass_samples")))
        .then(pl.lit(RejectReason.TOO_EASY.value))
        .when(~is_decided)
        .then(pl.lit(RejectReason.UNDECIDED.value))
        .otherwise(pl.lit(None, pl.String))
    )
    decided = (
        sets.join(pass_counts(difficulty), on="set_id", how="left")
        .with_columns(
            pl.col("pass_count", "pass_samples").fill_null(0), trajectory_id="set_id", mode=pl.lit("non_hinted")
        )
        .with_columns(reject_reason=reason)
    )
    group = ["source", "n_responses", "split", "mode"]
    decided = balanced(decided, group, "label", 1.5, RejectReason.LABEL_BALANCE)
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


def rl_table(sets: Sequence[PreferenceSet], rows: Sequence[RlRow], job: SamplingJob, difficulty_model: str) -> pa.Table:
    """Return the RL rows of these sets, in their order, as verl and TRL read them."""
    orders = [
        order_with_best_at(preference, row.best_position, job.seed) for preference, row in zip(sets, rows, strict=True)
    ]
    prompts = [
        training_prompt(job, preference, order, has_reference=preference.reference is not None)
        for preference, order in zip(sets, orders, strict=True)
    ]
    truths = [
        {"n": 1, "label": preference.label}
        if preference.n_responses == 1
        else {"n": preference.n_responses, "best": row.best_position}
        for preference, row in zip(sets, rows, strict=True)
    ]
    extra = [
        {
            "split": preference.split,
            "index": row.index,
            "set_id": preference.set_id,
            "query_id": preference.query_id,
            "source": preference.source,
            "license": preference.license,
            "order": order,
            "n_responses": preference.n_responses,
            "best_position": row.best_position,
            "label": preference.label,
            "pass_count": row.pass_count,
            "pass_samples": row.pass_samples,
            "difficulty_model": difficulty_model,
            "margin": preference.margin,
            "prompt_tokens": sum(estimated_tokens(message.content) for message in prompt),
        }
        for preference, row, order, prompt in zip(sets, rows, orders, prompts, strict=True)
    ]
    columns = {
        "data_source": [f"grmforge/{preference.source}" for preference in sets],
        "ability": [ABILITY] * len(sets),
        "reward_model": [{"style": REWARD_STYLE, "ground_truth": canonical_json(truth).decode()} for truth in truths],
        "extra_info": extra,
    }
    arrays = {name: pa.array(values, RL.field(name).type) for name, values in columns.items()}
    arrays["prompt"] = messages_array(prompts)
    return pa.table([arrays[name] for name in RL.names], schema=RL)
