"""The commands around a nightly refresh: `grmforge refresh`, `compare`, `pin` and `promote`."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.reporting.visible import visible

if TYPE_CHECKING:
    from pipelines.engines.budget import Spent
    from pipelines.upkeep.refresh import Refreshed

RootOption = Annotated[str | None, typer.Option("--root", help="Where everything is kept; the recipe's root else.")]
PlaceOption = Annotated[str, typer.Option("--root", help="Where the snapshots are.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on where most of a model's first answers are of no use.")
]
VersionArgument = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version, or how it begins or ends.")]


def refresh(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe, such as recipes/demo.toml.")],
    root: RootOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows of every source.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until every batch is done, in place of ending with exit code 4.")
    ] = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Build anew what is new, publish it, compare it with LATEST, and move LATEST unless a guard of the recipe trips.

    For cron and its like: one run at a time, a second one ends at once with exit code 0. A guard that trips is exit
    code 1, and LATEST stays (docs/operations.md). Example: grmforge refresh recipes/demo.toml
    """
    from flows.command.running import running
    from pipelines.orders import changed
    from pipelines.upkeep.refresh import refresh as refresh_sets
    from pipelines.upkeep.refresh import skipped, take_lease
    from schemas.recipe import read_recipe
    from storage.leases import Holder
    from storage.root import Root

    settings = changed(read_recipe(recipe), root=root, limit=limit)
    place = Root.open(settings.build.root)
    with running(settings, place, "refresh", wait=wait, keep_going=keep_going) as run:
        lease = take_lease(settings, place, run.run_id, run.watcher.said)
        if isinstance(lease, Holder):
            words = skipped(settings, lease)
            _print_json({"skipped": words}) if json else _say(words)
            return
        with lease:
            done = refresh_sets(settings, place, run, lease)
        spent = run.budget.spent
    if json:
        _print_json(done.as_json() | {"spent": spent._asdict()})
    else:
        _tell(done, spent)
    done.check()


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A directory, a name, or name@version.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one.")],
    root: PlaceOption = "data",
    json: JsonOption = False,
) -> None:
    """Show what is different between two versions: rows, inputs, acceptance, outcomes, leaks, requests and cost.

    Example: grmforge compare telecom@20261119 telecom
    """
    from pipelines.reporting.comparing import compare as compare_versions
    from pipelines.reporting.comparison import lines_of
    from storage.root import Root
    from storage.snapshots import find_snapshot

    place = Root.open(root) if "://" in root or Path(root).is_dir() else None  # directories are compared without one
    comparison = compare_versions(find_snapshot(place, old), find_snapshot(place, new))
    if json:
        _print_json(comparison.as_json())
    else:
        _say("\n".join(lines_of(comparison)))


def pin(
    version: VersionArgument,
    remove: Annotated[bool, typer.Option("--remove", help="Let a refresh remove it again, when it is old.")] = False,
    root: PlaceOption = "data",
) -> None:
    """Keep a version, whatever its age: no refresh removes it. Example: grmforge pin telecom@20261119"""
    from pipelines.upkeep.refresh import named_version
    from storage import snapshot_upkeep
    from storage.root import Root

    place = Root.open(root)
    manifest = named_version(place, version).manifest
    act = snapshot_upkeep.unpin if remove else snapshot_upkeep.pin
    act(place, manifest.name, manifest.version)
    _say(f"{manifest.name}@{manifest.version} is {'no longer pinned' if remove else 'pinned'}")


def promote(version: VersionArgument, root: PlaceOption = "data") -> None:
    """Move LATEST to a version that a guard held back, after a look at it.

    Example: grmforge promote telecom@20261120
    """
    from pipelines.upkeep.refresh import promote as promote_version
    from storage.root import Root

    snapshot, before = promote_version(Root.open(root), version)
    manifest = snapshot.manifest
    if before == manifest.version:
        _say(f"LATEST of {manifest.name} is {manifest.version} already")
        return
    _say(f"LATEST of {manifest.name} is {manifest.version} now" + (f", and was {before}" if before else ""))


def register(app: typer.Typer) -> None:
    """Add the commands to `grmforge`."""
    for command in (refresh, compare, pin, promote):
        app.command()(command)


def _tell(done: "Refreshed", spent: "Spent") -> None:
    """Print what came of a refresh: what is different, what it took, what was removed, where LATEST is."""
    from pipelines.reporting.acceptance import attention_lines
    from pipelines.reporting.comparison import lines_of

    snapshot = done.published.snapshot
    manifest, width = snapshot.manifest, shutil.get_terminal_size((118, 24)).columns
    if done.comparison is not None:
        _say("\n".join([*lines_of(done.comparison), ""]))
    _say(f"this run asked {spent.requests:,} requests, {spent.tokens:,} tokens, ${spent.cost_usd:,.4f}")
    if done.removed:
        _say(f"removed, as older than the versions that are kept: {', '.join(done.removed)}")
    _say("\n".join([*attention_lines(manifest, snapshot, width=min(width, 118)), "", done.verdict()]))
    if done.comparison is not None:
        old, new = shlex.quote(done.comparison.old), shlex.quote(done.comparison.new)
        _say(f"once more: grmforge compare {old} {new}{done.root_flag}")


def _say(text: str) -> None:
    typer.echo(visible(text))


def _print_json(value: Any) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
