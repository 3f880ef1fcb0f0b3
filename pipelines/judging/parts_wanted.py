"""Which parts an answer has to have to be an example, and which it lacks.

What is wanted follows from what was asked for: a template, or a regex in its place, that names no analysis wants none,
and where it names no criteria, or the recipe gives or forbids them, none are missed.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.judging.answer_forms import ANALYSIS, CRITERIA, headings_of
from pipelines.judging.critiques import has_critique
from pipelines.judging.extraction import without_verdict
from pipelines.judging.part_headings import PART_HEADING
from pipelines.judging.prompts import Template
from schemas.trajectory import READABLE


class PartsWanted(NamedTuple):
    """The parts that a prompt asks for before the verdict."""

    criteria: bool
    analysis: bool


TELLING_WORDS = (  # noqa: SIM905
    "accurate accurately addresses appropriate because better brief clear clearly coherent complete completely "
    "comprehensive concise confuses contains contradicts convincing correct correctly covers demonstrates describes "
    "detailed errors error explains explanation fails flawed helpful ignores inaccurate incomplete "
    "incorrect incorrectly includes informative introduces invents irrelevant lacks less logical makes mentions misses "
    "misinterprets misleading missing mistake mistakes misses names offers omits partially precise precisely presents "
    "provides relevant repeats rests right shows slightly states structured superior support supports true "
    "unclear unnecessary useful uses vague valid well worse wrong wrongly"
).split(" ")
"""Words that no score and no announcement is made of: a sentence on a response that holds one says something."""
_CERTAIN = (
    rf"(?m)^(?:[-*•] )?Response [1-9][0-9]?,?(?: [^\n.!?:;|=/\\`*#_]*)? (?:{'|'.join(TELLING_WORDS)})"
    r"(?:[ ,][^\n.!?:;|=/\\`*#_]*)?[.!?](?: |$)"
)
_REGEX_BREAKS = re.compile(r"\\n|[()?+|]")


def parts_wanted(template: Template, form: str, text: str | None) -> PartsWanted:
    """Return the parts that are asked for; `form` and `text` are the recipe's structured_output and structured_text.

    A server that keeps a judge to a form leaves no room for a part that the form does not name. Else a template of the
    user's own may name its parts in whatever language, behind its last slot.
    """
    if text is not None:
        return _named_in(_REGEX_BREAKS.sub("\n", text).replace("\\", ""))
    headings = headings_of(template)
    above = PartsWanted(CRITERIA in headings, ANALYSIS in headings)
    if form != "none":
        return above
    own = _named_in(template.ending)
    return PartsWanted(above.criteria or own.criteria, above.analysis or own.analysis)


@cache
def _named_in(text: str) -> PartsWanted:
    kinds = {heading[1] is None for heading in PART_HEADING.finditer("\n" + text)}
    return PartsWanted(criteria=False in kinds, analysis=True in kinds)


def lacking(
    texts: pl.Series, n_responses: pl.Series, read: pa.Table, wanted: Callable[[int], PartsWanted]
) -> dict[str, pa.Array]:
    """Return no_critique and no_principles of answers, by row; false where an answer is not readable.

    A critique is looked for in Python only where no sentence of it says something for certain.
    """
    frame = pl.DataFrame([texts.rename("text"), n_responses.rename("n")]).with_columns(
        pl.from_arrow(read.select(["outcome", "critique"])),
        has_principles=pl.Series(np.asarray(read.column("principles").combine_chunks().value_lengths()) > 0),
    )
    readable = pl.col("outcome").is_in([outcome.value for outcome in READABLE])
    marked = frame.select(
        "text",
        "n",
        no_principles=readable & ~pl.col("has_principles"),
        no_critique=readable & ~pl.col("critique").str.contains(_CERTAIN).fill_null(False),
    )
    no_critique, no_principles = (marked[name].to_numpy().copy() for name in ("no_critique", "no_principles"))
    for row in np.flatnonzero(no_critique):
        n = marked["n"][int(row)]
        no_critique[row] = not has_critique(without_verdict(marked["text"][int(row)]), n, wanted(n).analysis)
    for row in np.flatnonzero(no_principles):
        no_principles[row] = wanted(marked["n"][int(row)]).criteria
    return {"no_critique": pa.array(no_critique), "no_principles": pa.array(no_principles)}
