"""Where an answer's verdict, principles, critique and leaks stand."""

import pytest

from pipelines.judging.marks import Mark, marks_of

ANSWER = """Specific Criteria:
1. Accuracy (Weight: 60%): the option is right.
2. Brevity (Weight: 40%): no word too many.

Analysis:
Response 1 names the layer; Response 2 does not.

Scores: \\boxed{8, 3}"""


def shown(text: str, n: int = 2, **given: object) -> list[tuple[str, str, str]]:
    """Return each mark as (kind, the words that it covers, note)."""
    marks: list[Mark] = marks_of(text, n, given.pop("finish_reason", None), **given)  # type: ignore[arg-type]
    return [(mark.kind, text[mark.start : mark.end], mark.note) for mark in marks]


def test_each_part_is_marked_where_the_reader_found_it() -> None:
    assert shown(ANSWER) == [
        ("principle", "Accuracy (Weight: 60%): the option is right.", "Accuracy, weight 60%"),
        ("principle", "Brevity (Weight: 40%): no word too many.", "Brevity, weight 40%"),
        ("critique", "Response 1 names the layer; Response 2 does not.", ""),
        ("verdict", "Scores: \\boxed{8, 3}", "read as 8, 3"),
    ]


@pytest.mark.parametrize(
    ("verdict", "covered", "note"),
    [
        ("**Scores:** 8, 3", "8, 3", "read as 8, 3, in a form that is forgiven"),
        ("Scores: \\boxed{8}", "boxed{8}", "not read: the answer has more or fewer scores than responses"),
        ("Scores: \\boxed{80, 3}", "boxed{80, 3}", "not read: a score is no integer of the range"),
    ],
)
def test_a_verdict_of_another_form_or_one_that_is_none_says_so(verdict: str, covered: str, note: str) -> None:
    [(kind, words, said)] = [
        one for one in shown(ANSWER.replace("Scores: \\boxed{8, 3}", verdict)) if one[0] == "verdict"
    ]
    assert covered in words and said.startswith(note), (kind, words, said)


def test_an_answer_without_a_verdict_has_no_mark_for_one() -> None:
    assert [kind for kind, *_ in shown("I would rather not say.")] == []
    assert shown("") == []


def test_a_cut_answer_is_marked_at_its_end() -> None:
    marks = shown(ANSWER[:-20], finish_reason="length")
    assert marks[-1] == ("cut", marks[-1][1], "the endpoint cut the answer off here")
    assert [kind for kind, *_ in marks if kind == "verdict"] == []


def test_words_that_give_a_hint_away_are_marked_only_where_there_was_a_hint() -> None:
    leaking = ANSWER.replace(
        "Response 1 names", "According to the hint in the prompt, Response 1 is the right choice. It names"
    )
    assert [one for one in shown(leaking) if one[0] == "leak"] == []
    leaks = [one for one in shown(leaking, hinted=True) if one[0] == "leak"]
    assert (
        "leak",
        "According to the hint in the prompt, Response 1 is the right choice",
        "speaks of the hint",
    ) in leaks
    first = ANSWER.replace("Analysis:\n", "Analysis:\nResponse 1 is the best. ")
    assert ("leak", "Response 1 is the best", "a verdict before the first criterion is applied") in shown(
        first, hinted=True
    )


def test_places_are_those_of_the_text_with_its_fence() -> None:
    fenced = f"```\n\U0001f4a5 İ {ANSWER}\n```"
    [verdict] = [one for one in shown(fenced) if one[0] == "verdict"]
    assert verdict[1] == "Scores: \\boxed{8, 3}"


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    assert [kind for kind, *_ in shown("word. " * 200_000, hinted=True)] == []
