"""What is known of a benchmark, and how votes become figures: the `BENCHMARK` of each benchmark's module.

    rows     = benchmark.read(section, files)             rows as the authors publish them
    cells    = benchmark.score(rows, votes, protocol)     the rule, row by row, for rows of one shape
    cells    = benchmark.linked(all_rows, all_cells)      what a rule needs two rows for
    figures  = benchmark.figures(counts, means)           sections and total, from the means of the subsets

Only rows are averaged between `linked` and `figures`. So a replicate of a bootstrap is a weighted mean of cells.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipelines.evaluation.benchmarks.rules import Floats, one_cell
from pipelines.sources.files import SourceFiles, is_here, open_files
from pipelines.sources.rows import rows_of
from pipelines.sources.text import RowError, shown
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import UnreadableRow
from schemas.recipe import SourceSection

Score = Callable[[Sequence[Row], Floats, Protocol], Floats]
Totals = Callable[[Sequence[str], Floats], dict[str, Floats]]


class Place(NamedTuple):
    """Where an item of a file stands."""

    file: str
    """The file's name, from the directory of the benchmark's files."""
    location: str
    """The file's name and the number of the row."""
    origin: str
    """The hub id, or the last part of the local path."""

    @property
    def number(self) -> str:
        """The number of the row in its file, from 1."""
        return self.location.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A kind of benchmark: its facts, its reader, and its published rule."""

    kind: str
    """What its section of the recipe calls it."""
    section: type[Any] = SourceSection
    """Class of a section that `open` and `read` take; one of its own where it has keys of its own."""
    hubs: tuple[str, ...] = ()
    """Its usual hub ids, all of them read; empty where the recipe must name a place."""
    place_needed: str = ""
    """Message for a section with neither path nor hub; empty where `hubs` says where the rows are."""
    patterns: tuple[str, ...]
    """Which files of the hub's layout are read."""
    license: str | None = None
    redistribution: Literal["open", "restricted"] = "open"
    """`restricted` where the authors ask that rows are not republished in plain text."""
    unit: str
    """What one row is, as the counts of rows mean it."""
    whole_file: str = ""
    """Name of a file that holds the rows of all others: where it is there, they are not read."""
    fields: tuple[str, ...]
    """What the first row of each file must have; a file without one of them is of another kind."""
    whole: Mapping[str, int | None] = field(default_factory=dict)
    """Rows of each subset as published, None where nobody says. Empty where the user decides what the set is."""

    protocols: tuple[Protocol, ...]
    """Ways to show its rows. The first one is ours, and the default."""
    published: Protocol
    """The one of `protocols` that its authors use."""
    cells: tuple[str, ...] = ("right",)
    """Names of what the rule finds of a row; a protocol may give only the first ones. `right` is the row's accuracy."""

    make: Callable[[Any, dict[str, Any], Place], Iterable[Row | UnreadableRow]]
    """Return the rows of (section, item of the file, place). Raises RowError."""
    items: Callable[[Path, str], Iterator[tuple[str, dict[str, Any] | UnreadableRow]]] = rows_of
    """Return (location, item for `make`) of (file, its name)."""
    score: Score = one_cell
    """Return the cells `[rows, draws, cells]` of (rows of one shape, votes, protocol).

    `votes` are means of readable scores `[rows, draws, prompts, shown]`, NaN where a prompt has no readable sample. A
    row without a readable sample gets 0, unless a published rule gives it something under the published protocol.
    """
    link: Callable[[Sequence[Row], Floats], Floats] | None = None
    """Return the cells of (all rows, their cells) where the rule takes rows together that share a `pair`."""
    totals: Totals
    """Return the published sections and the `total`, by name, of (subsets, means `[.., subsets, cells]`).

    What has a missing part is left out. Each figure has the shape of the leading axes.
    """

    def open(
        self, section: Any, directory: Path, *, endpoint: str | None = None, cache: Path | None = None
    ) -> tuple[SourceFiles, ...]:
        """Return the files of a section, downloaded unless it names a path. Raises SourceError."""
        hubs = self._hubs_of(section)
        return tuple(open_files(section, hub, self.patterns, directory, endpoint=endpoint, cache=cache) for hub in hubs)

    def is_here(self, section: Any, *, cache: Path | None = None) -> bool:
        """Say whether the files of a section can be read without a download."""
        return all(is_here(section, hub, self.patterns, cache=cache) for hub in self._hubs_of(section))

    def _hubs_of(self, section: Any) -> tuple[str, ...]:
        return self.hubs if section.path is None and section.hub is None and self.hubs else ("",)

    def read(self, section: Any, files: SourceFiles) -> Iterator[Row | UnreadableRow]:
        """Return the rows of the files, and an unreadable row for each item that none can be made of.

        Raises SourceError for files that cannot be read, or are of another kind.
        """
        known: set[str] = set()
        whole = tuple(path for path in files.paths if path.name == self.whole_file)
        for path in whole or files.paths:
            name, is_first = files.name(path), True
            for location, item in self.items(path, name):
                if is_first and not isinstance(item, UnreadableRow):
                    self._refuse_another_kind(item, location)
                is_first = False
                for row in self._rows_of_item(section, item, Place(name, location, files.origin)):
                    if isinstance(row, UnreadableRow):
                        yield row
                    elif row.row_id in known:
                        yield UnreadableRow(location, "repeated_id", f"an earlier row has the id {shown(row.row_id)}")
                    else:
                        known.add(row.row_id)
                        yield row

    def _rows_of_item(
        self, section: Any, item: dict[str, Any] | UnreadableRow, place: Place
    ) -> Iterable[Row | UnreadableRow]:
        if isinstance(item, UnreadableRow):
            return [item]
        try:
            return list(self.make(section, item, place))
        except RowError as error:
            return [error.row(place.location)]

    def _refuse_another_kind(self, item: Mapping[str, Any], location: str) -> None:
        missing = next((name for name in self.fields if name not in item), None)
        if missing is not None:
            raise SourceError(
                f"{location}: the first row has no field {missing!r}, so this is no file of {self.kind}; "
                f"its rows have {', '.join(self.fields)}"
            )

    def linked(self, rows: Sequence[Row], cells: Floats) -> Floats:
        """Return the cells of all rows, whatever their shape, once those that belong together have met."""
        return cells if self.link is None else self.link(rows, cells)

    def figures(self, counts: Mapping[str, int], means: Floats, *, limited: bool = False) -> dict[str, Floats]:
        """Return the published figures that can be given, of means `[.., subsets, cells]` in the order of `counts`.

        `counts` are the rows of each subset. Only whole subsets count: a part of a benchmark has no total, and no
        section that needs the rest. `limited` says that rows were left out, for subsets whose size nobody says.
        """
        kept = [place for place, (subset, rows) in enumerate(counts.items()) if self._is_whole(subset, rows, limited)]
        groups = list(counts)
        return self.totals([groups[place] for place in kept], means[..., kept, :])

    def is_whole(self, counts: Mapping[str, int], *, limited: bool = False) -> bool:
        """Say whether these rows of each subset are the benchmark as published; sets of the user's are always whole."""
        subsets = {subset for subset, rows in counts.items() if self._is_whole(subset, rows, limited)}
        return subsets >= set(self.whole)

    def _is_whole(self, subset: str, rows: int, limited: bool) -> bool:
        if not self.whole:
            return True
        published = self.whole.get(subset, -1)
        return not limited if published is None else rows == published
