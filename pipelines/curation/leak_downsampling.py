"""Downsampling of a source that leaks: the surer the probe is of a set's best response, the sooner the set leaves.

If the surest sets left strictly one after another, the leak would turn round: "never much longer" gives as much away as
"always longer" (of 3,000 pairs whose longer response was best in 75 %, it took 1,498 and two rounds; this way 1,165 and
one). So sets leave in the order of a random number, a hash of their id, over the lead of their best response.

A round goes by the probe that finds most, of all features or of one: where one feature leaks, the others are noise.
Then a new probe learns from what stays.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from math import log
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.curation.leak_check import TASK, TRAINED_ON, Finding, Sample, finding_of, marked, responses_of
from pipelines.curation.leak_features import CANDIDATES, FEATURE_NAMES
from pipelines.curation.leak_probe import encoded, is_ranked, panel_of, scored, told_apart, weights_by_fold
from pipelines.judging.shown_text import Shown
from schemas.preference import SETS, PreferenceSet, sets_of
from schemas.record import unit_interval
from storage.root import Root
from storage.spill import BatchFile, Part

ROUNDS = 6
MOST_LEAVING = 0.5  # a source that would lose more than this share stays as it is, and is marked
_LEAST_LEAVING = 0.01  # of the sets, in each round; otherwise rounds could pass with nothing done
_BELOW = 0.005  # a new probe finds a little of what the last one missed
_CHUNK = 1_024


class _Kept:
    """The sets of one source that the probe looks at, in order: their numbers, and where they lie in the file."""

    def __init__(self) -> None:
        self.numbers: list[npt.NDArray[np.int64]] = []
        self.parts: list[Part] = []


class Leaking(AbstractContextManager["Leaking"]):
    """Takes the sets of all sources a few at a time, in the order of the tables, and finds which leave.

    Test sets stay as they are. The sets lie in a temporary file under the root.
    """

    def __init__(self, root: Root) -> None:
        self._file = BatchFile(root, SETS)
        self._kept: defaultdict[tuple[str, str], _Kept] = defaultdict(_Kept)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def add(self, sets: pa.Table, frame: pl.DataFrame) -> None:
        """Add sets of a table. `frame` has row (its place in the table), number, set_id, query_id, source, source_id,
        cluster, split, best and drop_reason of some of them."""
        kept = frame.filter(TRAINED_ON).with_columns(task=TASK)
        kept = kept.sort("source", "task", "query_id", "set_id", "source_id", "row")
        for (source, task), rows in kept.group_by("source", "task", maintain_order=True):
            table = sets.take(rows["row"].to_arrow())
            clusters = pa.array(rows["cluster"].to_list(), pa.string())
            table = table.set_column(table.schema.get_field_index("cluster"), "cluster", clusters).cast(SETS)
            of_source = self._kept[str(source), str(task)]
            of_source.numbers.append(rows["number"].to_numpy())
            of_source.parts.append(self._file.add(table))

    def rows(self, shown: Shown, threshold: float) -> tuple[npt.NDArray[np.int64], list[Any]]:
        """Return the numbers of the sets that leave, ascending, and what was measured of each source that leaks."""
        leaving = [np.empty(0, np.int64)]
        facts = []
        for (source, task), kept in sorted(self._kept.items()):
            leaves, changed = self._downsampled(kept.parts, shown, threshold)
            if changed:
                facts.append({"source": source, "task": task, **changed})
                leaving.append(np.concatenate(kept.numbers)[leaves])
        return np.sort(np.concatenate(leaving)), facts

    def _downsampled(
        self, parts: Sequence[Part], shown: Shown, threshold: float
    ) -> tuple[npt.NDArray[np.bool_], dict[str, Any] | None]:
        """Return which sets leave, and the AUC before and after; None where nothing leaks."""
        stays, before = np.ones(sum(part.rows for part in parts), np.bool_), None
        for _ in range(ROUNDS):
            sample = _sample(self._chunks(parts, stays), shown)
            finding = marked(finding_of(sample), threshold)
            before = finding["auc"] if before is None else before
            left_out = int(len(stays) - stays.sum())
            if not finding["leaky"]:
                facts = {"before": before, "after": finding["auc"], "of": len(stays), "left_out": left_out}
                return ~stays, facts if left_out else None
            still = _stays(self._chunks(parts, stays), sample, _strongest(finding), shown, threshold)
            stays[np.flatnonzero(stays)[~still]] = False
            if stays.sum() < (1 - MOST_LEAVING) * len(stays):
                break
        facts = {"before": before, "after": before, "of": len(stays), "left_out": 0, "gave_up": True}
        return np.zeros(len(stays), np.bool_), facts

    def _chunks(self, parts: Sequence[Part], stays: npt.NDArray[np.bool_]) -> Iterator[list[PreferenceSet]]:
        """Yield the sets that stay, a few texts at a time."""
        held, start = SETS.empty_table(), 0
        for part in parts:
            table = self._file.table(part).filter(pa.array(stays[start : start + part.rows]))
            held, start = pa.concat_tables([held, table]), start + part.rows
            while held.num_rows >= _CHUNK:
                yield sets_of(held.slice(0, _CHUNK))
                held = held.slice(_CHUNK)
        if held.num_rows:
            yield sets_of(held)


def _strongest(finding: Finding) -> Sequence[str]:
    """Return the features, all of them or one, by which the probe finds most."""
    auc, name = max((auc, name) for name, auc in finding["auc_by_feature"].items())
    return FEATURE_NAMES if finding["auc"] >= auc else (name,)


def _sample(chunks: Iterable[list[PreferenceSet]], shown: Shown) -> pl.DataFrame:
    """Return the candidates by which the manifest's check will measure this source."""
    sample = Sample()
    for preference in chain.from_iterable(chunks):
        sample.add(responses_of(preference, shown))
        if sample.full:
            break
    return sample.frame()


def _stays(
    chunks: Iterable[list[PreferenceSet]], sample: pl.DataFrame, names: Sequence[str], shown: Shown, threshold: float
) -> npt.NDArray[np.bool_]:
    """Return, for each set, whether it stays: as many leave as bring this probe's AUC below the threshold."""
    encoding, panel = encoded(sample)
    weights = weights_by_fold(panel, names)
    ranked = is_ranked(sample)
    parts, waiting = [], array("d")
    for sets in chunks:
        rows = pl.DataFrame([row for one in sets for row in responses_of(one, shown)], CANDIDATES, orient="row")
        ids = pl.DataFrame({"group": [one.set_id for one in sets]}).with_row_index("set", offset=len(waiting))
        found = scored(panel_of(rows, encoding), weights, names).join(ids, on="group", maintain_order="left")
        parts.append(found.select("right", "fold", "score", group="set"))
        # -log(u) / lead: the waiting time of something that happens the more often the larger the lead.
        waiting.extend(-log(1 - unit_interval("leaky", one.set_id)) for one in sets)
    candidates = pl.concat(parts)
    # How far the right one is ahead: of the second in its set, or of the middle of all single responses.
    second = pl.col("score").filter(pl.col("right").not_()).max().over("group")
    from_middle = pl.col("score") - pl.col("score").median().over("fold")
    lead = pl.col("score") - second if ranked else pl.when("right").then(from_middle).otherwise(-from_middle)
    told = told_apart(candidates.with_columns(lead=lead)).filter("right" if ranked else pl.lit(True))
    ahead = told.filter(pl.col("lead") > 0)
    waits = pl.Series(np.frombuffer(waiting)[ahead["group"].to_numpy()], dtype=pl.Float64)
    leaving = ahead.sort(waits / ahead["lead"], "group")
    stay = told.height - 1 - pl.int_range(pl.len())
    after = leaving.select(auc=(told["wins"].sum() - pl.col("wins").cum_sum()) / stay)["auc"].to_numpy()
    enough = np.flatnonzero(after <= threshold - _BELOW)
    count = max(int(enough[0]) + 1 if len(enough) else len(after), int(_LEAST_LEAVING * told.height) + 1)
    stays = np.ones(len(waiting), np.bool_)
    stays[leaving["group"].head(count).to_numpy()] = False
    return stays
