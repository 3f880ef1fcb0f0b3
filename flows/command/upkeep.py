"""The commands `grmforge gc` and `grmforge forget`: what a root holds that nobody needs, and what must be forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import JsonOption, counted, say, show, size_of
from pipelines.reporting.visible import one_line
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.upkeep.forgetting import Forgotten
    from pipelines.upkeep.leftovers import Leftover
    from storage.root import Root

RootOption = Annotated[str, typer.Option("--root", help="Where everything is kept.", show_default=True)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")]

_LISTED = 40
"""How many lines of one kind a terminal shows."""


def gc(
    root: RootOption = "data",
    days: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Stages that no build found for so long.")
    ] = 7.0,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """List what lies under the root though nobody needs it; with --yes, remove it. Answers are never among it.

    Example: grmforge gc --root data --older-than 14
    """
    from pipelines.upkeep.leftovers import leftovers, remove

    place = _root(root)
    left = leftovers(place, days)
    shown = list(left.found)
    if yes:
        shown = [*remove(place, left.found), *(leftover for leftover in left.found if leftover.is_kept)]
    value = {
        "removed": yes,
        "bytes": sum(leftover.bytes for leftover in shown if not leftover.is_kept),
        "freed": sum(leftover.freed for leftover in shown),
        "leftovers": [leftover.as_json() for leftover in shown],
        "notes": left.notes,
    }
    show(value, [*_gc_lines(shown, yes), *(f"note: {note}" for note in left.notes)], json)


def _gc_lines(shown: "list[Leftover]", removed: bool) -> Iterator[str]:
    for kind in dict.fromkeys(leftover.kind for leftover in shown):
        of_kind = [leftover for leftover in shown if leftover.kind is kind]
        yield f"{kind} ({of_kind[0].why})"
        yield from (
            f"  {leftover.idle_days:6.1f} days  {size_of(leftover.bytes):>9}  {leftover.key}"
            for leftover in of_kind[:_LISTED]
        )
        if len(of_kind) > _LISTED:
            yield f"  .. and {len(of_kind) - _LISTED:,} more: --json lists all"
    if not (going := [leftover for leftover in shown if not leftover.is_kept]):
        yield "nothing to remove"
        return
    held, freed = sum(leftover.bytes for leftover in going), sum(leftover.freed for leftover in going)
    rest = "" if held == freed else f"; {size_of(held - freed)} stay, since published versions share these files"
    would = "" if removed else "would be "
    yield f"{len(going):,} {would}removed, {size_of(freed)} {would}freed{rest}"
    if not removed:
        yield "nothing was changed: add --yes to remove it"


def forget(
    what: Annotated[str, typer.Argument(metavar="SOURCE|SET_ID", help="A source's name, a set_id, or a query_id.")],
    root: RootOption = "data",
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept, so name no person.")
    ] = None,
    remove_versions: Annotated[
        bool, typer.Option("--remove-versions", help="Remove the published versions that hold it, too.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let the next build that reads it bring it back.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Say where a source or a set lies under the root; with --yes, remove it, and keep it from coming back.

    Example: grmforge forget ultrafeedback --root data --reason "licence withdrawn"
    """
    from pipelines.upkeep import forgetting

    if not what.strip():
        raise RecipeError("forget what? Give a source's name or a set_id")
    place = _root(root)
    if undo:
        say(_undo(place, what, yes))
        return
    request = forgetting.request_to_forget(place, what, reason)
    done = (
        forgetting.forget(place, request, remove_versions=remove_versions) if yes else forgetting.look(place, request)
    )
    show({"removed": yes, **done.as_json()}, _forget_lines(done, yes, remove_versions), json)


def _root(root: str) -> "Root":
    """Return a root that is there: these commands make none."""
    from storage.root import Root

    if "://" not in root and not Path(root).is_dir():
        raise RecipeError(f"{root}: no such directory; --root names where builds keep everything")
    return Root.open(root)


def _undo(place: "Root", what: str, yes: bool) -> str:
    from pipelines.upkeep.forgetting import forgotten_before, undo

    if yes:
        undo(place, what)
        return f"{what} may come back: the next build that reads it does so, and pays for its answers"
    tombstone = forgotten_before(place, what)
    return f"{tombstone.kind} {what} was {tombstone.words}; add --yes to let it come back"


def _forget_lines(done: "Forgotten", removed: bool, versions_go: bool) -> Iterator[str]:
    """Yield what was found, place by place, what became of it, and what this command cannot reach."""
    findings, tombstone = done.findings, done.request.tombstone
    concerned = findings.concerned
    shared = f", {len(concerned.shared):,} of which others have too" if concerned.shared else ""
    sets, queries = counted(len(concerned.sets), "set", "sets"), counted(len(concerned.queries), "query", "queries")
    yield f"{tombstone.kind} {tombstone.name}: {sets} of {queries}{shared}"
    if done.request.is_repeated:
        yield f"  it was {tombstone.words}; this is what is left of it"
    if findings.roles:
        roles = ", ".join(f"{count:,} {role}" for role, count in sorted(findings.roles.items()))
        yield f"  answers: {sum(findings.roles.values()):,} ({roles})"
    yield from _place_lines(done)
    yield from _version_lines(done, removed, versions_go)
    if not findings.parts and not findings.versions:
        yield "  nothing of it lies here"
    if removed:
        yield "forgotten: no build under this root reads it again (--undo allows it)"
        yield (
            "not reached: files that its rows are read from, copies of published versions, caches on other machines, "
            "logs of model servers"
        )
    else:
        yield "nothing was changed: add --yes to forget it"


def _place_lines(done: "Forgotten") -> Iterator[str]:
    """Yield a line a place but answers, which are counted by role, and what is to be said of batches."""
    for place in dict.fromkeys(part.place for part in done.findings.parts):
        parts = [part for part in done.findings.parts if part.place is place]
        if place == "stage":
            yield f"  {counted(len(parts), 'stage', 'stages')} as a whole: builds make them again from what is left"
        elif place != "answers":
            rows = counted(sum(part.rows or 0 for part in parts), "row", "rows")
            yield f"  {place}: {len(parts):,}, each as a whole" if parts[0].rows is None else f"  {place}: {rows}"
        yield from (f"    {part.note}" for part in parts if part.note and place == "batch requests")


def _version_lines(done: "Forgotten", removed: bool, versions_go: bool) -> Iterator[str]:
    versions = done.findings.versions
    for version in versions:
        tables = ", ".join(f"{table} {rows:,}" for table, rows in sorted(version.tables.items()))
        fate = "" if not versions_go else "  removed" if removed else "  would be removed"
        yield f"  version {version.name}@{version.version}{' (LATEST)' if version.is_latest else ''}: {tables}{fate}"
    if versions and not versions_go:
        yield "  published versions stay as they are: add --remove-versions to remove those named here"
    yield from (f"  {one_line(note, 118)}" for note in done.latest)
