"""TeleQnA without its options: a question, and a short answer in words. See `teleqna` for the rows.

    What does TDD stand for?      gold: Time division duplex

The gold answer is the text of the right option; the texts of all options go along, so that an answer can often be
matched to one of them without a model. The query is the bare question, so it is that of `teleqna`'s set, and both stand
in one cluster and one split. Of 10,000 rows **9,039** are kept. The traps of `teleqna` that are left, and those that
come of leaving the options out:

* no question, an answer that matches no option, another right answer elsewhere: dropped as there;
* which-of, not and except questions have any number of right answers (`needs_options`, 169 rows);
* "All of the above" is no answer where nothing is above (`all_of_options`, 716 rows); "Both 1 and 2" is written out,
  but for one row (`unresolved_reference`);
* half of a sentence, a gap, "which statement is true", "what is one of ..", in 354 of the kept rows: models.teacher is
  told the right option and asks for it in other words, none of them a word of the right option that the published
  question lacks. What still leans on options or gives the answer away is asked once more, and then dropped
  (`needs_options`), as all of them are without a teacher. The published question stays as the `stem`.
"""

from dataclasses import replace

from pipelines.sources import teleqna
from pipelines.sources.option_needs import needs_options
from pipelines.sources.option_references import all_of_options, refers, standing_options
from pipelines.sources.source import Origin
from schemas.preference import DropReason
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.record import is_blank


class TeleQnAShort(teleqna.TeleQnAArchive):
    """Keys of a `teleqna_short` section."""


def _question_of(section: TeleQnAShort, row: teleqna.PublishedQuestion, origin: Origin) -> Question:
    standing = standing_options(row.question, row.options, keep_all_of=True)
    right = standing.texts[row.gold] if row.gold is not None else ""
    return question(
        query=user(row.question),
        gold=Gold(AnswerForm.TEXT, right, tuple(dict.fromkeys(standing.texts.values()))),
        reference=row.reference(right),
        drop_reason=row.drop_reason or _wording_reason(row, right, standing.drop_reason),
        **origin,
    )


def _wording_reason(row: teleqna.PublishedQuestion, right: str, unresolved: DropReason | None) -> DropReason | None:
    """Return why a question or its right answer means nothing without the options."""
    assert row.gold is not None
    if needs_options(row.question):
        return DropReason.NEEDS_OPTIONS
    if row.gold in all_of_options(row.options):
        return DropReason.ALL_OF_OPTIONS
    if unresolved and refers(row.options[row.gold]):
        return DropReason.UNRESOLVED_REFERENCE
    return DropReason.EMPTY_RESPONSE if is_blank(right) else None


SOURCE = replace(
    teleqna.SOURCE, kind="teleqna_short", section=TeleQnAShort, needs_answers=True, gives="questions", make=_question_of
)
