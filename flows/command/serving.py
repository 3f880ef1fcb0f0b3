"""The command that serves a recipe's judge: `serve`."""

import os
from typing import Annotated

import typer

from flows.command.terminal import RecipeArgument, RetryFailedOption, RootOption


def serve(
    recipe: RecipeArgument,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes any that is free.")] = 8_420,
    host: Annotated[str, typer.Option("--host", help="Any other than the loopback needs a token.")] = "127.0.0.1",
    root: RootOption = None,
    retry_failed: RetryFailedOption = False,
) -> None:
    """Serve the recipe's judge as the reward of a training run: docs/serve.md has the doors of each trainer.

    A judgement that fails is never a number. Answers are stored, and none is bought twice. SIGTERM ends the service in
    order. Example: grmforge serve recipes/demo.toml
    """
    from flows.command.running import started
    from flows.watching.interruption import stop_wait_s
    from pipelines.serving.running import address_of
    from pipelines.serving.running import serve as serve_judge

    with started("serve", recipe, root=root, retry_failed=retry_failed) as (settings, place, run):
        address = address_of(settings, os.environ, host, port, stop_wait_s(os.environ))
        serve_judge(settings, place, run, address, lambda url: typer.echo(f"serving {settings.build.name} at {url}"))
        spent = run.budget.spent
    typer.echo(f"ended; asked {spent.requests:,} requests, {spent.tokens:,} tokens, ${spent.cost_usd:,.4f}", err=True)
