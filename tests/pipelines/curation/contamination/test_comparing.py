"""Rows compared with benchmarks: every kind of change, the two tiers, and what is no copy."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from pipelines.curation.contamination.comparing import compared
from pipelines.curation.contamination.index import Index, index_of
from pipelines.curation.contamination.signatures import Signature, sign

LONG = (
    "A baker in Porto sells nine loaves on Monday and twice as many on Tuesday. On Wednesday she closes the shop to "
    "visit her sister. How many loaves does she sell in these three days, if nobody returns any?"
)
MIDDLE = "Which river flows past the two towers that the old miller built for his daughters?"
SHORT = "Who built the towers?"
CHINESE = "小明有十五个苹果，他给了妹妹三个，又买了七个。请问小明现在一共有多少个苹果？"
OTHER = "Describe how a violin maker chooses the wood for the front and the back of a new instrument, and why."


def signature(*queries: str, name: str = "towers") -> Signature:
    return sign(name, queries, source=name, revision="1", license="MIT")


@pytest.fixture(scope="module")
def index() -> Index:
    return index_of([signature(LONG, MIDDLE, SHORT, CHINESE)], 3, 0.5)


def hits(index: Index, *rows: tuple[Sequence[str], Sequence[str]]) -> list[dict[str, Any]]:
    texts = pa.list_(pa.string())
    queries, responses = (pa.array([row[side] for row in rows], texts) for side in (0, 1))
    return compared(index, queries, responses).to_dicts()


def tier(index: Index, query: str | Sequence[str], *responses: str) -> str | None:
    found = hits(index, ([query] if isinstance(query, str) else query, responses))
    return found[0]["tier"] if found else None


def edited(text: str) -> str:
    """Return the text with every ninth word replaced."""
    return " ".join("something" if place % 9 == 4 else word for place, word in enumerate(text.split()))


@pytest.mark.parametrize(
    "query",
    [
        LONG,
        LONG.upper().replace(",", " -").replace(".", ""),
        f"Answer the question.\n\n### Question\n{LONG}\n\n### Answer\nLet us think step by step.",
        " ".join(LONG.split()[: len(LONG.split()) // 2]),
        [OTHER, "Gladly: spruce and maple.", LONG],
        ["You are a helpful assistant.", SHORT],
        MIDDLE + "\nA) the Douro\nB) the Tagus",
        CHINESE + "谢谢",
        "who built the towers",
    ],
)
def test_a_copy_is_dropped_however_it_is_dressed(index: Index, query: str | Sequence[str]) -> None:
    assert tier(index, query, "27", "28") == "drop"


@pytest.mark.parametrize(
    "query",
    [
        edited(LONG),
        "How many loaves does she sell in these three days? On Wednesday she closes the shop. A baker in Porto sells "
        "nine loaves on Monday. She sells twice as many on Tuesday.",
        "Which big river flows past the towers that the old miller built for his two daughters?",
        "A baker in Porto sells nine loaves on Monday and twice as",
    ],
)
def test_a_changed_copy_is_marked(index: Index, query: str) -> None:
    assert tier(index, query, "27", "28") == "mark"


def test_a_hit_by_a_response_alone_marks(index: Index) -> None:
    assert tier(index, OTHER, "By sound.", f"Here is a question instead: {LONG}") == "mark"
    assert tier(index, OTHER, SHORT) == "mark"


@pytest.mark.parametrize(
    ("query", "responses"),
    [
        (OTHER, ["By its sound.", "By its price."]),
        ("Tell me: who built the towers by the sea, and when?", ["A miller."]),
        ("", ["", ""]),
        ("?", []),
        ("towers", ["one"]),
        ("How many loaves does the shop sell in a year, if nobody else in town bakes any bread at all?", []),
    ],
)
def test_other_rows_are_no_hits(index: Index, query: str, responses: Sequence[str]) -> None:
    assert tier(index, query, *responses) is None


def test_the_strongest_hit_of_each_row_is_told(index: Index) -> None:
    found = hits(index, ([OTHER], []), ([edited(LONG)], [LONG]), ([MIDDLE + " " + SHORT], []), ([], [SHORT]))

    assert [hit["row"] for hit in found] == [1, 2, 3]
    assert found[1]["overlap"] == 1.0
    assert found[0]["benchmark_row"] != found[1]["benchmark_row"]
    assert {hit["benchmark"] for hit in found} == {"towers"}
    assert found[1]["tier"] == "drop"
    assert 0.5 <= found[0]["overlap"] <= 1


def test_equal_queries_of_two_benchmarks_go_by_name() -> None:
    both = index_of([signature(LONG, name="zebra"), signature(LONG, OTHER, name="ant")], 3, 0.5)

    assert hits(both, ([LONG], []))[0]["benchmark"] == "ant"


def test_the_form_of_a_benchmark_is_no_sign_of_its_rows() -> None:
    form = "Read the two answers below with care and say which of them a careful teacher would rather give:"
    things = ["bridges", "comets", "moths", "kilns", "harps", "glaciers", "ferns", "magnets", "looms", "maps", "eels"]
    queries = [f"{form} explain {thing} to a child of {age} years" for age, thing in enumerate(things)]
    index = index_of([signature(*queries)], 3, 0.5)

    assert tier(index, f"{form} why do cats purr when they are ill?") is None
    assert tier(index, f"Please. {queries[3]}. Thank you.") == "drop"


def test_a_long_text_holds_no_query_because_it_holds_many_words(index: Index) -> None:
    words = LONG.split()
    scattered = [" ".join(words[place : place + 3]) + " and so on" * 40 for place in range(0, len(words) - 2)]

    assert tier(index, " ".join(scattered)) is None


def test_shingles_of_five_words_ask_for_more(index: Index) -> None:
    five = index_of([signature(LONG)], 5, 0.9)

    assert tier(five, edited(LONG)) is None
    assert tier(five, f"{LONG} Thanks!") == "drop"


def test_ten_megabytes_are_compared(index: Index) -> None:
    filler = " ".join(f"word{number} and then" for number in range(600_000))
    assert len(filler) > 10_000_000

    assert tier(index, f"{filler} {LONG} {filler[:100]}") == "drop"
    assert tier(index, filler) is None


def test_no_rows_and_no_benchmarks_give_no_hits(index: Index) -> None:
    nothing = index_of([], 3, 0.5)

    assert hits(index) == []
    assert hits(nothing, ([LONG], [LONG])) == []


def test_what_is_found_does_not_depend_on_the_rows_around(index: Index) -> None:
    rows = [([LONG], []), ([OTHER * 9_000], [OTHER]), ([edited(LONG)], [SHORT]), ([MIDDLE], [])]

    alone = [hits(index, row) for row in rows]

    together = hits(index, *rows)
    assert [{**hit, "row": 0} for hit in together] == [hit for found in alone for hit in found]
    assert [hit["row"] for hit in together] == [0, 2, 3]
