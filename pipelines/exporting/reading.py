"""The rows of a snapshot's training sets, a row group at a time, in the columns that `shapes` takes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.exporting.shapes import last_texts
from pipelines.exporting.trainer import TrainOn
from schemas.candidate import TRACES
from schemas.query import single_turns
from schemas.training import META_RM, PAIRS, RFT, RL
from schemas.trajectory import TRAJECTORIES, Mode
from storage.snapshots import Snapshot
from storage.tables import BucketReader, read_batches, read_buckets

SCHEMAS = {"rft": RFT, "rl": RL, "pairs": PAIRS, "meta_rm": META_RM, "traces": TRACES}
"""Every set that can be exported, in the order in which a README names them."""
SPLITS = ("train", "validation")
_IDS = {"rft": "example_id", "meta_rm": "trajectory_id", "traces": "trace_id", "pairs": "set_id"}
_OPEN, _CLOSE = "<think>\n", "\n</think>\n\n"


def paths_of(snapshot: Snapshot, table: str) -> list[Path]:
    """Return the files of a published table, on this machine."""
    entry = snapshot.manifest.tables.get(table)
    return [snapshot.root.at(f"{snapshot.key}/{file.path}") for file in entry.files] if entry else []


def batches(snapshot: Snapshot, name: str, split: str, train_on: TrainOn) -> Iterator[pa.Table]:
    """Yield the rows of a split of a set with `id` and, where they are known, `prompt_tokens`, `completion_tokens`.

    `hinted_thoughts` says of rft rows with thoughts that these were written by a judge that was given a hint.
    """
    paths = paths_of(snapshot, f"{name}/{split}")
    if name == "rft" and train_on == "thoughts_and_answer":
        thoughts = BucketReader(
            paths_of(snapshot, "trajectories/accepted"), TRAJECTORIES, ["trajectory_id", "query_id", "reasoning"]
        )
        for bucket, rows in read_buckets(paths, RFT):
            yield _with_ids(name, _with_thoughts(rows, thoughts.through(bucket)))
    else:
        yield from (_with_ids(name, rows) for rows in read_batches(paths, SCHEMAS[name]))


def _with_ids(name: str, rows: pa.Table) -> pa.Table:
    if name != "rl":
        return rows.append_column("id", rows[_IDS[name]])
    extra = rows["extra_info"].combine_chunks()
    ids = pc.binary_join_element_wise(extra.field("split"), extra.field("index").cast(pa.string()), "-")
    truth = rows["reward_model"].combine_chunks().field("ground_truth")
    return (
        rows.append_column("id", ids)
        .append_column("ground_truth", truth)
        .append_column("rough_tokens", extra.field("prompt_tokens"))
    )


def _with_thoughts(rows: pa.Table, trajectories: pa.Table) -> pa.Table:
    """Return rft rows whose completion begins with the judge's thoughts, where it had any."""
    places = pc.index_in(rows["trajectory_id"], trajectories["trajectory_id"].combine_chunks())
    thoughts = pc.utf8_trim_whitespace(pc.fill_null(trajectories["reasoning"].combine_chunks().take(places), ""))
    has_any = pc.not_equal(thoughts, "")
    answers = last_texts(rows["completion"])
    whole = pc.if_else(
        has_any,
        pc.binary_join_element_wise(pc.binary_join_element_wise(_OPEN, thoughts, _CLOSE, ""), answers, ""),
        answers,
    )
    place = rows.schema.get_field_index("completion")
    rows = rows.set_column(place, rows.schema.field("completion"), single_turns("assistant", whole))
    hinted = pc.and_(has_any, pc.equal(rows["mode"], Mode.HINTED.value))
    return rows.append_column("has_thoughts", has_any).append_column("hinted_thoughts", hinted)


ANSWERS: Mapping[str, tuple[str, ...]] = {
    "rft": ("completion",),
    "traces": ("completion",),
    "meta_rm": ("completion",),
    "pairs": ("chosen", "rejected"),
    "rl": (),
}
"""The columns of answers of each set."""
