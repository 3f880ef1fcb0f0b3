"""Comparing two versions of a snapshot: counted over whole columns, of ids and verdicts alone."""

from collections.abc import Iterable, Sequence

import polars as pl

from pipelines.reporting.rereading import as_read_now
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
from storage.snapshots import Snapshot

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
"""What a row of a table is known by; where several rows of a table share it, as the pairs of a set do, they count."""

_JUDGED = ("trajectory_id", "set_id", "source", "mode", "outcome", "accepted")


def compare(old: Snapshot, new: Snapshot) -> Comparison:
    """Return what is different in `new`. Raises StorageError where a file of either cannot be read."""
    try:
        readers = old.manifest.reader_version, new.manifest.reader_version
        before, after = _judged(old), _judged(new)
        as_read = before if readers[0] == readers[1] or before.is_empty() else as_read_now(old, new, after)
        sources = _names([one.source for one in new.manifest.inputs], [one.source for one in old.manifest.inputs])
        return Comparison(
            old=f"{old.manifest.name}@{old.manifest.version}",
            new=f"{new.manifest.name}@{new.manifest.version}",
            tables=tuple(_table_changes(old, new)),
            relabelled=_relabelled(old, new),
            inputs=tuple(_input_change(source, old.manifest, new.manifest) for source in sources),
            acceptance=tuple(_acceptance(as_read, after, sources)),
            overall=_acceptance_of("all", as_read, after),
            outcomes=tuple(_outcomes(before, after, sources)),
            given=tuple(_given(old, new, sources)),
            rubrics=tuple(_rubrics(old, new, sources)),
            leaks=tuple(_leaks(old.manifest, new.manifest)),
            models=tuple(_uses(old.manifest, new.manifest)),
            readers=readers,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StorageError(
            f"{old.manifest.name}: its versions cannot be compared, a file is not whole: {what}"
        ) from None


def _names(new: Iterable[str], old: Iterable[str]) -> list[str]:
    """Return every name once, those of the newer version first."""
    return list(dict.fromkeys([*new, *old]))


def _table_changes(old: Snapshot, new: Snapshot) -> Iterable[TableChange]:
    for table in _names(new.manifest.tables, old.manifest.tables):
        key = _IDS.get(table.split("/")[0])
        if key is None:
            continue
        before, after = (
            _frame(snapshot, [table], [key.alias("id")]).group_by("id").len("rows") for snapshot in (old, new)
        )
        rows = after.join(before, on="id", how="full", suffix="_before", nulls_equal=True).select(
            change=pl.col("rows").cast(pl.Int64).fill_null(0) - pl.col("rows_before").cast(pl.Int64).fill_null(0)
        )["change"]
        yield TableChange(
            table, old.rows(table), new.rows(table), int(rows.clip(0, None).sum()), -int(rows.clip(None, 0).sum())
        )


def _frame(snapshot: Snapshot, tables: Sequence[str], wanted: Sequence[pl.Expr]) -> pl.DataFrame:
    """Return columns of tables of a version, one after the other; no row where it has none of them."""
    paths = [path for table in tables for path in snapshot.files(table)]
    if not paths:
        return pl.DataFrame(schema={one.meta.output_name(): pl.String for one in wanted})
    return pl.scan_parquet(paths, glob=False).select(wanted).collect()


def _relabelled(old: Snapshot, new: Snapshot) -> int:
    wanted = [pl.col(name) for name in ("set_id", "best", "label")]
    before, after = (_frame(snapshot, ["sets/kept"], wanted) for snapshot in (old, new))
    if before.is_empty() or after.is_empty():
        return 0
    both = after.join(before, on="set_id", suffix="_before")
    changed = pl.col("best").ne_missing(pl.col("best_before")) | pl.col("label").ne_missing(pl.col("label_before"))
    return both.filter(changed)["set_id"].n_unique()


def _input_change(source: str, old: Manifest, new: Manifest) -> InputChange:
    before, after = (
        next(
            (
                InputCounts(one.revision, one.rows, one.kept, one.dropped, one.unreadable)
                for one in manifest.inputs
                if one.source == source
            ),
            None,
        )
        for manifest in (old, new)
    )
    return InputChange(source, before, after)


def _judged(snapshot: Snapshot) -> pl.DataFrame:
    """Return a row an answer that was judged for RFT."""
    tables = ["trajectories/accepted", "trajectories/rejected"]
    frame = _frame(snapshot, tables, [pl.col(name) for name in _JUDGED])
    return frame.with_columns(pl.col("accepted").cast(pl.Boolean))


def _acceptance(before: pl.DataFrame, after: pl.DataFrame, sources: Sequence[str]) -> Iterable[AcceptanceChange]:
    for source in sources:
        mine = pl.col("source") == source
        change = _acceptance_of(source, before.filter(mine), after.filter(mine))
        if change.before.answers or change.after.answers:
            yield change


def _acceptance_of(source: str, before: pl.DataFrame, after: pl.DataFrame) -> AcceptanceChange:
    new = after.join(before.select("trajectory_id"), on="trajectory_id", how="anti")
    return AcceptanceChange(source, *(_count(frame) for frame in (before, after, new)))


def _count(judged: pl.DataFrame) -> Judged:
    return Judged(judged.height, int(judged["accepted"].sum() or 0), judged["set_id"].n_unique())


def _outcomes(before: pl.DataFrame, after: pl.DataFrame, sources: Sequence[str]) -> Iterable[OutcomeChange]:
    counts = [dict(_grouped(frame, ["source", "mode", "outcome"])) for frame in (before, after)]
    totals = [dict(_grouped(frame, ["source", "mode"])) for frame in (before, after)]
    found = sorted({*counts[0], *counts[1]}, key=lambda key: (sources.index(key[0]), *key[1:]))
    for key in found:
        one, other = ((count.get(key, 0), total.get(key[:2], 0)) for count, total in zip(counts, totals, strict=True))
        yield OutcomeChange(key[0], key[1], key[2], *one, *other)


def _grouped(frame: pl.DataFrame, by: list[str]) -> Iterable[tuple[tuple[str, ...], int]]:
    for *key, rows in frame.group_by(by).len().iter_rows():
        yield tuple(key), rows


def _given(old: Snapshot, new: Snapshot, sources: Sequence[str]) -> Iterable[GivenChange]:
    counts = []
    for snapshot in (old, new):
        wanted = [pl.col("source"), pl.col("split"), pl.col("n_responses"), pl.col("given_ids").list.len().alias("ids")]
        frame = _frame(snapshot, ["sets/kept"], wanted).cast({"n_responses": pl.Int64, "ids": pl.Int64})
        asked = frame.filter((pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1))
        grouped = asked.group_by("source").agg(given=(pl.col("ids") > 0).sum(), sets=pl.len())
        counts.append({source: (given, sets) for source, given, sets in grouped.iter_rows()})
    if any(given for count in counts for given, _ in count.values()):
        for source in sources:
            if source in counts[0] or source in counts[1]:
                yield GivenChange(source, *counts[0].get(source, (0, 0)), *counts[1].get(source, (0, 0)))


def _rubrics(old: Snapshot, new: Snapshot, sources: Sequence[str]) -> Iterable[RubricsChange]:
    before, after = _rubric_counts(old), _rubric_counts(new)
    for source in sources:
        if source in before or source in after:
            yield RubricsChange(source, before.get(source, RubricCounts()), after.get(source, RubricCounts()))


def _rubric_counts(snapshot: Snapshot) -> dict[str, RubricCounts]:
    if not snapshot.rows("rubrics/made"):
        return {}
    met = pl.element().struct.field("hit_rate").filter(pl.element().struct.field("drop_reason").is_null())
    wanted = [pl.col("source"), pl.col("drop_reason").is_null().alias("kept"), pl.col("criteria").list.eval(met)]
    frame = _frame(snapshot, ["rubrics/made"], wanted)
    kept = pl.col("criteria").filter("kept").list.explode(keep_nulls=False, empty_as_null=False)
    counts = frame.group_by("source").agg(made=pl.len(), kept=pl.col("kept").sum(), hit_rate=kept.mean())
    return {source: RubricCounts(*figures) for source, *figures in counts.iter_rows()}


def _leaks(old: Manifest, new: Manifest) -> Iterable[LeakChange]:
    before, after = (
        {
            (one["source"], one["task"]): (one.get("auc"), one.get("se"))
            for one in manifest.checks.get("leak_probe", {}).get("sources", ())
        }
        for manifest in (old, new)
    )
    for key in dict.fromkeys([*after, *before]):
        yield LeakChange(*key, *before.get(key, (None, None)), *after.get(key, (None, None)))


def _uses(old: Manifest, new: Manifest) -> Iterable[UseChange]:
    before, after = (_use_by_role(manifest) for manifest in (old, new))
    for key in dict.fromkeys([*after, *before]):
        yield UseChange(*key, before.get(key), after.get(key))


def _use_by_role(manifest: Manifest) -> dict[tuple[str, str], Use]:
    """Return what each role's answers took, over all sources and purposes."""
    uses: dict[tuple[str, str], Use] = {}
    for one in manifest.models:
        so_far = uses.get((one.role, one.model), Use(0, 0, 0, 0, 0, 0.0))
        uses[one.role, one.model] = Use(
            so_far.requests + one.requests,
            so_far.asked + one.requests - one.cached,
            so_far.failed + one.failed,
            so_far.prompt_tokens + one.prompt_tokens,
            so_far.completion_tokens + one.completion_tokens,
            so_far.cost_usd + one.cost_usd,
        )
    return uses
