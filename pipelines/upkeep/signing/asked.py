"""All that a benchmark asks, read from its files: the texts that its signature is made of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.sources.files import SourceFiles, open_files
from pipelines.sources.text import Row, RowError, shown
from pipelines.upkeep.signing.asking import WELL_KNOWN, Fields, fields_in, queries_in
from pipelines.upkeep.signing.rows import ANY_FILE, TABLE_ENDINGS, rows_in
from pipelines.upkeep.signing.wanted import Wanted
from schemas.errors import SourceError
from schemas.preference import UnreadableRow
from schemas.recipe import SourceSection

_TEST = re.compile(r"(?:^|[^a-z])test(?:[^a-z]|$)")
_SHOWN_FIELDS = 12


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that ask nothing that can be read, for one reason."""

    rows: int
    detail: str
    """About the first of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a benchmark asks."""

    queries: list[str]
    """Each text once, in the order of the files."""
    rows: int
    fields: tuple[str, ...]
    files: tuple[SourceFiles, ...]
    """Of each data set."""
    left_out: dict[str, LeftOut]
    """By reason."""

    @property
    def source(self) -> str:
        return ", ".join(files.origin for files in self.files)

    @property
    def revision(self) -> str:
        return ", ".join(files.revision for files in self.files)

    @property
    def sha256(self) -> str:
        return ",".join(files.sha256 for files in self.files)


def asked_by(wanted: Wanted) -> Asked:
    """Return what a benchmark's rows ask. Raises SourceError where no row asks anything, or no field is known to."""
    files = opened(wanted)
    queries: dict[str, None] = {}
    left_out: dict[str, LeftOut] = {}
    named: dict[str, None] = {}
    rows = 0
    for location, fields, row in (found for part in files for found in _rows_with_fields(wanted, part)):
        rows += 1
        try:
            if isinstance(row, UnreadableRow):
                raise RowError(row.reason, row.detail)
            queries.update(dict.fromkeys(queries_in(row, fields)))
            named.update(dict.fromkeys(fields))
        except RowError as error:
            earlier = left_out.get(error.reason, LeftOut(0, f"{location}: {error.detail}"))
            left_out[error.reason] = replace(earlier, rows=earlier.rows + 1)
    if not queries:
        first = next(iter(left_out.values()), None)
        raise SourceError(f"{wanted.name}: no row asks anything{f'; the first: {first.detail}' if first else ''}")
    return Asked(list(queries), rows, tuple(named), files, left_out)


def opened(wanted: Wanted) -> tuple[SourceFiles, ...]:
    """Return the files of each data set that holds test questions, downloaded where need be. Raises SourceError."""
    try:
        return tuple(_files_of(wanted, section) for section in wanted.sections)
    except SourceError as error:  # what a recipe would say there
        local = f"sign a local copy: grmforge signatures add PATH --name {wanted.name}"
        raise SourceError(str(error).replace("give a local copy as path = '..'", local)) from None


def _files_of(wanted: Wanted, section: SourceSection) -> SourceFiles:
    folder = wanted.path if wanted.path is not None and Path(wanted.path).is_dir() else None
    if wanted.known is not None:
        try:
            return open_files(section, "", wanted.known.patterns, Path())
        except SourceError:
            if folder is None:
                raise
    # Nothing is known of its files, or a copy has others than the hub.
    files = open_files(section, "", ANY_FILE, Path())
    tables = tuple(path for path in files.paths if path.name.lower().endswith(TABLE_ENDINGS))
    paths = tables or files.paths  # JSON beside tables describes them
    return replace(files, paths=tuple(path for path in paths if _TEST.search(files.name(path).casefold())) or paths)


def _rows_with_fields(wanted: Wanted, files: SourceFiles) -> Iterator[tuple[str, Fields, Row | UnreadableRow]]:
    """Yield where each row stands, and it with the fields that ask, which the first row of its file decides.

    Raises SourceError where that row has none of them.
    """
    known = wanted.known
    choices: list[Fields] = [wanted.fields] if wanted.fields else list(WELL_KNOWN)
    if known is not None and not wanted.fields:
        choices = [*((field,) for field in known.fields), *WELL_KNOWN]
    fields: Fields = ()
    decided_by = ""
    for location, row in known.rows(files) if known and known.rows else rows_in(files):
        file = location.rpartition(":")[0]
        if not isinstance(row, UnreadableRow) and (not fields or file != decided_by):
            fields, decided_by = fields_of(row, choices, f"{wanted.name}: {location}", wanted.fields), file
        yield location, fields, row


def fields_of(row: Row, choices: list[Fields], where: str, named: Fields) -> Fields:
    """Return the fields of a row that ask; `named` are those that the user named. Raises SourceError for none."""
    found = fields_in(row, choices)
    if found is not None:
        return found
    own = ", ".join(shown(name, 40).strip("'") for name in list(row)[:_SHOWN_FIELDS])
    fault = f"the row has no field {' and '.join(map(repr, named))}" if named else "no field is known to ask something"
    raise SourceError(f"{where}: {fault}; the row has {own}: name the one that asks with --field")
