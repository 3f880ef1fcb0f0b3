"""The leak probe finds what was planted, by its name, and nothing where nothing was."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from pipelines.curation.leak_check import finding_of, marked, responses_of
from pipelines.curation.leak_features import CANDIDATES, FEATURE_NAMES
from pipelines.judging.shown_text import Shown
from schemas.preference import PreferenceSet, Response
from tests.examples import a_set
from tests.pipelines.curation.planted import Plant, conversation, other_letters, planted, sentence, singles

MARKER = "###STOP###"


def candidates(sets: Sequence[PreferenceSet], shown: Shown = "answer") -> pl.DataFrame:
    rows = [row for one in sets for row in responses_of(one, shown)]
    return pl.DataFrame(rows, CANDIDATES, orient="row")


def probed(sets: Sequence[PreferenceSet], shown: Shown = "answer") -> dict[str, Any]:
    return marked(finding_of(candidates(sets, shown)), 0.6)


def text(response: Response, changed: str) -> Response:
    return replace(response, text=changed)


PLANTS: dict[str, Plant] = {
    "length": lambda response, number: text(response, f"{response.text} {sentence(number, 'longer', words=6)}"),
    "markers": lambda response, number: text(response, f"{response.text} {MARKER}"),
    "layout": lambda response, number: text(response, "- " + response.text.replace(" ", "\n- ", 2)),
    "language": lambda response, number: text(response, response.text.replace("a", "а").replace("e", "е")),
    "wording": lambda response, number: text(response, response.text.replace(" ", ", ", 3)),
    "author": lambda response, number: replace(response, model="teacher", origin="rewritten"),
    "ngrams": other_letters,
}


@pytest.mark.parametrize("feature", PLANTS)
def test_a_planted_leak_is_found_and_named(feature: str) -> None:
    def nine_of_ten(response: Response, number: int) -> Response:
        return PLANTS[feature](response, number) if number % 10 else response

    found = probed(planted(nine_of_ten))
    assert found["leaky"] and found["auc"] > 0.7
    assert found["auc_by_feature"][feature] > 0.7
    # Other features may see it too: a marker makes a text longer. One that cannot, does not.
    assert found["auc_by_feature"]["turns"] == 0.5


def test_the_number_of_turns_is_found_in_conversations() -> None:
    sets = []
    for number in range(80):
        best = number % 2
        turns = [replace(Response(""), turns=conversation(number * 2 + i, 6 if i == best else 3)) for i in range(2)]
        sets.append(a_set(number, responses=[replace(one, reward=float(i == best)) for i, one in enumerate(turns)]))
    found = probed([replace(one, cluster=one.query_id) for one in sets], "turns")
    assert found["leaky"] and found["auc_by_feature"]["turns"] > 0.9


def test_a_position_is_found_as_it_is_shown() -> None:
    rows = []
    for number, one in enumerate(planted(None)):
        assert one.best is not None
        others = [index for index in range(one.n_responses) if index != one.best]
        order = [one.best, *others] if number % 10 < 7 else [*others, one.best]
        rows += responses_of(one, "answer", f"trajectory {number}", order)
    found = marked(finding_of(pl.DataFrame(rows, CANDIDATES, orient="row")), 0.6)
    assert found["leaky"] and found["auc_by_feature"]["position"] > 0.6
    assert max(auc for name, auc in found["auc_by_feature"].items() if name != "position") < 0.6


def test_the_label_of_single_responses_is_told_by_a_marker() -> None:
    found = probed(singles(PLANTS["markers"]))
    assert found["leaky"] and found["auc_by_feature"]["markers"] > 0.9
    assert not probed(singles(None))["leaky"]


def test_what_was_not_planted_is_not_found() -> None:
    found = probed(planted(None, 300))
    assert not found["leaky"]
    assert found["auc"] - 2 * found["se"] < 0.5 < found["auc"] + 2 * found["se"]
    assert found["auc_by_feature"]["turns"] == found["auc_by_feature"]["author"] == 0.5
    assert set(found["auc_by_feature"]) == set(found["se_by_feature"]) == set(FEATURE_NAMES)


def test_the_number_of_responses_is_no_leak() -> None:
    # Over all responses, those of pairs are right more often than those of fours: within a set that says nothing.
    found = probed([*planted(None, 150, n=2), *planted(None, 150, n=4, source="other")])
    assert not found["leaky"]


def test_the_same_rows_in_another_order_give_the_same_figures() -> None:
    sets = planted(PLANTS["length"], 80)
    found = probed(sets)
    assert probed(sets) == found
    backwards = marked(finding_of(candidates(sets).reverse()), 0.6)
    assert backwards == found


def test_near_duplicates_of_a_query_are_never_learnt_from_and_asked_for() -> None:
    # Each query stands there five times with the same right text, so that a probe that has seen it knows the answer.
    sets = []
    for number, one in enumerate(planted(None, 60, n=2)):
        copies = [a_set(1_000 * number + copy, responses=list(one.responses)) for copy in range(5)]
        sets += [replace(copy, cluster=one.query_id) for copy in copies]
    found = probed(sets)
    assert found["auc"] < 0.7
    assert found["se"] > 0.04, "five copies say no more than one"


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (planted(None, 39), "39 sets: fewer than 40 say nothing"),
        ([replace(one, label=1) for one in singles(None, 50)], "all labels are the same"),
        (
            [replace(one, label=int(number < 9)) for number, one in enumerate(singles(None, 50))],
            "9 sets have the rarer label: fewer than 10 say nothing",
        ),
        ([replace(one, cluster="0" * 32) for one in planted(None, 50)], "the queries are near-duplicates of a few"),
    ],
)
def test_too_little_gives_a_reason_and_no_number(sets: list[PreferenceSet], reason: str) -> None:
    found = probed(sets)
    assert found["auc"] is None and found["reason"] == reason and not found["leaky"]
    assert "auc_by_feature" not in found


def test_hostile_texts_are_texts() -> None:
    hostile = [
        "x" * 200_000,
        "\U0001f600" * 50,
        "\ufffd\x00\x1b[31m",
        "(" * 500 + "\\boxed{",
        "",
        "‮evil",
        "İ" * 9,
        "\n" * 999,
    ]
    sets = []
    for number in range(45):
        responses = [
            Response(hostile[number % len(hostile)] if index else sentence(number), float(index == number % 2),
                     turns="{" if index else None, model="\x00", origin="🙂" * 99)
            for index in range(2)
        ]  # fmt: skip
        one = a_set(number, responses=responses)
        sets.append(replace(one, cluster=one.query_id))
    assert probed(sets, "turns")["auc"] is not None
