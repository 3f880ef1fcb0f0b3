"""The command `grmforge rubrics`: making them, what is in the pools, and what a question finds there."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.reporting.visible import one_line, visible
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from schemas.recipe import RubricsSection
    from schemas.rubric import Criterion
    from storage.root import Root

app = typer.Typer(help="Make rubrics, search them, and count them.", rich_markup_mode=None, no_args_is_help=True)

RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", metavar="RECIPE", help="Take [rubrics], and the root, from this recipe.")
]
RootOption = Annotated[str | None, typer.Option("--root", help="Where the rubrics are: the recipe's root, else data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on where most of a model's first answers are of no use.")
]

_MOST_COLUMNS = 118
_SHOWN = 6
"""Criteria of a case that a terminal is shown."""


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe with [models.rubric].")],
    root: RootOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows of every source.")] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for what an endpoint refused for good.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until every batch is done, in place of ending with exit code 4.")
    ] = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Write rubrics for questions with ranked answers, keep what tells good from bad, and index it for `build`.

    Run it again to go on after a stop: nothing is paid twice. Example: grmforge rubrics build recipes/rubrics.toml
    """
    from flows.running import running
    from pipelines.build import build_rubrics, changed
    from schemas.recipe import read_recipe
    from storage.root import Root

    settings = changed(read_recipe(recipe), root=root, limit=limit)
    place = Root.open(settings.build.root)
    with running(settings, place, "rubrics", retry_failed, wait, keep_going=keep_going) as run:
        made = build_rubrics(settings, place, run)
    if json:
        _print_json(made.as_json())
    else:
        typer.echo(visible(made.as_text()))


@app.command()
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question, as text.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many cases and criteria.")] = 5,
    domain: Annotated[str | None, typer.Option("--domain", help="Only this domain, such as telecom.")] = None,
    recipe: RecipeOption = None,
    root: RootOption = None,
    json: JsonOption = False,
) -> None:
    """Show the cases and criteria nearest to a question. Indexes first what is not indexed yet.

    Example: grmforge rubrics search "What does the AMF do?" -k 3 --domain telecom
    """
    from pipelines.rubrics.opening import open_retriever
    from pipelines.rubrics.retrieval import Question
    from schemas.record import clean_text

    if not question.strip():
        raise RecipeError("the question is empty")
    settings, place, directory = _settings(recipe, root)
    with open_retriever(place, settings, os.environ, directory) as retriever:
        found = retriever.search([Question(clean_text(question), domain)], k)[0]
    if json:
        _print_json(found.as_json())
        return
    width = min(shutil.get_terminal_size((100, 24)).columns, _MOST_COLUMNS)
    lines = ["cases"]
    for case in found.cases:
        rubric = case.rubric
        lines.append(_line(f"  {case.score:5.2f}  {rubric.domain} · {rubric.source} · ", rubric.case, width))
        lines += [_criterion_line(" " * 9, one, width) for one in rubric.kept[:_SHOWN]]
        if len(rubric.kept) > _SHOWN:
            lines.append(f"         .. and {len(rubric.kept) - _SHOWN} more: --json shows all")
    lines += ["", "criteria"]
    lines += [_criterion_line(f"  {one.score:5.2f}  ", one.criterion, width) for one in found.criteria]
    typer.echo("\n".join(lines if found.cases or found.criteria else ["nothing found" + _hint(domain)]))


@app.command()
def stats(recipe: RecipeOption = None, root: RootOption = None, json: JsonOption = False) -> None:
    """Count the rubrics and criteria in use, by domain, and those dropped, by reason.

    Example: grmforge rubrics stats --root data
    """
    from pipelines.rubrics.counts import counts_of
    from pipelines.rubrics.library import rubrics_in_use

    settings, place, directory = _settings(recipe, root)
    counts = counts_of(rubrics_in_use(place, settings, directory))
    if json:
        _print_json(counts.as_json())
    else:
        typer.echo(visible(counts.as_text()))


def _settings(recipe: Path | None, root: str | None) -> "tuple[RubricsSection, Root, Path]":
    """Return the settings, the root, and the directory that relative paths of the settings start at."""
    from schemas.recipe import RubricsSection, read_recipe
    from storage.root import Root

    if recipe is None:
        return RubricsSection(), Root.open(root or "data"), Path()
    tree = read_recipe(recipe)
    return tree.rubrics, Root.open(root or tree.build.root), Path(tree.directory)


def _criterion_line(head: str, criterion: "Criterion", width: int) -> str:
    return _line(f"{head}{criterion.points:+3d}  {criterion.kind:9}  ", criterion.text, width)


def _line(head: str, text: str, width: int) -> str:
    """Return one line: a head, and a text of data cut to what is left of the width."""
    return f"{visible(head)}{one_line(text, max(20, width - len(head)))}"


def _hint(domain: str | None) -> str:
    return f" in the domain {visible(domain)}: leave --domain out, or see grmforge rubrics stats" if domain else ""


def _print_json(value: Any) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
