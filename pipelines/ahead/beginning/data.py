"""What a file or a data set of the hub holds: the kind of source that reads it, and what its first rows are like."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import ValidationError

from pipelines.ahead.beginning.columns import roles_in_words, taken_for
from pipelines.ahead.beginning.unread import NEEDED, as_read, unread
from pipelines.evaluation.breakdowns import script_of
from pipelines.evaluation.wording import counted
from pipelines.judging.prompt_length import estimated_tokens
from pipelines.sources.files import ANY_TABLE, ROW_FILE, SourceFiles, first_files
from pipelines.sources.registry import SOURCES
from pipelines.sources.rows import rows_in
from pipelines.sources.source import Source
from schemas.benchmarks import benchmark_of_hub, refusal
from schemas.errors import RecipeError, SourceError
from schemas.preference import PreferenceSet, UnreadableRow
from schemas.question import Question
from schemas.recipe import SourceSection

ROWS = 2_000
"""Rows that are looked at."""
_COUNTED_BYTES = 32 << 20
"""Files of this size are read to their end, so that all of their rows are counted."""
_DOWNLOADED_BYTES = 64 << 20
"""Of a data set of the hub so much is downloaded to look at it, or its smallest file."""
_ARCHIVES = (".zip", ".txt")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NO_NAME = re.compile(r"[^a-z0-9_-]+")
_FIRST_ROWS = 20
"""Rows whose keys are shown."""
_COLUMNS = 12
_SCRIPTS = 3

Record = PreferenceSet | Question


@dataclass(frozen=True)
class Data:
    """What is known of the data before any model is asked."""

    path: str | None
    """As it was given; None for a data set of the hub."""
    hub: str | None
    name: str
    """What the recipe and its source are called."""
    source: Source
    columns: tuple[str, ...]
    first: Mapping[str, Any] | None
    """The first row that is an object, as its file has it."""
    records: tuple[Record, ...]
    """Of the first rows."""
    rows: int
    """So many were read."""
    is_whole: bool
    """Whether these are all."""
    unreadable: Counter[str]
    example: str
    """The first row that could not be read, and why; empty where there is none."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of its section, besides the place: config, split, where, columns."""
    left_out: int = 0
    """Of the rows that were looked at, so many are left out by `where`."""

    @property
    def sets(self) -> list[PreferenceSet]:
        return [record for record in self.records if isinstance(record, PreferenceSet)]

    @property
    def questions(self) -> list[Question]:
        return [record for record in self.records if isinstance(record, Question)]

    @property
    def dropped(self) -> Counter[str]:
        """Rows that are set aside, by the reason; repeats among them."""
        repeats = len(self.sets) - len({one.set_id for one in self.sets})
        reasons = Counter(str(one.drop_reason) for one in self.records if one.drop_reason is not None)
        return reasons + Counter(duplicate=repeats)

    def lines(self) -> Iterator[str]:
        """Yield what a person wants to know of the data."""
        more = "" if self.is_whole else ", the first of more"
        kind = "questions with a known answer" if self.source.gives == "questions" else "sets of responses"
        rows = counted(self.rows, "row")
        yield f"data      {self.path or self.hub}: {rows}{more}, read as {self.source.kind}: {kind}"
        names = ", ".join(roles_in_words(self.columns[:_COLUMNS], self.keys.get("columns")))
        yield f"          columns: {names}{', ..' if len(self.columns) > _COLUMNS else ''}"
        if self.left_out:
            yield f"          left out by where: {self.left_out:,} of the rows looked at"
        if sizes := Counter(one.n_responses for one in self.sets):
            words = ", ".join(f"{rows:,} of {size}" for size, rows in sorted(sizes.items())[:6])
            yield f"          responses: {words}"
        scripts = Counter(script_of(one.query[-1].content) for one in self.records).most_common(_SCRIPTS)
        yield f"          letters: {', '.join(f'{rows / len(self.records):.0%} {name}' for name, rows in scripts)}"
        yield f"          questions: {lengths([one.query[-1].content for one in self.records])}"
        if texts := [response.text or response.turns or "" for one in self.sets for response in one.responses]:
            yield f"          responses: {lengths(texts)}"
        if self.dropped:
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.dropped.most_common())
            yield f"          set aside: {reasons}"
        if self.unreadable:
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.unreadable.most_common())
            yield f"          unreadable: {reasons}; the first: {self.example}"


def lengths(texts: Sequence[str]) -> str:
    """Return how long texts are: words of the middle one, and characters and tokens of the middle and the longest."""
    sizes = [len(text) for text in texts]
    tokens = [estimated_tokens(text) for text in texts]
    return (
        f"{median(len(text.split()) for text in texts):,.0f} words, {median(sizes):,.0f} characters, about "
        f"{median(tokens):,.0f} tokens in the middle; the longest has {max(sizes):,} characters, about "
        f"{max(tokens):,} tokens"
    )


def look_at(place: str, keys: Mapping[str, Any] | None = None) -> Data:
    """Return what a file, a directory or a hub id holds; `keys` are those of its section that the user gave.

    Columns of other names are taken for what they are called. Raises SourceError, which says what is needed.
    """
    keys = keys or {}
    path = Path(place).expanduser()
    is_here = os.path.lexists(path)
    if not is_here and not (_HUB_ID.fullmatch(place) and not ROW_FILE.search(place.lower())):
        raise SourceError(f"{place}: no such file or directory, and no hub id, which is written owner/name")
    if benchmark := None if is_here else benchmark_of_hub(place):
        raise SourceError(refusal(place, benchmark))
    if path.is_file() and not (ROW_FILE.search(path.name.lower()) or path.name.lower().endswith(_ARCHIVES)):
        raise SourceError(unread(place, path=path))
    faults: list[str] = []
    found: list[tuple[int, Data]] = []
    local = path if is_here else None
    for source in _candidates(place, path, is_here):
        if not keys.keys() <= source.section.model_fields.keys() or ("where" in keys and not source.reads_rows):
            continue
        try:
            data = _read(source, place, local, keys)
        except SourceError as error:
            faults.append(str(error))
            continue
        found.append((len(data.records), data))
        if data.records and not data.unreadable:
            break
    if not found:
        raise SourceError(f"{faults[0]}; needed is {NEEDED}" if is_here and not keys else faults[0])
    most, best = max(found, key=lambda one: one[0])
    plain, row = found[0][1], found[0][1].first
    taken = taken_for(row) if row and not most and "columns" not in keys else None
    if taken is not None:
        named = _read(SOURCES["preference_sets"], place, local, {**keys, "columns": taken})
        most, best = len(named.records), named
    # The number of the right option would pass for a question whose answer is a number.
    has_options = best.source.kind == "telemath" and "responses" in (as_read(dict(row or {})) or {})
    if not most or has_options:
        raise SourceError(unread(place, plain.unreadable, plain.example, row))
    return best


def _candidates(place: str, path: Path, is_here: bool) -> list[Source]:
    """Return the kinds that may read the data, the plain one first; of a hub id that is known, its own."""
    ordered = sorted(SOURCES.values(), key=lambda source: (source.kind != "preference_sets", source.gives != "sets"))
    if not is_here:
        known = place.casefold()
        own = [source for source in ordered if known in map(str.casefold, (source.hub, *source.other_hubs))]
        return own[:1] or [
            source for source in ordered if "*.jsonl" in source.patterns or "*.parquet" in source.patterns
        ]
    if not path.is_file():
        return ordered
    ending = path.suffix.lower()
    if ending == ".gz":
        ending = "".join(path.suffixes[-2:]).lower()
    ending = {".ndjson": ".jsonl", ".json.gz": ".jsonl.gz"}.get(ending, ending)
    tables = ROW_FILE.search(path.name.lower()) is not None
    return [
        source
        for source in ordered
        if any(pattern.endswith(ending) or (tables and pattern == ANY_TABLE) for pattern in source.patterns)
    ]


def section_of(
    source: Source, data_path: str | None, hub: str | None, name: str, keys: Mapping[str, Any]
) -> SourceSection:
    """Return the section of the recipe for this data. Raises RecipeError for keys that it does not take."""
    named = {"name": name} if "name" in source.section.model_fields else {}
    try:
        section: SourceSection = source.section(kind=source.kind, path=data_path, hub=hub, **named, **keys)
    except ValidationError as error:
        fault = error.errors()[0]
        words = fault["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{'.'.join(map(str, fault['loc'][:1]))}: {words}") from None
    return section


def _read(source: Source, place: str, path: Path | None, keys: Mapping[str, Any]) -> Data:
    name = _NO_NAME.sub("-", (path.resolve() if path else Path(place)).name.lower().split(".")[0]).strip("-_")[:48]
    name = name if name and name != "general" else "mine"
    hub = source.hub if path is None and source.hub.casefold() == place.casefold() else place
    section = section_of(source, str(path.absolute()) if path else None, None if path else hub, name, keys)
    if path is not None and path.is_file() and not keys.keys() & {"config", "split"}:
        files, are_all = SourceFiles(path.parent, (path,), "", "", path.name), True
    else:
        files, are_all = first_files(section, source.hub, source.patterns, Path(), _DOWNLOADED_BYTES)
    records: list[Record] = []
    unreadable: Counter[str] = Counter()
    example = ""
    whole = are_all and sum(file.stat().st_size for file in files.paths) <= _COUNTED_BYTES
    left_out: list[int] = []
    read, rows = source.read(section, files, left_out.append), 0
    for record in islice(read, ROWS):
        rows += 1
        if isinstance(record, UnreadableRow):
            unreadable[record.reason] += 1
            example = example or f"{record.source_id}: {record.detail}"
        else:
            records.append(record)
    rest = sum(1 for _ in read) if whole and records else 0
    first = [] if path is not None and path.name.endswith(_ARCHIVES) else _first_rows(files)
    return Data(
        path=place if path else None,
        hub=None if path else hub,
        name=name,
        source=source,
        columns=tuple(dict.fromkeys(str(key) for row in first for key in row)),
        first=next(iter(first), None),
        records=tuple(records),
        rows=rows + rest,
        is_whole=are_all and (whole or rows < ROWS),
        unreadable=unreadable,
        example=example,
        keys=keys,
        left_out=sum(left_out),
    )


def _first_rows(files: SourceFiles) -> list[dict[str, Any]]:
    """Return those of the first rows that are objects, as their files have them, until one cannot be read."""
    first: list[dict[str, Any]] = []
    with suppress(SourceError):
        first.extend(row for _, row in islice(rows_in(files), _FIRST_ROWS) if not isinstance(row, UnreadableRow))
    return first
