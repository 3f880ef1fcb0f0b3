"""The command that makes a recipe: `init`."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import JsonOption, show
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.engines.answering import Run
    from schemas.recipe import Recipe
    from storage.root import Root


def init(
    data: Annotated[str, typer.Argument(metavar="FILE|HUB-ID", help="Your data: a file, a directory, or owner/name.")],
    judge: Annotated[str, typer.Option("--judge", help="Address of the judge, such as http://127.0.0.1:8000/v1.")],
    model: Annotated[
        str | None, typer.Option("--model", help="The model, where the endpoint serves several.", show_default=False)
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option("--api-key-env", help="Environment variable that holds the endpoint's key.", show_default=False),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="Configuration of the data set.", show_default=False)
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Split of the data set.", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Which rows, such as \"language = 'en'\".", show_default=False)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Columns of other names: query=question,chosen=better,..", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The recipe to write.")] = Path("recipe.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a recipe that is there.")] = False,
    root: Annotated[str, typer.Option("--root", help="Where everything is kept; it goes into the recipe.")] = "data",
    n: Annotated[int, typer.Option("-n", min=1, max=50, help="How many sets are judged in each form.")] = 7,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.05, max=600, help="How long the endpoint may take for all of it.")
    ] = 5.0,
    json: JsonOption = False,
) -> None:
    """Write a recipe for your data and your judge: look at both, try the forms of a judgement, take what reads best.

    It says what the data is, what the endpoint takes (a regex, a JSON schema, a seed, log-probabilities), and how many
    answers could be read in each form. Each key of the recipe has its reason beside it. What the trials bought is kept:
    a build that asks for the same does not pay again. A key is never written, only the name of its variable.

    Examples:

    grmforge init my_sets.jsonl --judge http://127.0.0.1:8000/v1

    grmforge init owner/name --judge https://api.example.com/v1 --model NAME --api-key-env MY_KEY -o mine.toml

    Then: grmforge probe recipe.toml -n 20
    """
    from pipelines.ahead.beginning.begin import Wish, begin

    given = {"config": config, "split": split, "where": where, "columns": _columns(columns)}
    keys = {key: value for key, value in given.items() if value is not None}
    wish = Wish(data, judge, model, api_key_env, output, root, force, n, minutes * 60, keys)
    begun = begin(wish, os.environ, _watched)
    show(begun.as_json(), begun.lines(), json)


def _columns(given: str | None) -> dict[str, str] | None:
    """Return the column of each name, as --columns says. Raises RecipeError."""
    if given is None:
        return None
    pairs = [pair.partition("=") for pair in given.split(",")]
    if not all(name.strip() and path.strip() for name, _, path in pairs):
        raise RecipeError("--columns: write name=column, such as query=question,chosen=better,rejected=worse")
    return {name.strip(): path.strip() for name, _, path in pairs}


@contextlib.contextmanager
def _watched(recipe: "Recipe", root: "Root") -> "Iterator[Run]":
    """Give a run of a recipe that is not written yet. It goes on however few of its answers are of use."""
    from rich.console import Console

    from flows.watching.interruption import SIGNALS
    from flows.watching.progress import display_for
    from flows.watching.watcher import watched_run

    displays = [display_for(Console(stderr=True))]
    watched = watched_run(recipe, root, os.environ, displays, what="init", looks=())
    with SIGNALS.handled(signal.SIGINT), watched as (run, _):
        yield run
