from schemas.preference import DropReason, Response, Split
from schemas.query import user
from schemas.question import QUESTIONS, STEMS, AnswerForm, Gold, question, questions_of, questions_table, stems_table

PLACE = {"source": "math", "source_id": "1", "source_revision": "r", "license": "MIT", "domain": "math"}


def test_questions_come_back_from_their_table() -> None:
    questions = [
        question(query=user("1 + 1?"), gold=Gold(AnswerForm.MATH, "2"), **PLACE),
        question(
            query=user("Which?\n1. a\n2. b"),
            gold=Gold(AnswerForm.OPTION, "2", options=("a", "b")),
            given=(Response("It is 2.", reward=1.0, model="m"), Response("It is 1.", reward=None)),
            split=Split.TEST,
            benchmark=True,
            stem="Which?",
            reference="b",
            **PLACE,
        ).dropped(DropReason.NEEDS_OPTIONS),
        question(query=user("How far?"), gold=Gold(AnswerForm.NUMBER, "3 km", tolerance=0.05), **PLACE),
    ]
    table = questions_table(questions)
    assert table.schema == QUESTIONS
    assert questions_of(table) == questions


def test_the_first_reason_for_dropping_stays() -> None:
    one = question(query=user("?"), gold=Gold(AnswerForm.TEXT, "a"), **PLACE)
    assert one.dropped(DropReason.NO_QUESTION).dropped(DropReason.NO_RESPONSE).drop_reason is DropReason.NO_QUESTION


def test_only_stems_that_are_there_are_listed_and_once() -> None:
    plain = question(query=user("?"), gold=Gold(AnswerForm.TEXT, "a"), **PLACE)
    listed = question(query=user("? 1. a"), gold=Gold(AnswerForm.OPTION, "1"), stem="?", **PLACE)
    assert stems_table([plain, listed, listed]).to_pylist() == [{"query_id": listed.query_id, "stem": "?"}]
    assert stems_table([plain]).schema == STEMS
