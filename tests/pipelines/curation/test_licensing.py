"""Allow-lists of licences, from the first row that is read to what a judge is given."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.rubrics.library import Library
from pipelines.steps import CURATE, build, steps_to_sets
from pipelines.walk import walked
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from schemas.rubric import Origin
from storage.root import Root
from storage.rubric_pools import Pool
from tests.end_to_end.problems import write_math
from tests.examples import Watcher, a_recipe, a_run, jsonl_rows, question, simulated, write_rows
from tests.rubrics import a_rubric

LICENSES = ("MIT", "mit license", "Apache-2.0", "CC-BY-NC-4.0")


def write_sources(folder: Path) -> None:
    rows = [row | {"license": LICENSES[at % 4]} for at, row in enumerate(jsonl_rows(40))]
    write_rows(folder / "own.jsonl", rows)
    chat = [
        {
            "messages": [{"role": "user", "content": question(900 + at)}, {"role": "assistant", "content": "So."}],
            "license": LICENSES[at % 4],
        }
        for at in range(8)
    ]
    write_rows(folder / "chat.jsonl", chat)


def the_recipe(folder: Path, *licenses: str, **sections: Any) -> Recipe:
    named: dict[str, Any] = {"licenses": licenses} if licenses else {}
    build = {"name": "licensed", "sets": ["rft", "pairs"], **named}
    return a_recipe(folder, **{"build": build, "general": {"path": "chat.jsonl"}} | sections)


def warned(recipe: Recipe, root: Root) -> tuple[list[str], Any]:
    """Return what a run warns of while it curates, and the curated stage."""
    said: list[str] = []

    class Listening(Watcher):
        def warn(self, text: str) -> None:
            said.append(text)

    run, _ = a_run(recipe)
    made = walked(steps_to_sets(recipe, []), root, replace(run, watcher=Listening()))
    return said, made[CURATE].stage


def test_only_allowed_licences_reach_any_table_however_they_are_spelt(tmp_path: Path) -> None:
    write_sources(tmp_path)
    root = Root.open(str(tmp_path / "data"))
    recipe = the_recipe(tmp_path, "MIT", "Apache License 2.0")
    run, _ = a_run(recipe)
    snapshot = build(recipe, root, run).snapshot
    assert set(pl.read_parquet(snapshot.files("sets/dropped"))["drop_reason"]) == {"license"}
    assert set(pl.read_parquet(snapshot.files("sets/dropped"))["license"]) == {"CC-BY-NC-4.0"}
    for table in ("sets/kept", "rft/train", "pairs/train"):
        assert set(pl.read_parquet(snapshot.files(table))["license"]) == {"MIT", "mit license", "Apache-2.0"}
    general = next(one for one in snapshot.manifest.inputs if one.source == "general")
    assert (general.rows, general.dropped) == (8, 2)


def test_spellings_and_order_of_the_list_change_nothing(tmp_path: Path) -> None:
    write_sources(tmp_path)
    root = Root.open(str(tmp_path / "data"))
    keys = {
        warned(the_recipe(tmp_path, *names), root)[1].key for names in (("MIT", "apache 2.0"), ("Apache-2.0", "mit"))
    }
    assert len(keys) == 1
    assert warned(the_recipe(tmp_path), root)[1].key not in keys


def test_a_licence_that_no_row_has_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    write_sources(tmp_path)
    root = Root.open(str(tmp_path / "data"))
    for _ in range(2):  # the stage is found the second time, and it is said again
        said, _ = warned(the_recipe(tmp_path, "MIT", "CC-BY-NC-4", "CDLA-Permissive-2.0"), root)
        assert said == [
            "build.licenses: no row has 'CC-BY-NC-4'; 12 rows with 'CC-BY-NC-4.0' were left out: was that meant?"
        ]


def test_a_list_that_leaves_nothing_is_wrong_and_says_what_there_is(tmp_path: Path) -> None:
    write_sources(tmp_path)
    root = Root.open(str(tmp_path / "data"))
    with pytest.raises(RecipeError, match="no set is left; allowed are GPL-3"):
        warned(the_recipe(tmp_path, "GPL-3.0"), root)


def test_questions_of_a_refused_licence_are_answered_by_nobody(tmp_path: Path) -> None:
    write_math(tmp_path / "math.jsonl", 6)
    write_rows(tmp_path / "own.jsonl", [row | {"license": "Apache-2.0"} for row in jsonl_rows(6)])
    sources = [{"kind": "math", "path": "math.jsonl"}, {"kind": "preference_sets", "name": "own", "path": "own.jsonl"}]
    models = {"grm": simulated(), "responder": simulated(model="responder")}
    recipe = the_recipe(
        tmp_path,
        "apache-2.0",
        sources=sources,
        models=models,
        general=None,
    )
    run, watcher = a_run(recipe)
    snapshot = build(recipe, Root.open(str(tmp_path / "data")), run).snapshot
    assert not any("answering" in stage for stage in watcher.stages)
    assert [(one.source, one.rows, one.kept, one.dropped) for one in snapshot.manifest.inputs] == [
        ("math", 6, 0, 6),
        ("own", 6, 6, 0),
    ]
    assert set(pl.read_parquet(snapshot.files("sets/dropped"))["drop_reason"]) == {"license"}


def test_criteria_made_of_rows_of_another_licence_are_not_found() -> None:
    library = Library(
        [
            a_rubric(1, license="MIT License"),
            a_rubric(2, license="CC-BY-NC-4.0"),
            a_rubric(3, license="GPL-3.0", origin=Origin.SEED),
        ]
    )
    assert library.refused(Pool.CRITERIA, None) == set()
    refused = {library.entries[Pool.CRITERIA][one].text for one in library.refused(Pool.CRITERIA, ["mit"])}
    assert refused == {"Says 2."}, "seeds are ours, and what a seed says too is known without any row"
    cases = {library.entries[Pool.CASES][one].rubric.license for one in library.refused(Pool.CASES, ["mit"])}
    assert cases == {"CC-BY-NC-4.0"}
