"""Comparing two versions of a snapshot: counted over whole columns, of ids and verdicts alone.

Where the reader of judgements has changed, the older version's answers are read and decided anew first.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import polars as pl

from pipelines.judging.extraction import read_answer
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide
from schemas.comparison import (
    AcceptanceChange,
    Comparison,
    GivenChange,
    InputChange,
    InputCounts,
    Judged,
    LeakChange,
    OutcomeChange,
    RubricCounts,
    RubricsChange,
    TableChange,
    Use,
    UseChange,
)
from schemas.errors import StorageError
from schemas.manifest import Manifest
from schemas.preference import Split
from schemas.recipe import RejectionSection
from schemas.trajectory import RejectReason
from storage.snapshots import Snapshot

Change = TypeVar("Change")
Name = TypeVar("Name", bound=Hashable)
Side = Mapping[tuple[str, ...], tuple[Any, ...]]
"""What one version says of each key: the fields of a change."""

_JUDGED_TABLES = ("trajectories/accepted", "trajectories/rejected")
_READ_COLUMNS = [
    *("trajectory_id", "set_id", "query_id", "source", "split", "mode", "sample_index", "order", "text"),
    *("finish_reason", "reject_reason"),
]
_MARKS = [name for name in DECISION_COLUMNS if name in set(RejectReason)]
_IDS = {
    "sets": pl.col("set_id"),
    "trajectories": pl.col("trajectory_id"),
    "rft": pl.col("example_id"),
    "rl": pl.col("extra_info").struct.field("set_id"),
    "meta_rm": pl.col("trajectory_id"),
    "pairs": pl.col("set_id"),
    "traces": pl.col("trace_id"),
    "answers": pl.col("answer_id"),
    "rubrics": pl.col("rubric_id"),
}
"""The id of a table's row. Where several rows share one, as the pairs of a set do, they are counted."""


def compare(old: Snapshot, new: Snapshot) -> Comparison:
    """Return what is different in `new`. Raises StorageError where a file of either cannot be read."""
    both = (old, new)
    manifests = (old.manifest, new.manifest)
    try:
        readers = old.manifest.reader_version, new.manifest.reader_version
        before, after = map(_judged, both)
        as_read = before if readers[0] == readers[1] or before.is_empty() else _as_read_now(old, new, after)
        sources = _names(*([source.source for source in manifest.inputs] for manifest in reversed(manifests)))
        given = [_given(snapshot) for snapshot in both]
        acceptance = [
            _acceptance_of(source, as_read.filter(source=source), after.filter(source=source)) for source in sources
        ]
        return Comparison(
            old=f"{old.manifest.name}@{old.manifest.version}",
            new=f"{new.manifest.name}@{new.manifest.version}",
            tables=tuple(_table_changes(old, new)),
            relabelled=_relabelled(old, new),
            inputs=_changes(InputChange, [_inputs(manifest) for manifest in manifests], (None,)),
            acceptance=tuple(change for change in acceptance if change.before.answers or change.after.answers),
            overall=_acceptance_of("all", as_read, after),
            outcomes=_changes(OutcomeChange, _outcomes(before, after), (0, 0), sources),
            given=_changes(GivenChange, given, (0, 0), sources)
            if any(sets for side in given for sets, _ in side.values())
            else (),
            rubrics=_changes(RubricsChange, [_rubrics(snapshot) for snapshot in both], (RubricCounts(),), sources),
            leaks=_changes(LeakChange, [_leaks(manifest) for manifest in manifests], (None, None)),
            models=_changes(UseChange, [_uses(manifest) for manifest in manifests], (None,)),
            readers=readers,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StorageError(
            f"{old.manifest.name}: its versions cannot be compared, a file is not whole: {what}"
        ) from None


def _changes(
    kind: type[Change], sides: Sequence[Side], missing: tuple[Any, ...], sources: Sequence[str] | None = None
) -> tuple[Change, ...]:
    """Return a change of a kind for each key of either side, in the order of the sources, or else of the newer side.

    `missing` stands in for a side that lacks the key.
    """
    before, after = sides
    keys = _names(after, before)
    if sources is not None:
        keys = sorted((key for key in keys if key[0] in sources), key=lambda key: (sources.index(key[0]), *key[1:]))
    return tuple(kind(*key, *before.get(key, missing), *after.get(key, missing)) for key in keys)


def _names(new: Iterable[Name], old: Iterable[Name]) -> list[Name]:
    """Return every name once, those of the newer version first."""
    return list(dict.fromkeys([*new, *old]))


def _table_changes(old: Snapshot, new: Snapshot) -> Iterable[TableChange]:
    tables = _names(new.manifest.tables, old.manifest.tables)
    for table, key in ((table, _IDS[kind]) for table in tables if (kind := table.split("/")[0]) in _IDS):
        before, after = (
            _frame(snapshot, [table], [key.alias("id")]).group_by("id").len("rows") for snapshot in (old, new)
        )
        rows = after.join(before, on="id", how="full", suffix="_before", nulls_equal=True).select(
            change=pl.col("rows").cast(pl.Int64).fill_null(0) - pl.col("rows_before").cast(pl.Int64).fill_null(0)
        )["change"]
        yield TableChange(
            table, old.rows(table), new.rows(table), int(rows.clip(0, None).sum()), -int(rows.clip(None, 0).sum())
        )


def _frame(snapshot: Snapshot, tables: Sequence[str], columns: Sequence[pl.Expr]) -> pl.DataFrame:
    """Return columns of tables of a version, one after the other; no row where it has none of them."""
    if not (paths := [path for table in tables for path in snapshot.files(table)]):
        return pl.DataFrame(schema={column.meta.output_name(): pl.String for column in columns})
    return pl.scan_parquet(paths, glob=False).select(columns).collect()


def _relabelled(old: Snapshot, new: Snapshot) -> int:
    columns = [pl.col(name) for name in ("set_id", "best", "label")]
    before, after = (_frame(snapshot, ["sets/kept"], columns) for snapshot in (old, new))
    if before.is_empty() or after.is_empty():
        return 0
    both = after.join(before, on="set_id", suffix="_before")
    changed = pl.col("best").ne_missing(pl.col("best_before")) | pl.col("label").ne_missing(pl.col("label_before"))
    return both.filter(changed)["set_id"].n_unique()


def _judged(snapshot: Snapshot) -> pl.DataFrame:
    """Return a row an answer that was judged for RFT."""
    columns = [pl.col(name) for name in ("trajectory_id", "set_id", "source", "mode", "outcome", "accepted")]
    return _frame(snapshot, _JUDGED_TABLES, columns).with_columns(pl.col("accepted").cast(pl.Boolean))


def _acceptance_of(source: str, before: pl.DataFrame, after: pl.DataFrame) -> AcceptanceChange:
    new = after.join(before.select("trajectory_id"), on="trajectory_id", how="anti")
    counts = (
        Judged(frame.height, int(frame["accepted"].sum() or 0), frame["set_id"].n_unique())
        for frame in (before, after, new)
    )
    return AcceptanceChange(source, *counts)


def _inputs(manifest: Manifest) -> Side:
    return {
        (source.source,): (InputCounts(source.revision, source.rows, source.kept, source.dropped, source.unreadable),)
        for source in manifest.inputs
    }


def _outcomes(before: pl.DataFrame, after: pl.DataFrame) -> list[Side]:
    """Return how many answers of a source and mode have each outcome, and of how many."""
    counts = [_counted(frame, "source", "mode", "outcome") for frame in (before, after)]
    totals = [_counted(frame, "source", "mode") for frame in (before, after)]
    keys = {*counts[0], *counts[1]}
    return [
        {key: (count.get(key, 0), total.get(key[:2], 0)) for key in keys}
        for count, total in zip(counts, totals, strict=True)
    ]


def _counted(frame: pl.DataFrame, *by: str) -> dict[tuple[str, ...], int]:
    return {tuple(key): rows for *key, rows in frame.group_by(by).len().iter_rows()}


def _given(snapshot: Snapshot) -> Side:
    """Return how many sets were given criteria, of those that could have some."""
    columns = [pl.col("source"), pl.col("split"), pl.col("n_responses"), pl.col("given_ids").list.len().alias("ids")]
    frame = _frame(snapshot, ["sets/kept"], columns).cast({"n_responses": pl.Int64, "ids": pl.Int64})
    open_sets = frame.filter((pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1))
    grouped = open_sets.group_by("source").agg(given=(pl.col("ids") > 0).sum(), sets=pl.len())
    return {(source,): (given, sets) for source, given, sets in grouped.iter_rows()}


def _rubrics(snapshot: Snapshot) -> Side:
    if not snapshot.rows("rubrics/made"):
        return {}
    met = pl.element().struct.field("hit_rate").filter(pl.element().struct.field("drop_reason").is_null())
    columns = [pl.col("source"), pl.col("drop_reason").is_null().alias("kept"), pl.col("criteria").list.eval(met)]
    frame = _frame(snapshot, ["rubrics/made"], columns)
    kept = pl.col("criteria").filter("kept").list.explode(keep_nulls=False, empty_as_null=False)
    counts = frame.group_by("source").agg(made=pl.len(), kept=pl.col("kept").sum(), hit_rate=kept.mean())
    return {(source,): (RubricCounts(*figures),) for source, *figures in counts.iter_rows()}


def _leaks(manifest: Manifest) -> Side:
    return {
        (finding["source"], finding["task"]): (finding.get("auc"), finding.get("se"))
        for finding in manifest.checks.get("leak_probe", {}).get("sources", ())
    }


def _uses(manifest: Manifest) -> Side:
    """Return what each role's answers took, over all sources and purposes."""
    by_role = {
        (role, model): [use for use in manifest.models if (use.role, use.model) == (role, model)]
        for role, model in dict.fromkeys((use.role, use.model) for use in manifest.models)
    }
    return {
        key: (
            Use(
                requests=sum(use.requests for use in uses),
                asked=sum(use.requests - use.cached for use in uses),
                failed=sum(use.failed for use in uses),
                prompt_tokens=sum(use.prompt_tokens for use in uses),
                completion_tokens=sum(use.completion_tokens for use in uses),
                cost_usd=sum((use.cost_usd for use in uses), 0.0),
            ),
        )
        for key, uses in by_role.items()
    }


def _as_read_now(old: Snapshot, new: Snapshot, judged: pl.DataFrame) -> pl.DataFrame:
    """Return the old version's answers as today's reader reads them.

    `judged` holds those of the new version, with `trajectory_id` and `accepted`: an answer that both have is accepted
    as it is there, where the rules of rejection are the same; the others are read and decided anew.
    """
    read = read_anew(old)
    if old.manifest.recipe.get("rejection") != new.manifest.recipe.get("rejection"):
        return read
    there = judged.select("trajectory_id", accepted_there="accepted").unique("trajectory_id")
    return read.join(there, on="trajectory_id", how="left").with_columns(
        accepted=pl.coalesce("accepted_there", "accepted")
    )


def read_anew(snapshot: Snapshot) -> pl.DataFrame:
    """Return the answers that were judged for RFT, read and decided anew, by the version's own rules of rejection.

    A row has DECISION_COLUMNS, accepted and reject_reason. Texts are loaded a file at a time.
    """
    sets = pl.scan_parquet(snapshot.files("sets/kept"), glob=False).select("set_id", "best", "label").collect()
    paths = [path for table in _JUDGED_TABLES for path in snapshot.files(table)]
    read = [_read(pl.read_parquet(path, columns=_READ_COLUMNS), sets.unique("set_id")) for path in paths]
    recipe = snapshot.manifest.recipe
    rules = rules_of(recipe)
    rows = pl.concat(read).sort("query_id", "set_id", "trajectory_id")  # as the judged table is sorted
    if rules.max_label_suspicion is not None:
        suspicion = _frame(snapshot, ["sets/kept"], [pl.col("set_id"), pl.col("label_suspicion")]).unique("set_id")
        rows = rows.join(suspicion, on="set_id", how="left", maintain_order="left")
    return decide(rows, rules, recipe.get("grm", {}).get("n_rft", 3))


def rules_of(recipe: Mapping[str, Any]) -> RejectionSection:
    """Return the rules of rejection of a manifest's recipe; keys that a newer grmforge added are left out."""
    given = recipe.get("rejection", {})
    return RejectionSection.model_validate(
        {key: value for key, value in given.items() if key in RejectionSection.model_fields}
    )


def _read(rows: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Return what a decision rests on of the trajectories of one file.

    What is no matter of the verdict, such as a hint that leaks, stays as it was found.
    """
    rows = rows.join(sets, on="set_id", how="left", maintain_order="left").with_columns(
        *((pl.col("reject_reason") == mark).fill_null(False).alias(mark) for mark in _MARKS),
        n_responses=pl.col("order").list.len().cast(pl.Int32),
    )
    positions = [
        None if best is None else list(order).index(best) for order, best in rows.select("order", "best").iter_rows()
    ]
    rows = rows.with_columns(pl.Series("best_position", positions, pl.Int32))
    columns = ("text", "finish_reason", "n_responses", "best_position", "label")
    outcomes = [read_answer(*answer, with_parts=False).outcome.value for answer in rows.select(columns).iter_rows()]
    return rows.with_columns(pl.Series("outcome", outcomes, pl.String)).select(DECISION_COLUMNS)
