"""TeleQnA with its options in the question: a responder reasons, and picks one. See `teleqna` for the rows.

    What does TDD stand for?

    1. Total data download
    2. Time division duplex

The gold answer is the right option's number. The options stay in their published order: in it the right one is the
first, second, .. last equally often (counted: 1,284 to 1,289 times each of five), and what one option says of another,
"Both 1 and 2", means what it says. Of 10,000 rows **8,722** are kept. The traps of `teleqna` that are left:

* no question, an answer that matches no option, another right answer elsewhere, two equal options: dropped as there;
* "All of the above" is right in 740 of 824 cases: a judge that sees it in the question need not follow any reasoning to
  know which response is right. Dropped (`all_of_options`, 1,186 rows), unless `keep_all_of`;
* the same question is a set of `teleqna` and may be one of `teleqna_short`, in other words than here: the bare question
  is its `stem`, by which all forms of it share one cluster and one split.
"""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.sources import teleqna
from pipelines.sources.option_references import all_of_options
from pipelines.sources.source import Origin
from schemas.preference import DropReason
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import Flag


class TeleQnATraces(teleqna.TeleQnAArchive):
    """Keys of a `teleqna_traces` section."""

    keep_all_of: Flag = False
    """Keep questions with an "all of the above" or "none of the above" option, as they are."""


def _question_of(section: TeleQnATraces, row: teleqna.PublishedQuestion, origin: Origin) -> Question:
    lines = {number: f"{place}. {text}" for place, (number, text) in enumerate(row.options.items(), 1)}
    right = "" if row.gold is None else lines[row.gold]
    return question(
        query=user("\n".join([row.question, "", *lines.values()])),
        gold=Gold(AnswerForm.OPTION, right.partition(".")[0], tuple(row.options.values())),
        stem=row.question,
        reference=row.reference(right),
        drop_reason=row.drop_reason or _options_reason(row.options, section.keep_all_of),
        **origin,
    )


def _options_reason(options: Mapping[int, str], keep_all_of: bool) -> DropReason | None:
    """Return why the options are none to choose from."""
    if not all(options.values()):
        return DropReason.EMPTY_RESPONSE
    if len(options) < 2:
        return DropReason.TOO_FEW_RESPONSES
    if len(set(options.values())) < len(options):
        return DropReason.DUPLICATE_RESPONSES
    return DropReason.ALL_OF_OPTIONS if not keep_all_of and all_of_options(options) else None


SOURCE = replace(
    teleqna.SOURCE,
    kind="teleqna_traces",
    section=TeleQnATraces,
    needs_answers=True,
    gives="questions",
    make=_question_of,
)
