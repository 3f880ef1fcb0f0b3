"""A root's rubrics from its tables to an answer, with the real model and the real index."""

from pathlib import Path

import pytest

from pipelines.rubrics.library import rubrics_in_use
from pipelines.rubrics.opening import open_retriever
from pipelines.rubrics.retrieval import Question
from schemas.errors import RecipeError
from schemas.recipe import RubricsSection
from schemas.rubric import Origin, criterion
from storage.root import Root
from storage.rubric_pools import Pool
from storage.rubric_tables import add_rubrics, read_rubrics
from tests.rubrics import a_rubric, ids

FADING = a_rubric(
    1,
    case="How does Rayleigh fading arise in a mobile radio channel?\nby multipath\nby noise",
    criteria=[criterion("Names multipath without a line of sight as the cause of Rayleigh fading.", 8, "rule")],
)


def test_a_first_search_finds_seeds_and_the_next_one_what_was_added(tmp_path: Path) -> None:
    root, settings = Root(tmp_path), RubricsSection()
    questions = [
        Question("Why does a signal fade in a mobile radio channel, by 3GPP models?"),
        Question("Solve x^2 = 2 for x."),
    ]
    with open_retriever(root, settings, {}) as retriever:
        fading, algebra = retriever.search(questions, 2)
    assert fading.cases[0].rubric.domain == "telecom"
    assert algebra.cases[0].rubric.domain == "math"
    assert len(fading.cases) == len(fading.criteria) == 2
    add_rubrics(root, [FADING])
    with open_retriever(root, settings, {}) as retriever:
        found = retriever.search([questions[0], Question(questions[0].text, own=frozenset({FADING.query_id}))], 2)
        assert retriever.pools.rows(Pool.CASES) == len(read_rubrics(root))
    assert found[0].cases[0].rubric == FADING
    assert FADING.criteria[0] in {one.criterion for one in found[0].criteria}
    assert FADING not in {case.rubric for case in found[1].cases}
    assert FADING.criteria[0] not in {one.criterion for one in found[1].criteria}


def test_the_index_is_a_copy_that_can_be_thrown_away(tmp_path: Path) -> None:
    root, settings = Root(tmp_path), RubricsSection()
    add_rubrics(root, [FADING])
    question = [Question("multipath fading")]
    with open_retriever(root, settings, {}) as retriever:
        first, content = retriever.search(question, 5), retriever.library.content
    (index,) = tmp_path.glob("rubrics/*.db")
    index.rename(tmp_path / "gone")
    with open_retriever(root, settings, {}) as retriever:
        assert [ids(one) for one in retriever.search(question, 5)] == [ids(one) for one in first]
        assert retriever.library.content == content


def test_seeds_of_an_older_library_stay_in_the_tables_but_are_not_found(tmp_path: Path) -> None:
    root = Root(tmp_path)
    old = a_rubric(3, origin=Origin.SEED)
    add_rubrics(root, [old, FADING])
    used = rubrics_in_use(root, RubricsSection())
    assert FADING in used
    assert old not in used
    assert old in read_rubrics(root)


def test_a_token_that_is_not_set_is_named_and_never_shown(tmp_path: Path) -> None:
    settings = RubricsSection(milvus="http://127.0.0.1:9", token_env="MILVUS_TOKEN")
    with (
        pytest.raises(RecipeError, match=r"rubrics\.token_env: the environment variable MILVUS_TOKEN is not set"),
        open_retriever(Root(tmp_path), settings, {}),
    ):
        pass
