"""What the pools hold for a question: dense candidates, rescored by the words they share with it, all in batches.

    with open_retriever(root, recipe, os.environ) as retriever:
        found = retriever.search([Question("What does the AMF do?", domain="telecom")], k=5)
        found[0].cases[0].rubric, found[0].criteria[0].criterion

A score is cosine similarity plus `lexical_weight` times the share of the question's words (BM25 among the candidates,
from 0 to 1). That beats dense search alone and the fusion by ranks of dense and BM25 search (docs/rubrics.md).
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from typing import Any

from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.lexical import shared_words, words
from pipelines.rubrics.library import Entry, Library
from pipelines.rubrics.reranking import Reranker
from schemas.rubric import Criterion, Rubric
from storage.rubric_pools import Hit, Pool, RubricPools
from storage.rubric_vectors import Vectors

_AT_ONCE = 1_024
"""Questions whose candidates are in memory together."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for."""

    text: str
    """`schemas.rubric.case_text` of the query, as cases are indexed."""
    domain: str | None = None
    """Find only what is of this domain."""
    own: AbstractSet[str] = frozenset()
    """The query_ids of the question's own cluster, itself included: nothing made from one of them is found, since a
    rubric made from ranked responses is a hint about them."""


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A similar question with its rubric."""

    rubric: Rubric
    score: float


@dataclass(frozen=True, slots=True)
class FoundCriterion:
    """A criterion that may fit; `rubric` is one that it stands in."""

    criterion: Criterion
    rubric: Rubric
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """What the pools hold for one question, best first."""

    cases: tuple[FoundCase, ...]
    criteria: tuple[FoundCriterion, ...]

    @property
    def ids(self) -> list[list[str]]:
        """The ids of all that was found, in order, as a build stores them."""
        return [
            [one.rubric.rubric_id for one in self.cases],
            [one.criterion.criterion_id for one in self.criteria],
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": [{"score": one.score, **asdict(one.rubric)} for one in self.cases],
            "criteria": [
                {"score": one.score, "rubric_id": one.rubric.rubric_id, "domain": one.rubric.domain}
                | asdict(one.criterion)
                for one in self.criteria
            ],
        }


@dataclass(frozen=True)
class Retriever:
    """The pools of a root, completed, with all that a search of them needs."""

    library: Library
    pools: RubricPools
    embedder: Embedder
    candidates: int
    """Dense candidates of a question in each pool, of which the best are returned."""
    lexical_weight: float
    reranker: Reranker | None = None
    licenses: Sequence[str] | None = None
    """Only what rows of these licences had a part in is found, and seeds; everything unless given."""

    def search(self, questions: Sequence[Question], k: int) -> list[Found]:
        """Return the k best cases and criteria for each question; equal scores stand by id."""
        if not questions:
            return []
        vectors = self.embedder.vectors([question.text for question in questions])
        cases = self._found(Pool.CASES, questions, vectors, k)
        criteria = self._found(Pool.CRITERIA, questions, vectors, k)
        return [
            Found(
                tuple(FoundCase(entry.rubric, score) for entry, score in near),
                tuple(FoundCriterion(entry.criterion, entry.rubric, score) for entry, score in fit if entry.criterion),
            )
            for near, fit in zip(cases, criteria, strict=True)
        ]

    def _found(
        self, pool: Pool, questions: Sequence[Question], vectors: Vectors, k: int
    ) -> list[list[tuple[Entry, float]]]:
        refused = self.library.refused(pool, self.licenses)
        own = [self.library.made_from(pool, question.own) | refused for question in questions]
        found: list[list[tuple[Entry, float]]] = [[]] * len(questions)
        for batch in _batches(questions, own):
            # A question's own entries are passed over, so that many more have to be fetched.
            limit = max(self.candidates, k) + max(len(own[at]) for at in batch)
            hits = self.pools.search(pool, vectors[batch], limit, questions[batch[0]].domain)
            ranked = [
                self._ranked(pool, questions[at].text, one, own[at], k) for at, one in zip(batch, hits, strict=True)
            ]
            if self.reranker:
                ranked = self.reranker.reranked([questions[at].text for at in batch], ranked)
            for at, one in zip(batch, ranked, strict=True):
                found[at] = one[:k]
        return found

    def _ranked(
        self, pool: Pool, text: str, hits: Sequence[Hit], own: AbstractSet[str], k: int
    ) -> list[tuple[Entry, float]]:
        entries = self.library.entries[pool]
        usable = (hit for hit in hits if hit.entry_id in entries and hit.entry_id not in own)
        kept = list(islice(usable, max(self.candidates, k)))
        shares = shared_words(words(text).keys(), [words(entries[hit.entry_id].text) for hit in kept])
        scored = [
            (entries[hit.entry_id], hit.similarity + self.lexical_weight * share)
            for hit, share in zip(kept, shares, strict=True)
        ]
        scored.sort(key=lambda one: (-one[1], one[0].entry_id))
        return list({entry.key: (entry, score) for entry, score in reversed(scored)}.values())[::-1]


def _batches(questions: Sequence[Question], own: Sequence[AbstractSet[str]]) -> Iterator[list[int]]:
    """Yield the numbers of questions that one search can answer: of one domain, with about as many own entries."""

    def domain(at: int) -> str:
        return questions[at].domain or ""

    order = sorted(range(len(questions)), key=lambda at: (domain(at), len(own[at]), at))
    for _, of_domain in groupby(order, domain):
        while batch := list(islice(of_domain, _AT_ONCE)):
            yield batch
