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
from typing import Any, NamedTuple

from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.library import Library
from pipelines.rubrics.scores import Ranked, Reranker, shared_words, words
from schemas.rubric import Criterion, Rubric
from storage.rubric_pools import Hit, Pool, RubricPools
from storage.rubric_tables import Vectors

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


class FoundCase(NamedTuple):
    """A similar question with its rubric."""

    rubric: Rubric
    score: float


class FoundCriterion(NamedTuple):
    """A criterion that may fit; `rubric` is one that it stands in."""

    criterion: Criterion
    rubric: Rubric
    score: float


class Found(NamedTuple):
    """What the pools hold for one question, best first."""

    cases: tuple[FoundCase, ...]
    criteria: tuple[FoundCriterion, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": [{"score": score, **asdict(rubric)} for rubric, score in self.cases],
            "criteria": [
                {"score": score, "rubric_id": rubric.rubric_id, "domain": rubric.domain} | asdict(criterion)
                for criterion, rubric, score in self.criteria
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
        cases, criteria = (self._found(pool, questions, vectors, k) for pool in (Pool.CASES, Pool.CRITERIA))
        return [
            Found(
                tuple(FoundCase(entry.rubric, score) for entry, score in near),
                tuple(FoundCriterion(entry.criterion, entry.rubric, score) for entry, score in fit if entry.criterion),
            )
            for near, fit in zip(cases, criteria, strict=True)
        ]

    def _found(self, pool: Pool, questions: Sequence[Question], vectors: Vectors, k: int) -> list[Ranked]:
        refused = self.library.refused(pool, self.licenses)
        own = [self.library.made_from(pool, question.own) | refused for question in questions]
        found: list[Ranked] = [[]] * len(questions)
        for batch in _batches(questions, own):
            # A question's own entries are passed over, so that many more have to be fetched.
            limit = max(self.candidates, k) + max(len(own[number]) for number in batch)
            hits = self.pools.search(pool, vectors[batch], limit, questions[batch[0]].domain)
            ranked = [
                self._ranked(pool, questions[number].text, near, own[number], k)
                for number, near in zip(batch, hits, strict=True)
            ]
            if self.reranker:
                ranked = self.reranker.reranked([questions[number].text for number in batch], ranked)
            for number, candidates in zip(batch, ranked, strict=True):
                found[number] = candidates[:k]
        return found

    def _ranked(self, pool: Pool, text: str, hits: Sequence[Hit], own: AbstractSet[str], k: int) -> Ranked:
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

    def domain(number: int) -> str:
        return questions[number].domain or ""

    order = sorted(range(len(questions)), key=lambda number: (domain(number), len(own[number]), number))
    for _, of_domain in groupby(order, domain):
        while batch := list(islice(of_domain, _AT_ONCE)):
            yield batch
