"""The verifier as one more voter: what it finds right in sets that others have labelled.

A set's reference may begin with a line that is nothing but a number, perhaps with a unit. Then the final answer of each
response can be compared with it. The verifier votes where it finds exactly one response right, or can tell whether a
single one is. Sets that it labelled itself are left out, and those of benchmarks, whose label and reference are one and
the same: they would only agree.
"""

import re
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.grading.crew import grade_all
from pipelines.training_sets.votes import VERIFIER
from schemas.preference import SETS, LabelSource, PreferenceSet, sets_of
from schemas.question import AnswerForm, Gold, Verdict
from storage.stages import Stage
from storage.tables import read_batches

_NUMBER = re.compile(r"\s*\$?[-+−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?\s?(?:%|\\%|[A-Za-zµΩ°/²³]{1,12})?\$?\s*")


def verifiers_votes(curated: Stage) -> pl.DataFrame:
    """Return the verifier's votes on kept sets, by their row: row, judge, response and votes. No model is asked."""
    places: deque[tuple[int, int, int]] = deque()  # row, number of responses, response: of pairs that are out
    grades = grade_all(_pairs(curated, places)) if _has_references(curated) else iter(())
    rows, preferred = array("L"), array("L")
    for row, of_set in groupby(((*places.popleft(), grade.verdict) for grade in grades), key=itemgetter(0)):
        right = []
        for _, n_responses, response, verdict in of_set:
            if n_responses == 1 and verdict in (Verdict.RIGHT, Verdict.WRONG):
                right.append(int(verdict is Verdict.RIGHT))
            elif n_responses > 1 and verdict is Verdict.RIGHT:
                right.append(response)
        if len(right) == 1:
            rows.append(row)
            preferred.append(right[0])
    votes = pl.DataFrame({"row": np.array(rows), "response": np.array(preferred)})
    return votes.select(
        pl.col("row").cast(pl.UInt32), pl.lit(VERIFIER).alias("judge"), pl.col("response").cast(pl.Int32), votes=1.0
    )


def number_in(reference: str | None) -> str | None:
    """Return the number that a reference begins with, alone in its line; None where it does not."""
    first = (reference or "").split("\n", 1)[0]
    return first.strip() if _NUMBER.fullmatch(first) else None


def _pairs(curated: Stage, places: deque[tuple[int, int, int]]) -> Iterator[tuple[Gold, str]]:
    for row, one in _graded_sets(curated):
        gold = Gold(AnswerForm.NUMBER, number_in(one.reference) or "")
        for response, answer in enumerate(one.responses):
            places.append((row, one.n_responses, response))
            yield gold, answer.text


def _has_references(curated: Stage) -> bool:
    """Say whether there is anything to grade, before any process is started for it."""
    return next(_graded_sets(curated), None) is not None


def _graded_sets(curated: Stage) -> Iterator[tuple[int, PreferenceSet]]:
    """Yield kept sets that can be graded, with their row, a row group at a time."""
    start = 0
    for batch in read_batches(curated.paths("sets"), SETS):
        others = pc.not_equal(batch.column("label_source"), LabelSource.VERIFIER.value)
        others = pc.and_(others, pc.invert(batch.column("benchmark")))
        is_asked = pc.and_(pc.is_null(batch.column("drop_reason")), others)
        numbers = pa.array([number_in(text) is not None for text in batch.column("reference").to_pylist()], pa.bool_())
        places = pc.indices_nonzero(pc.and_(pc.fill_null(is_asked, False), numbers))
        yield from zip((start + place for place in places.to_pylist()), sets_of(batch.take(places)), strict=True)
        start += batch.num_rows
