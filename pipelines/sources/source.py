"""What is known of a data set, and what makes records of its rows: the `SOURCE` of each source's module."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import rows_in
from pipelines.sources.selection import selected
from pipelines.sources.text import RowError
from schemas.preference import RowOrigin, Split, UnreadableRow
from schemas.recipe import SourceSection


def split_of(origin: RowOrigin) -> Split | None:
    """Return the split that a row's file is named after; None for rows to train on, and for files of other names."""
    name = origin["source_id"].rpartition(":")[0].rpartition("/")[2]
    return next((split for split in (Split.VALIDATION, Split.TEST) if name.startswith(split.value)), None)


class Origin(RowOrigin):
    """Where a record comes from: arguments that `preference_set` and `question` share."""

    benchmark: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of source: its section of the recipe, its facts, and its reader."""

    kind: str
    """What its section of the recipe calls it."""
    section: type[Any] = SourceSection
    """Class of its section of the recipe; one of its own where it has keys of its own."""
    place_needed: str = ""
    """Message for a section with neither path nor hub. Empty for a known hub id, or where `open_files` says it."""
    hub: str = ""
    """Its usual hub id; empty where the recipe must name a place."""
    other_hubs: tuple[str, ...] = ()
    """Ids of data sets with the same rows."""
    patterns: tuple[str, ...]
    """Which files of the hub's layout are read."""
    license: str | None = None
    """None where rows or the recipe name it."""
    domain: str = "general"
    benchmark: bool = False
    """Whether models are tested on it: its test share is always kept out."""
    signature: str = ""
    """Name of the signature that holds its own rows, which they are never compared with."""
    redistribution: Literal["open", "restricted"] = "open"
    """`restricted` where the authors ask that rows are not republished in plain text."""
    unit: str
    """What one row is, as the counts of rows mean it."""
    rows: int | None = None
    """Rows as published, all splits read here together; None where the recipe names the data set."""
    gives: Literal["sets", "questions", "general"] = "sets"
    """The table of its records. Synthesis makes sets of questions."""
    needs_answers: bool = False
    """Whether models.responder must answer its questions."""
    make: Callable[[Any, Any, Origin], Any]
    """Return the record of (section, row, origin). Raises RowError."""
    items: Callable[[Any, SourceFiles], Iterator[tuple[str, Any]]] | None = None
    """Return (location, row for `make`) or (location, UnreadableRow). Without it every row of the files is an item."""

    @property
    def reads_rows(self) -> bool:
        """Whether each row of its files is an item, so that `where` and `columns` can be asked of it."""
        return self.items is None

    def read(
        self,
        section: Any,
        files: SourceFiles,
        left_out: Callable[[int], None] = lambda _: None,
        most: int | None = None,
    ) -> Iterator[Any]:
        """Return a record or an unreadable row for each item, of the first `most` ones.

        `left_out` is called with how many rows the section's `where` leaves out. Raises SourceError where the files as
        a whole cannot be read, or lack a column, and RecipeError for a `where` that is no condition.
        """
        if self.items is None:
            items = selected(section, islice(rows_in(files), most), left_out)
        else:
            items = islice(self.items(section, files), most)
        license, domain = (getattr(section, key, getattr(self, key)) for key in ("license", "domain"))
        for location, item in items:
            if isinstance(item, UnreadableRow):
                yield item
                continue
            origin = Origin(
                source=section.source,
                source_id=location,
                source_revision=files.revision,
                license=license,
                domain=domain,
                benchmark=self.benchmark,
            )
            try:
                yield self.make(section, item, origin)
            except RowError as error:
                yield error.row(location)
