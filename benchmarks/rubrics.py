"""How well and how quickly rubrics are found.

    python -m benchmarks.rubrics [--full] [--vectors DIR] [TeleQnA.zip]    ../shared/data/teleqna/TeleQnA.zip by default

Quality is a known-item task on TeleQnA: the query is a question's explanation, the item to find the case of that
question, whose indexed text (question and options) holds no explanation; a repeated question counts as found. Speed is
that of criteria with vectors made beforehand, in batches: from rubrics in memory to a pool that has answered, vectors
alone for 10 hits, then the whole search of both pools for 5 and 5. 1,500 questions and 10,000 criteria take a minute;
--full takes all 10,000 questions and 100,000 criteria. Prints a table and, last, one JSON object.
"""

import argparse
import json
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.rubrics.embedding import PACKAGED, CachedEmbedder, Embedder, open_embedder
from pipelines.rubrics.library import Library
from pipelines.rubrics.opening import complete
from pipelines.rubrics.retrieval import Question, Retriever
from pipelines.sources import teleqna
from pipelines.sources.files import open_files
from schemas.query import query_id, user
from schemas.recipe import RubricsSection
from schemas.rubric import Origin, Rubric, case_text, criterion, rubric
from storage.root import Root
from storage.rubric_pools import Pool, open_pools
from storage.rubric_tables import ModelIdentity, Vectors

ARCHIVE = Path("../shared/data/teleqna/TeleQnA.zip")
CRITERIA_EACH = 20
QUERIES = 1_000
DEPTH = 10
TUNED_ON = 2_500
"""Queries that weight and candidates were chosen on; the table also gives the figures of the others alone."""


def read_questions(path: Path) -> list[teleqna.PublishedQuestion]:
    """Return every question that has an explanation."""
    section = teleqna.TeleQnA(kind="teleqna", path=str(path))
    source = teleqna.SOURCE
    rows = teleqna.published_rows(section, open_files(section, source.hub, source.patterns, Path()))
    return [row for _, row in rows if isinstance(row, teleqna.PublishedQuestion) and row.explanation]


def case_of(row: teleqna.PublishedQuestion, copy: int) -> Rubric:
    """Return a question as a case. Its one criterion makes it a rubric, and tells repeated questions apart."""
    return rubric(
        query_id=query_id(user(row.question)),
        case=case_text(user(row.question), list(row.options.values())),
        domain="telecom",
        source="teleqna",
        license="MIT",
        origin=Origin.GENERATED,
        criteria=[criterion(f"Answers copy {copy} of the question.", 5, "rule")],
    )


def tuned_on() -> set[int]:
    """Return which of the 10,000 questions the defaults were chosen on."""
    return set(np.random.RandomState(7).permutation(10_000)[:TUNED_ON].tolist())


def quality(
    rows: Sequence[teleqna.PublishedQuestion], root: Root, embedder: Embedder
) -> dict[str, list[tuple[bool, bool]]]:
    """Return, for each way to search, whether each question's case was found (first, among ten)."""
    copies = Counter[str]()
    rubrics = []
    for row in rows:
        copies[row.key] += 1
        rubrics.append(case_of(row, copies[row.key]))
    library = Library(rubrics)
    key_of = {query_id(user(row.question)): row.key for row in rows}
    settings = RubricsSection()
    found = {}
    with open_pools(root, embedder.identity) as pools:
        complete(pools, library, embedder)
        hybrid = Retriever(library, pools, embedder, settings.candidates, settings.lexical_weight)
        for name, retriever in {"dense": replace(hybrid, lexical_weight=0.0), "default": hybrid}.items():
            hits = retriever.search([Question(row.explanation) for row in rows], DEPTH)
            keys = [[key_of[case.rubric.query_id] for case in one.cases] for one in hits]
            found[name] = [(row.key in one[:1], row.key in one) for row, one in zip(rows, keys, strict=True)]
    return found


def embedded(
    rows: Sequence[teleqna.PublishedQuestion], folder: str, kept: str
) -> tuple[dict[str, list[tuple[bool, bool]]], Vectors]:
    """Return what `quality` does, and the vectors of the explanations."""
    logging.disable(logging.WARNING)
    embedder = CachedEmbedder(Root.open(kept), open_embedder(PACKAGED, None, Path()))
    found = quality(rows, Root.open(folder), embedder)
    return found, embedder.vectors([row.explanation for row in rows])


class KnownVectors:
    """An embedder that was told the vector of every text it will meet."""

    def __init__(self, identity: ModelIdentity, texts: Sequence[str], vectors: Vectors) -> None:
        self._identity = identity
        self._places = {text: at for at, text in enumerate(texts)}
        self._vectors = vectors

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def vectors(self, texts: Sequence[str]) -> Vectors:
        found: Vectors = self._vectors[[self._places[text] for text in texts]]
        return found


def speed(size: int, seeds: Vectors, texts: Sequence[str], root: Root) -> dict[str, float]:
    """Return how long so many criteria take; their vectors are those of real texts, moved a little."""
    random = np.random.default_rng(0)
    words = [text.split() for text in texts]
    said = [f"{number}: {' '.join(random.choice(words[number % len(words)], 12))}" for number in range(size)]
    parts = [said[start : start + CRITERIA_EACH] for start in range(0, size, CRITERIA_EACH)]
    rubrics = [
        rubric(
            query_id=f"{number:032x}",
            case=f"case {part[0]}",
            domain="telecom",
            source="benchmark",
            license="MIT",
            origin=Origin.GENERATED,
            criteria=[criterion(text, 5, "rule") for text in part],
        )
        for number, part in enumerate(parts)
    ]
    asked = [f"query {number} {texts[number % len(texts)]}" for number in range(QUERIES)]
    known = [*said, *(one.case for one in rubrics), *asked]
    vectors = seeds[np.arange(len(known)) % len(seeds)]
    vectors += 0.05 * random.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embedder = KnownVectors(ModelIdentity("known", "", vectors.shape[1]), known, vectors)
    settings = RubricsSection()
    started = time.perf_counter()
    library = Library(rubrics)
    with open_pools(root, embedder.identity) as pools:
        complete(pools, library, embedder)
        pools.search(Pool.CRITERIA, vectors[-1:], 1)
        searchable = time.perf_counter() - started
        started = time.perf_counter()
        pools.search(Pool.CRITERIA, vectors[-QUERIES:], DEPTH)
        dense = time.perf_counter() - started
        retriever = Retriever(library, pools, embedder, settings.candidates, settings.lexical_weight)
        started = time.perf_counter()
        retriever.search([Question(text) for text in asked], settings.k)
        hybrid = time.perf_counter() - started
    return {
        "criteria": size,
        "searchable_s": round(searchable, 1),
        "dense_ms": round(dense / QUERIES * 1000, 2),
        "hybrid_ms": round(hybrid / QUERIES * 1000, 2),
    }


def share(found: Sequence[tuple[bool, bool]], among: int, only: Sequence[int] | None = None) -> float:
    """Return the recall: the share found first (0) or among ten (1)."""
    chosen = [found[at] for at in only] if only is not None else found
    return round(sum(one[among] for one in chosen) / len(chosen), 4)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rubrics")
    parser.add_argument("archive", nargs="?", type=Path, default=ARCHIVE, help="TeleQnA.zip")
    parser.add_argument("--full", action="store_true", help="10,000 questions and 100,000 criteria")
    parser.add_argument("--vectors", metavar="DIR", help="keep the vectors there, for another run")
    given = parser.parse_args()
    full: bool = given.full
    if not given.archive.is_file():
        sys.exit(f"{given.archive}: no TeleQnA.zip there; give its path: python -m benchmarks.rubrics PATH")
    logging.disable(logging.WARNING)
    everything = read_questions(given.archive)
    rows = everything if full else everything[:: len(everything) // 1_500]
    with tempfile.TemporaryDirectory() as folder:
        # A process of its own, so that the peak below is that of indexing and searching, without the embedding model.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            found, vectors = alone.submit(embedded, rows, folder, given.vectors or folder).result()
        figures = speed(100_000 if full else 10_000, vectors, [row.explanation for row in rows], Root.open(folder))
    print(f"{len(rows):,} questions{'' if full else ' (fewer are easier: --full for the figures)'}")
    print(f"{'':28} {'recall@1':>9} {'recall@10':>9}")
    unseen = [at for at in range(len(rows)) if at not in tuned_on()]
    for name, one in found.items():
        print(f"{name:28} {share(one, 0):>9.4f} {share(one, 1):>9.4f}")
        if full:
            label = f"{name}, {len(unseen):,} never tuned on"
            print(f"{label:28} {share(one, 0, unseen):>9.4f} {share(one, 1, unseen):>9.4f}")
    print(
        f"{figures['criteria']:,.0f} criteria: searchable after {figures['searchable_s']} s; a query takes "
        f"{figures['dense_ms']} ms by vectors alone, {figures['hybrid_ms']} ms in full, both pools"
    )
    result = {**figures, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
    for name, key in (("default", ""), ("dense", "_dense")):
        result |= {f"recall{depth}{key}": share(found[name], at) for at, depth in enumerate((1, 10))}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
