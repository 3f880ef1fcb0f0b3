"""The commands `grmforge rubrics`: making them, what is in the pools, and what a question finds there."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import (
    JsonOption,
    KeepGoingOption,
    LimitOption,
    RetryFailedOption,
    WaitOption,
    columns,
    print_json,
    say,
    show,
)
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

_SHOWN = 6
"""How many criteria of a case a terminal shows."""


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe with [models.rubric].")],
    root: RootOption = None,
    limit: LimitOption = None,
    retry_failed: RetryFailedOption = False,
    wait: WaitOption = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Write rubrics for questions with ranked answers, keep what tells good from bad, and index it for `build`.

    Run it again to go on after a stop: nothing is paid twice. Example: grmforge rubrics build recipes/rubrics.toml
    """
    from flows.command.running import started
    from pipelines.steps import build_rubrics

    running = started("rubrics", recipe, None, root, limit, keep_going, retry_failed=retry_failed, wait=wait)
    with running as (settings, place, run):
        made = build_rubrics(settings, place, run)
    show(made.as_json(), made.as_text(), json)


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
        nearest = retriever.search([Question(clean_text(question), domain)], k)[0]
    if json:
        print_json(nearest.as_json())
        return
    width = columns(without_terminal=100)
    lines = ["cases"]
    for case in nearest.cases:
        rubric = case.rubric
        lines.append(_line(f"  {case.score:5.2f}  {rubric.domain} · {rubric.source} · ", rubric.case, width))
        lines += [_criterion_line(" " * 9, criterion, width) for criterion in rubric.kept[:_SHOWN]]
        if len(rubric.kept) > _SHOWN:
            lines.append(f"         .. and {len(rubric.kept) - _SHOWN} more: --json shows all")
    lines += ["", "criteria"]
    lines += [_criterion_line(f"  {near.score:5.2f}  ", near.criterion, width) for near in nearest.criteria]
    if not nearest.cases and not nearest.criteria:
        way_out = f" in the domain {domain}: leave --domain out, or see grmforge rubrics stats" if domain else ""
        lines = [f"nothing found{way_out}"]
    say(lines)


@app.command()
def stats(recipe: RecipeOption = None, root: RootOption = None, json: JsonOption = False) -> None:
    """Count the rubrics and criteria in use, by domain, and those dropped, by reason.

    Example: grmforge rubrics stats --root data
    """
    from pipelines.rubrics.counts import counts_of
    from pipelines.rubrics.library import rubrics_in_use

    settings, place, directory = _settings(recipe, root)
    counts = counts_of(rubrics_in_use(place, settings, directory))
    show(counts.as_json(), counts.as_text(), json)


def _settings(recipe: Path | None, root: str | None) -> "tuple[RubricsSection, Root, Path]":
    """Return the settings, the root, and the directory that relative paths of the settings start at."""
    from pipelines.orders import Order
    from schemas.recipe import RubricsSection
    from storage.root import Root

    if recipe is None:
        return RubricsSection(), Root.open(root or "data"), Path()
    settings = Order(str(recipe), root=root).read()
    return settings.rubrics, Root.open(settings.build.root), Path(settings.directory)


def _criterion_line(head: str, criterion: "Criterion", width: int) -> str:
    return _line(f"{head}{criterion.points:+3d}  {criterion.kind:9}  ", criterion.text, width)


def _line(head: str, text: str, width: int) -> str:
    """Return one line: a head, and a text of data cut to what is left of the width."""
    return f"{visible(head)}{one_line(text, max(20, width - len(head)))}"
