"""`[decontaminate]`: which benchmarks rows are compared with, and what becomes of those that hold one."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.recipe.section import Flag, Name, Number, Section


class DecontaminateSection(Section):
    """`[decontaminate]`: benchmarks that no row of the sets may hold; see docs/decontamination.md."""

    benchmarks: tuple[Name, ...] | None = None
    """Signatures to compare with, by name: all that ship and all in the root's `signatures/` unless given. `[]` means
    none."""
    over: Literal["drop", "mark"] = "drop"
    """`drop`: leave out rows that hold a benchmark's query as it stands, and mark those that resemble one. `mark`: keep
    them all, and say so in their columns."""
    shingles: Literal[3, 5] = 3
    """Words of a shingle. Of 5, fewer words may be changed before a copy is missed."""
    similarity: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Share of a query's shingles from which a row is marked."""
    allow: tuple[Name, ...] = ()
    """Signatures that rows are not compared with, by name."""
    embeddings: Flag = False
    """Also report the questions that are nearest to a benchmark's by embedding, of signatures made with `--embeddings`.
    Nothing is left out for it. Needs the extra `rubrics`, whose packaged model it takes."""
