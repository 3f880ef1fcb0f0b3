"""`grmforge` itself: its commands, and how each of them ends."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from flows.command import reviewing, rubrics, signatures
from flows.command.beginning import init
from flows.command.building import build, doctor, plan, probe, refresh
from flows.command.conforming import conform
from flows.command.evaluating import evaluate, judge
from flows.command.exporting import export
from flows.command.files import grade, import_, read
from flows.command.looking import look
from flows.command.serving import serve
from flows.command.upkeep import forget, gc
from flows.command.versions import compare, inspect, pin, promote
from flows.watching.interruption import KEPT, SIGNALS, Ended
from pipelines.reporting.visible import visible
from schemas.errors import BudgetReached, ForgeError, HungUp, Interrupted, StoppedEarly, Terminated, Waiting
from schemas.secrets import masked

app = typer.Typer(
    name="grmforge",
    help="Build the training sets of generative reward models: RFT, RL, Meta RM and pairs.",
    epilog="Start with: grmforge build recipes/demo.toml",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    *(init, build, plan, probe, inspect, look, doctor, import_),
    *(evaluate, judge, export, serve, conform, refresh, compare, pin, promote, read, grade, gc, forget),
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(rubrics.app, name="rubrics")
app.add_typer(reviewing.app, name="review")
app.add_typer(signatures.app, name="signatures")

STOPPED = {error.exit_code for error in (BudgetReached, Waiting, Interrupted, Terminated, HungUp)}


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"grmforge {version('grmforge')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    os.environ["GRMFORGE_DEBUG"] = "1" if debug else os.environ.get("GRMFORGE_DEBUG", "")


def main() -> NoReturn:
    """Run the command: errors on purpose are one line and an exit code, never a traceback."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    with SIGNALS.handled(signal.SIGTERM, signal.SIGHUP):
        try:
            code = _run()
        except Ended as ended:
            _fail(str(ended.error), ended.error.exit_code)
    sys.exit(code)


def _run() -> int:
    """Return the exit code of the command that the arguments name."""
    try:
        code: int = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
    except ForgeError as error:
        if isinstance(error, StoppedEarly) and error.example:
            print(visible(masked(error.example)), file=sys.stderr)
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except typer.TyperException as error:  # wrong words on the command line
        context = getattr(error, "ctx", None)
        command = context.command_path.removeprefix(context.find_root().command_path) if context else ""
        _fail(f"{error.format_message().rstrip('.')}; see grmforge{command} --help", error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug, too, is one line unless --debug
        _fail(f"unexpected {type(error).__name__}: {error} (grmforge --debug shows where; please report it)", 1)
    if code == Interrupted.exit_code:  # what typer, too, makes of a KeyboardInterrupt
        _fail(f"interrupted; {KEPT}", code)
    return code


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("GRMFORGE_DEBUG"):
        import traceback

        traceback.print_exc()
    word = "stopped" if code in STOPPED else "error"
    print(f"{word}: {' '.join(visible(masked(message)).split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
