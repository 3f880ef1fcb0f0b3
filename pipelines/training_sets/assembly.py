"""The assembly stage: every table of a snapshot, written range by range of buckets from what was decided over all."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.meta_rm_text import meta_rm_template
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import kept_sets, sets_reader
from pipelines.training_sets.answers import answers_reader
from pipelines.training_sets.compact import is_among, short_ids
from pipelines.training_sets.decisions import Decisions, decisions_of
from pipelines.training_sets.meta_rm import meta_rm_table
from pipelines.training_sets.pairs import pairs_table
from pipelines.training_sets.rft import general_table, rft_table
from pipelines.training_sets.rl import RlRow, rl_table
from pipelines.training_sets.selection import selection_job, with_selection
from pipelines.training_sets.signals import signals_of
from schemas.candidate import GRADED_TABLE, GRADED_VERDICTS, TRACES_TABLE
from schemas.columns import joined
from schemas.manifest import TableFile
from schemas.preference import PreferenceSet, Split
from schemas.published import TABLES
from schemas.query import MESSAGES
from schemas.recipe import ModelSection, Recipe
from schemas.rubric import RUBRICS
from schemas.tables import table_of
from schemas.training import GENERAL, META_RM, RFT, RFT_MESSAGES
from schemas.trajectory import JUDGED, TRAJECTORIES, Purpose
from storage.root import Root
from storage.stages import Stage, check_bytes, find_stage, finish_stage, stage_key
from storage.table_parts import id_ranges
from storage.table_writer import TableWriter
from storage.tables import BucketReader, many_records, read_batches

STAGE_VERSION = 5
_GROUP_SETS = 512
"""Sets that are written at a time: all tables of their rows are in memory at once."""
_SCHEMAS = {table.name: table.schema for table in TABLES}
_REPEATS = ("rft_messages/train", "rft_messages/validation")
"""Tables that say once more what others say: a version's content does not depend on them."""


def assemble(
    recipe: Recipe, root: Root, sources: Sequence[Stage], curated: Stage, judged: Mapping[Purpose, Stage]
) -> Stage:
    """Return the stage with every table of a snapshot, under the paths that it is published at.

    Its facts hold the checks and the funnel's part. Nothing here calls a model.
    """
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    settings = {
        "sets": sorted(recipe.build.sets),
        "rejection": recipe.rejection.model_dump(),
        "leaks": recipe.leaks.model_dump(),
        "one_label_share": recipe.meta_rm.one_label_share,
        "general": recipe.general.ratio if recipe.general else None,
        "job": job.key_settings(),
        "meta_rm_template": meta_rm_template().identity,
        "purposes": sorted(judged),
    }
    if recipe.training.max_tokens is not None:
        settings["max_tokens"] = recipe.training.max_tokens
    if recipe.rl.selection:
        settings["selection"] = [recipe.rl.selection_share, selection_job(job).key_settings()["templates"]]
    answered = [stage for stage in sources if stage.paths("traces") or stage.paths("answers")]
    inputs = [curated, *(judged[purpose] for purpose in sorted(judged)), *answered]
    key = stage_key("assembled", STAGE_VERSION, settings, [stage.content for stage in inputs])
    if found := find_stage(root, key):
        return found
    for stage in judged.values():
        check_bytes(stage, "judged")
    decisions = decisions_of(recipe, job, curated, judged)
    with many_records(), ExitStack() as stack:
        tables = _Tables(root, key, stack)
        for batch in read_batches(curated.paths("rubrics"), RUBRICS):
            tables.write("rubrics/made", batch)
        if answered:
            _write_answers(answered, curated, tables)
        _Rows(recipe, curated, judged, decisions, job, tables).write()
    facts = {"checks": decisions.checks, "funnel": decisions.funnel}
    return finish_stage(root, key, tables.files(), facts, [*sources, curated, *judged.values()], repeats=_REPEATS)


class _Tables:
    """The writers of all tables by published path, each opened with its first rows."""

    def __init__(self, root: Root, key: str, stack: ExitStack) -> None:
        self._root = root
        self._key = key
        self._stack = stack
        self._writers: dict[str, TableWriter] = {}

    def write(self, path: str, rows: pa.Table) -> None:
        """Append rows to the table at `folder/name`."""
        folder, name = path.split("/")
        if rows.num_rows and path not in self._writers:
            writer = TableWriter(self._root, f"{self._key}/{folder}", name, _SCHEMAS[folder])
            self._writers[path] = self._stack.enter_context(writer)
        if rows.num_rows:
            self._writers[path].write(rows)

    def write_splits(self, folder: str, rows: pa.Table, splits: pa.Array | pa.ChunkedArray) -> None:
        """Append rows to `folder/train` and `folder/validation`, as their split, row by row, says."""
        for split in (Split.TRAIN, Split.VALIDATION):
            self.write(f"{folder}/{split}", rows.filter(pc.equal(splits, split.value)))

    def files(self) -> dict[str, list[TableFile]]:
        """Return the files of each table, their paths relative to the stage. Call it once the writers are closed."""
        return {
            path: [replace(file, path=f"{path.split('/')[0]}/{file.path}") for file in writer.files]
            for path, writer in self._writers.items()
        }


def _write_answers(sources: Sequence[Stage], curated: Stage, tables: _Tables) -> None:
    """Write traces, and the graded answers by their verdict, a range of ids at a time."""
    ranges = list(id_ranges(sum(stage.rows("answers") for stage in sources)))
    traces_before, answers_before = (answers_reader(table, sources, curated) for table in (TRACES_TABLE, GRADED_TABLE))
    for end in ranges:
        tables.write_splits("traces", *traces_before(end))
    for end in ranges:
        rows, _ = answers_before(end)
        for verdict in GRADED_VERDICTS:
            tables.write(f"answers/{verdict}", rows.filter(pc.equal(rows.column("verdict"), verdict.value)))


class _Decided:
    """A judged table, read on and on, with what was decided of each row beside it."""

    def __init__(self, stage: Stage, decided: pl.DataFrame) -> None:
        self._rows = BucketReader(stage.paths("judged"), JUDGED)
        self._decided, self._start = decided, 0

    def before(self, end: str) -> pa.Table:
        """Return the rows of all queries before this id that were not returned before."""
        rows = self._rows.before(end)
        decided = self._decided.slice(self._start, rows.num_rows)
        self._start += rows.num_rows
        return _beside(rows, decided.cast({cs.enum(): pl.String, cs.unsigned_integer(): pl.Int32}).to_arrow())


def _beside(rows: pa.Table, columns: pa.Table) -> pa.Table:
    """Return the rows with these columns beside them."""
    for name in columns.column_names:
        rows = rows.append_column(name, columns.column(name))
    return rows


@dataclass(frozen=True)
class _Rows:
    """What sets and trajectories become: the rows of every other table."""

    recipe: Recipe
    curated: Stage
    judged: Mapping[Purpose, Stage]
    decisions: Decisions
    job: SamplingJob
    tables: _Tables

    def write(self) -> None:
        """Write every table, a range of ids at a time."""
        wanted, curated, decisions = self.recipe.build.sets, self.curated, self.decisions
        rl, start = decisions.rl, 0
        sets_before = sets_reader(curated)
        general = BucketReader(curated.paths("general") if len(decisions.general) else [], GENERAL)
        decided = {purpose: _Decided(stage, decisions.trajectories[purpose]) for purpose, stage in self.judged.items()}
        for end in id_ranges(max(curated.rows("sets"), curated.rows("general")), _GROUP_SETS):
            rows = sets_before(end)
            rows = _beside(rows, decisions.suspicion.columns(start, rows.num_rows))
            start += rows.num_rows
            kept = pc.is_null(rows.column("drop_reason"))
            self.tables.write("sets/kept", rows.filter(kept))  # test sets are published here and nowhere else
            self.tables.write("sets/dropped", rows.filter(pc.invert(kept)))
            trajectories = {purpose: stage.before(end) for purpose, stage in decided.items()}
            accepted = self._write_trajectories(trajectories)
            if set(wanted) == {"rft"}:  # which needs the sets of its rows and no other
                rows = rows.filter(pc.is_in(rows.column("set_id"), accepted.column("set_id").unique()))
            sets = kept_sets(rows)
            by_id = {preference.set_id: preference for preference in sets}
            if "rft" in wanted:
                self._write_rft(accepted, by_id, general.before(end))
            if rl is not None:
                self._write_rl(sets, rl.head(len(sets)))
                rl = rl.slice(len(sets))
            if "meta_rm" in wanted:
                self._write_meta_rm(trajectories, by_id)
            if "pairs" in wanted:
                passed_over = is_among(list(by_id), decisions.not_paired)
                pairs = pairs_table([one for one, is_out in zip(sets, passed_over, strict=True) if not is_out])
                of_rows = [by_id[set_id] for set_id in pairs.column("set_id").to_pylist()]
                self.tables.write_splits("pairs", pairs, _splits(of_rows))

    def _write_trajectories(self, trajectories: Mapping[Purpose, pa.Table]) -> pa.Table:
        """Write trajectories; only RFT's are accepted or rejected. Returns the accepted ones."""
        accepted = JUDGED.empty_table()
        for purpose, rows in trajectories.items():
            table = rows
            for name, values in signals_of(rows).items():  # over all samples of a set, whatever becomes of each
                table = table.append_column(name, values)
            if purpose is Purpose.RFT:
                accepted = table.filter(table.column("accepted"))
                self.tables.write("trajectories/accepted", _published(accepted))
                rejected = table.filter(pc.invert(table.column("accepted")))
                self.tables.write("trajectories/rejected", _published(rejected))
            else:
                self.tables.write(f"trajectories/{purpose}", _published(table))
        return accepted

    def _write_rft(self, accepted: pa.Table, sets: Mapping[str, PreferenceSet], general: pa.Table) -> None:
        """Write examples, judged and general ones, in the order of their ids."""
        examples = rft_table(accepted, sets, self.job).append_column("split", accepted.column("split"))
        chat, splits = general_table(general, self.decisions.general)
        rows = pa.concat_tables([examples, chat.append_column("split", splits)])
        rows = rows.sort_by([(name, "ascending") for name in ("query_id", "set_id", "example_id")])
        self.tables.write_splits("rft", rows.select(RFT.names), rows.column("split"))
        messages = {"messages": joined(rows.column("prompt"), rows.column("completion")).cast(MESSAGES)}
        self.tables.write_splits("rft_messages", table_of(RFT_MESSAGES, rows, messages), rows.column("split"))

    def _write_rl(self, sets: Sequence[PreferenceSet], decided: pl.DataFrame) -> None:
        """Write RL's rows of these sets; `decided` are those of `Decisions.rl` in the same order."""
        both = list(zip(sets, decided.to_dicts(), strict=True))
        assert (short_ids([one.set_id for one in sets]) == decided["set_id"].to_numpy()).all()
        both = [(preference, row) for preference, row in both if row["reject_reason"] is None]
        kept, rows = [preference for preference, _ in both], [row for _, row in both]
        plain = [RlRow(*(row[name] for name in RlRow.__match_args__)) for row in rows]
        table = rl_table(kept, plain, self.job, self._difficulty_model)
        if "selection" in decided.columns:
            table, kept = with_selection(table, kept, rows, self.job, self._difficulty_model)
        self.tables.write_splits("rl", table, _splits(kept))

    @cached_property
    def _difficulty_model(self) -> str:
        """The name of the model whose samples decided what is too easy."""
        difficulty = self.recipe.models.difficulty
        return difficulty.name if isinstance(difficulty, ModelSection) else self.job.model.name

    def _write_meta_rm(self, trajectories: Mapping[Purpose, pa.Table], sets: Mapping[str, PreferenceSet]) -> None:
        """Write the trajectories that were chosen for Meta RM, in the order of their ids."""
        own = [name for name in META_RM.names if name in JUDGED.names]
        columns = [
            *own,
            *("text", "n_responses", "verdict_form", "model", "purpose", "order", "split"),
            *("right", "set_correct", "set_readable"),
        ]
        rows = pa.concat_tables(
            table.filter(table.column("in_meta_rm")).select(columns)
            for table in trajectories.values()
            if "in_meta_rm" in table.column_names
        ).sort_by([(name, "ascending") for name in ("query_id", "set_id", "trajectory_id")])
        table = meta_rm_table(rows, sets, self.job, meta_rm_template())
        self.tables.write_splits("meta_rm", table, rows.column("split"))


def _published(table: pa.Table) -> pa.Table:
    """Return trajectories as they are published: what was decided only of some purposes is null for the others."""
    columns = {
        name: table.column(name).cast(TRAJECTORIES.field(name).type)
        if name in table.column_names
        else pa.nulls(table.num_rows, TRAJECTORIES.field(name).type)
        for name in ("accepted", "reject_reason")
    }
    return table_of(TRAJECTORIES, table, columns)


def _splits(sets: Sequence[PreferenceSet]) -> pa.Array:
    return pa.array([preference.split or Split.TRAIN for preference in sets], pa.string())
