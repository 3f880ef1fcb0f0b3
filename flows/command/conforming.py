"""The command `conform`: is this reward honest about what it could not judge?"""

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.command.terminal import JsonOption, show
from pipelines.conforming.calls import Door, Kind, door_of, is_address
from schemas.errors import RecipeError

JUDGE_PORT = 8_790
"""Where the stand-in judge listens for a service, whose recipe must name it beforehand."""


def conform(
    target: Annotated[
        str, typer.Argument(metavar="URL|FILE.py", help="The address of a reward service, or a file with a function.")
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind", help="A rule over the policy's own text (unreadable is -1), or a judge (never a number)."
        ),
    ] = Kind.JUDGE,
    door: Annotated[
        Door | None, typer.Option("--door", help="How it is called; by its path, or verl for a rule, judge else.")
    ] = None,
    function: Annotated[str, typer.Option("--function", help="Name of the function in the file.")] = "",
    verdict: Annotated[
        str | None, typer.Option("--verdict", help="How its judge is asked to write scores: a text with {scores}.")
    ] = None,
    judge_port: Annotated[
        int | None, typer.Option("--judge-port", min=0, max=65_535, help="Port of the stand-in judge on this machine.")
    ] = None,
    start: Annotated[str, typer.Option("--start", help="A command that starts the service; stopped at the end.")] = "",
    patience: Annotated[
        float, typer.Option("--patience", min=0.1, max=3_600, help="Seconds after which a case has blocked.")
    ] = 30.0,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=3_600, help="Seconds for the service to listen and ask the stand-in.")
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """Try a reward with hostile judgements and responses: which failures become numbers, which attacks win?

    Exit code 0 where it conforms, 1 where it does not (docs/conformance.md).
    Example: grmforge conform rewards.py --kind rule
    """
    import asyncio

    from pipelines.conforming.cases import CONTRACT
    from pipelines.conforming.report import conforms, json_of, lines_of
    from pipelines.conforming.trial import Trial, tried

    if verdict is not None and "{scores}" not in verdict:
        raise RecipeError(f"--verdict {verdict!r} does not say where the scores stand: write {{scores}} there")
    if start and not is_address(target):
        raise RecipeError("--start starts a service: give the address at which it listens in place of a file")
    if not is_address(target) and not Path(target).is_file():
        raise RecipeError(f"{target} is neither an address (http://..) nor a file")
    if judge_port is None:
        judge_port = JUDGE_PORT if is_address(target) and kind is Kind.JUDGE else 0
    way = door_of(target, kind, door)
    trial = Trial(
        target, kind, way, function, verdict or CONTRACT, judge_port, patience, wait, start, environment=os.environ
    )
    found = asyncio.run(tried(trial, lambda line: typer.echo(line, err=True)))
    show(json_of(trial, found), lines_of(trial, found), json)
    if not conforms(found):
        raise typer.Exit(1)
