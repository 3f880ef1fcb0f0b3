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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.leak_encoding import Numbers, Panel, Sparse, fold_of
from pipelines.curation.leak_probe import Auc, auc_of, lacking, scored, told, weights_by_fold
from pipelines.judging.hint_leaks import gives_verdict_first, speaks_of_hint
from schemas.preference import SETS, PreferenceSet, sets_of
from schemas.record import unit_interval
from schemas.trajectory import JUDGED, Mode, Principle
from storage.stages import Stage
from storage.tables import read_batches

MOST_SETS = 1_000
_CHARACTERS = 1_500
"""Of a critique; two thirds of its beginning and a third of its end."""
_MASKED_CHARACTERS = 10_000
"""Of each turn and response, whose words are masked."""
_MOST_NGRAMS, _LEAST_CLUSTERS, _STRONGEST = 20_000, 3, 10
_LENGTH = 6.0
"""Of each row of n-grams, as the leak probe has it."""
_SPLITS = 5
"""Of the null."""
_HALF_WIDTH = 1.96
_FROM_CHANCE = 3
"""Standard errors above chance that traces have to be, as for leaks."""

_BLANKLESS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_BLANKLESS}]+|[^\W\d_{_BLANKLESS}]+(?:['’][^\W\d_]+)?|[^\w\s{_BLANKLESS}]|\d+")
_FIRST_BLANKLESS = "\u0e00"
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
        self.rows: list[tuple[str, str, bool]] = []
        self.bags: list[frozenset[str]] = []

    def add(self, cluster: str, masked: frozenset[str], pair: tuple[Critique, Critique]) -> None:
        """Add a set's pair, both cut to the length of the shorter one; no more than MOST_SETS are kept."""
        if len(self.rows) >= 2 * MOST_SETS:
            return
        length = min(_CHARACTERS, *(len(one.text) for one in pair))
        for one, right in zip(pair, (True, False), strict=True):
            self.bags.append(_ngrams(_ends(one.text, length), masked))
            self.rows.append((one.set_id, cluster, right))

    def candidates(self) -> pl.DataFrame:
        schema = {"group": pl.String, "cluster": pl.String, "right": pl.Boolean}
        rows = pl.DataFrame(self.rows, schema, orient="row")
        return rows.with_columns(fold=fold_of(pl.col("cluster")))


def hint_traces(curated: Stage, judged: Stage, rft: pl.DataFrame) -> Check:
    """Return the check; `rft` has trajectory_id, set_id, mode and accepted of RFT's trajectories."""
    wanted = _wanted(rft)
    critiques: dict[str, list[Critique]] = {}
    for one in _critiques(judged, wanted["trajectory_id"]):
        critiques.setdefault(one.set_id, []).append(one)
    sets = _sets(curated, wanted["set_id"].unique())
    return traces((preference, critiques[preference.set_id]) for preference in sets)


def traces(judged: Iterable[tuple[PreferenceSet, Sequence[Critique]]]) -> Check:
    """Return the check of sets, each with its accepted critiques, in the order of their ids."""
    both, null, others = _Pairs(), _Pairs(), list[Critique]()
    for preference, group in judged:
        masked = _words_of(preference)
        for pairs, pair in ((both, _hinted_pair(group)), (null, _random_pair(group))):
            if pair is not None:
                pairs.add(preference.cluster or "", masked, pair)
        others += [one for one in group if not one.hinted]
    of_null = _null(null)
    return _told_apart(both, of_null.get("scatter", 0.0)) | {"null": of_null, "false_alarms": _false_alarms(others)}


def _wanted(rft: pl.DataFrame) -> pl.DataFrame:
    """Return the accepted rows of the sets that are looked at: of each kind, the first by id, which is a hash."""
    hinted = pl.col("mode") == Mode.HINTED.value
    accepted = rft.filter("accepted").select("trajectory_id", "set_id", hinted=hinted)
    counts = accepted.group_by("set_id").agg(hinted=pl.col("hinted").sum(), others=(~pl.col("hinted")).sum())
    kinds = (counts.filter((pl.col("hinted") > 0) & (pl.col("others") > 0)), counts.filter(pl.col("others") > 1))
    looked_at = pl.concat(one.sort("set_id").head(MOST_SETS).select("set_id") for one in kinds).unique()
    return accepted.join(looked_at, on="set_id", how="semi").sort("set_id", "trajectory_id")


def _critiques(judged: Stage, trajectory_ids: pl.Series) -> Iterator[Critique]:
    """Yield the critiques of these trajectories; an answer without its last line where it has no critique."""
    chosen = pa.array(trajectory_ids.to_list(), pa.string())
    columns = ["trajectory_id", "set_id", "mode", "critique", "text", "principles", "has_reference"]
    for batch in read_batches(judged.paths("judged"), JUDGED, columns):
        for row in batch.filter(pc.is_in(batch.column("trajectory_id"), chosen)).to_pylist():
            text = row["text"] or ""
            yield Critique(
                row["trajectory_id"],
                row["set_id"],
                row["mode"] == Mode.HINTED.value,
                row["critique"] or text.rstrip().rpartition("\n")[0],
                text,
                [Principle(**one) for one in row["principles"] or ()],
                bool(row["has_reference"]),
            )


def _sets(curated: Stage, set_ids: pl.Series) -> Iterator[PreferenceSet]:
    chosen = pa.array(set_ids.to_list(), pa.string())
    for batch in read_batches(curated.paths("sets"), SETS):
        yield from sets_of(batch.filter(pc.is_in(batch.column("set_id"), chosen)))


def _hinted_pair(group: Sequence[Critique]) -> tuple[Critique, Critique] | None:
    """Return a set's hinted critique, and of the others the one nearest to it in length."""
    hinted = [one for one in group if one.hinted][:1]
    others = [one for one in group if not one.hinted]
    if not hinted or not others:
        return None
    return hinted[0], min(others, key=lambda one: (abs(len(one.text) - len(hinted[0].text)), one.trajectory_id))


def _random_pair(group: Sequence[Critique]) -> tuple[Critique, Critique] | None:
    """Return two non-hinted critiques of a set, in an order that their ids decide."""
    others = sorted(
        (one for one in group if not one.hinted), key=lambda one: unit_interval("hint traces", one.trajectory_id)
    )
    return (others[0], others[1]) if len(others) > 1 else None


def _told_apart(pairs: _Pairs, scatter: float) -> Check:
    """Return how well hinted critiques are told from others, or the reason why that was not tried.

    The standard error is not below how much the null scatters: what is learnt in one fold is no news in the others.
    """
    candidates = pairs.candidates()
    counts: Check = {"sets": len(pairs.rows) // 2}
    if reason := lacking(candidates, ranked=True):
        return counts | {"auc": None, "reason": reason}
    names = _vocabulary(candidates["cluster"].to_list(), pairs.bags)
    matrix = _matrix(pairs.bags, names)
    one, weights = _auc(candidates, matrix)
    se = max(one.se, scatter)
    return counts | {
        "auc": round(one.auc, 4),
        "se": round(se, 4),
        "interval": _interval(one.auc, se),
        "found": bool(one.auc - _FROM_CHANCE * se > 0.5),
        "ngrams": _strongest(names, weights, matrix, candidates["right"].to_numpy()),
    }


def _null(pairs: _Pairs) -> Check:
    """Return the same of pairs of which chance calls one hinted: the mean over some such splits, and their scatter."""
    candidates = pairs.candidates()
    counts: Check = {"sets": len(pairs.rows) // 2}
    if reason := lacking(candidates, ranked=True):
        return counts | {"auc": None, "reason": reason}
    matrix = _matrix(pairs.bags, _vocabulary(candidates["cluster"].to_list(), pairs.bags))
    groups, aucs = candidates["group"].to_list(), []
    for split in range(_SPLITS):
        turned = pl.Series([unit_interval("hint traces", split, group) < 0.5 for group in groups])
        aucs.append(_auc(candidates.with_columns(right=pl.col("right") ^ turned), matrix)[0])
    mean = float(np.mean([one.auc for one in aucs]))
    scatter = float(np.std([one.auc for one in aucs], ddof=1))
    se = max(scatter, *(one.se for one in aucs))
    return counts | {
        "splits": _SPLITS, "auc": round(mean, 4), "scatter": round(scatter, 4), "interval": _interval(mean, se)
    }  # fmt: skip


def _interval(auc: float, se: float) -> list[float]:
    return [round(max(0.0, auc - _HALF_WIDTH * se), 4), round(min(1.0, auc + _HALF_WIDTH * se), 4)]


def _matrix(bags: Sequence[frozenset[str]], names: Mapping[str, int]) -> Sparse:
    """Return a row a bag and a column an n-gram, each row of one length."""
    from scipy import sparse

    places = [sorted(names[ngram] for ngram in bag if ngram in names) for bag in bags]
    counts = np.array([len(row) for row in places], np.int64)
    values = np.repeat(_LENGTH / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    flat = np.fromiter((place for row in places for place in row), np.int64, int(counts.sum()))
    return sparse.csr_array((values, flat, np.cumsum([0, *counts])), shape=(len(bags), max(1, len(names))))


def _auc(candidates: pl.DataFrame, matrix: Sparse) -> tuple[Auc, Numbers]:
    """Return the probe's AUC over pairs of clusters that it has not seen, and its mean weights."""
    panel = Panel(candidates, ranked=True, features={"ngrams": matrix})
    weights = weights_by_fold(panel, ("ngrams",))
    one = auc_of(told(scored(panel, weights, ("ngrams",)), ranked=True), ranked=True)
    return one, np.mean(weights, axis=0)


def _vocabulary(clusters: Sequence[str], texts: Sequence[frozenset[str]]) -> dict[str, int]:
    """Return the commonest n-grams, each with its column; what few clusters say is no trace, and tells of queries."""
    seen: dict[str, tuple[int, str]] = {}
    for cluster, text in zip(clusters, texts, strict=True):
        for ngram in text:
            count, last = seen.get(ngram, (0, ""))
            if last != cluster:
                seen[ngram] = (count + 1, cluster)
    common = [(-count, ngram) for ngram, (count, _) in seen.items() if count >= _LEAST_CLUSTERS]
    return {ngram: column for column, (_, ngram) in enumerate(sorted(common)[:_MOST_NGRAMS])}


def _strongest(names: Mapping[str, int], weights: Numbers, matrix: Sparse, hinted: Any) -> list[Check]:
    """Return the n-grams that speak most for a hinted critique: by weight, and by how much oftener they stand there."""
    there = matrix > 0
    shares = [np.asarray(there[rows].mean(axis=0)).ravel() for rows in (hinted, ~hinted)]
    strength = weights * (shares[0] - shares[1])
    ngrams = list(names)
    order = [column for column in np.argsort(-strength, kind="stable")[:_STRONGEST] if weights[column] > 0]
    return [
        {
            "ngram": ngrams[column],
            "hinted": round(float(shares[0][column]), 4),
            "non_hinted": round(float(shares[1][column]), 4),
            "weight": round(float(weights[column]), 3),
        }
        for column in order
        if strength[column] > 0
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
    found: set[str] = set()
    before = ""
    for run in _RUN.findall(text.lower()):
        if not run[0].isalpha():
            before = ""
        elif run[0] >= _FIRST_BLANKLESS and re.match(f"[{_BLANKLESS}]", run):
            found.update(run[at : at + size] for size in (2, 3, 4) for at in range(len(run) - size + 1))
            before = ""
        elif run in masked:
            before = ""
        else:
            found.add(run)
            if before and pairs:
                found.add(f"{before} {run}")
            before = run
    return frozenset(found - masked)


def _false_alarms(critiques: Sequence[Critique]) -> dict[str, int]:
    """Return how many critiques that were never hinted the rules of `hint_leak` would take for leaks."""
    texts = pl.Series([one.text for one in critiques], dtype=pl.String)
    shown = pl.Series([one.reference_shown for one in critiques], dtype=pl.Boolean)
    first = sum(gives_verdict_first(one.answer, one.principles, one.text) for one in critiques)
    return {"critiques": len(critiques), "phrases": int(speaks_of_hint(texts, shown).sum()), "verdict_first": first}
