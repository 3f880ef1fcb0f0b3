"""Sets composed of graded answers: exactly one right response, and nothing else that tells it apart."""

import random
from dataclasses import replace

from pipelines.synthesis.composition import LENGTH_TOLERANCE, compose, surplus, weighed
from schemas.candidate import Candidate, Origin
from schemas.preference import DropReason, LabelSource, PreferenceSet
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, Verdict, question
from schemas.recipe import SynthesisSection

SETTINGS = SynthesisSection(n_responses=4, single_share=0.0)


def asked(number: int = 0) -> Question:
    return question(
        query=user(f"What is {number} + 1?"),
        gold=Gold(AnswerForm.MATH, str(number + 1)),
        source="math",
        source_id=str(number),
        source_revision="r",
        license="MIT",
        domain="math",
        reference=str(number + 1),
    )


def answered(
    verdict: Verdict, text: str, answer: str | None = None, model: str = "m", origin: Origin = Origin.RESPONDER
) -> Candidate:
    return Candidate("q", origin, 0, model, verdict, text, answer=answer or text)


def right(text: str, **more: str) -> Candidate:
    return answered(Verdict.RIGHT, text, **more)  # type: ignore[arg-type]


def wrong(text: str, **more: str) -> Candidate:
    return answered(Verdict.WRONG, text, **more)  # type: ignore[arg-type]


def only(composed: list[PreferenceSet]) -> PreferenceSet:
    [one] = composed
    return one


def balanced(composed: list[PreferenceSet]) -> list[PreferenceSet]:
    reasons = surplus(weighed(composed))
    return [one.dropped(reasons[one.set_id]) if one.set_id in reasons else one for one in composed]


def test_a_set_has_one_right_response_and_the_rest_wrong() -> None:
    candidates = [right("one two"), right("one two three"), *(wrong(f"no {'x' * size}") for size in range(1, 6))]
    made = only(compose(asked(), candidates, SETTINGS, 0))
    assert made.drop_reason is None
    assert made.n_responses == 4
    assert [response.reward for response in made.responses].count(1.0) == 1
    assert made.best is not None and made.responses[made.best].reward == 1.0
    assert made.label_source is LabelSource.VERIFIER
    assert made.reference == "1"


def test_what_is_neither_right_nor_wrong_is_in_no_set() -> None:
    others = [answered(verdict, verdict.value) for verdict in Verdict if verdict not in (Verdict.RIGHT, Verdict.WRONG)]
    made = only(compose(asked(), [right("yes"), wrong("no"), *others], SETTINGS, 0))
    assert sorted(response.text for response in made.responses) == ["no", "yes"]
    assert only(compose(asked(), others, SETTINGS, 0)).drop_reason is DropReason.NO_RESPONSE


def test_every_question_ends_in_a_set() -> None:
    assert only(compose(asked(), [right("a")], SETTINGS, 0)).drop_reason is DropReason.NO_WRONG_RESPONSE
    assert only(compose(asked(), [wrong("a")], SETTINGS, 0)).drop_reason is DropReason.NO_RIGHT_RESPONSE
    dropped = asked().dropped(DropReason.GOLD_NOT_GRADABLE)
    assert only(compose(dropped, [], SETTINGS, 0)).drop_reason is DropReason.GOLD_NOT_GRADABLE


def test_wrong_responses_differ_from_each_other_where_they_can() -> None:
    candidates = [
        right("the answer is 1"),
        *(wrong(f"the answer is {n} {i}", answer=str(n)) for n in (2, 3, 4) for i in (0, 1)),
    ]
    made = only(compose(asked(), candidates, SETTINGS, 0))
    answers = {response.text.split()[3] for response in made.responses}
    assert answers == {"1", "2", "3", "4"}


def test_the_same_text_twice_is_one_response() -> None:
    made = only(compose(asked(), [right("a"), right("a"), wrong("b"), wrong("b")], SETTINGS, 0))
    assert made.n_responses == 2 and made.drop_reason is None


def test_right_and_wrong_have_one_author() -> None:
    candidates = [right("a", model="big"), wrong("bb", model="small"), right("c", model="small")]
    made = only(compose(asked(), candidates, SETTINGS, 0))
    assert {response.model for response in made.responses} == {"small"}


def test_a_teacher_stands_only_beside_itself() -> None:
    wrongs = [wrong("own words one"), wrong("own words two")]
    teacher = replace(right("right"), model="teacher", origin=Origin.TEACHER)
    alone = only(compose(asked(), [*wrongs, teacher], SETTINGS, 0))
    assert alone.drop_reason is DropReason.NO_RIGHT_RESPONSE
    rewritten = [replace(one, model="teacher", origin=Origin.REWRITE, text=f"in other {one.text}") for one in wrongs]
    made = only(compose(asked(), [*wrongs, teacher, *rewritten], SETTINGS, 0))
    assert made.drop_reason is None and made.n_responses == 3
    assert {response.model for response in made.responses} == {"teacher"}


def test_models_are_mixed_where_none_is_both_right_and_wrong() -> None:
    candidates = [right("a", model="x", origin=Origin.GIVEN), wrong("b", model="y", origin=Origin.GIVEN)]
    assert only(compose(asked(), candidates, SETTINGS, 0)).drop_reason is None


def test_length_does_not_tell_the_right_response() -> None:
    """Wrong solutions run longer than right ones, as they do in real samples."""
    rng = random.Random(1)
    composed: list[PreferenceSet] = []
    for number in range(400):
        candidates = [right("r" * int(rng.gauss(300, 80))) for _ in range(4)]
        candidates += [wrong("w" * int(rng.gauss(380, 100)), answer=str(i)) for i in range(4)]
        composed += compose(asked(number), candidates, SETTINGS, 7)
    kept = [one for one in balanced(composed) if one.drop_reason is None]
    assert len(kept) > 300
    shares = []
    for one in kept:
        assert one.best is not None
        lengths = [len(response.text) for response in one.responses]
        others = [length for index, length in enumerate(lengths) if index != one.best]
        best = lengths[one.best]
        shares.append(sum((other < best) + (other == best) / 2 for other in others) / len(others))
    assert abs(sum(shares) / len(shares) - 0.5) <= LENGTH_TOLERANCE


def test_sets_that_no_choice_can_mend_are_dropped_by_name() -> None:
    composed: list[PreferenceSet] = []
    for number in range(60):
        text = "short" if number < 50 else "a right answer that is longer than the wrong one"
        composed += compose(asked(number), [right(text), wrong("a wrong answer, longer")], SETTINGS, 0)
    sets = balanced(composed)
    assert len(sets) == 60
    assert {one.drop_reason for one in sets} == {None, DropReason.LENGTH_BALANCE}
    kept = [one for one in sets if one.drop_reason is None]
    assert 20 <= len(kept) <= 22


def test_single_responses_are_as_often_right_as_wrong() -> None:
    settings = SynthesisSection(single_share=1.0)
    composed: list[PreferenceSet] = []
    for number in range(200):
        candidates = [right("yes")] if number % 4 else [right("yes"), wrong("noo")]
        composed += compose(asked(number), candidates, settings, 0)
    singles = [one for one in balanced(composed) if one.label is not None]
    kept = [one.label for one in singles if one.drop_reason is None]
    assert len(singles) == 200
    assert kept.count(0) == kept.count(1) > 15


def test_composition_follows_from_its_input_alone() -> None:
    candidates = [right("one"), right("two two"), wrong("no no no"), wrong("nope"), wrong("never ever")]
    first = compose(asked(3), candidates, SETTINGS, 0)
    assert first == compose(asked(3), candidates, SETTINGS, 0)
    chosen = {only(compose(asked(number), candidates, SETTINGS, 0)).responses for number in range(20)}
    assert len(chosen) > 1


def test_among_sets_of_the_same_authors_each_is_best_equally_often() -> None:
    composed: list[PreferenceSet] = []
    for number in range(120):
        strong, weak = ("right", "wrong") if number % 4 else ("wrong", "right")
        candidates = [
            (right if strong == "right" else wrong)("said by the strong", model="strong", origin=Origin.GIVEN),
            (right if weak == "right" else wrong)("said by the weaker", model="weak", origin=Origin.GIVEN),
        ]
        composed += compose(asked(number), candidates, SETTINGS, 0)
    sets = balanced(composed)
    kept = [one.responses[one.best].model for one in sets if one.drop_reason is None and one.best is not None]
    assert {one.drop_reason for one in sets} == {None, DropReason.AUTHOR_BALANCE}
    assert kept.count("weak") == 30 and 30 <= kept.count("strong") <= 33


def test_single_responses_of_each_author_are_as_often_right_as_wrong() -> None:
    settings = SynthesisSection(single_share=1.0)
    composed: list[PreferenceSet] = []
    for number in range(200):
        strong = right if number % 4 else wrong
        composed += compose(asked(number), [strong("a", model="strong")], settings, 0)
        composed += compose(asked(200 + number), [wrong("b", model="weak")], settings, 0)
    kept = [one for one in balanced(composed) if one.label is not None and one.drop_reason is None]
    assert [one.responses[0].model for one in kept] == ["strong"] * 100
    assert sum(one.label or 0 for one in kept) == 50
