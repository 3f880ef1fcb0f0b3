"""`where` chooses rows by SQL on the source's own columns, `columns` gives them our names; nothing vanishes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.files import open_files
from pipelines.sources.ingestion import ingest
from pipelines.sources.preference_sets import SOURCE, PreferenceSets
from pipelines.sources.selection import selected, value_at
from schemas.errors import RecipeError, SourceError
from schemas.preference import PreferenceSet, UnreadableRow
from schemas.recipe import recipe_of
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.sources.readings import best_text, json_lines, one_set, read_rows

COLUMNS = {"query": "question", "chosen": "better", "rejected": "answers.1.text"}


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    answers = [{"text": "other"}, {"text": f"worse {number}"}]
    return {"question": f"q {number}", "better": f"better {number}", "answers": answers, "language": "en"} | changes


def kept(where: str, *rows: dict[str, Any]) -> tuple[list[Any], int]:
    """Return the numbers of the rows that pass, or the reasons why that cannot be told, and how many are left out."""
    section = PreferenceSets(kind="preference_sets", path="p", where=where)
    left_out: list[int] = []
    found = list(selected(section, ((str(number), row) for number, row in enumerate(rows)), left_out.append))
    return [one.reason if isinstance(one, UnreadableRow) else int(name) for name, one in found], sum(left_out)


def test_columns_are_taken_by_paths_and_nothing_else_is_read(tmp_path: Path) -> None:
    found = one_set(tmp_path, "preference_sets", [row(prompt="another", licence="misspelt")], columns=COLUMNS)
    assert best_text(found) == "better 0"
    assert {response.text for response in found.responses} == {"better 0", "worse 0"}
    assert found.query[-1].content == "q 0"


def test_a_list_of_columns_makes_a_list(tmp_path: Path) -> None:
    rows = [{"q": "Which?", "a": "x", "b": "y", "meta.score": 2, "c": 1}]
    columns = {"query": "q", "responses": ["a", "b"], "rewards": ["c", "meta.score"]}
    assert best_text(one_set(tmp_path, "preference_sets", rows, columns=columns)) == "y"


@pytest.mark.parametrize(("path", "value"), [("a.1.b", 3), ("a.7.b", None), ("a.x", None), ("d.e", 4), ("z", None)])
def test_a_path_leads_into_objects_and_lists_or_to_nothing(path: str, value: Any) -> None:
    assert value_at({"a": [1, {"b": 3}], "d.e": 4}, path) == value


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ("language = 'en'", [0, 3]),
        ("language in ('en', 'de') and size > 1", [1, 3]),
        ("size is null", [2]),
        ("meta.turns >= 2", [1]),
        ("not flag", [1]),
        ("upper(language) like 'E%' or size = 2", [0, 1, 3]),
        ("meta.turns is null", [2, 3]),
        ("meta.turns >= 2 or language = 'en'", [0, 1, 3]),
        ("abs(size) > 2 or language like 'd%' or flag is null", [1, 2, 3]),
        ("'meta.turns' = language or \"meta.turns\" = 2", [1]),
        ("size / 0 > 1", [0, 1, 3]),
    ],
)
def test_a_condition_is_sql_with_its_nulls(where: str, passes: list[int]) -> None:
    rows = (
        {"language": "en", "size": 1, "meta": {"turns": 1}, "flag": True},
        {"language": "de", "size": 2, "meta": {"turns": 2}, "flag": False},
        {"language": None, "meta": {}, "flag": None},
        {"language": "en", "size": 2.5, "meta": None},
    )
    assert kept(where, *rows) == (passes, 4 - len(passes))


def test_a_column_of_another_type_from_a_late_row_on_makes_those_rows_unreadable_and_no_others() -> None:
    rows = [{"score": number % 3} for number in range(700)] + [{"score": "high"}, {"score": [1]}, {"score": 2}]
    found, left_out = kept("score >= 2", *rows)
    assert found[-3:] == ["where_unclear", "where_unclear", 702]
    assert left_out + len(found) == len(rows) == 703
    # Neither the rows beside one nor the place where a batch ends changes what becomes of it.
    assert kept("score >= 2", *rows[699:]) == (["where_unclear", "where_unclear", 3], 1)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nope(", "where is no condition in SQL"),
        ("import os; os.system('true')", "where is no condition in SQL"),
        ("__import__('os')", "where is no condition in SQL"),
        ("1 = 1", "where names no column"),
        ("size > avg(size)", "where looks at several rows at once"),
        ("row_number() over (order by size) = 1", "where looks at several rows at once"),
        ("size in (select size from read_csv('/etc/hostname'))", "where holds a query of its own"),
        ("size", "where gives no yes or no but Int64"),
        ('size > "sum"(size)', "where looks at several rows at once"),
        ("size < count/**/(*)", "where looks at several rows at once"),
        ("size > any(size)", "where looks at several rows at once"),
        ("size::decimal(50, 2) = 1", "polars cannot work out where: index out of bounds"),
        ("size = '\ud800'", "where is no condition in SQL"),
    ],
)
def test_what_is_no_condition_is_refused_in_a_line(where: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as raised:
        kept(where, {"size": 1})
    assert "\n" not in str(raised.value)


def test_an_object_where_a_number_is_asked_for_is_not_equal_to_it() -> None:
    assert kept("size = 1", {"size": 1}, {"size": {"x": 1}}) == ([0, "where_unclear"], 0)


def test_what_is_no_number_is_null() -> None:
    assert kept("size > 1", {"size": float("nan")}, {"size": 2.5}, {"size": float("inf")}) == ([1, 2], 1)


def test_a_quoted_word_is_no_query() -> None:
    assert kept("language = 'select'", {"language": "select"}) == ([0], 0)


def test_a_column_that_no_row_has_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="where names 'lang', which no row has; its columns: question, better"):
        read_rows(tmp_path, "preference_sets", [row()], where="lang = 'en'")
    with pytest.raises(SourceError, match=r"where names 'answers\.2\.txt', which no row has"):
        read_rows(tmp_path, "preference_sets", [row()], where="\"answers.2.txt\" = 'x'")
    with pytest.raises(SourceError, match=r"columns takes rejected from 'answers\.1\.txt', which no row has"):
        read_rows(tmp_path, "preference_sets", [row()], columns=COLUMNS | {"rejected": "answers.1.txt"})
    nulls = [row(ref=None), row(1, ref=None)]
    assert len(read_rows(tmp_path, "preference_sets", nulls, columns=COLUMNS | {"reference": "ref.text"})) == 2
    with pytest.raises(SourceError, match="columns takes chosen from 'best', which no row has; its columns: question"):
        read_rows(tmp_path, "preference_sets", [row()], columns=COLUMNS | {"chosen": "best"})


def test_what_columns_and_where_cannot_be_asked_of(tmp_path: Path) -> None:
    def refused(says: str, **section: Any) -> None:
        with pytest.raises(RecipeError, match=says):
            recipe_of({"build": {"name": "b", "root": "r"}, "sources": [section]}, tmp_path)

    refused("'qery' is no field of these rows", kind="preference_sets", path="p", columns={"qery": "q"})
    refused("helpsteer2 does not read its files row by row", kind="helpsteer2", where="helpfulness > 2")


def test_rows_that_are_left_out_are_counted_and_a_recipe_without_keeps_its_stage(tmp_path: Path) -> None:
    rows = [row(number, language="en" if number % 3 else "de") for number in range(9)] + [b"{"]
    (tmp_path / "mine.jsonl").write_bytes(json_lines(rows))

    def stage(**keys: Any) -> Any:
        source = {"kind": "preference_sets", "path": "mine.jsonl", "columns": COLUMNS, **keys}
        tree = {"build": {"name": "b", "sets": ["rft"]}, "sources": [source], "models": {"grm": simulated()}}
        recipe = recipe_of(tree, tmp_path)
        return ingest(recipe, Root(tmp_path / "r"), recipe.sources[0])

    facts = stage(where="language = 'en'", limit=4).facts
    assert (facts["left_out"], facts["sampled_out"], facts["rows"], facts["unreadable"]) == (
        3,
        3,
        4,
        facts["unreadable"],
    )
    assert facts["left_out"] + facts["sampled_out"] + facts["rows"] == len(rows)
    assert "left_out" not in stage().facts
    with pytest.raises(SourceError, match="where leaves out all"):
        (tmp_path / "mine.jsonl").write_bytes(json_lines([row()]))
        stage(where="language = 'fr'")


def test_rows_that_pass_are_the_same_from_every_format(tmp_path: Path) -> None:
    """What a CSV file, a JSON list and JSONL give are the same sets but for their place."""
    rows = [
        {"question": f"q {n}", "better": "a, b\nc", "worse": "d", "language": "en" if n else "de"} for n in range(3)
    ]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.jsonl").write_bytes(json_lines(rows))
    found = []
    for name in ("rows.csv", "rows.json", "rows.jsonl"):
        columns = {"query": "question", "chosen": "better", "rejected": "worse"}
        section = PreferenceSets(kind="preference_sets", path=name, where="language = 'en'", columns=columns)
        read = list(SOURCE.read(section, open_files(section, "", SOURCE.patterns, tmp_path)))
        assert all(isinstance(one, PreferenceSet) for one in read)
        assert [one.source_id for one in read] == [f"{name}:2", f"{name}:3"]
        found.append([one.set_id for one in read])
    assert found[0] == found[1] == found[2]
