"""The command `grmforge`. No Prefect here; what is heavy is imported by the command that needs it."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from flows import refresh_cli
from flows.grade_cli import grade
from flows.house_cli import forget, gc
from flows.interruption import KEPT, SIGNALS, Ended
from flows.read_cli import read
from flows.rubrics_cli import app as rubrics_app
from pipelines.reporting.visible import visible
from schemas.errors import BudgetReached, ForgeError, HungUp, Interrupted, StoppedEarly, Terminated, Waiting
from schemas.secrets import masked

if TYPE_CHECKING:
    from schemas.recipe import Recipe
    from storage.snapshots import Snapshot

app = typer.Typer(
    name="grmforge",
    help="Build the training sets of generative reward models: RFT, RL, Meta RM and pairs.",
    epilog="Start with: grmforge build recipes/demo.toml",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


MOST = 2**31 - 1
"""Of whatever a number on the command line counts."""

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe, such as recipes/demo.toml.")]
SnapshotArgument = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="A directory, a name, or name@version.")]
SetsOption = Annotated[
    str | None, typer.Option("--sets", help="Only these sets, such as rft,rl; published under <name>-rft-rl.")
]
RootOption = Annotated[
    str | None, typer.Option("--root", help="A directory or s3://bucket/prefix for everything; the recipe's root else.")
]
PlaceOption = Annotated[str, typer.Option("--root", help="Where the snapshots are.", show_default=True)]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many rows of every source.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on where most of a model's first answers are of no use.")
]


LOOKING_S = 2.0
STOPPED = {error.exit_code for error in (BudgetReached, Waiting, Interrupted, Terminated, HungUp)}


def _tell_version(asked: bool) -> None:
    if asked:
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


@app.command()
def build(
    recipe: RecipeArgument,
    sets: SetsOption = None,
    root: RootOption = None,
    limit: LimitOption = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for what an endpoint refused for good.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until every batch is done, in place of ending with exit code 4.")
    ] = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Build and publish the recipe's sets. Run it again to go on after a stop: nothing is paid twice.

    Questions with a known answer and nothing to compare are answered and graded first (docs/synthesis.md).

    Example: grmforge build recipes/telecom.toml --limit 500
    """
    from flows.running import running
    from pipelines.build import build as build_sets
    from pipelines.reporting.acceptance import closing_lines
    from storage.root import Root

    settings = _recipe(recipe, sets, root, limit)
    place = Root.open(settings.build.root)
    with running(settings, place, "build", retry_failed, wait, keep_going) as run:
        published = build_sets(settings, place, run)
    snapshot = published.snapshot
    if json:
        _print_json(
            {
                "snapshot": snapshot.location,
                "version": snapshot.manifest.version,
                "new": published.new,
                "missing": published.missing,
                "healed": published.healed,
                "tables": {name: table.rows for name, table in snapshot.manifest.tables.items()},
            }
        )
    else:
        width = shutil.get_terminal_size((118, 24)).columns
        lines = closing_lines(snapshot.manifest, snapshot, root_flag=settings.build.root_flag, width=min(width, 118))
        _say("\n".join(lines))
        what = "published" if published.new else "nothing new to publish: the content is that of"
        _say(f"\n{what} {_shown_path(snapshot.location)}")
        if published.healed:
            _say(f"gone or damaged, and put back: {', '.join(published.healed)}")
    if published.missing:
        raise ForgeError(
            f"{published.no_row}: LATEST was not moved to {snapshot.manifest.version}; "
            f"see why: grmforge inspect {_shown_path(snapshot.location)} {_lost(snapshot)}"
        )
    if not json:
        name = settings.build.name
        _say("look at it:   " + f"grmforge inspect {name} {_lost(snapshot)}" + settings.build.root_flag)
        _say(f"in a browser: {_shown_path(str(snapshot.root.at(f'{snapshot.key}/report.html')))}")


@app.command()
def plan(
    recipe: RecipeArgument,
    sets: SetsOption = None,
    root: RootOption = None,
    limit: LimitOption = None,
    probe: Annotated[
        int | None,
        typer.Option("--probe", min=1, max=MOST, help="Measure rate and tokens by so many sets' samples."),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch sources that are not here, and count.")] = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Say what a build would ask and cost, before anything is spent. No model is called without --probe.

    Where questions are still to be answered, what follows from the answers is an upper bound.

    Example: grmforge plan recipes/telecom.toml
    """
    from flows.running import running
    from flows.watching import RunWatcher
    from pipelines.ahead.planning.plan import plan_of
    from pipelines.build import new_run
    from storage.root import Root, root_to_look_at

    settings = _recipe(recipe, sets, root, limit)
    if probe is None:
        with root_to_look_at(settings.build.root) as place:
            planned = plan_of(settings, place, new_run(settings, os.environ, RunWatcher()), download=download)
    else:
        place = Root.open(settings.build.root)
        with running(settings, place, "plan", keep_going=keep_going) as run:
            planned = plan_of(settings, place, run, probe=probe, download=download)
    if json:
        _print_json(planned.as_json())
    else:
        _say(planned.as_text())


@app.command()
def probe(
    recipe: RecipeArgument,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST, help="How many sets to sample.")] = 20,
    root: RootOption = None,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Spend the least that tells something: parse rate, acceptance, tokens, projected cost, one whole example.

    Where questions have no answers yet, as few of them as make that many sets are answered first, and shown.

    The answers are kept: the build does not buy them again. Example: grmforge probe recipes/telecom.toml -n 20
    """
    from flows.running import running
    from pipelines.ahead.probing.probe import probe_of
    from storage.root import Root

    settings = _recipe(recipe, None, root, None)
    place = Root.open(settings.build.root)
    with running(settings, place, "probe", keep_going=keep_going) as run:
        probed = probe_of(settings, place, run, n)
    if json:
        _print_json(probed.as_json())
    else:
        _say(probed.as_text())


@app.command()
def inspect(
    snapshot: SnapshotArgument,
    table: Annotated[
        str | None, typer.Option("--table", help="trajectories, sets, answers, rft, rl, meta_rm, pairs or traces.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="accepted or rejected; for sets kept or dropped.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reject_reason or drop_reason.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST, help="How many examples.")] = 5,
    root: PlaceOption = "data",
    json: JsonOption = False,
) -> None:
    """Show whole examples, readable in a terminal.

    Example: grmforge inspect demo --status rejected --reason too_easy -n 1
    """
    from pipelines.reporting.examples import as_json, count_examples, find_examples, render
    from storage.root import Root
    from storage.snapshots import find_snapshot

    place = Root.open(root) if "://" in root else Root(Path(root).absolute()) if Path(root).is_dir() else None
    found = find_snapshot(place, snapshot)
    examples = find_examples(found, table=table, status=status, reason=reason, source=source, n=n)
    if json:
        _print_json([as_json(example) for example in examples])
        return
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    count = count_examples(found, table=table, status=status, reason=reason, source=source)
    _say("\n\n".join(render(example, width) for example in examples))
    _say(f"\n{len(examples):,} of {count:,}" + ("; -n shows more" if count > len(examples) else ""))


@app.command()
def doctor(recipe: RecipeArgument, root: RootOption = None, json: JsonOption = False) -> None:
    """Check every endpoint, key, data file and directory that a build needs, before it starts.

    What lies under the root is hashed: every published version, stage and answer that is damaged is named.

    Example: grmforge doctor recipes/local_vllm.toml
    """
    from pipelines.ahead.doctor import examine

    findings = examine(_recipe(recipe, None, root, None), os.environ, _looking())
    if json:
        _print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            _say(finding.line())
    wrong = sum(not finding.ok for finding in findings)
    if wrong:
        raise ForgeError(f"{wrong} of {len(findings)} checks failed")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL with prompt, text and model in each row.")],
    root: PlaceOption = "data",
    json: JsonOption = False,
) -> None:
    """Bring in answers that were paid for elsewhere; builds that would ask the same do not ask again.

    Example: grmforge import answers.jsonl --root data
    """
    from storage.imports import import_answers
    from storage.root import Root

    imported = import_answers(Root.open(root), file)
    if json:
        _print_json(imported.as_json())
        return
    for line in imported.lines():
        _say(line)


refresh_cli.register(app)
app.add_typer(rubrics_app, name="rubrics")
app.command()(read)
app.command()(grade)
app.command()(gc)
app.command()(forget)


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
        if isinstance(error, StoppedEarly):
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


def _recipe(path: Path, sets: str | None, root: str | None, limit: int | None) -> "Recipe":
    """Return the recipe with what the command's options change in it."""
    from pipelines.build import changed
    from schemas.recipe import read_recipe

    return changed(read_recipe(path), sets=sets, root=root, limit=limit)


def _lost(snapshot: "Snapshot") -> str:
    """Return the options that show what was lost last: judgements, else sets that no judge ever saw."""
    if "missing" in snapshot.manifest.checks.get("rl", {}) and snapshot.rows("trajectories/difficulty"):
        return "--status difficulty"
    if snapshot.rows("trajectories/rejected"):
        return "--status rejected"
    return f"--table sets --status {'dropped' if snapshot.rows('sets/dropped') else 'kept'}"


def _shown_path(location: str) -> str:
    """Return a path as short as it can be typed from here; an address as it is."""
    here = f"{Path.cwd()}/"
    return location.removeprefix(here)


def _say(text: str) -> None:
    """Print a text for people: names and texts of data move no cursor."""
    typer.echo(visible(text))


def _looking() -> Callable[[str], None]:
    """Return what says on stderr what a long look is at, every two seconds at most."""
    said_at = time.monotonic()

    def look(what: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= LOOKING_S:
            said_at = time.monotonic()
            typer.echo(visible(f"hashing {what}"), err=True)

    return look


def _print_json(value: object) -> None:
    import orjson

    def plain(part: Any) -> Any:
        return part._asdict()  # messages are named tuples, which orjson leaves to us

    sys.stdout.buffer.write(orjson.dumps(value, plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
