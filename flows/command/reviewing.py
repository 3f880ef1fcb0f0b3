"""The commands `grmforge review`: sets go out to people, and what they found comes back."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command.terminal import JsonOption, SnapshotsOption, counted, show
from pipelines.reporting.visible import one_line

if TYPE_CHECKING:
    from pipelines.reviews.drawing import Draw
    from pipelines.reviews.importing import Imported

app = typer.Typer(help="Have people look at labels.", rich_markup_mode=None, no_args_is_help=True)

_MOST_REVIEWERS = 20
_LISTED = 5
_CHOICES = {"response": "chose a response", "tie": "found a tie", "cannot_tell": "could not tell"}


@app.command()
def export(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="A directory, a name, or name@version.")],
    n: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many sets.")] = 200,
    by: Annotated[
        str, typer.Option("--by", help="Draw from each value of these: source, reason, suspicion.")
    ] = "source,suspicion",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the files go, else review-<snapshot>.")
    ] = None,
    reviewers: Annotated[
        int, typer.Option("--reviewers", min=1, max=_MOST_REVIEWERS, help="How many people share the work.")
    ] = 1,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", min=0, help="Sets that all of them review; 50 unless given, or all if n is less."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other sets.")] = 0,
    root: SnapshotsOption = "data",
    json: JsonOption = False,
) -> None:
    """Draw sets of a snapshot for people to look at: a page that works offline, a Label Studio project, and CSV.

    Label, verdicts, source and models show after the choice alone. Suspicious sets are drawn oftener, and each counts
    by its weight. Example: grmforge review export demo -n 200 --reviewers 2 --overlap 50
    """
    from pipelines.reviews.drawing import Wanted, drawn
    from pipelines.reviews.exporting import write_files
    from storage.root import Root
    from storage.snapshots import find_snapshot

    place = Root.open(root) if "://" in root or Path(root).is_dir() else None
    fields = tuple(dict.fromkeys(part for part in map(str.strip, by.split(",")) if part))
    draw = drawn(find_snapshot(place, snapshot), Wanted(n, fields, seed, reviewers, overlap))
    files = write_files(draw, out or Path(f"review-{draw.snapshot.manifest.name}"))
    value = {
        "draw_id": draw.draw_id,
        "snapshot": f"{draw.snapshot.manifest.name}@{draw.snapshot.manifest.version}",
        "sets": draw.sets,
        "of": draw.kept,
        "reviewers": len(draw.pages),
        "overlap": draw.shared,
        "pages": [len(items) for items in draw.pages],
        "files": list(map(str, files)),
    }
    show(value, _export_lines(draw, files, root), json)


def _export_lines(draw: "Draw", files: list[Path], root: str) -> Iterator[str]:
    from pipelines.reviews.drawing import USUAL_OVERLAP

    yield f"{draw.sets:,} of {draw.kept:,} kept sets drawn (draw {draw.draw_id[:8]})"
    if len(draw.pages) > 1:
        pages = ", ".join(f"{len(items):,}" for items in draw.pages)
        yield f"  {len(draw.pages)} people: {pages} sets, {draw.shared:,} of them for all"
        if draw.shared < USUAL_OVERLAP:
            yield f"  with fewer than {USUAL_OVERLAP} sets for all, agreement between people says little"
    yield from (f"  {file}" for file in files)
    flag = "" if root == "data" else f" --root {shlex.quote(root)}"
    yield f"open a page in a browser; press ? for the keys and s to save; then: grmforge review import FILE{flag}"


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE..", help="Files that the page saved, exports of Label Studio, or filled-in CSV."),
    ],
    root: SnapshotsOption = "data",
    json: JsonOption = False,
) -> None:
    """Keep what people found, and say how far they agree: with each other, with the labels, and with the judges.

    No output names a person. Example: grmforge review import review-demo-1.json --root data
    """
    from pipelines.reviews.importing import import_reviews
    from storage.root import Root

    imported = import_reviews(Root.open(root), files)
    show(imported.as_json(), _import_lines(imported), json)


def _import_lines(imported: "Imported") -> Iterator[str]:
    yield f"{counted(imported.reviews, 'review', 'reviews')} imported"
    counts = {
        f"{imported.known:,} known from an earlier import": imported.known,
        f"{counted(imported.unanswered, 'row', 'rows')} without an answer": imported.unanswered,
        f"{imported.replaced:,} replaced: the same person reviewed the set again, and the latest counts": (
            imported.replaced
        ),
    }
    yield from (f"  {words}" for words, count in counts.items() if count)
    if gone := imported.gone:
        names = ", ".join(one_line(name, 40) for name in gone[:_LISTED])
        more = f" and {len(gone) - _LISTED:,} more (--json names all)" if len(gone) > _LISTED else ""
        yield f"  {counted(len(gone), 'set is', 'sets are')} gone, and their reviews left out: {names}{more}"
    yield from (f"  {rows:,} unreadable: {one_line(reason, 80)}" for reason, rows in imported.unreadable.items())
    if imported.first_unreadable:
        yield f"  the first: {one_line(imported.first_unreadable, 200)}"
    yield from _agreement_lines(imported.agreement)


def _agreement_lines(agreement: dict[str, Any]) -> Iterator[str]:
    choices = ", ".join(f"{rows:,} {_CHOICES[choice]}" for choice, rows in agreement["choices"].items())
    people, sets = counted(agreement["reviewers"], "reviewer", "reviewers"), counted(agreement["sets"], "set", "sets")
    reviews = counted(sum(agreement["choices"].values()), "review", "reviews")
    yield f"{people}, {sets}, {reviews}: {choices}"
    if agreement["after_label"]:
        yield f"  {counted(agreement['after_label'], 'choice was', 'choices were')} made anew after the label was shown"
    yield from _people_lines("between people", agreement["people"])
    for name in ("labels", *(key for key in agreement if key.startswith("judge "))):
        yield from _figure_lines(f"people and {name}", agreement[name], "kappa")
        for source, figure in agreement[name]["by_source"].items():
            yield from _figure_lines(f"  {one_line(source, 40)}", figure, "kappa")


def _people_lines(title: str, figure: dict[str, Any]) -> Iterator[str]:
    if not figure["pairs"]:
        yield f"{title}: no set was reviewed by two people"
        return
    for pair in figure["pairs"]:
        first, second = pair["reviewers"]
        yield from _figure_lines(f"{title}, reviewers {first} and {second}", pair, "kappa")
    yield from _figure_lines(f"{title}, all", figure["alpha"], "alpha")
    for source, part in figure.get("by_source", {}).items():
        if part["alpha"]:
            yield from _figure_lines(f"  {one_line(source, 40)}", part["alpha"], "alpha")


def _figure_lines(title: str, figure: dict[str, Any], name: str) -> Iterator[str]:
    if not figure["sets"]:
        yield f"{title}: nothing to compare"
        return
    raw, weighted = figure["raw"], figure["weighted"]
    coefficient = "Krippendorff's alpha" if name == "alpha" else "Cohen's kappa"
    sets = counted(figure["sets"], "set", "sets")
    yield (
        f"{title}: {raw['same']:.1%} the same ({_between(raw['same_interval'], '.1%')}), {coefficient} "
        f"{_number(raw[name])} ({_between(raw[f'{name}_interval'], '.2f')}), {sets}; weighted back to "
        f"the source {weighted['same']:.1%} ({_between(weighted['same_interval'], '.1%')}), {_number(weighted[name])}"
    )


def _between(interval: list[float | None], form: str) -> str:
    low, high = (("–" if end is None else f"{end:{form}}") for end in interval)
    return f"{low} to {high}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
