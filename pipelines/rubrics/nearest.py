"""How near a build's questions are to those of benchmarks by embedding: reported, and never a reason to leave one out.

Reworded copies share few words with what they copy. An embedding sees some of them, and many pairs of questions that
are only about the same thing: so a person reads the nearest, and decides.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.curation.contamination.signatures import Signature
from pipelines.curation.contamination.stage import Comparison
from pipelines.curation.curation import rules_of
from pipelines.rubrics.embedding import PACKAGED, CachedEmbedder, open_embedder
from schemas.errors import RecipeError
from schemas.preference import SETS
from schemas.recipe import Recipe
from storage.root import Root
from storage.rubric_tables import Vectors
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.tables import read_table

STAGE_VERSION = 1
NEAR = 0.85
"""Cosine similarity from which a question is counted."""
_NAMED = 5
"""Questions of a source that are named, the nearest first."""
_BLOCK = 2_048


def nearest_queries(recipe: Recipe, root: Root, curated: Stage) -> list[dict[str, Any]]:
    """Return, for each source, how many kept sets are near to a benchmark's query, and the nearest of them.

    Nothing where the recipe does not ask for it. Raises RecipeError where the embedding model or a signature with
    embeddings is missing.
    """
    if not recipe.decontaminate.embeddings:
        return []
    embedder = CachedEmbedder(root, open_embedder(PACKAGED, None, Path()))
    model = embedder.identity.described()
    known = Comparison(recipe.decontaminate, root).signatures
    signatures = {name: signature for name, signature in known.items() if signature.embedding == model}
    if not signatures:
        raise RecipeError(
            f"decontaminate.embeddings: no signature has embeddings of {model}; make one with "
            "`grmforge signatures add NAME --embeddings`"
        )
    contents = {name: signature.content for name, signature in signatures.items()}
    key = stage_key("nearest-queries", STAGE_VERSION, [model, contents], [curated.content])
    if (stage := find_stage(root, key)) is None:
        stage = finish_stage(root, key, {}, {"nearest": _nearest(recipe, curated, signatures, embedder)}, [curated])
    nearest: list[dict[str, Any]] = stage.facts["nearest"]
    return nearest


def _nearest(
    recipe: Recipe, curated: Stage, signatures: Mapping[str, Signature], embedder: CachedEmbedder
) -> list[dict[str, Any]]:
    own = dict(rules_of(recipe).own)
    table = read_table(curated.paths("sets"), SETS, ["source", "set_id", "query", "drop_reason"])
    sets = pl.DataFrame(table).filter(pl.col("drop_reason").is_null())
    sets = sets.with_columns(text=pl.col("query").list.eval(pl.element().struct.field("content")).list.join("\n"))
    found = []
    for (source,), rows in sorted(sets.group_by("source")):
        names = [name for name in signatures if name != own.get(str(source))]
        if names:
            found.append({"source": source, **_of_source(rows, [signatures[name] for name in names], embedder)})
    return found


def _of_source(rows: pl.DataFrame, signatures: list[Signature], embedder: CachedEmbedder) -> dict[str, Any]:
    texts = embedder.vectors(rows["text"].to_list())
    best = np.full(len(texts), -1.0, np.float32)
    benchmark, query = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.uint64)
    for number, signature in enumerate(signatures):
        queries: Vectors = np.stack(signature.table.column("embedding").to_numpy())
        hashes = signature.table.column("row").to_numpy()
        for start in range(0, len(texts), _BLOCK):
            part = slice(start, start + _BLOCK)
            likeness = texts[part] @ queries.T
            places = likeness.argmax(axis=1)
            values = likeness[np.arange(len(places)), places]
            is_nearer = values > best[part]
            best[part] = np.where(is_nearer, values, best[part])
            benchmark[part] = np.where(is_nearer, number, benchmark[part])
            query[part] = np.where(is_nearer, hashes[places], query[part])
    ids = rows["set_id"].to_list()
    order = sorted(range(len(ids)), key=lambda row: (-round(float(best[row]), 4), ids[row]))
    return {
        "rows": int((best >= NEAR).sum()),
        "similarity": NEAR,
        "nearest": [
            {
                "set_id": ids[row],
                "benchmark": signatures[benchmark[row]].name,
                "benchmark_row": f"{query[row]:016x}",
                "similarity": round(float(best[row]), 4),
            }
            for row in order[:_NAMED]
        ],
    }
