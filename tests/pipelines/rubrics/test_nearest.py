"""The nearest benchmark's query by embedding: found where words differ, and never a reason to leave a row out."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.curation.contamination.signatures import put_signature, sign
from pipelines.rubrics.embedding import SentenceTransformerEmbedder
from pipelines.rubrics.nearest import nearest_queries
from schemas.errors import RecipeError
from schemas.query import user
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage
from tests.examples import a_recipe, a_set, curate, source_stage

QUERIES = ["How do I bake bread without yeast?", "Which planet of the solar system is the largest?"]


def recipe_with(**section: Any) -> Recipe:
    return a_recipe(decontaminate={"benchmarks": ["kitchen"], "embeddings": True} | section)


def curated(root: Root, recipe: Recipe) -> Stage:
    asked = ["What is a way to make a loaf of bread if there is no yeast?", "How tall is the tower of Pisa?"]
    sets = [a_set(number, query=user(text), source_id=f"row {number}") for number, text in enumerate(asked)]
    return curate(recipe, root, [source_stage(root, sets)], None)


def test_a_reworded_question_is_named_and_kept(tmp_path: Path, minilm: SentenceTransformerEmbedder) -> None:
    root = Root(tmp_path)
    vectors = minilm.vectors(QUERIES).tolist()
    made = sign(
        "kitchen", QUERIES, source="x", revision="1", license="MIT",
        embedding=minilm.identity.described(), vectors=vectors,
    )  # fmt: skip
    put_signature(root, made)
    stage = curated(root, recipe_with())

    (found,) = nearest_queries(recipe_with(), root, stage)

    assert stage.facts["contamination"]["hits"] == []
    first, second = found["nearest"]
    assert (found["source"], first["benchmark"]) == ("own", "kitchen")
    assert first["benchmark_row"] == f"{sign_row(QUERIES[0]):016x}"
    assert first["similarity"] > 0.7 > second["similarity"]
    assert nearest_queries(recipe_with(), root, stage) == [found]


def sign_row(query: str) -> int:
    row: int = sign("one", [query], source="x", revision="1", license="MIT").table["row"][0].as_py()
    return row


def test_a_signature_without_embeddings_is_named_with_the_way_out(tmp_path: Path) -> None:
    root = Root(tmp_path)
    put_signature(root, sign("kitchen", QUERIES, source="x", revision="1", license="MIT"))
    stage = curated(root, recipe_with())

    with pytest.raises(RecipeError, match=r"no signature has embeddings .* signatures add NAME --embeddings"):
        nearest_queries(recipe_with(), root, stage)
    assert nearest_queries(recipe_with(embeddings=False), root, stage) == []
