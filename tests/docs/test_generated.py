"""The generated pages say what the code says, about everything, and nothing else."""

import pytest
from pydantic import BaseModel

from docs.columns import COLUMN_DOCS, COMMON_COLUMN_DOCS, TABLE_DOCS
from docs.generate import DOCS, EXAMPLE, column_doc, column_paths, pages, table_schemas
from pipelines.sources.registry import SOURCES
from schemas import recipe


@pytest.mark.parametrize("name", ["tables.md", "recipes.md", "sources.md"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == pages()[DOCS / name], "stale: run `make docs`"


def columns() -> list[tuple[str, str]]:
    return [(table, path) for table, schema in table_schemas().items() for path, _ in column_paths(schema)]


def test_every_column_has_a_meaning() -> None:
    assert [column for column in columns() if not column_doc(*column)] == []


def test_no_meaning_is_left_over() -> None:
    assert set(TABLE_DOCS) == set(table_schemas())
    assert {(table, path) for table, docs in COLUMN_DOCS.items() for path in docs} <= set(columns())
    assert set(COMMON_COLUMN_DOCS) <= {path.split(".")[-1] for _, path in columns()}


SECTIONS = [
    value
    for value in vars(recipe).values()
    if isinstance(value, type) and issubclass(value, recipe.Section) and value not in (recipe.Section, recipe.Recipe)
] + [source.section for source in SOURCES.values()]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_of_a_recipe_is_on_its_page(section: type[BaseModel]) -> None:
    page = (DOCS / "recipes.md").read_text("utf-8")
    for key, field in section.model_fields.items():
        if key != "kind":
            assert field.description, f"{section.__name__}.{key} has no docstring"
            assert f"| `{key}` |" in page


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    for text in pages().values():
        widths: list[int] = []
        for line in text.splitlines():
            widths = [*widths, line.replace("\\|", "").count("|")] if line.startswith("|") else []
            assert len(set(widths)) <= 1, line


def test_the_example_is_a_recipe() -> None:
    assert recipe.read_recipe(EXAMPLE).build.sets == ("rft", "rl")
