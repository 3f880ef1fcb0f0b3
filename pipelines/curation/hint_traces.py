"""The check `hint_traces`: do accepted hinted critiques still read otherwise than non-hinted ones of the same sets?

A list of phrases finds the leaks that it knows. This check knows none: a bag of words is asked to tell, of two accepted
critiques of one set, the hinted one, in sets of clusters that it has not seen. What is left out is all that may differ
for a good reason: the verdict and every number, each word of the question and of the responses, and length, as both are
cut to the shorter one. The same is asked of two non-hinted critiques of a set, one of which is called hinted by its id:
the null, which shows what chance and the rest of the set-up make of it.

Words count alone and in pairs; scripts without blanks, such as Chinese, in runs of two to four characters. The probe is
the leak probe's own.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.leak_features import NGRAMS
from pipelines.curation.leak_probe import NGRAM_LENGTH, Measured, Sparse, lacking, measured, panel, sparse_of
from pipelines.judging.hint_leaks import gives_verdict_first, speaks_of_hint
from schemas.preference import SETS, PreferenceSet, sets_of
from schemas.record import unit_interval
from schemas.trajectory import JUDGED, Mode, Principle
from storage.stages import Stage
from storage.table_parts import read_places
from storage.tables import read_batches

MOST_SETS = 1_000
_CHARACTERS = 1_500  # of a critique; two thirds of its beginning and a third of its end
_MASKED_CHARACTERS = 10_000  # of each turn and response, whose words are masked
_MOST_NGRAMS, _LEAST_CLUSTERS, _STRONGEST = 20_000, 3, 10
_SPLITS = 5  # of the null
_HALF_WIDTH = 1.96
_FROM_CHANCE = 3  # standard errors above chance that traces have to be, as for leaks

_BLANKLESS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"([{_BLANKLESS}]+)|([^\W\d_{_BLANKLESS}]+(?:['’][^\W\d_]+)?)|[^\w\s{_BLANKLESS}]|\d+")
Check = dict[str, Any]


class Critique(NamedTuple):
    """What an accepted answer says before its verdict."""

    trajectory_id: str
    set_id: str
    hinted: bool
    text: str
    answer: str
    principles: Sequence[Principle]
    reference_shown: bool


class _Pairs:
    """Pairs of critiques, the first of which is to be told from the second, as words that are not masked."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, bool]] = []
        self._bags: list[frozenset[str]] = []

    def add(self, cluster: str, masked: frozenset[str], pair: Sequence[Critique]) -> None:
        """Add a set's pair, both cut to the length of the shorter one; no more than MOST_SETS are kept."""
        if len(self._rows) < 2 * MOST_SETS:
            length = min(_CHARACTERS, *(len(critique.text) for critique in pair))
            self._bags += [_ngrams(_ends(critique.text, length), masked) for critique in pair]
            self._rows += [(critique.set_id, cluster, critique is pair[0]) for critique in pair]

    def check(self, of_pairs: Callable[[pl.DataFrame, list[str], Sparse], Check]) -> Check:
        """Return what is found of candidates, n-grams and their matrix, or the reason why that was not tried."""
        schema = {"group": pl.String, "cluster": pl.String, "right": pl.Boolean}
        candidates = pl.DataFrame(self._rows, schema, orient="row")
        reason = lacking(candidates)
        found = {"auc": None, "reason": reason} if reason else of_pairs(candidates, *self._matrix())
        return {"sets": len(self._rows) // 2} | found

    def _matrix(self) -> tuple[list[str], Sparse]:
        """Return the commonest n-grams, and a row a bag with a column an n-gram, each row of one length.

        What few clusters say is no trace, and tells of queries.
        """
        # The bags of a cluster are not always neighbours: each run of them counts.
        counts: Counter[str] = Counter()
        last: dict[str, str] = {}
        for (_, cluster, _), bag in zip(self._rows, self._bags, strict=True):
            for ngram in bag:
                counts[ngram] += last.get(ngram, "") != cluster
                last[ngram] = cluster
        common = sorted((-count, ngram) for ngram, count in counts.items() if count >= _LEAST_CLUSTERS)[:_MOST_NGRAMS]
        names = {ngram: column for column, (_, ngram) in enumerate(common)}
        columns = [sorted(names[ngram] for ngram in bag if ngram in names) for bag in self._bags]
        sizes = np.array([len(row) for row in columns], np.int64)
        flat = np.fromiter((column for row in columns for column in row), np.int64, int(sizes.sum()))
        values = np.repeat(NGRAM_LENGTH / np.sqrt(np.maximum(sizes, 1)), sizes)
        rows = np.repeat(np.arange(len(columns)), sizes)
        return list(names), sparse_of(values, rows, flat, (len(columns), max(1, len(names))))


def hint_traces(curated: Stage, judged: Stage, rft: pl.DataFrame) -> Check:
    """Return the check; `rft` has set_id, mode and accepted of RFT's trajectories, in the order of the judged table."""
    critiques: dict[str, list[Critique]] = {}
    columns = ["trajectory_id", "set_id", "mode", "critique", "text", "principles", "has_reference"]
    for batch in read_places(judged.paths("judged"), JUDGED, _looked_at(rft), columns):
        for row in batch.to_pylist():
            critiques.setdefault(row["set_id"], []).append(_critique(row))
    return traces((preference, critiques[preference.set_id]) for preference in _sets(curated, list(critiques)))


def traces(judged: Iterable[tuple[PreferenceSet, Sequence[Critique]]]) -> Check:
    """Return the check of sets, each with its accepted critiques, in the order of their ids."""
    pairs, null_pairs = _Pairs(), _Pairs()
    never_hinted: list[Critique] = []
    for preference, group in judged:
        masked, cluster = _words_of(preference), preference.cluster or ""
        hinted = next((critique for critique in group if critique.hinted), None)
        others = [critique for critique in group if not critique.hinted]
        if hinted and others:
            size = len(hinted.text)
            nearest = min(others, key=lambda critique: (abs(len(critique.text) - size), critique.trajectory_id))
            pairs.add(cluster, masked, (hinted, nearest))
        if len(others) > 1:
            by_chance = sorted(others, key=lambda critique: unit_interval("hint traces", critique.trajectory_id))
            null_pairs.add(cluster, masked, by_chance[:2])
        never_hinted += others
    null = null_pairs.check(_null)
    found = pairs.check(partial(_told_apart, scatter=null.get("scatter", 0.0)))
    return found | {"null": null, "false_alarms": _false_alarms(never_hinted)}


def _looked_at(rft: pl.DataFrame) -> npt.NDArray[np.integer[Any]]:
    """Return the places of the accepted rows of the sets that are looked at: of each kind, the first by id, a hash."""
    is_hinted = (pl.col("mode") == Mode.HINTED.value).alias("hinted")
    all_accepted = rft.lazy().with_row_index("place").filter("accepted").select("place", "set_id", is_hinted).collect()
    rows = 64 * MOST_SETS
    while True:
        accepted = all_accepted
        if is_part := rows < all_accepted.height:
            last = all_accepted["set_id"].bottom_k(rows).max()
            accepted = all_accepted.filter(pl.col("set_id") <= last)
        counts = accepted.group_by("set_id").agg(hinted=pl.col("hinted").sum(), others=(~pl.col("hinted")).sum())
        kinds = (counts.filter((pl.col("hinted") > 0) & (pl.col("others") > 0)), counts.filter(pl.col("others") > 1))
        if not is_part or all(kind.height >= MOST_SETS for kind in kinds):
            sets = pl.concat(kind.sort("set_id").head(MOST_SETS).select("set_id") for kind in kinds).unique()
            return accepted.join(sets, on="set_id", how="semi")["place"].sort().to_numpy()
        rows *= 4


def _sets(curated: Stage, set_ids: Sequence[str]) -> Iterator[PreferenceSet]:
    """Yield these sets, in the order of the table."""
    chosen = pa.array(set_ids, pa.string())
    for batch in read_batches(curated.paths("sets"), SETS):
        yield from sets_of(batch.filter(pc.is_in(batch.column("set_id"), chosen)))


def _critique(row: dict[str, Any]) -> Critique:
    """Return the critique of a judged row; the answer without its last line where it has no critique."""
    text = row["text"] or ""
    return Critique(
        row["trajectory_id"],
        row["set_id"],
        row["mode"] == Mode.HINTED.value,
        row["critique"] or text.rstrip().rpartition("\n")[0],
        text,
        [Principle(**principle) for principle in row["principles"] or ()],
        bool(row["has_reference"]),
    )


def _told_apart(candidates: pl.DataFrame, names: list[str], matrix: Sparse, scatter: float) -> Check:
    """Return how well hinted critiques are told from others.

    The standard error is not below how much the null scatters: what is learnt in one fold is no news in the others.
    """
    probe = _probed(candidates, matrix)
    se = max(probe.se, scatter)
    return {
        "auc": round(probe.auc, 4),
        "se": round(se, 4),
        "interval": _interval(probe.auc, se),
        "found": bool(probe.auc - _FROM_CHANCE * se > 0.5),
        "ngrams": _strongest(names, probe, matrix, candidates["right"].to_numpy()),
    }


def _null(candidates: pl.DataFrame, _: list[str], matrix: Sparse) -> Check:
    """Return the same of pairs of which chance calls one hinted: the mean over some such splits, and their scatter."""
    probes = []
    for split in range(_SPLITS):
        turned = pl.Series([unit_interval("hint traces", split, group) < 0.5 for group in candidates["group"]])
        probes.append(_probed(candidates.with_columns(right=pl.col("right") ^ turned), matrix))
    aucs = [probe.auc for probe in probes]
    mean, scatter = float(np.mean(aucs)), float(np.std(aucs, ddof=1))
    interval = _interval(mean, max(scatter, *(probe.se for probe in probes)))
    return {"splits": _SPLITS, "auc": round(mean, 4), "scatter": round(scatter, 4), "interval": interval}


def _probed(candidates: pl.DataFrame, matrix: Sparse) -> Measured:
    """Return what the probe finds in pairs of clusters that it has not seen."""
    return measured(panel(candidates, {NGRAMS: matrix}), (NGRAMS,))


def _interval(auc: float, se: float) -> list[float]:
    return [round(max(0.0, auc - _HALF_WIDTH * se), 4), round(min(1.0, auc + _HALF_WIDTH * se), 4)]


def _strongest(names: Sequence[str], probe: Measured, matrix: Sparse, hinted: Any) -> list[Check]:
    """Return the n-grams that speak most for a hinted critique: by weight, and by how much oftener they stand there."""
    there = matrix > 0
    shares = [np.asarray(there[rows].mean(axis=0)).ravel() for rows in (hinted, ~hinted)]
    strength = probe.weights * (shares[0] - shares[1])
    return [
        {
            "ngram": names[column],
            "hinted": round(float(shares[0][column]), 4),
            "non_hinted": round(float(shares[1][column]), 4),
            "weight": round(float(probe.weights[column]), 3),
        }
        for column in np.argsort(-strength, kind="stable")[:_STRONGEST]
        if probe.weights[column] > 0 and strength[column] > 0
    ]


def _ends(text: str, length: int) -> str:
    """Return so many characters of a text: critiques give themselves away where they begin and end."""
    return text if len(text) <= length else f"{text[: length - length // 3]}\n{text[len(text) - length // 3 :]}"


def _words_of(preference: PreferenceSet) -> frozenset[str]:
    """Return what the question and the responses say, in words and n-grams."""
    texts = [*(message.content for message in preference.query), *(one.text for one in preference.responses)]
    cut = [_ends(text, _MASKED_CHARACTERS) for text in [*texts, preference.reference or ""]]
    return _ngrams("\n".join(cut), frozenset(), pairs=False)


def _ngrams(text: str, masked: frozenset[str], *, pairs: bool = True) -> frozenset[str]:
    """Return the words, pairs of words and runs of characters of a text that are not masked.

    Numbers and marks end a pair, and so does a masked word.
    """
    ngrams: set[str] = set()
    before = ""
    for blankless, word in _RUN.findall(text.lower()):
        if blankless[:1].isalpha():
            sizes = ((size, len(blankless) - size + 1) for size in (2, 3, 4))
            ngrams.update(blankless[start : start + size] for size, count in sizes for start in range(count))
        if not word[:1].isalpha() or word in masked:
            before = ""
            continue
        ngrams.add(word)
        if before and pairs:
            ngrams.add(f"{before} {word}")
        before = word
    return frozenset(ngrams - masked)


def _false_alarms(critiques: Sequence[Critique]) -> dict[str, int]:
    """Return how many critiques that were never hinted the rules of `hint_leak` would take for leaks."""
    texts = pl.Series([critique.text for critique in critiques], dtype=pl.String)
    shown = pl.Series([critique.reference_shown for critique in critiques], dtype=pl.Boolean)
    first = sum(gives_verdict_first(one.answer, one.principles, one.text) for one in critiques)
    return {"critiques": len(critiques), "phrases": int(speaks_of_hint(texts, shown).sum()), "verdict_first": first}
