"""The commands `grmforge signatures`: benchmarks as hashes, which a build compares every set with."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import JsonOption, counted, show, size_of
from pipelines.reporting.visible import one_line
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.upkeep.signing.checking import Checked
    from pipelines.upkeep.signing.listing import Listed
    from pipelines.upkeep.signing.signing import Signed
    from storage.root import Root

app = typer.Typer(
    help="Sign benchmarks, list their signatures, and compare a file with them.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

RootOption = Annotated[str, typer.Option("--root", help="Whose signatures, beside those that ship.", show_default=True)]
FieldOption = Annotated[
    list[str] | None,
    typer.Option("--field", help="The field that asks; repeat it for fields that ask together.", show_default=False),
]
_LISTED = 40
"""How many rows of a checked file a terminal shows."""


@app.command()
def add(
    given: Annotated[
        str, typer.Argument(metavar="NAME|FILE|HUB-ID", help="A benchmark's name, a file or folder, or a hub id.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it; a known name says how its files are read.")
    ] = None,
    field: FieldOption = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Commit, tag or branch on the hub.")] = None,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Keep a vector of each query, too: needs the extra rubrics.")
    ] = False,
    root: RootOption = "data",
    json: JsonOption = False,
) -> None:
    """Sign a benchmark, so that no build trains on its rows.

    Hashes of its queries go into the root. From then on every build is compared with them.

    Examples: grmforge signatures add judgebench; grmforge signatures add mine.jsonl --name mine --field question
    """
    from pipelines.upkeep.signing.signing import add_signature
    from pipelines.upkeep.signing.wanted import wanted_of
    from storage.root import Root

    wanted = wanted_of(given, name=name, fields=field or (), revision=revision, embeddings=embeddings)
    signed = add_signature(Root.open(root), wanted)
    show(signed.as_json(), _signed_lines(signed), json)


def _signed_lines(signed: "Signed") -> Iterator[str]:
    signature, asked = signed.signature, signed.asked
    queries, rows = counted(signature.rows, "query", "queries"), counted(asked.rows, "row", "rows")
    yield (
        f"{signature.name}: {queries} of {rows} signed, by the field {' and '.join(asked.fields)} of "
        f"{signature.source} ({signature.revision})"
    )
    if files := [files.name(path) for files in asked.files for path in files.paths][1:]:
        yield f"  {len(files) + 1} files, the last of them {files[-1]}"
    for reason, left_out in asked.left_out.items():
        yield f"  {counted(left_out.rows, 'row', 'rows')} left out, {reason}: {one_line(left_out.detail, 90)}"
    yield f"  {signed.where}, {size_of(signed.bytes)}"
    if signed.replaces:
        yield f"  it takes the place of {signed.replaces}"


@app.command("list")
def list_(root: RootOption = "data", json: JsonOption = False) -> None:
    """List the signatures that ship and those of a root.

    Each with its queries, size, place, licence and revision.

    Example: grmforge signatures list --root data
    """
    from pipelines.upkeep.signing.listing import listed

    found = listed(_root(root))
    show([signature.as_json() for signature in found], _list_lines(found), json)


def _list_lines(found: "list[Listed]") -> Iterator[str]:
    width = max([len(signature.name) for signature in found], default=0)
    for signature in found:
        place = "ships" if signature.is_shipped else "root"
        yield (
            f"{signature.name:{width}}  {signature.rows:>7,} queries  {size_of(signature.bytes):>9}  {place:5}  "
            f"{signature.license:14}  {signature.revision}{'  with vectors' if signature.embedding else ''}"
            f"{'  replaced by that of the root' if signature.is_replaced else ''}"
        )
    total = sum(signature.rows for signature in found if not signature.is_replaced)
    yield f"{sum(not signature.is_replaced for signature in found)} benchmarks, {total:,} queries"


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, JSON, Parquet or CSV.")],
    field: FieldOption = None,
    root: RootOption = "data",
    json: JsonOption = False,
) -> None:
    """Say which rows of a file a build would drop or mark.

    Each with what becomes of it, the share of the benchmark's query that it holds, the benchmark, and its row's hash.

    Example: grmforge signatures check mine.jsonl
    """
    from pipelines.upkeep.signing.checking import checked

    found = checked(_root(root), file, tuple(field or ()))
    show(found.as_json(), _check_lines(found), json)


def _check_lines(found: "Checked") -> Iterator[str]:
    for hit in found.hits[:_LISTED]:
        yield f"{hit.location}  {hit.tier}  {hit.overlap:4.2f}  {hit.benchmark} {hit.benchmark_row}"
    if len(found.hits) > _LISTED:
        yield f".. and {len(found.hits) - _LISTED:,} more: --json lists all"
    for tier, words in (("drop", "would be dropped"), ("mark", "would be marked")):
        by_benchmark = Counter(hit.benchmark for hit in found.hits if hit.tier == tier)
        named = ", ".join(f"{name} {rows:,}" for name, rows in by_benchmark.most_common())
        yield f"{by_benchmark.total():,} of {found.rows:,} rows {words}{f': {named}' if named else ''}"
    if found.unreadable:
        yield f"{counted(found.unreadable, 'row', 'rows')} could not be read: {one_line(found.first_unreadable, 90)}"


def _root(root: str) -> "Root | None":
    """Return a root that is there; None for a directory that is not: what ships is known without one."""
    from storage.root import Root

    if "://" not in root and not Path(root).exists():
        return None
    if "://" not in root and not Path(root).is_dir():
        raise RecipeError(f"{root}: no directory; --root names where builds keep everything")
    return Root.open(root)
