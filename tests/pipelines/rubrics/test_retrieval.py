"""Retrieval: never of the query's own cluster, within a domain, deterministic, batched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.rubrics.library import Entry, Library
from pipelines.rubrics.opening import complete
from pipelines.rubrics.retrieval import Question, Retriever
from pipelines.rubrics.scores import Reranker
from schemas.rubric import Rubric
from storage.root import Root
from storage.rubric_pools import open_pools
from storage.rubric_tables import Vectors
from tests.rubrics import a_rubric, ids
from tests.storage.pools import MODEL, vectors_of


class HashEmbedder:
    """Vectors without meaning, and a count of the calls."""

    identity = MODEL

    def __init__(self) -> None:
        self.calls = 0

    def vectors(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        return vectors_of(texts)


RUBRICS = [a_rubric(number, domain=f"domain {number % 2}") for number in range(40)]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    library, embedder = Library(RUBRICS), HashEmbedder()
    with open_pools(Root(tmp_path_factory.mktemp("root")), MODEL) as pools:
        complete(pools, library, embedder)
        yield Retriever(library, pools, embedder, candidates=5, lexical_weight=0.0)


def own(rubric: Rubric) -> frozenset[str]:
    return frozenset({rubric.query_id})


def test_a_question_finds_its_case_and_its_criterion(retriever: Retriever) -> None:
    found = retriever.search([Question(one.case) for one in RUBRICS], 3)
    assert [one.cases[0].rubric for one in found] == RUBRICS
    assert all(len(one.cases) == len(one.criteria) == 3 for one in found)
    said = retriever.search([Question("Says 7.")], 1)[0]
    assert said.criteria[0].criterion.text == "Says 7."
    assert said.criteria[0].rubric == RUBRICS[7]
    assert ids(said) == [[said.cases[0].rubric.rubric_id], [said.criteria[0].criterion.criterion_id]]


def test_nothing_is_found_that_only_the_own_cluster_brought_in(retriever: Retriever) -> None:
    near = [RUBRICS[number] for number in range(20)]
    together = frozenset(one.query_id for one in near)
    questions = [Question(RUBRICS[0].case, own=together), Question(RUBRICS[1].case, own=own(RUBRICS[1]))]
    questions += [Question("Says 3.", own=together), Question(RUBRICS[2].case)]
    first, second, third, last = retriever.search(questions, 5)
    for one in (first, third):
        assert len(one.cases) == len(one.criteria) == 5  # as many as without anything left out
        assert not {case.rubric.query_id for case in one.cases} & together
        assert "Says 3." not in {criterion.criterion.text for criterion in one.criteria}
    assert RUBRICS[1] not in {case.rubric for case in second.cases}
    assert last.cases[0].rubric == RUBRICS[2]
    assert retriever.search([Question("Is true.")], 1)[0].criteria[0].criterion.text == "Is true."
    assert retriever.search([Question("Is true.", own=together)], 1)[0].criteria[0].criterion.text != "Is true."


def test_a_question_of_a_domain_finds_what_is_of_it(retriever: Retriever) -> None:
    questions = [Question(one.case, domain=f"domain {at % 3}") for at, one in enumerate(RUBRICS[:6])]
    found = retriever.search(questions, 4)
    for at, one in enumerate(found):
        expected = set() if at % 3 == 2 else {f"domain {at % 3}"}
        assert {case.rubric.domain for case in one.cases} == expected
        assert {criterion.rubric.domain for criterion in one.criteria} == expected
    assert found[0].cases[0].rubric == RUBRICS[0]


def test_many_questions_are_embedded_in_one_call_and_no_question_is_no_call(retriever: Retriever) -> None:
    embedder = retriever.embedder
    assert isinstance(embedder, HashEmbedder)
    before = embedder.calls
    retriever.search([Question(f"{number}") for number in range(300)], 2)
    assert embedder.calls == before + 1
    assert retriever.search([], 2) == []
    assert embedder.calls == before + 1


def test_answers_do_not_depend_on_what_is_asked_beside(retriever: Retriever) -> None:
    questions = [Question(f"question {number} of many", own=own(RUBRICS[number % 40])) for number in range(70)]
    together = retriever.search(questions, 3)
    assert [ids(retriever.search([one], 3)[0]) for one in questions[:5]] == [ids(one) for one in together[:5]]


def test_shared_words_decide_among_the_candidates(retriever: Retriever) -> None:
    everything = replace(retriever, candidates=40, lexical_weight=10.0)
    found = everything.search([Question("what about 23, then?")], 2)[0]
    assert found.cases[0].rubric == RUBRICS[23]
    assert found.criteria[0].criterion.text == "Says 23."


def test_a_case_stands_once_among_those_found_however_often_it_was_judged(tmp_path: Path) -> None:
    library, embedder = Library([a_rubric(1), a_rubric(1, points=7), a_rubric(2)]), HashEmbedder()
    with open_pools(Root(tmp_path), MODEL) as pools:
        complete(pools, library, embedder)
        found = Retriever(library, pools, embedder, 5, 0.3).search([Question("question 1")], 5)[0]
    assert [case.rubric.case for case in found.cases] == ["question 1", "question 2"]
    assert sorted(one.criterion.text for one in found.criteria) == ["Is true.", "Says 1.", "Says 2."]


class ByLength:
    """Stands for a cross-encoder: the longest candidate is the best."""

    def predict(self, pairs: list[tuple[str, str]], **_: object) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([float(len(text)) for _, text in pairs])


def test_a_reranker_orders_the_best_anew(retriever: Retriever) -> None:
    ranked: list[tuple[Entry, float]] = [
        (Entry(f"e{at:02}", "x" * (at % 7), "d", f"k{at}", (), (), RUBRICS[0]), 1.0 - at / 100) for at in range(25)
    ]
    (again,) = Reranker(ByLength()).reranked(["question"], [ranked])
    assert [entry.entry_id for entry, _ in again[:3]] == ["e06", "e13", "e05"]
    assert again[20:] == ranked[20:]
    assert sorted(entry.entry_id for entry, _ in again) == sorted(entry.entry_id for entry, _ in ranked)
    assert Reranker(ByLength()).reranked([], []) == []
    reranking = replace(retriever, reranker=Reranker(ByLength()))
    assert len(reranking.search([Question("question 1")], 3)[0].criteria) == 3
