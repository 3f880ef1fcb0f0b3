"""The assembly stage: every table of a snapshot, written range by range of buckets from what was decided over all."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.prompts import Template, load_template
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import kept_sets
from pipelines.training_sets.answers import GradedAnswers
from pipelines.training_sets.decisions import Decisions, decisions_of
from pipelines.training_sets.meta_rm import meta_rm_table
from pipelines.training_sets.pairs import pairs_table
from pipelines.training_sets.rft import general_table, rft_table
from pipelines.training_sets.rl import RlRow, rl_table
from pipelines.training_sets.selection import selection_job, with_selection
from pipelines.training_sets.traces import published_traces
from schemas.candidate import GRADED, TRACES
from schemas.preference import SETS, PreferenceSet, Split
from schemas.recipe import ModelSection, Recipe
from schemas.rubric_table import RUBRICS
from schemas.training import GENERAL, META_RM, PAIRS, RFT, RL
from schemas.trajectory import JUDGED, TRAJECTORIES, Purpose
from storage.memory import many_records
from storage.root import Root
from storage.stages import Stage, check_bytes, find_stage, finish_stage, stage_key
from storage.table_writer import TableFile, TableWriter
from storage.tables import BucketReader, bucket_ranges, read_batches

STAGE_VERSION = 2


def assemble(
    recipe: Recipe, root: Root, sources: Sequence[Stage], curated: Stage, judged: Mapping[Purpose, Stage]
) -> Stage:
    """Return the stage with every table of a snapshot, under the paths that it is published at.

    Its facts hold the checks and the funnel's part. Nothing here calls a model.
    """
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    meta_template = load_template("meta_rm")
    settings = {
        "sets": sorted(recipe.build.sets),
        "rejection": recipe.rejection.model_dump(),
        "leaks": recipe.leaks.model_dump(),
        "one_label_share": recipe.meta_rm.one_label_share,
        "general": recipe.general.ratio if recipe.general else None,
        "job": job.key_settings(),
        "meta_rm_template": meta_template.identity,
        "purposes": sorted(judged),
    }
    if recipe.rl.selection:
        settings["selection"] = [recipe.rl.selection_share, selection_job(job).key_settings()["templates"]]
    traced = [stage for stage in sources if stage.paths("traces") or stage.paths("answers")]
    inputs = [curated.content, *(judged[purpose].content for purpose in sorted(judged))]
    inputs += [stage.content for stage in traced]
    key = stage_key("assembled", STAGE_VERSION, settings, inputs)
    if found := find_stage(root, key):
        return found
    for stage in judged.values():
        check_bytes(stage, "judged")
    decisions = decisions_of(recipe, curated, judged)
    with many_records(), ExitStack() as stack:
        tables = _Tables(root, key, stack)
        for batch in read_batches(curated.paths("rubrics"), RUBRICS):
            tables.write("rubrics/made", batch, RUBRICS)
        for traces, splits in published_traces(traced, curated):
            tables.write_splits("traces", traces, TRACES, splits)
        _write_answers(traced, curated, tables)
        _write_buckets(recipe, curated, judged, decisions, job, meta_template, tables)
    facts = {"checks": decisions.checks, "funnel": decisions.funnel}
    return finish_stage(root, key, tables.files(), facts, [*sources, curated, *judged.values()])


class _Tables:
    """The writers of all tables by published path, each opened with its first rows."""

    def __init__(self, root: Root, key: str, stack: ExitStack) -> None:
        self._root = root
        self._key = key
        self._stack = stack
        self._writers: dict[str, TableWriter] = {}

    def write(self, path: str, table: pa.Table, schema: pa.Schema) -> None:
        """Append rows to the table at `folder/name`."""
        if table.num_rows and path not in self._writers:
            folder, name = path.split("/")
            writer = TableWriter(self._root, f"{self._key}/{folder}", name, schema)
            self._writers[path] = self._stack.enter_context(writer)
        if table.num_rows:
            self._writers[path].write(table)

    def write_splits(self, folder: str, table: pa.Table, schema: pa.Schema, splits: pa.Array | pa.ChunkedArray) -> None:
        """Append rows to `folder/train` and `folder/validation`, as their split, row by row, says."""
        for split in (Split.TRAIN, Split.VALIDATION):
            self.write(f"{folder}/{split}", table.filter(pc.equal(splits, split.value)), schema)

    def files(self) -> dict[str, list[TableFile]]:
        """Return the files of each table, their paths relative to the stage. Call it once the writers are closed."""
        return {
            path: [
                TableFile(f"{path.split('/')[0]}/{file.path}", file.rows, file.bytes, file.sha256)
                for file in writer.files
            ]
            for path, writer in self._writers.items()
        }


def _write_answers(sources: Sequence[Stage], curated: Stage, tables: _Tables) -> None:
    """Write answers/right, answers/wrong and answers/undecided, a range of buckets at a time."""
    answers = GradedAnswers(sources, curated)
    for buckets in bucket_ranges(sum(stage.rows("answers") for stage in sources)):
        for verdict, rows in answers.through(buckets[-1]):
            tables.write(f"answers/{verdict}", rows, GRADED)


def _write_buckets(
    recipe: Recipe,
    curated: Stage,
    judged: Mapping[Purpose, Stage],
    decisions: Decisions,
    job: SamplingJob,
    meta_template: Template,
    tables: _Tables,
) -> None:
    """Write every table, a range of buckets at a time."""
    wanted = recipe.build.sets
    every_set = BucketReader(curated.paths("sets"), SETS)
    general = BucketReader(curated.paths("general") if decisions.general else [], GENERAL)
    decided = {purpose: _Decided(stage, decisions.trajectories[purpose]) for purpose, stage in judged.items()}
    rl = decisions.rl
    for buckets in bucket_ranges(max(curated.rows("sets"), curated.rows("general"))):
        some = every_set.through(buckets[-1])
        _write_sets(some, tables)
        trajectories = {purpose: stage.through(buckets[-1]) for purpose, stage in decided.items()}
        accepted = _write_trajectories(trajectories, tables)
        if set(wanted) == {"rft"}:  # which asks for the sets of its rows and no other
            some = some.filter(pc.is_in(some.column("set_id"), accepted.column("set_id").unique()))
        sets = kept_sets(some)
        by_id = {preference.set_id: preference for preference in sets}
        if "rft" in wanted:
            examples = rft_table(accepted, by_id, job).append_column("split", accepted.column("split"))
            chat, splits = general_table(general.through(buckets[-1]), decisions.general)
            _write_rft(pa.concat_tables([examples, chat.append_column("split", splits)]), tables)
        if rl is not None:
            _write_rl(sets, rl.head(len(sets)), job, _difficulty_model(recipe), tables)
            rl = rl.slice(len(sets))
        if "meta_rm" in wanted:
            _write_meta_rm(trajectories, by_id, job, meta_template, tables)
        if "pairs" in wanted:
            pairs = pairs_table(sets)
            splits = [by_id[set_id].split or Split.TRAIN for set_id in pairs.column("set_id").to_pylist()]
            tables.write_splits("pairs", pairs, PAIRS, pa.array(splits, pa.string()))


class _Decided:
    """A judged table, read on and on, with what was decided of each row beside it."""

    def __init__(self, stage: Stage, decided: pl.DataFrame) -> None:
        self._rows = BucketReader(stage.paths("judged"), JUDGED)
        self._decided = decided.select(name for name in decided.columns if name not in JUDGED.names).to_arrow()

    def through(self, bucket: int) -> pa.Table:
        """Return the rows of all buckets up to this one that were not returned before."""
        table = self._rows.through(bucket)
        decided, self._decided = self._decided.slice(0, table.num_rows), self._decided.slice(table.num_rows)
        for name in decided.column_names:
            table = table.append_column(name, decided.column(name))
        return table


def _write_sets(sets: pa.Table, tables: _Tables) -> None:
    """Write sets/kept and sets/dropped; test sets are published here and nowhere else."""
    kept = pc.is_null(sets.column("drop_reason"))
    tables.write("sets/kept", sets.filter(kept), SETS)
    tables.write("sets/dropped", sets.filter(pc.invert(kept)), SETS)


def _write_trajectories(trajectories: Mapping[Purpose, pa.Table], tables: _Tables) -> pa.Table:
    """Write a bucket's trajectories; only RFT's are accepted or rejected. Returns the accepted ones."""
    accepted = JUDGED.empty_table()
    for purpose, table in trajectories.items():
        if purpose is Purpose.RFT:
            accepted = table.filter(table.column("accepted"))
            tables.write("trajectories/accepted", _published(accepted), TRAJECTORIES)
            rejected = table.filter(pc.invert(table.column("accepted")))
            tables.write("trajectories/rejected", _published(rejected), TRAJECTORIES)
        else:
            tables.write(f"trajectories/{purpose}", _published(table), TRAJECTORIES)
    return accepted


def _published(table: pa.Table) -> pa.Table:
    """Return trajectories as they are published."""
    columns = {name: table.column(name) for name in table.column_names}
    for name in ("accepted", "reject_reason"):
        columns.setdefault(name, pa.nulls(table.num_rows, TRAJECTORIES.field(name).type))
    columns["reject_reason"] = columns["reject_reason"].cast(pa.string())
    return pa.table([columns[name] for name in TRAJECTORIES.names], schema=TRAJECTORIES)


def _write_rl(
    sets: Sequence[PreferenceSet], decided: pl.DataFrame, job: SamplingJob, difficulty_model: str, tables: _Tables
) -> None:
    """Write RL's rows of these sets; `decided` are those of `Decisions.rl` in the same order."""
    both = list(zip(sets, decided.to_dicts(), strict=True))
    assert all(preference.set_id == row["set_id"] for preference, row in both)
    kept = [preference for preference, row in both if row["reject_reason"] is None]
    rows = [row for _, row in both if row["reject_reason"] is None]
    names = [field.name for field in fields(RlRow)]
    table = rl_table(kept, [RlRow(*(row[name] for name in names)) for row in rows], job, difficulty_model)
    if "selection" in decided.columns:
        table, kept = with_selection(table, kept, rows, job, difficulty_model)
    splits = pa.array([preference.split or Split.TRAIN for preference in kept], pa.string())
    tables.write_splits("rl", table, RL, splits)


def _difficulty_model(recipe: Recipe) -> str:
    """Return the name of the model whose samples decided what is too easy."""
    difficulty = recipe.models.difficulty
    return difficulty.name if isinstance(difficulty, ModelSection) else recipe.models.grm.name


def _write_meta_rm(
    trajectories: Mapping[Purpose, pa.Table],
    sets: Mapping[str, PreferenceSet],
    job: SamplingJob,
    template: Template,
    tables: _Tables,
) -> None:
    chosen = [
        table.filter(table.column("in_meta_rm"))
        for table in trajectories.values()
        if "in_meta_rm" in table.column_names
    ]
    columns = [
        *(name for name in META_RM.names if name in JUDGED.names),
        "text",
        "n_responses",
        "verdict_form",
        "model",
        "purpose",
        "order",
        "split",
        "right",
        "set_correct",
        "set_readable",
    ]
    rows = pa.concat_tables([table.select(columns) for table in chosen])
    rows = rows.sort_by([("query_id", "ascending"), ("set_id", "ascending"), ("trajectory_id", "ascending")])
    tables.write_splits("meta_rm", meta_rm_table(rows, sets, job, template), META_RM, rows.column("split"))


def _write_rft(examples: pa.Table, tables: _Tables) -> None:
    """Write examples, judged and general ones, in the order of their ids."""
    order = pc.sort_indices(examples, [(name, "ascending") for name in ("query_id", "set_id", "example_id")])
    splits = examples.column("split").take(order)
    for split in (Split.TRAIN, Split.VALIDATION):
        rows = order.filter(pc.equal(splits, split.value))
        tables.write(f"rft/{split}", examples.select(RFT.names).take(rows), RFT)
