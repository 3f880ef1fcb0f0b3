"""The commands `grmforge gc` and `grmforge forget`: what a root holds that nobody needs, and what must be forgotten."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.reporting.visible import one_line, visible
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.upkeep.forgetting import Forgotten
    from pipelines.upkeep.leftovers import Leftover
    from storage.root import Root

RootOption = Annotated[str, typer.Option("--root", help="Where everything is kept.", show_default=True)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_LISTED = 40
"""Lines of one kind that a terminal is shown."""


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

    place = _place(root)
    found = leftovers(place, days)
    gone = list(remove(place, found.found)) if yes else []
    shown = [*gone, *(one for one in found.found if one.is_kept)] if yes else list(found.found)
    if json:
        _print_json(
            {
                "removed": yes,
                "bytes": sum(one.bytes for one in shown if not one.is_kept),
                "freed": sum(one.freed for one in shown),
                "leftovers": [one.as_json() for one in shown],
                "notes": found.notes,
            }
        )
        return
    for line in _gc_lines(shown, yes):
        typer.echo(visible(line))
    for note in found.notes:
        typer.echo(visible(f"note: {note}"))


def _gc_lines(shown: "list[Leftover]", removed: bool) -> list[str]:
    lines = []
    for kind in dict.fromkeys(one.kind for one in shown):
        of_kind = [one for one in shown if one.kind is kind]
        lines.append(f"{kind} ({of_kind[0].why})")
        lines += [f"  {one.idle_days:6.1f} days  {_size(one.bytes):>9}  {one.key}" for one in of_kind[:_LISTED]]
        lines += [f"  .. and {len(of_kind) - _LISTED:,} more: --json lists all"] if len(of_kind) > _LISTED else []
    going = [one for one in shown if not one.is_kept]
    if not going:
        return [*lines, "nothing to remove"]
    held, freed = sum(one.bytes for one in going), sum(one.freed for one in going)
    rest = "" if held == freed else f"; {_size(held - freed)} stay, since published versions share these files"
    would = "removed" if removed else "would be removed"
    frees = "freed" if removed else "would be freed"
    lines.append(f"{len(going):,} {would}, {_size(freed)} {frees}{rest}")
    return lines if removed else [*lines, "nothing was changed: add --yes to remove it"]


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
    place = _place(root)
    if undo:
        _undo(place, what, yes)
        return
    request = forgetting.request_to_forget(place, what, reason)
    if yes:
        done = forgetting.forget(place, request, remove_versions=remove_versions)
    else:
        done = forgetting.look(place, request)
    if json:
        _print_json({"removed": yes, **done.as_json()})
        return
    for line in _forget_lines(done, yes, remove_versions):
        typer.echo(visible(line))


def _place(root: str) -> "Root":
    """Return a root that is there: these commands make none."""
    from storage.root import Root

    if "://" not in root and not Path(root).is_dir():
        raise RecipeError(f"{root}: no such directory; --root names where builds keep everything")
    return Root.open(root)


def _undo(place: "Root", what: str, yes: bool) -> None:
    from pipelines.upkeep.forgetting import undo
    from storage.tombstones import find_tombstone

    if yes:
        undo(place, what)
        typer.echo(visible(f"{what} may come back: the next build that reads it does so, and pays for its answers"))
        return
    found = find_tombstone(place, what)
    if found is None:
        raise RecipeError(f"{what!r} was not forgotten under {place.where()}")
    typer.echo(visible(f"{found.kind} {what} was {found.words}; add --yes to let it come back"))


def _forget_lines(done: "Forgotten", removed: bool, versions_go: bool) -> list[str]:
    """Return what was found, place by place, what became of it, and what this command cannot reach."""
    findings, tombstone = done.findings, done.request.tombstone
    concerned = findings.concerned
    shared = f", {len(concerned.shared):,} of which others have too" if concerned.shared else ""
    lines = [
        f"{tombstone.kind} {tombstone.name}: {_counted(len(concerned.sets), 'set', 'sets')} of "
        f"{_counted(len(concerned.queries), 'query', 'queries')}{shared}"
    ]
    if done.request.is_repeated:
        lines.append(f"  it was {tombstone.words}; this is what is left of it")
    if findings.roles:
        roles = ", ".join(f"{count:,} {role}" for role, count in sorted(findings.roles.items()))
        lines.append(f"  answers: {sum(findings.roles.values()):,} ({roles})")
    places = Counter(part.place for part in findings.parts)
    for place, count in places.items():
        of_place = [part for part in findings.parts if part.place is place]
        rows = sum(part.rows or 0 for part in of_place)
        if place != "answers":
            if place == "stage":
                lines.append(
                    f"  {_counted(count, 'stage', 'stages')} as a whole: builds make them again from what is left"
                )
            elif of_place[0].rows is None:
                lines.append(f"  {place}: {count:,}, each as a whole")
            else:
                lines.append(f"  {place}: {_counted(rows, 'row', 'rows')}")
        lines += [f"    {part.note}" for part in of_place if part.note and place == "batch requests"]
    lines += _version_lines(done, removed, versions_go)
    if not findings.parts and not findings.versions:
        lines.append("  nothing of it lies here")
    if not removed:
        return [*lines, "nothing was changed: add --yes to forget it"]
    return [
        *lines,
        "forgotten: no build under this root reads it again (--undo allows it)",
        "not reached: files that its rows are read from, copies of published versions, caches on other machines, logs "
        "of model servers",
    ]


def _version_lines(done: "Forgotten", removed: bool, versions_go: bool) -> list[str]:
    lines = []
    for one in done.findings.versions:
        tables = ", ".join(f"{table} {rows:,}" for table, rows in sorted(one.tables.items()))
        fate = "" if not versions_go else "  removed" if removed else "  would be removed"
        mark = " (LATEST)" if one.is_latest else ""
        lines.append(f"  version {one.name}@{one.version}{mark}: {tables}{fate}")
    if lines and not versions_go:
        lines.append("  published versions stay as they are: add --remove-versions to remove those named here")
    return [*lines, *(f"  {one_line(said, 118)}" for said in done.latest)]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1_000:
            break
        value, unit = value / 1_000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _print_json(value: Any) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
