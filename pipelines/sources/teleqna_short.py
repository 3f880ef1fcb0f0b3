"""TeleQnA without its options: a question, and a short answer in words. See `teleqna` for the rows.

    What does TDD stand for?      gold: Time division duplex

The gold answer is the text of the right option; the texts of all options go along, so that an answer can often be
matched to one of them without a model. The query is the bare question, so it is that of `teleqna`'s set, and both stand
in one cluster and one split. The traps of `teleqna` that are left, and those that come of leaving the options out:

* no question, an answer that matches no option, another right answer elsewhere: dropped as there;
* "All of the above" is no answer where nothing is above (`all_of_options`); "Both 1 and 2" is written out;
* which-of, not and except questions have any number of right answers (`needs_options`): see `option_needs`;
* half of a sentence, "which statement is true", "what is one of ..": a teacher can ask for the right option in other
  words. These are kept, and `option_needs.needs_rewriting` tells which they are. What the teacher asks in their place
  keeps the published question as its `stem`.
"""

from collections.abc import Iterator

from pipelines.sources import teleqna
from pipelines.sources.files import SourceFiles
from pipelines.sources.option_needs import needs_options
from pipelines.sources.option_references import StandingOptions, all_of_options, refers, standing_options
from schemas.preference import DropReason, UnreadableRow
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import TeleQnAShort
from schemas.record import is_blank


def read(section: TeleQnAShort, files: SourceFiles) -> Iterator[Question | UnreadableRow]:
    """Return a question or an unreadable row for each row, in the file's order.

    Raises SourceError as `teleqna` does.
    """
    for row, conflicts in teleqna.rows_with_conflicts(section, files):
        yield row if isinstance(row, UnreadableRow) else _question_of(row, section, files, conflicts)


def _question_of(row: teleqna.Question, section: TeleQnAShort, files: SourceFiles, conflicts: bool) -> Question:
    standing = standing_options(row.question, row.options, keep_all_of=True)
    right = standing.texts[row.gold] if row.gold is not None else ""
    return question(
        query=user(row.question),
        gold=Gold(AnswerForm.TEXT, right, tuple(dict.fromkeys(standing.texts.values()))),
        source=section.kind,
        source_id=row.source_id,
        source_revision=files.revision,
        license=teleqna.LICENSE,
        domain=teleqna.DOMAIN,
        reference=f"{right}\n\n{row.explanation}".rstrip() if right else None,
        benchmark=True,
        drop_reason=teleqna.drop_reason(row, conflicts) or _wording_reason(row, standing),
    )


def _wording_reason(row: teleqna.Question, standing: StandingOptions) -> DropReason | None:
    """Return why a question or its right answer means nothing without the options."""
    assert row.gold is not None
    if needs_options(row.question):
        return DropReason.NEEDS_OPTIONS
    if row.gold in all_of_options(row.options):
        return DropReason.ALL_OF_OPTIONS
    if standing.drop_reason and refers(row.options[row.gold]):
        return DropReason.UNRESOLVED_REFERENCE
    return DropReason.EMPTY_RESPONSE if is_blank(standing.texts[row.gold]) else None
