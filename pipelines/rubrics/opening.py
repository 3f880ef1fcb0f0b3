"""Opening the rubrics of a root: seeds put among them, texts embedded, pools completed, ready to be searched."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipelines.rubrics.embedding import CachedEmbedder, Embedder, open_embedder
from pipelines.rubrics.library import Entry, Library, rubrics_in_use, seeds_of
from pipelines.rubrics.retrieval import Retriever
from pipelines.rubrics.scores import open_reranker
from schemas.errors import RecipeError
from schemas.recipe import RubricsSection
from storage.root import Root
from storage.rubric_pools import RubricPools, open_pools
from storage.rubric_tables import Vectors, add_rubrics


@contextlib.contextmanager
def open_retriever(
    root: Root,
    settings: RubricsSection,
    environ: Mapping[str, str],
    directory: Path = Path(),
    licenses: Sequence[str] | None = None,
) -> Iterator[Retriever]:
    """Give the retriever of a root's rubrics, its pools complete.

    `directory` is where the recipe's relative paths start; `licenses` are those that the recipe allows.
    Local pools are locked until the block ends, and stand still inside it: what is written to the root meanwhile is
    found by the next one. Raises RecipeError, StorageError.
    """
    add_rubrics(root, seeds_of(settings, directory))
    library = Library(rubrics_in_use(root, settings, directory))
    reranker = open_reranker(settings.reranker, directory) if settings.reranker else None
    embedder = cached_embedder(root, settings, directory)
    with pools_of(root, settings, environ, directory, embedder) as pools:
        complete(pools, library, embedder)
        yield Retriever(library, pools, embedder, settings.candidates, settings.lexical_weight, reranker, licenses)


def cached_embedder(root: Root, settings: RubricsSection, directory: Path) -> CachedEmbedder:
    """Return the embedder of a recipe; it embeds no text twice. Raises RecipeError."""
    return CachedEmbedder(root, open_embedder(settings.embedding, settings.revision, directory))


def complete(pools: RubricPools, library: Library, embedder: Embedder) -> None:
    """Make both pools hold what the library has; only what is missing is embedded and written."""
    for pool, entries in library.entries.items():
        domains = {entry_id: entry.domain for entry_id, entry in entries.items()}
        pools.complete(pool, domains, partial(_vectors_of, entries, embedder))


def _vectors_of(entries: Mapping[str, Entry], embedder: Embedder, ids: Sequence[str]) -> Vectors:
    return embedder.vectors([entries[entry_id].text for entry_id in ids])


def pools_of(
    root: Root, settings: RubricsSection, environ: Mapping[str, str], directory: Path, embedder: Embedder
) -> RubricPools:
    """Open the pools of a root as they are, made empty where there are none. Raises RecipeError, StorageError."""
    token = None
    if settings.token_env:
        token = environ.get(settings.token_env)
        if not token:
            raise RecipeError(f"rubrics.token_env: the environment variable {settings.token_env} is not set")
    uri = settings.milvus
    if uri is not None and uri.endswith(".db"):
        uri = str(directory / uri)
    return open_pools(root, embedder.identity, uri, token, settings.prefix)
