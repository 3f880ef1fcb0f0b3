"""`[[sources]]` and `[general]`: where rows come from."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.recipe.section import Count, Flag, Name, Number, Section


class SourceSection(Section):
    """Keys of every `[[sources]]` entry."""

    kind: str
    """Which data set it is."""
    path: str | None = None
    """Local file or directory of the layout that the hub has; relative to the recipe. The hub is read unless given."""
    hub: str | None = None
    """Hub id of the data set, where it is not the usual one."""
    revision: str | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    limit: Count | None = None
    """At most this many rows, chosen by their hash: a larger limit keeps every row of a smaller one."""
    hinted: Flag = True
    """Whether each set also gets one hinted sample."""
    max_share: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """At most this share of all kept sets comes from here."""

    @property
    def source(self) -> str:
        """What the source is called in tables and reports."""
        return self.kind


class TeleQnA(SourceSection):
    """TeleQnA: 10,000 telecom questions with 2 to 5 options."""

    kind: Literal["teleqna"]
    password: str = "teleqnadataset"
    """Password of the archive, as its authors publish it."""
    keep_all_of: Flag = False
    """Keep questions with an "all of the above" or "none of the above" option, reworded to stand by themselves."""


class UltraFeedback(SourceSection):
    """UltraFeedback: 63,967 instructions with four responses, each rated in four aspects."""

    kind: Literal["ultrafeedback"]
    min_margin: Annotated[Number, Field(ge=0)] = 0.5
    """Sets whose two highest mean ratings are nearer than this are uncertain, and dropped."""


class HelpSteer2(SourceSection):
    """HelpSteer2: pairs of responses rated by people for helpfulness."""

    kind: Literal["helpsteer2"]


class HelpSteer2Preference(SourceSection):
    """HelpSteer2-Preference: 9,125 pairs with a preference of -3 to 3."""

    kind: Literal["helpsteer2_preference"]


class PreferenceSets(SourceSection):
    """Your own JSONL or Parquet: query, responses, and rewards or best (docs/sources.md)."""

    kind: Literal["preference_sets"]
    name: Name = "preference_sets"
    """What the source is called in tables and reports."""
    license: str = "unknown"
    """Licence of rows that name none."""
    domain: str = "general"
    """Domain of rows that name none."""
    min_margin: Annotated[Number, Field(ge=0)] = 0.0
    """Sets whose two highest rewards are nearer than this are uncertain, and dropped."""

    @property
    def source(self) -> str:
        return self.name

    @model_validator(mode="after")
    def _has_a_place(self) -> "PreferenceSets":
        if self.path is None and self.hub is None:
            raise ValueError("a preference_sets source needs a path or a hub id")
        return self


SOURCE_KINDS: dict[str, type[SourceSection]] = {
    "teleqna": TeleQnA,
    "ultrafeedback": UltraFeedback,
    "helpsteer2": HelpSteer2,
    "helpsteer2_preference": HelpSteer2Preference,
    "preference_sets": PreferenceSets,
}


def _source_kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


Source = Annotated[
    Annotated[TeleQnA, Tag("teleqna")]
    | Annotated[UltraFeedback, Tag("ultrafeedback")]
    | Annotated[HelpSteer2, Tag("helpsteer2")]
    | Annotated[HelpSteer2Preference, Tag("helpsteer2_preference")]
    | Annotated[PreferenceSets, Tag("preference_sets")],
    Discriminator(_source_kind),
]


class GeneralSection(Section):
    """`[general]`: general instruction rows to mix into RFT."""

    path: str | None = None
    """Local JSONL or Parquet with a `messages` column; relative to the recipe."""
    hub: str | None = None
    """Hub id of a chat data set with a `messages` column."""
    revision: str | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    ratio: Annotated[Number, Field(gt=0)] = 1.0
    """General rows for each judged one. The paper mixes about 5.75."""
    license: str = "unknown"
    """Licence of rows that name none."""

    @model_validator(mode="after")
    def _has_a_place(self) -> "GeneralSection":
        if self.path is None and self.hub is None:
            raise ValueError("general needs a path or a hub id")
        return self
