"""The commands for published versions: `inspect`, `compare`, `pin` and `promote`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import MOST, JsonOption, SnapshotsOption, columns, print_json, say, show, shown_path
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from storage.root import Root
    from storage.snapshots import Snapshot

VersionArgument = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version, or how it begins or ends.")]


def inspect(
    snapshot: Annotated[
        str,
        typer.Argument(metavar="SNAPSHOT", help="A directory, a name, or name@version; with --stored, a recipe."),
    ],
    table: Annotated[
        str | None, typer.Option("--table", help="trajectories, sets, answers, rft, rl, meta_rm, pairs or traces.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="accepted or rejected; for sets kept or dropped.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reject_reason or drop_reason.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Look at a recipe's stored answers, before or beside any snapshot.")
    ] = False,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="With --stored: only this outcome, such as unparsed or correct.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST, help="How many examples.")] = 5,
    root: Annotated[
        str | None,
        typer.Option("--root", help="Where the snapshots are, else data; with --stored, else the recipe's root."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show whole examples, readable in a terminal.

    With --stored these are answers that a probe or an unfinished build has stored: how many were read as what, and why.
    No model is asked.

    Example: grmforge inspect demo --status rejected --reason too_easy -n 1

    Example: grmforge inspect recipes/demo.toml --stored --outcome unparsed -n 2
    """
    given = {"--table": table, "--status": status, "--reason": reason} if stored else {"--outcome": outcome}
    if wrong := [option for option, value in given.items() if value is not None]:
        other = "rows of a snapshot; with --stored, --outcome chooses" if stored else "stored answers; add --stored"
        raise RecipeError(f"{wrong[0]} is for {other}")
    if stored:
        _show_stored(Path(snapshot), root, outcome, source, n, json)
        return
    from pipelines.reporting.examples import as_json, count_examples, find_examples, render

    chosen = _snapshot(root_if_any(root or "data"), snapshot)
    examples = find_examples(chosen, table=table, status=status, reason=reason, source=source, n=n)
    if json:
        print_json([as_json(example) for example in examples])
        return
    width = columns(110, without_terminal=100)
    count = count_examples(chosen, table=table, status=status, reason=reason, source=source)
    say("\n\n".join(render(example, width) for example in examples))
    say(f"\n{len(examples):,} of {count:,}" + ("; -n shows more" if count > len(examples) else ""))


def _snapshot(root: "Root | None", given: str) -> "Snapshot":
    """Return the snapshot that is meant. Raises StorageError, which says where an evaluation of that name is shown."""
    from contextlib import suppress

    from schemas.errors import StorageError
    from storage.evaluations import Evaluation
    from storage.snapshots import find_snapshot
    from storage.versions import find_version

    try:
        return find_snapshot(root, given)
    except StorageError:
        with suppress(StorageError):
            found = find_version(root, given)
            if isinstance(found, Evaluation):
                page = shown_path(str(found.root.at(f"{found.key}/report.html")))
                words = f"{given} is an evaluation, and inspect shows snapshots; in a browser: {page}; beside another "
                raise RecipeError(f"{words}evaluation: grmforge compare {given} OTHER") from None
        raise


def _show_stored(recipe: Path, root: str | None, outcome: str | None, source: str | None, n: int, json: bool) -> None:
    """Print the counts of a recipe's stored answers by outcome, then some of them whole."""
    from flows.command.running import looking
    from pipelines.ahead.stored import stored_answers
    from pipelines.reporting.examples import render

    with looking(recipe, None, root, None) as (settings, place, run):
        found = stored_answers(settings, place, run, outcome=outcome, source=source, n=n)
    if json:
        print_json([stored.as_json() for stored in found])
        return
    width = columns(110, without_terminal=100)
    say(line for stored in found for line in stored.lines())
    examples = [example for stored in found for example in stored.examples]
    say("\n" + "\n\n".join(render(example, width) for example in examples))
    count = sum(stored.outcomes.get(outcome, 0) if outcome else stored.answers for stored in found)
    say(f"\n{len(examples):,} of {count:,}" + ("; -n shows more, --outcome chooses" if count > len(examples) else ""))


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A directory, a name, or name@version.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one.")],
    root: SnapshotsOption = "data",
    json: JsonOption = False,
) -> None:
    """Show what is different between two versions of a snapshot: rows, inputs, acceptance, outcomes, leaks and cost.

    Of two evaluations it shows how much better or worse the new judge is on the items that both have, with intervals.

    Example: grmforge compare telecom@20261119 telecom

    Example: grmforge compare telecom-grm telecom-policy
    """
    from schemas.errors import StorageError
    from storage.evaluations import Evaluation
    from storage.snapshots import Snapshot
    from storage.versions import find_version

    place = root_if_any(root)
    before, after = find_version(place, old), find_version(place, new)
    if isinstance(before, Snapshot) and isinstance(after, Snapshot):
        from pipelines.reporting.comparing import compare as compare_snapshots
        from pipelines.reporting.comparison import lines_of

        between = compare_snapshots(before, after)
        show(between.as_json(), lines_of(between), json)
    elif isinstance(before, Evaluation) and isinstance(after, Evaluation):
        from pipelines.evaluation.comparing import compare_evaluations
        from pipelines.evaluation.comparison import lines_of as lines_of_evaluations

        found = compare_evaluations(before, after)
        show(found.as_json(), lines_of_evaluations(found), json)
    else:
        kinds = ["a snapshot" if isinstance(one, Snapshot) else "an evaluation" for one in (before, after)]
        raise StorageError(f"{old} is {kinds[0]} and {new} is {kinds[1]}; compare two of one kind")


def pin(
    version: VersionArgument,
    remove: Annotated[bool, typer.Option("--remove", help="Let a refresh remove it again, when it is old.")] = False,
    root: SnapshotsOption = "data",
) -> None:
    """Keep a version, whatever its age: no refresh removes it. Example: grmforge pin telecom@20261119"""
    from pipelines.upkeep.refresh import named_version
    from storage import snapshot_upkeep
    from storage.root import Root

    place = Root.open(root)
    manifest = named_version(place, version).manifest
    (snapshot_upkeep.unpin if remove else snapshot_upkeep.pin)(place, manifest.name, manifest.version)
    say(f"{manifest.name}@{manifest.version} is {'no longer pinned' if remove else 'pinned'}")


def promote(version: VersionArgument, root: SnapshotsOption = "data") -> None:
    """Move LATEST to a version that a guard held back, after a look at it.

    Example: grmforge promote telecom@20261120
    """
    from pipelines.upkeep.refresh import promote as promote_version
    from storage.root import Root

    snapshot, before = promote_version(Root.open(root), version)
    manifest = snapshot.manifest
    was = "already" if before == manifest.version else f"now, and was {before}" if before else "now"
    say(f"LATEST of {manifest.name} is {manifest.version} {was}")


def root_if_any(root: str) -> "Root | None":
    """Return the root, which need not be writable; None where there is none: versions are found by directory, too."""
    from storage.root import Root

    return Root.open(root) if "://" in root else Root(Path(root).absolute()) if Path(root).is_dir() else None
