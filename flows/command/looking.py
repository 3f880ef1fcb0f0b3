"""The command `grmforge look`: the explorer, as a page of this machine or as a folder that needs no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import SnapshotsOption, say
from flows.command.versions import root_if_any
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.exploring.opening import Explorer


def look(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[SNAPSHOT|EVALUATION|ROOT]",
            help="A directory, a name or name@version; a root shows all that is under it; --root unless given.",
        ),
    ] = None,
    root: SnapshotsOption = "data",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="A port; a free one unless given.")] = 0,
    host: Annotated[str, typer.Option("--host", help="The address that is listened on.")] = "127.0.0.1",
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="DIR", help="Write a folder that needs no server, and end.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=100_000, help="Of a bundle: how many trajectories.")] = 2_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of a bundle: another seed draws other sets.")] = 0,
) -> None:
    """Look at snapshots and evaluations in a browser: what became of the rows, every row, and why.

    It prints an address and stays until Ctrl-C. Nobody without the token in the address sees anything. Nothing is
    written but reviews.

    Example: grmforge look demo

    Example: grmforge look demo --bundle look-demo -n 2000
    """
    from pipelines.exploring.opening import Explorer, name_of
    from storage.versions import find_version

    given_root = what is not None and ("://" in what or (Path(what) / "snapshots").is_dir())
    place = root_if_any(what if given_root and what else root)
    if place is None and (what is None or given_root):
        raise RecipeError(f"{root}: no root is there; name one, or a snapshot's directory")
    opened = None if what is None or given_root else find_version(place, what)
    explorer = Explorer(place, opened)
    if bundle is None:
        _serve(explorer, host, port, no_open)
        return
    if opened is None:
        raise RecipeError("--bundle: name the snapshot or the evaluation that is to be copied")
    from pipelines.exploring.bundle import write_bundle

    written = write_bundle(explorer, bundle, n, seed)
    say(f"{name_of(opened)}: {written.trajectories:,} of {written.of:,} {written.rows} copied to {written.page}")
    say(f"open it in a browser; {written.ids.name} beside it names the ids that grmforge forget has to find there")


def _serve(explorer: "Explorer", host: str, port: int, no_open: bool) -> None:
    """Serve until Ctrl-C; print the address once somebody can open it."""
    import asyncio
    import contextlib
    import secrets
    import webbrowser

    from flows.watching.interruption import Ended
    from pipelines.exploring.serving import Server

    async def serve() -> None:
        token = secrets.token_urlsafe(32)
        async with Server(explorer, token, host).running(port) as server:
            address = f"{server.address}?token={token}"
            typer.echo(address)
            if not no_open:
                await asyncio.to_thread(webbrowser.open, address)
            await asyncio.Event().wait()

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    except Ended as ended:  # no answers are bought here, of which its words speak
        raise typer.Exit(ended.error.exit_code) from None
