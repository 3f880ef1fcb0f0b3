"""Contamination in curation: what is dropped, what is marked, what is exempt, and how it is counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.curation.contamination.counting import contamination_funnel
from pipelines.curation.contamination.signatures import put_signature, sign
from schemas.errors import RecipeError, StorageError
from schemas.preference import PreferenceSet, Response, Split
from schemas.query import Message, user
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage, stage_keys
from tests.examples import a_recipe, a_set, curate, general_stage, source_stage

LONG = (
    "A baker in Porto sells nine loaves on Monday and twice as many on Tuesday. On Wednesday she closes the shop to "
    "visit her sister. How many loaves does she sell in these three days, if nobody returns any?"
)
WRAPPED = f"Answer this question.\n\n{LONG.upper()}\n\nThink step by step."
EDITED = " ".join("something" if place % 9 == 4 else word for place, word in enumerate(LONG.split()))


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(tmp_path)
    put_signature(root, sign("towers", [LONG], source="towers.jsonl", revision="3", license="MIT"))
    return root


def of_towers(recipe: Recipe | None = None, **section: Any) -> Recipe:
    return (recipe or a_recipe()).model_copy(
        update={"decontaminate": a_recipe(decontaminate={"benchmarks": ["towers"]} | section).decontaminate}
    )


def rows(stage: Stage) -> dict[str, dict[str, Any]]:
    return {row["source_id"]: row for row in pl.read_parquet(stage.paths("sets")).to_dicts()}


def asking(number: int, query: str, *responses: str, **given: Any) -> PreferenceSet:
    texts = responses or (f"one {number}", f"two {number}")
    answers = [Response(text, float(index)) for index, text in enumerate(texts)]
    return a_set(number, query=user(query), responses=answers, source_id=f"row {number}", **given)


def few(count: int = 5) -> list[PreferenceSet]:
    return [a_set(number, source_id=f"clean {number}") for number in range(100, 100 + count)]


def test_a_copy_is_dropped_a_likeness_is_marked_and_both_say_of_what(root: Root) -> None:
    sets = [asking(0, WRAPPED), asking(1, EDITED), asking(2, "What is new?", "Nothing.", f"This: {LONG}"), *few()]

    stage = curate(of_towers(), root, [source_stage(root, sets)], None)

    found = rows(stage)
    assert [found[f"row {number}"]["drop_reason"] for number in range(3)] == ["contaminated", None, None]
    assert {found[f"row {number}"]["contaminated_by"] for number in range(3)} == {"towers"}
    assert len({found[f"row {number}"]["contaminated_row"] for number in range(3)}) == 1
    assert found["row 0"]["overlap"] == 1.0
    assert 0.5 <= found["row 1"]["overlap"] < 1.0
    assert found["clean 100"]["contaminated_by"] is found["clean 100"]["overlap"] is None
    check = stage.facts["contamination"]
    assert check["benchmarks"] == [{"benchmark": "towers", "rows": 1, "source": "towers.jsonl", "revision": "3"}]
    assert check["hits"] == [
        {"source": "own", "benchmark": "towers", "tier": "drop", "rows": 1},
        {"source": "own", "benchmark": "towers", "tier": "mark", "rows": 2},
    ]
    assert [row["outcome"] for row in contamination_funnel(check)] == ["towers: drop", "towers: mark"]


def test_over_mark_drops_nothing(root: Root) -> None:
    stage = curate(of_towers(over="mark"), root, [source_stage(root, [asking(0, WRAPPED), *few()])], None)

    assert rows(stage)["row 0"]["drop_reason"] is None
    assert rows(stage)["row 0"]["contaminated_by"] == "towers"
    assert [hit["tier"] for hit in stage.facts["contamination"]["hits"]] == ["mark"]


def test_a_test_set_is_marked_and_never_dropped(root: Root) -> None:
    stage = curate(of_towers(), root, [source_stage(root, [asking(0, LONG, split=Split.TEST), *few()])], None)

    row = rows(stage)["row 0"]
    assert (row["split"], row["drop_reason"], row["contaminated_by"]) == ("test", None, "towers")


def test_a_message_of_a_conversation_is_a_copy(root: Root) -> None:
    put_signature(root, sign("towers", ["Who built it?"], source="x", revision="1", license="MIT"))
    query = (Message("system", "Be kind."), *user("Who built it?"), Message("assistant", "Ann."), *user("And when?"))
    given = [Response("In May.", 1.0), Response("In June.", 0.0)]

    stage = curate(of_towers(), root, [source_stage(root, [a_set(0, query=query, responses=given), *few()])], None)

    assert rows(stage)["row 00000"]["drop_reason"] == "contaminated"


def test_turns_of_a_response_are_read(root: Root) -> None:
    turns = '[{"role":"user","content":"Here it is:\\\\n' + LONG + '"},{"role":"assistant","content":"27"}]'
    given = [Response("", 1.0, turns=turns), Response("No.", 0.0)]
    sets = [a_set(0, query=user("Go on."), responses=given), *few()]

    stage = curate(of_towers(), root, [source_stage(root, sets)], None)

    assert rows(stage)["row 00000"]["contaminated_by"] == "towers"


def test_a_benchmark_is_never_compared_with_itself(root: Root) -> None:
    """Its rows are compared with the others, and stay beside a copy in another source, which leaves."""
    put_signature(root, sign("gsm8k", [LONG], source="gsm8k", revision="1", license="MIT"))
    sources = [
        {"kind": "preference_sets", "name": "mine", "path": "x.jsonl"},
        {"kind": "gsm8k_solutions", "path": "y.jsonl"},
    ]
    recipe = of_towers(a_recipe(sources=sources), benchmarks=["gsm8k"])
    copy = asking(0, LONG, source="mine")
    stages = [
        source_stage(root, [copy, *few()], "mine"),
        source_stage(root, [asking(0, LONG, source="gsm8k_solutions", benchmark=True)], "gsm8k_solutions"),
    ]

    stage = curate(recipe, root, stages, None)

    frame = pl.read_parquet(stage.paths("sets")).filter(set_id=copy.set_id)
    reasons = dict(frame.select("source", "drop_reason").iter_rows())
    assert reasons == {"mine": "contaminated", "gsm8k_solutions": None}
    assert stage.facts["contamination"]["own"] == [{"source": "gsm8k_solutions", "benchmark": "gsm8k"}]

    both = curate(of_towers(recipe, benchmarks=["gsm8k", "towers"]), root, stages, None)
    hits = {(hit["source"], hit["benchmark"]) for hit in both.facts["contamination"]["hits"]}
    assert ("gsm8k_solutions", "towers") in hits


def test_allow_exempts_by_name(root: Root) -> None:
    recipe = of_towers(allow=["towers"])

    stage = curate(recipe, root, [source_stage(root, [asking(0, LONG), *few()])], None)

    assert rows(stage)["row 0"]["drop_reason"] is None
    assert stage.facts["contamination"]["benchmarks"] == []


@pytest.mark.parametrize("key", ["allow", "benchmarks"])
def test_an_unknown_name_is_refused_with_the_nearest(root: Root, key: str) -> None:
    with pytest.raises(RecipeError, match=rf"decontaminate\.{key}: .*'tower'; did you mean 'towers'"):
        curate(of_towers(**{key: ["tower"]}), root, [source_stage(root, few())], None)


def test_general_rows_that_hold_a_query_leave(root: Root) -> None:
    general = general_stage(root, [("What is rain?", "Water."), (WRAPPED, "27"), ("And snow?", f"Rather this: {LONG}")])

    stage = curate(of_towers(), root, [source_stage(root, few())], general)

    reasons = dict(pl.read_parquet(stage.paths("general")).select("source_id", "drop_reason").iter_rows())
    assert sorted(reasons.items()) == [("chat 00000", None), ("chat 00001", "contaminated"), ("chat 00002", None)]
    hits = stage.facts["contamination"]["hits"]
    assert [(hit["source"], hit["tier"], hit["rows"]) for hit in hits] == [
        ("general", "drop", 1),
        ("general", "mark", 1),
    ]


def contamination_stages(root: Root) -> set[str]:
    return set(stage_keys(root, "contamination-"))


def test_what_was_compared_is_found_again_until_a_signature_changes(root: Root) -> None:
    source = source_stage(root, [asking(0, LONG), *few()])
    curate(of_towers(), root, [source], None)
    before = contamination_stages(root)
    curate(of_towers(over="mark"), root, [source], None)
    assert contamination_stages(root) == before

    put_signature(root, sign("towers", [LONG, EDITED], source="towers.jsonl", revision="4", license="MIT"))
    after = curate(of_towers(), root, [source], None)

    assert len(contamination_stages(root)) == len(before) + 1
    assert after.facts["contamination"]["benchmarks"][0]["revision"] == "4"


def test_a_damaged_signature_ends_the_build_with_its_name(root: Root) -> None:
    root.write("signatures/towers.parquet", b"PAR1 and nothing else")

    with pytest.raises(StorageError, match=r"signatures/towers\.parquet: damaged"):
        curate(of_towers(), root, [source_stage(root, few())], None)


@pytest.mark.parametrize("sets", [[], [asking(0, "Word", "a", "b")], [asking(0, "答", "一", "二")]])
def test_sources_without_rows_and_rows_of_one_word_are_compared(root: Root, sets: Sequence[PreferenceSet]) -> None:
    stage = curate(of_towers(), root, [source_stage(root, sets)], None)

    assert stage.facts["contamination"]["hits"] == []


def test_without_signatures_nothing_is_compared(root: Root) -> None:
    stage = curate(of_towers(benchmarks=[]), root, [source_stage(root, [asking(0, LONG), *few()])], None)

    assert rows(stage)["row 0"]["contaminated_by"] is None
    assert contamination_stages(root) == set()
