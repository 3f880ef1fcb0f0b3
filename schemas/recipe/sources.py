"""`[[sources]]` and `[general]`: where rows come from.

Each kind of source declares its own section in its module of pipelines/sources. The registry there enters it in
`SOURCE_KINDS`.
"""

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, SerializeAsAny, WrapValidator, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.benchmarks import benchmark_called, refusal
from schemas.recipe.section import Count, Flag, HubId, Label, LocalPath, Number, Section, Shown

Condition = Annotated[Shown, Field(max_length=1_000)]

ColumnPath = Label | list[Label]
"""A column of a source, a path into it (`meta.answers.0.text`), or a list of them."""


def known_columns(columns: dict[str, Any] | None, known: Collection[str]) -> dict[str, Any] | None:
    """Return `columns` of a section. Raises ValueError for a key that is no field of its rows."""
    for name in columns or ():
        if name not in known:
            raise ValueError(f"{name!r} is no field of these rows; known: {', '.join(known)}")
    return columns


class SourceSection(Section):
    """Keys of every `[[sources]]` entry."""

    kind: str
    """Which data set it is."""
    path: LocalPath | None = None
    """Local file or directory, laid out as on the hub; relative to the recipe. Without it, the hub is read."""
    hub: HubId | None = None
    """Hub id of the data set, where it is not the usual one."""
    revision: Shown | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to record for it."""
    config: Shown | None = None
    """Which configuration of the data set is read, by the name that `datasets` knows it by, or one of its folders."""
    split: Shown | None = None
    """Which split is read; several are joined by `+`. With neither key, the files that the kind names are read."""
    where: Condition | None = None
    """Which rows are read: a condition on the source's own columns, in SQL, such as `language = 'en'`."""
    limit: Count | None = None
    """At most this many rows, chosen by their hash: a larger limit keeps every row of a smaller one, and all forms of a
    data set (`teleqna`, `teleqna_short`, `teleqna_traces`) keep the same questions."""
    hinted: Flag = True
    """Whether each set also gets one hinted sample."""
    max_share: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """At most this share of all kept sets comes from here."""

    @property
    def source(self) -> str:
        """What the source is called in tables and reports: by its `name`, where its section has one."""
        return str(getattr(self, "name", self.kind))

    @property
    def teacher_votes(self) -> int:
        """How many judgements of models.teacher each uncertain set gets."""
        return 0


class SourceKind(NamedTuple):
    """What the recipe knows of a kind of source."""

    section: type[SourceSection]
    place_needed: str
    """Message for a section with neither path nor hub; empty where a section needs neither."""
    needs_answers: bool
    """Whether its rows are questions that models.responder must answer."""
    reads_rows: bool = True
    """Whether each row of its files is read by itself, so that `where` can choose among them."""


SOURCE_KINDS: dict[str, SourceKind] = {}
"""What the registry has entered; empty until it is imported. `source_kinds` returns it filled."""


def source_kinds() -> Mapping[str, SourceKind]:
    """Return every kind by its name, in the order that messages and docs list them."""
    if not SOURCE_KINDS:
        import_module("pipelines.sources.registry")  # by its name: no module below pipelines imports one of them
    return SOURCE_KINDS


def _section_of_kind(value: Any, _validate: Any) -> SourceSection:
    """Return the section of one `[[sources]]` entry, read as its kind says."""
    if isinstance(value, SourceSection):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    known = source_kinds().get(str(kind))
    if known is None and (benchmark := benchmark_called(str(kind))):
        raise ValueError(refusal(f"kind = {kind!r}", benchmark))
    if known is None:
        raise PydanticCustomError("source_kind", "unknown kind", {"kind": kind if kind is None else str(kind)})
    section = known.section.model_validate(value)
    if known.place_needed and section.path is None and section.hub is None:
        raise ValueError(known.place_needed)
    if section.where is not None and not known.reads_rows:
        raise ValueError(f"where: {kind} does not read its files row by row; leave it out")
    return section


Source = Annotated[SerializeAsAny[SourceSection], WrapValidator(_section_of_kind)]


class GeneralSection(Section):
    """`[general]`: general instruction rows to mix into RFT."""

    kind: ClassVar[str] = "general"
    source: ClassVar[str] = "general"

    path: LocalPath | None = None
    """Local JSONL or Parquet with a `messages` column; relative to the recipe."""
    hub: HubId | None = None
    """Hub id of a chat data set with a `messages` column."""
    revision: Shown | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to record for it."""
    config: Shown | None = None
    """Which configuration of the data set is read."""
    split: Shown | None = None
    """Which split is read; several are joined by `+`."""
    where: Condition | None = None
    """Which rows are read: a condition on the source's own columns, in SQL, such as `language = 'en'`."""
    columns: dict[Label, ColumnPath] | None = None
    """Which column is taken for `messages`, `id` and `license`; nothing else of a row is read then."""
    ratio: Annotated[Number, Field(gt=0)] = 1.0
    """General rows for each judged one. The paper mixes about 5.75."""
    license: Label = "unknown"
    """Licence of rows that name none."""

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, Any] | None) -> dict[str, Any] | None:
        return known_columns(columns, ("messages", "id", "license"))

    @model_validator(mode="after")
    def _has_a_place(self) -> "GeneralSection":
        if self.path is None and self.hub is None:
            raise ValueError("general needs a path or a hub id")
        return self
