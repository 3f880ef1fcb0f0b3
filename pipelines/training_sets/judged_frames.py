"""The judged tables as what decisions rest on: small columns, read and made small a part at a time."""

from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.training_sets.compact import PART_ROWS, compacted, words_of
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide_sets, pass_counts
from pipelines.training_sets.suspicion import Suspicion
from pipelines.training_sets.too_long import TooLong
from schemas.preference import SETS, Split
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Purpose
from storage.stages import Stage
from storage.table_parts import id_ranges
from storage.tables import BucketReader, read_batches

_COLUMNS = [*DECISION_COLUMNS, "model"]
_KEPT = [
    "trajectory_id", "set_id", "source", "split", "mode", "outcome", "draft_verdict", "n_responses", "best_position",
    "label", "model", "too_long", "pass_count", "pass_samples", "reject_reason",
]  # fmt: skip
"""What is still needed when whole sets have been looked at, as far as there is any."""
_OF_DIFFICULTY = ["set_id", "mode", "outcome"]
_SETS = ["set_id", "query_id", "source", "split", "n_responses", "label", "drop_reason"]


def judged_frames(
    recipe: Recipe, curated: Stage, judged: Mapping[Purpose, Stage], suspicion: Suspicion, too_long: TooLong | None
) -> tuple[dict[Purpose, pl.DataFrame], dict[Purpose, pl.DataFrame]]:
    """Return the trajectories of each purpose, in the order of the judged tables, and the `pass_counts` of each set.

    Ids are numbers; see `compact`. RFT's have what `decide_sets` finds; too_long is there where the recipe limits it.
    """
    words = {"source": words_of(curated.paths("sets"), SETS, "source"), "model": _models(judged)}
    kept = suspicion.kept() if recipe.rejection.max_label_suspicion is not None else None
    frames, counts = {}, {}
    for purpose, stage in judged.items():
        parts, counted = [], []
        for part in _parts(stage, words):
            if kept is not None:
                part = part.join(kept, on="set_id", how="left", maintain_order="left")
            part = part if too_long is None else too_long.marked(part)
            counted.append(pass_counts(part))
            if purpose is Purpose.RFT:
                part = decide_sets(part, recipe.rejection, recipe.grm.n_rft)
                part = part.with_columns(pl.col("pass_count", "pass_samples").cast(pl.UInt16))
            names = _OF_DIFFICULTY if purpose is Purpose.DIFFICULTY else _KEPT
            parts.append(part.select(name for name in names if name in part.columns))
        frames[purpose], counts[purpose] = pl.concat(parts), pl.concat(counted)
    return frames, counts


def sampled_frame(curated: Stage) -> pl.DataFrame:
    """Return set_id, query_id, source, split, n_responses and label of the sets that are sampled, in their order."""
    source = words_of(curated.paths("sets"), SETS, "source")
    is_sampled = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value)
    none = compacted(pl.DataFrame(SETS.empty_table().select(_SETS)), source=source)
    batches = (pl.DataFrame(batch) for batch in read_batches(curated.paths("sets"), SETS, _SETS))
    parts = [compacted(batch.filter(is_sampled), source=source) for batch in batches]
    return pl.concat([none, *parts]).drop("drop_reason")


def _parts(stage: Stage, words: Mapping[str, pl.Enum]) -> Iterator[pl.DataFrame]:
    """Yield a judged table made small, whole sets at a time."""
    reader = BucketReader(stage.paths("judged"), JUDGED, _COLUMNS)
    for end in id_ranges(stage.rows("judged"), PART_ROWS):
        yield compacted(pl.DataFrame(reader.before(end)), **words)


def _models(judged: Mapping[Purpose, Stage]) -> pl.Enum:
    """Return the kind of the models' names: a judged table has the answers of one."""
    firsts = (next(read_batches(stage.paths("judged"), JUDGED, ["model"]), None) for stage in judged.values())
    return pl.Enum(sorted({first.column("model")[0].as_py() for first in firsts if first is not None}))
