"""What kind of judge it is: accuracy by position, length, number of responses, domain and script; consistency."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from pipelines.evaluation.accuracy import Figure
from pipelines.evaluation.arrays import Floats, readable_samples, top_shares
from pipelines.evaluation.calibration import calibration, vote_shares
from pipelines.evaluation.curves import VOTING, Rows
from pipelines.evaluation.intervals import Estimate, each_subset, estimates
from pipelines.evaluation.judgements import Pool
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.subsets import subset_votes
from schemas.evaluation import Curve, Row

MOST_GROUPS = 40
"""Groups of one kind that are shown, those with the most items."""
_LETTERS = 400
"""Letters of a question by which its script is told."""


def breakdowns(
    rows: Rows, clusters: Sequence[str], cells: Mapping[int, Floats], trained: Sequence[bool], replicates: int
) -> Iterator[Figure]:
    """Yield accuracy by what an item is: `cells` are [rows, cells] of votes by k."""
    values = np.stack([found[:, 0] for found in cells.values()], axis=1)[..., None]
    for kind, groups in _groupings(rows.rows, trained):
        sizes = Counter(group for group in groups if group)
        shown = {group for group, _ in sizes.most_common(MOST_GROUPS)}
        chosen = [place for place, group in enumerate(groups) if group in shown]
        if len(shown) < 2 and kind != "overlap":
            continue
        if not chosen:
            continue
        of_group = Clusters([clusters[place] for place in chosen], [groups[place] for place in chosen])
        found = estimates(
            partial(each_subset, of_group.subsets),
            of_group,
            values[chosen],
            replicates=replicates,
            seed=rows.seed,
        )
        for name, estimate in sorted(found.items()):
            yield from _figures(f"{kind}: {name}", tuple(cells), estimate, sizes[name])
    yield from _by_position(rows, clusters, replicates)


def _figures(name: str, sizes: Sequence[int], estimate: Estimate, items: int) -> Iterator[Figure]:
    for k, value, low, high in zip(sizes, estimate.value, estimate.low, estimate.high, strict=True):
        yield Figure(name, VOTING, Curve.ALL, k, float(value), float(low), float(high), items, estimate.clusters)


def _groupings(rows: Sequence[Row], trained: Sequence[bool]) -> Iterator[tuple[str, list[str]]]:
    """Yield (kind, the group of each row; "" for none)."""
    yield "longest response", [_longest(row) for row in rows]
    yield "responses", [str(len(row.responses)) for row in rows]
    yield "domain", [row.domain for row in rows]
    yield "script", [script_of(row.query[-1].content) for row in rows]
    if any(trained):
        yield "overlap", ["in the training snapshot" if one else "not in it" for one in trained]


def _longest(row: Row) -> str:
    """Say whether the longest response is right; nothing where that cannot be said."""
    if len(row.responses) < 2:
        return ""
    lengths = [len(response.text) for response in row.responses]
    longest = [index for index, length in enumerate(lengths) if length == max(lengths)]
    return "" if len(longest) > 1 else ("right" if longest[0] in row.right else "wrong")


def script_of(text: str) -> str:
    """Return the script that most letters of a text belong to, such as "latin"."""
    letters = [character for character in text[: 4 * _LETTERS] if character.isalpha()][:_LETTERS]
    names = Counter(unicodedata.name(letter, "unknown").split()[0].lower() for letter in letters)
    return names.most_common(1)[0][0] if names else "none"


def _by_position(rows: Rows, clusters: Sequence[str], replicates: int) -> Iterator[Figure]:
    """Yield the accuracy of single samples by where the right response stood, for prompts with one right response."""
    for pool in rows.pools:
        shown = pool.scores.shape[-1]
        if shown < 2:
            continue
        right = _right(rows, pool)
        single = right.sum(axis=-1) == 1
        if not single.any():
            continue
        credit = (top_shares(pool.scores) * right[:, :, None, :]).sum(axis=-1)
        place = np.take_along_axis(right[:, :, None, :], pool.orders.astype(np.int64), axis=-1).argmax(axis=-1)
        values = np.full((len(pool.rows), shown, 1), np.nan)
        for position in range(shown):
            stood = (place == position) & single[:, :, None]
            counts = stood.sum(axis=(1, 2))
            with np.errstate(invalid="ignore", divide="ignore"):
                values[:, position, 0] = np.where(counts, (credit * stood).sum(axis=(1, 2)) / counts, np.nan)
        of_pool = Clusters([clusters[row] for row in pool.rows], [""] * len(pool.rows))
        found = estimates(lambda means: {"": means[..., 0, 0]}, of_pool, values, replicates=replicates, seed=rows.seed)[
            ""
        ]
        for position in range(shown):
            if np.isfinite(found.value[position]):
                bounds = float(found.low[position]), float(found.high[position])
                name = f"right response shown: {position + 1} of {shown}"
                items = int(np.isfinite(values[:, position, 0]).sum())
                value = float(found.value[position])
                yield Figure(name, VOTING, Curve.ALL, 1, value, *bounds, items, found.clusters)


def _right(rows: Rows, pool: Pool) -> np.ndarray:
    """Return which responses of each prompt are right, [rows, prompts, shown]."""
    right = np.zeros((*pool.scores.shape[:2], pool.scores.shape[-1]), bool)
    for place, row in enumerate(rows.of(pool)):
        for number, shown in enumerate(row.prompts(rows.protocol)):
            axis = sorted(shown) if rows.protocol == "both_orders" else shown
            right[place, number] = [index in row.right for index in axis]
    return right


def consistency(rows: Rows) -> float | None:
    """Return how often two readable samples that saw the responses in different orders put the same one on top."""
    agreed = compared = 0.0
    for pool in rows.pools:
        shown = pool.scores.shape[-1]
        if shown < 2:
            continue
        tops, readable = top_shares(pool.scores), readable_samples(pool.scores)
        if rows.protocol == "both_orders":
            # Every sample of a prompt saw the same order: the two prompts of a row are compared.
            tops, readable = tops.reshape(len(tops), 1, -1, shown), readable.reshape(len(readable), 1, -1)
            orders = pool.orders.reshape(len(tops), 1, -1, shown)
        else:
            orders = pool.orders
        code = (orders.astype(np.int64) * shown ** np.arange(shown)).sum(axis=-1)
        for start in range(0, len(tops), 256):
            part = slice(start, start + 256)
            same_top = np.einsum("rpis,rpjs->rpij", tops[part], tops[part])
            both = readable[part, :, :, None] & readable[part, :, None, :]
            other = code[part, :, :, None] != code[part, :, None, :]
            agreed += float((same_top * (both & other)).sum())
            compared += float((both & other).sum())
    return agreed / compared if compared else None


def calibrated(rows: Rows, clusters: Sequence[str], k: int) -> dict[str, object] | None:
    """Return the calibration of the vote share at k: ECE with its interval, and the bins of the reliability picture."""
    if all(pool.scores.shape[-1] < 2 for pool in rows.pools) or k < 2:
        return None
    several = [pool for pool in rows.pools if pool.scores.shape[-1] > 1]
    shares = np.concatenate([vote_shares(pool.scores, k, seed=rows.seed) for pool in several])
    right = []
    for pool in several:
        votes = subset_votes(pool.scores, k, seed=rows.seed)
        right.append(rows.score(rows.of(pool), votes)[..., 0])
    numbers = [number for pool in several for number in pool.rows]
    of_all = Clusters([clusters[number] for number in numbers], [""] * len(numbers))
    found = calibration(of_all, shares, np.concatenate(right), seed=rows.seed)
    bins = zip(found.weight, found.share, found.accuracy, strict=True)
    return {
        "k": k,
        "ece": float(found.ece),
        "low": float(found.low),
        "high": float(found.high),
        "bins": [
            {"weight": float(weight), "share": float(share), "accuracy": float(accuracy)}
            for weight, share, accuracy in bins
            if weight > 0
        ],
    }
