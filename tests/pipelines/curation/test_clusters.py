"""Clusters: near-duplicates together, strangers apart, in whatever order they come."""

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.curation import clusters as clustering
from pipelines.curation.clusters import Signatures
from schemas.record import content_id
from storage.root import Root
from tests.examples import question

LONG = "Which of the following best describes the role of the serving gateway in the evolved packet core of 3GPP"


def clusters(ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return, for each id, the smallest id of its cluster."""
    with tempfile.TemporaryDirectory() as folder, Signatures(Root(Path(folder))) as signatures:
        for start in range(0, len(texts), 5_000):
            signatures.add(texts[start : start + 5_000])
        order = np.argsort(np.array(ids, str))
        roots = clustering.clusters(signatures, order)
        assert not any(Path(folder).iterdir())  # the files have no names
    ordered = [ids[number] for number in order]
    return {one: ordered[root] for one, root in zip(ordered, roots, strict=True)}


def test_near_duplicates_share_a_cluster_named_after_the_smallest_id() -> None:
    found = clusters(
        ["c", "a", "b", "d"],
        [f"{LONG} release 12?", f"{LONG.upper()}  release 11?", f"{LONG} release 13?", question(1)],
    )
    assert found == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_blank_and_short_texts_do_not_break_it() -> None:
    assert clusters(["a", "b", "c"], ["", "  \n", "x"]) == {"a": "a", "b": "a", "c": "c"}
    assert clusters([], []) == {}


@settings(max_examples=25)
@given(st.permutations(range(12)))
def test_the_order_of_queries_changes_nothing(order: list[int]) -> None:
    texts = [f"{LONG} release {number}?" if number % 3 else question(number) for number in range(12)]
    ids = [f"{(number * 7) % 12:02}" for number in range(12)]
    expected = clusters(ids, texts)
    assert clusters([ids[number] for number in order], [texts[number] for number in order]) == expected
    assert set(expected) == set(ids)
    assert all(expected[cluster] == cluster for cluster in expected.values())


def test_thousands_of_queries_from_one_template_take_no_time_in_proportion_to_their_square() -> None:
    ids = [content_id("templated", number) for number in range(20_000)]
    started = time.process_time()
    found = clusters(ids, [f"Question {number}: which of these answers is the right one?" for number in range(20_000)])
    assert time.process_time() - started < 20  # all pairs would take minutes
    assert len(set(found.values())) < 20


def test_clusters_are_what_comparing_one_after_the_other_finds() -> None:
    """Groups of all sizes: of two, of up to eight, and large ones with more than eight clusters among them."""
    chance = random.Random(5)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    texts = [" ".join(chance.choice(words) for _ in range(chance.randint(2, 9))) for _ in range(600)]
    texts += [
        f"Question {chance.choice(words)} {number}: which of these is {chance.choice(words)}?" for number in range(600)
    ]
    ids = [content_id("any", number) for number in range(len(texts))]
    assert clusters(ids, texts) == one_after_the_other(ids, texts)


def one_after_the_other(ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return what `clusters` does, by its rule as it is written down, and slowly."""
    order = np.argsort(np.array(ids, str)).tolist()
    with tempfile.TemporaryDirectory() as folder, Signatures(Root(Path(folder))) as signatures:
        signatures.add([texts[number] for number in order])
        hashes = signatures.of(np.arange(len(texts)))
        bands = [signatures.band(band).tolist() for band in range(32)]
    parents = list(range(len(texts)))

    def root_of(place: int) -> int:
        return place if parents[place] == place else root_of(parents[place])

    for keys in bands:
        groups: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(key, []).append(place)
        for _, group in sorted(groups.items()):
            found: list[int] = []
            for place in group:
                for other in found:
                    least, most = sorted((root_of(place), root_of(other)))
                    if least == most or (hashes[place] == hashes[other]).mean() >= clustering.THRESHOLD:
                        parents[most] = least
                        break
                else:
                    found += [place] if len(found) < 8 else []
    return {ids[order[place]]: ids[order[root_of(place)]] for place in range(len(order))}
