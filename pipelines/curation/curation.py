"""The curation stage: the sets of all sources become one table, each kept once and in one split, or dropped by name.

A set that its source dropped stays dropped. Of the others leave, in this order: those of a licence that the recipe does
not allow, those that hold a benchmark's query (`contamination`), duplicates and contradictions, sets of a source that
leaks (`leak_downsampling`), and what is beyond a source's share. General rows leave for their licence, for holding a
benchmark's query, for being near to a test query, and as repeats.

Texts pass by a range of buckets at a time. What must be known of all sets at once is held as numbers: which queries are
near to each other (`splits`), and, where a source has a share, which sets are kept.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.curation.contamination.counting import contamination_check
from pipelines.curation.contamination.stage import Comparison
from pipelines.curation.deciding import Rules, decided_general, decided_sets, dropped, ordered
from pipelines.curation.leak_downsampling import Leaking
from pipelines.curation.shares import Places, share_hash, surplus
from pipelines.curation.splits import Splits, splits_of
from pipelines.sources.registry import SOURCES
from schemas.errors import RecipeError
from schemas.licenses import license_key, near
from schemas.preference import CONTAMINATION, SETS, DropReason
from schemas.recipe import Recipe
from schemas.training import GENERAL
from storage.ahead import ahead
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches

STAGE_VERSION = 2
_FOUND = ["source", "contaminated_by", "drop_reason"]


def rules_of(recipe: Recipe) -> Rules:
    """Return the part of a recipe that curation reads."""
    shares = tuple(source.max_share for source in recipe.sources)
    own = tuple((source.source, SOURCES[source.kind].signature) for source in recipe.sources)
    return Rules(recipe.build, recipe.splits, recipe.leaks, recipe.grm, recipe.decontaminate, shares, own)


def curate(rules: Rules, root: Root, sources: Sequence[Stage], general: Stage | None) -> Stage:
    """Return the stage with the tables `sets` (every readable set, dropped ones with their reason) and `general`.

    Both are sorted by (query_id, set_id, source, source_id). `sources` stand in the recipe's order: of equal sets the
    first source's is kept.
    """
    comparison = Comparison(rules.decontaminate, root)
    with_own = [(source, own) for source, (_, own) in zip(sources, rules.own, strict=False)]
    # Where rows are new to be compared, the curated sets are new, too: their splits can be found meanwhile.
    is_new = not all(comparison.is_compared(source, own) for source, own in with_own)
    finding = _begun(lambda: splits_of(sources, general, rules.splits, root)) if is_new else None
    compared = [comparison.stage(source, own) for source, own in with_own]
    compared_general = comparison.stage(general) if general else None
    hits = [stage for stage in (*compared, compared_general) if stage is not None]
    inputs = [*sources, *([general] if general else []), *hits]
    settings = _settings(rules, comparison)
    key = stage_key("curated", STAGE_VERSION, settings, [stage.content for stage in inputs])
    if found := find_stage(root, key):
        return found

    benchmarks = comparison.described
    del comparison  # with the index, which is large
    splits = finding.result() if finding else splits_of(sources, general, rules.splits, root)
    leaving, leaky = _leaving(rules, root, sources, compared, splits)
    contaminated: list[pl.DataFrame] = []
    clusters: set[str] = set()
    with TableWriter(root, key, "sets", SETS) as set_writer:
        for table, frame in ahead(decided_sets(rules, sources, compared, splits)):
            for reason, numbers in leaving.items():
                frame = dropped(frame, pl.col("number").is_in(_among(numbers, frame)), reason)
            frame = frame.sort("query_id", "set_id", "source", "source_id", "row")
            set_writer.write(ordered(table, frame, ["cluster", "split", "drop_reason", *CONTAMINATION]))
            contaminated.append(frame.select(_FOUND).drop_nulls("contaminated_by"))
            clusters |= set(frame.filter(drop_reason=DropReason.CONTAMINATED.value)["cluster"])
    with TableWriter(root, key, "general", GENERAL) as chat_writer:
        for table, frame in decided_general(rules, general, compared_general, splits, sorted(clusters)):
            chat_writer.write(table)
            contaminated.append(frame.select(_FOUND).drop_nulls("contaminated_by"))
    facts: dict[str, Any] = {"general": general.facts} if general else {}
    if leaky:
        facts["leaks"] = leaky
    own = {source: name for source, name in rules.own if name}
    facts["contamination"] = contamination_check(rules.decontaminate, benchmarks, own, pl.concat(contaminated))
    return finish_stage(root, key, {"sets": set_writer.files, "general": chat_writer.files}, facts, inputs)


def _begun(find: Callable[[], Splits]) -> "Future[Splits]":
    """Begin to find the splits in a thread that nobody waits for where the build ends before."""
    future: Future[Splits] = Future()

    def run() -> None:
        try:
            future.set_result(find())
        except BaseException as error:  # noqa: BLE001 - whoever takes the result raises it
            future.set_exception(error)

    Thread(target=run, name="splits", daemon=True).start()
    return future


def _settings(rules: Rules, comparison: Comparison) -> dict[str, Any]:
    """Return what the curated sets depend on, apart from their sources."""
    grm, leaks = rules.grm, rules.leaks
    bounded = grm.max_prompt_tokens is not None
    return {
        "licenses": rules.build.license_keys,
        "splits": rules.splits.model_dump(),
        "prompt": grm.model_dump(include={"max_prompt_tokens", "shown", "reference"}) if bounded else None,
        "max_share": list(rules.max_shares),
        "leaks": [leaks.threshold, grm.shown] if leaks.over == "downsample" else None,
        "decontaminate": [rules.decontaminate.over, *comparison.settings],
    }


def _leaving(
    rules: Rules, root: Root, sources: Sequence[Stage], compared: Sequence[Stage | None], splits: Splits
) -> tuple[dict[DropReason, Places], list[dict[str, Any]]]:
    """Return the numbers of the sets that leave for what all kept sets are, ascending; and what downsampling found.

    Nothing is read where the recipe asks for neither.
    """
    downsamples = rules.leaks.over == "downsample"
    if not downsamples and min(rules.max_shares, default=1.0) >= 1:
        return {}, []
    numbers, ranks, hashes = ([np.empty(0, kind)] for kind in (np.int64, np.int32, np.uint64))
    with Leaking(root) as leaking:
        for table, frame in decided_sets(rules, sources, compared, splits):
            kept = frame.filter(pl.col("drop_reason").is_null())
            numbers.append(kept["number"].to_numpy())
            ranks.append(kept["source_rank"].to_numpy().astype(np.int32))
            hashes.append(np.array([share_hash(set_id) for set_id in kept["set_id"]], np.uint64))
            if downsamples:
                leaking.add(table, kept)
        leaky, facts = leaking.rows(rules.grm.shown, rules.leaks.threshold)
    kept_numbers, kept_ranks, kept_hashes = (np.concatenate(part) for part in (numbers, ranks, hashes))
    stays = ~np.isin(kept_numbers, leaky)
    beyond = surplus(kept_numbers[stays], kept_ranks[stays], kept_hashes[stays], rules.max_shares)
    return {DropReason.LEAKY: leaky, DropReason.MAX_SHARE: np.sort(beyond)}, facts


def _among(numbers: Places, frame: pl.DataFrame) -> list[int]:
    """Return those of ascending numbers that rows of a frame may have."""
    if not frame.height:
        return []
    first, last = int(frame["number"][0]), int(frame["number"][-1])
    found: list[int] = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, last, "right")].tolist()
    return found


def license_warnings(allowed: Sequence[str] | None, curated: Stage) -> list[str]:
    """Return a line for every allowed licence that no row has though one has a name much like it.

    Raises RecipeError where not one set is left because of its licence: the list names what is not there.
    """
    if allowed is None:
        return []
    sets, general = (_licensed(curated, name, schema) for name, schema in (("sets", SETS), ("general", GENERAL)))
    rows = pl.concat([sets, general])
    refused = rows.filter(drop_reason=DropReason.LICENSE.value).group_by("license").agg(pl.col("rows").sum())
    counts = dict(refused.sort("license").iter_rows())
    lost = sets.filter(drop_reason=DropReason.LICENSE.value)["rows"].sum()
    if 2 * lost >= curated.rows("sets") > 0 and not sets["drop_reason"].null_count():
        raise RecipeError(
            f"build.licenses: no set is left; allowed are {', '.join(allowed)}, and the rows have "
            + ", ".join(f"{name} ({count:,})" for name, count in counts.items())
        )
    keys = {license_key(name) for name in rows["license"].unique()}
    meant = {name: near(name, counts) for name in allowed if license_key(name) not in keys}
    return [
        f"build.licenses: no row has {name!r}; {counts[found]:,} rows with {found!r} were left out: was that meant?"
        for name, found in meant.items()
        if found is not None
    ]


def _licensed(curated: Stage, name: str, schema: pa.Schema) -> pl.DataFrame:
    """Return license, drop_reason and rows: how many rows of a table have both."""
    columns = ["license", "drop_reason"]
    counts = [pl.DataFrame(schema={"license": pl.String, "drop_reason": pl.String, "rows": pl.UInt32})]
    counts += [
        pl.DataFrame(batch).group_by(columns).len("rows")
        for batch in read_batches(curated.paths(name), schema, columns)
    ]
    return pl.concat(counts).group_by(columns).agg(pl.col("rows").sum())
