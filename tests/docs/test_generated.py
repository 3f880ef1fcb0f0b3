"""The generated pages say what the code says, about everything, and nothing else."""

import pkgutil
from importlib import import_module

import pytest
from pydantic import BaseModel

import schemas
from docs.generate import DOCS, EXAMPLE, column_paths, pages
from pipelines.sources.registry import SOURCES
from schemas.published import EVALUATION_TABLES, TABLES
from schemas.recipe import Section, evaluate, models, read_recipe, sources, stages, vllm
from schemas.tables import Table


@pytest.mark.parametrize("name", ["tables.md", "recipes.md", "sources.md", "evaluation.md"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == pages()[DOCS / name], "stale: run `make docs`"


EVERY_TABLE = (*TABLES, *EVALUATION_TABLES)


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_every_column_has_a_meaning(table: Table) -> None:
    assert table.meaning
    assert [path for path, column in column_paths(table.columns) if not column.meaning] == []


def test_every_table_that_readers_meet_is_on_the_page() -> None:
    modules = [import_module(f"schemas.{module.name}") for module in pkgutil.iter_modules(schemas.__path__)]
    tables = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, Table)}
    assert {table.name for table in tables.values() if table.meaning} == {table.name for table in EVERY_TABLE}


SECTIONS = [
    value
    for module in (evaluate, models, sources, stages, vllm)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Section) and value.__module__ == module.__name__
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
    assert read_recipe(EXAMPLE).build.sets == ("rft", "rl")
