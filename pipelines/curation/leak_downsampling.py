"""Downsampling of a source that leaks: the surer the probe is of a set's best response, the sooner the set leaves.

If the surest sets left strictly one after another, the leak would turn round: "never much longer" gives as much away as
"always longer" (of 3,000 pairs whose longer response was best in 75 %, it took 1,498 and two rounds; this way 1,165 and
one). So sets leave in the order of a random number, a hash of their id, over the lead of their best response.

A round goes by the probe that finds most, of all features or of one: where one feature leaks, the others are noise.
Then a new probe learns from what stays.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.curation.leak_check import TASK, TRAINED_ON, Finding, Sample, finding_of, marked, responses_of
from pipelines.curation.leak_features import CANDIDATES, FEATURE_NAMES
from pipelines.curation.leak_probe import encoded, is_ranked, panel_of, scored, told_apart, weights_by_fold
from pipelines.judging.shown_text import Shown
from schemas.preference import PreferenceSet, sets_of
from schemas.record import unit_interval

ROUNDS = 6
MOST_LEAVING = 0.5  # a source that would lose more than this share stays as it is, and is marked
_LEAST_LEAVING = 0.01  # of the sets, in each round; otherwise rounds could pass with nothing done
_BELOW = 0.005  # a new probe finds a little of what the last one missed
_CHUNK = 1_024


def leaky_rows(sets: pa.Table, frame: pl.DataFrame, shown: Shown, threshold: float) -> tuple[set[int], list[Any]]:
    """Return the rows of the table that leave, and what was measured of each source that leaks.

    `frame` has row, set_id, query_id, source, source_id, cluster, split, best, label and drop_reason of the table's
    sets. Test sets stay as they are.
    """
    kept = frame.filter(TRAINED_ON).with_columns(task=TASK)
    kept = kept.sort("source", "task", "query_id", "set_id", "source_id", "row")
    leaving: set[int] = set()
    facts = []
    for (source, task), rows in kept.group_by("source", "task", maintain_order=True):
        table = sets.take(rows["row"].to_arrow())
        clusters = pa.array(rows["cluster"].to_list(), pa.string())
        table = table.set_column(table.schema.get_field_index("cluster"), "cluster", clusters)
        leaving_here, changed = _downsampled(table, shown, threshold)
        if changed:
            facts.append({"source": source, "task": task, **changed})
            leaving.update(rows["row"].gather(leaving_here).to_list())
    return leaving, facts


def _downsampled(
    table: pa.Table, shown: Shown, threshold: float
) -> tuple[npt.NDArray[np.int64], dict[str, Any] | None]:
    """Return the rows that leave, and the AUC before and after; None where nothing leaks."""
    all_rows = np.arange(table.num_rows)
    staying, before = all_rows, None
    for _ in range(ROUNDS):
        here = table.take(pa.array(staying))
        sample = _sample(here, shown)
        finding = marked(finding_of(sample), threshold)
        before = finding["auc"] if before is None else before
        left_out = len(all_rows) - len(staying)
        if not finding["leaky"]:
            facts = {"before": before, "after": finding["auc"], "of": len(all_rows), "left_out": left_out}
            return np.setdiff1d(all_rows, staying), facts if left_out else None
        staying = staying[_stays(here, sample, _strongest(finding), shown, threshold)]
        if len(staying) < (1 - MOST_LEAVING) * len(all_rows):
            break
    return all_rows[:0], {"before": before, "after": before, "of": len(all_rows), "left_out": 0, "gave_up": True}


def _strongest(finding: Finding) -> Sequence[str]:
    """Return the features, all of them or one, by which the probe finds most."""
    auc, name = max((auc, name) for name, auc in finding["auc_by_feature"].items())
    return FEATURE_NAMES if finding["auc"] >= auc else (name,)


def _chunks(table: pa.Table) -> Iterator[list[PreferenceSet]]:
    """Yield the sets of a table, a few texts at a time."""
    yield from (sets_of(table.slice(start, _CHUNK)) for start in range(0, table.num_rows, _CHUNK))


def _sample(table: pa.Table, shown: Shown) -> pl.DataFrame:
    """Return the candidates by which the manifest's check will measure this source."""
    sample = Sample()
    for preference in chain.from_iterable(_chunks(table)):
        sample.add(responses_of(preference, shown))
        if sample.full:
            break
    return sample.frame()


def _stays(
    table: pa.Table, sample: pl.DataFrame, names: Sequence[str], shown: Shown, threshold: float
) -> npt.NDArray[np.bool_]:
    """Return, for each set, whether it stays: as many leave as bring this probe's AUC below the threshold."""
    encoding, panel = encoded(sample)
    weights = weights_by_fold(panel, names)
    rows = ([row for one in sets for row in responses_of(one, shown)] for sets in _chunks(table))
    candidates = pl.concat(
        scored(panel_of(pl.DataFrame(chunk, CANDIDATES, orient="row"), encoding), weights, names) for chunk in rows
    )
    # How far the right one is ahead: of the second in its set, or of the middle of all single responses.
    ranked = is_ranked(sample)
    second = pl.col("score").filter(pl.col("right").not_()).max().over("group")
    from_middle = pl.col("score") - pl.col("score").median().over("fold")
    lead = pl.col("score") - second if ranked else pl.when("right").then(from_middle).otherwise(-from_middle)
    sets = told_apart(candidates.with_columns(lead=lead)).filter("right" if ranked else pl.lit(True))
    # -log(u) / lead: the waiting time of something that happens the more often the larger the lead.
    waiting = pl.col("group").map_elements(lambda set_id: -log(1 - unit_interval("leaky", set_id)), pl.Float64)
    leaving = sets.filter(pl.col("lead") > 0).sort(waiting / pl.col("lead"), "group")
    stay = sets.height - 1 - pl.int_range(pl.len())
    after = leaving.select(auc=(sets["wins"].sum() - pl.col("wins").cum_sum()) / stay)["auc"].to_numpy()
    enough = np.flatnonzero(after <= threshold - _BELOW)
    count = max(int(enough[0]) + 1 if len(enough) else len(after), int(_LEAST_LEAVING * sets.height) + 1)
    leaving_ids = set(leaving["group"].head(count))
    return np.array([set_id not in leaving_ids for set_id in table.column("set_id").to_pylist()])
