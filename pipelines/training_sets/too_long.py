"""Training rows that are longer than `[training] max_tokens`: a trainer would cut or drop them, or lack the memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.judging.prompt_length import TEMPLATE_TOKENS, estimated_tokens, set_tokens
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets
from pipelines.judging.transcripts import said_by
from pipelines.training_sets.compact import short_id, short_ids
from pipelines.training_sets.rft import general_ids
from schemas.preference import PreferenceSet
from schemas.training import GENERAL
from schemas.trajectory import JUDGED, Purpose
from storage.stages import Stage
from storage.tables import read_batches

_COLUMNS = ["trajectory_id", "prompt", "text", "reasoning", "prompt_tokens", "completion_tokens"]
_PROMPT_BYTES = pl.col("prompt").list.eval(pl.element().struct.field("content").str.len_bytes()).list.sum()


@dataclass(frozen=True)
class TooLong:
    """What is too long for a training row."""

    trajectories: pl.Series
    """Ids of the judgements, as numbers: prompt and answer."""
    prompts: pl.Series
    """Ids of the sets whose prompt alone is."""
    pairs: pl.Series
    """Ids of the sets whose question is, with the longest response."""
    general: pl.Series
    """Example ids of the general rows that are."""

    def general_marked(self, general: pl.DataFrame) -> pl.DataFrame:
        """Return general rows with `too_long`."""
        return general.with_columns(too_long=pl.col("example_id").is_in(self.general.implode()))

    def marked(self, trajectories: pl.DataFrame) -> pl.DataFrame:
        """Return trajectories with `too_long`."""
        return trajectories.with_columns(too_long=pl.col("trajectory_id").is_in(self.trajectories.implode()))


_NONE = pl.Series("", [], pl.UInt64)
NOTHING_TOO_LONG = TooLong(_NONE, _NONE, _NONE, _NONE)


def too_long_of(most: int, job: SamplingJob, curated: Stage, judged: Mapping[Purpose, Stage]) -> TooLong:
    """Return what is longer than so many tokens, by the endpoint's count where it gave one, else by an estimate."""
    trajectories = (part for stage in judged.values() for part in _long_trajectories(most, stage))
    prompts, pairs = [], []
    for _, sets in sampled_sets(curated):
        is_long = [set_tokens(one, job.settings) + TEMPLATE_TOKENS > most for one in sets]
        prompts.append(_ids_of(sets, is_long))
        pairs.append(_ids_of(sets, [_pair_tokens(one) > most for one in sets]))
    return TooLong(
        *(pl.concat([_NONE, *parts]) for parts in (trajectories, prompts, pairs, _long_general(most, curated)))
    )


def _ids_of(sets: Sequence[PreferenceSet], chosen: Sequence[bool]) -> pl.Series:
    return pl.Series(short_ids([one.set_id for one, is_chosen in zip(sets, chosen, strict=True) if is_chosen]))


def _long_general(most: int, curated: Stage) -> Iterator[pl.Series]:
    """Yield the example ids of general rows that are longer, by estimate."""
    is_long = (_PROMPT_BYTES + pl.col("completion").str.len_bytes()) / 4 > most
    for rows in read_batches(curated.paths("general"), GENERAL):
        yield pl.Series(short_ids(general_ids(rows))).filter(pl.DataFrame(rows).select(is_long).to_series())


def _long_trajectories(most: int, stage: Stage) -> Iterator[pl.Series]:
    """Yield the ids of judgements that are longer. Of an answer with thoughts the answer's share counts, by size."""
    answer, thoughts = (pl.col(name).fill_null("").str.len_bytes() for name in ("text", "reasoning"))
    share = answer / pl.max_horizontal(answer + thoughts, 1)
    prompt = pl.coalesce("prompt_tokens", _PROMPT_BYTES / 4)
    tokens = prompt + pl.coalesce(pl.col("completion_tokens") * share, answer / 4)
    for rows in read_batches(stage.paths("judged"), JUDGED, _COLUMNS):
        yield pl.DataFrame(rows).filter(tokens > most).select(short_id("trajectory_id")).to_series()


def _pair_tokens(preference: PreferenceSet) -> int:
    question = sum(estimated_tokens(turn.content) for turn in preference.query)
    return question + max(estimated_tokens(said_by(response)) for response in preference.responses)
