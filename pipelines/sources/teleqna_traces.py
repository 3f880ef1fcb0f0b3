"""TeleQnA with its options in the question: a responder reasons, and picks one. See `teleqna` for the rows.

    What does TDD stand for?

    1. Total data download
    2. Time division duplex

The gold answer is the right option's number. The options stay in their published order: in it the right one is the
first, second, .. last equally often (counted: 1,284 to 1,289 times each of five), and what one option says of another,
"Both 1 and 2", means what it says. The traps of `teleqna` that are left:

* no question, an answer that matches no option, another right answer elsewhere, two equal options: dropped as there;
* "All of the above" is right in 740 of 824 cases: a judge that sees it in the question need not follow any reasoning to
  know which response is right. Dropped (`all_of_options`), unless the recipe keeps them;
* the same question is a set of `teleqna` and may be one of `teleqna_short`, in other words than here: the bare question
  is its `stem`, by which all forms of it share one cluster and one split.
"""

from collections.abc import Iterator, Mapping

from pipelines.sources import teleqna
from pipelines.sources.files import SourceFiles
from pipelines.sources.option_references import all_of_options
from schemas.preference import DropReason, UnreadableRow
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import TeleQnATraces


def read(section: TeleQnATraces, files: SourceFiles) -> Iterator[Question | UnreadableRow]:
    """Return a question or an unreadable row for each row, in the file's order.

    Raises SourceError as `teleqna` does.
    """
    for row, conflicts in teleqna.rows_with_conflicts(section, files):
        yield row if isinstance(row, UnreadableRow) else _question_of(row, section, files, conflicts)


def _question_of(row: teleqna.Question, section: TeleQnATraces, files: SourceFiles, conflicts: bool) -> Question:
    options = tuple(row.options.values())
    right = list(row.options).index(row.gold) + 1 if row.gold is not None else 0
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(options, 1))
    return question(
        query=user(f"{row.question}\n\n{listed}"),
        gold=Gold(AnswerForm.OPTION, str(right) if right else "", options),
        source=section.kind,
        source_id=row.source_id,
        source_revision=files.revision,
        license=teleqna.LICENSE,
        domain=teleqna.DOMAIN,
        stem=row.question,
        reference=f"{right}. {options[right - 1]}\n\n{row.explanation}".rstrip() if right else None,
        benchmark=True,
        drop_reason=teleqna.drop_reason(row, conflicts) or _options_reason(row.options, section.keep_all_of),
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
