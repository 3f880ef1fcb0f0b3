"""Sources with and without a planted leak, for the tests of the leak probe."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from schemas.preference import PreferenceSet, Response
from schemas.record import content_id, unit_interval
from tests.examples import a_set

WORDS = [
    "cell",
    "carrier",
    "signal",
    "frame",
    "slot",
    "relay",
    "antenna",
    "uplink",
    "bearer",
    "paging",
    "timer",
    "probe",
]

Plant = Callable[[Response, int], Response]
"""Changes the right response of the number-th set."""


def sentence(*names: object, words: int = 9) -> str:
    return " ".join(WORDS[int(unit_interval("word", *names, place) * len(WORDS))] for place in range(words))


def planted(plant: Plant | None, count: int = 100, n: int = 3, **given: object) -> list[PreferenceSet]:
    """Return sets of n responses of random words, the right one changed by the plant, in the order of tables."""
    sets = []
    for number in range(count):
        best = int(unit_interval("best", number) * n)
        responses = [
            Response(sentence(number, index, words=7 + int(unit_interval("length", number, index) * 5)), 0.0)
            for index in range(n)
        ]
        if plant is not None:
            responses[best] = plant(responses[best], number)
        responses[best] = replace(responses[best], reward=1.0)
        sets.append(_curated(a_set(number, responses=responses, **given)))  # type: ignore[arg-type]
    return sorted(sets, key=lambda one: (one.query_id, one.set_id))


def singles(plant: Plant | None, count: int = 100) -> list[PreferenceSet]:
    """Return sets of one response, those with label 1 changed by the plant."""
    sets = []
    for number in range(count):
        response = Response(sentence(number, "single"))
        if plant is not None and number % 2:
            response = plant(response, number)
        sets.append(_curated(a_set(number, n=1, responses=[response], label=number % 2)))
    return sorted(sets, key=lambda one: (one.query_id, one.set_id))


def _curated(preference: PreferenceSet) -> PreferenceSet:
    return replace(preference, cluster=preference.query_id)


def conversation(number: int, turns: int) -> str:
    said: Sequence[dict[str, str]] = [
        {"role": ("user", "assistant")[turn % 2], "content": sentence(number, "turn", turn, words=12 // turns + 3)}
        for turn in range(turns)
    ]
    return orjson.dumps(said).decode()


def other_letters(response: Response, number: int) -> Response:
    """Return a response of the same length in words whose words are spelt in a way of their own."""
    spelt = " ".join(f"{word[:2]}q{content_id('x', word)[0]}" if place % 3 == 0 else word
                     for place, word in enumerate(response.text.split()))  # fmt: skip
    return replace(response, text=spelt)
