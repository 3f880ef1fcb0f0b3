"""`[[sources]]` and `[general]`: where rows come from."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.recipe.section import Count, Flag, HubId, Label, LocalPath, Name, Number, Section, Shown, Whole


class SourceSection(Section):
    """Keys of every `[[sources]]` entry."""

    kind: str
    """Which data set it is."""
    path: LocalPath | None = None
    """Local file or directory of the layout that the hub has; relative to the recipe. The hub is read unless given."""
    hub: HubId | None = None
    """Hub id of the data set, where it is not the usual one."""
    revision: Shown | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    limit: Count | None = None
    """At most this many rows, chosen by their hash: a larger limit keeps every row of a smaller one, and all forms of a
    data set (`teleqna`, `teleqna_short`, `teleqna_traces`) keep the same questions."""
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
    retag_votes: Annotated[Whole, Field(ge=0, le=15)] = 0
    """So many judgements of models.teacher on each uncertain set; it is kept where most agree with its ratings."""


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
    license: Label = "unknown"
    """Licence of rows that name none."""
    domain: Label = "general"
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


class Math(SourceSection):
    """MATH: 12,500 competition problems with a worked solution; models.responder answers them."""

    kind: Literal["math"]


class TeleMath(SourceSection):
    """TeleMath: 500 telecom problems with a numeric answer; models.responder answers them."""

    kind: Literal["telemath"]
    tolerance: Annotated[Number, Field(ge=0, le=0.5)] = 0.01
    """How far from the right number an answer may be, relative to it."""


class TeleQnAShort(SourceSection):
    """TeleQnA without its options: short answers, by models.responder, compared with the right option."""

    kind: Literal["teleqna_short"]
    password: str = "teleqnadataset"
    """Password of the archive, as its authors publish it."""


class TeleQnATraces(SourceSection):
    """TeleQnA with its options in the question: models.responder reasons, and picks one."""

    kind: Literal["teleqna_traces"]
    password: str = "teleqnadataset"
    """Password of the archive, as its authors publish it."""
    keep_all_of: Flag = False
    """Keep questions with an "all of the above" or "none of the above" option, as they are."""


class Gsm8kSolutions(SourceSection):
    """GSM8K-style JSONL: a question, its `ground_truth`, and sampled solutions with `is_correct`."""

    kind: Literal["gsm8k_solutions"]
    name: Name = "gsm8k_solutions"
    """What the source is called in tables and reports."""
    license: Label = "MIT"
    """Licence of the rows."""

    @property
    def source(self) -> str:
        return self.name


class Tau2(SourceSection):
    """tau2-bench telecom: whole conversations of agents, with their tool calls and rewards (docs/tau2.md)."""

    kind: Literal["tau2"]

    @model_validator(mode="after")
    def _has_a_place(self) -> "Tau2":
        if self.path is None and self.hub is None:
            raise ValueError("a tau2 source needs a path: tau2-bench publishes its results on GitHub, not on the hub")
        return self


class OffsetBias(SourceSection):
    """OffsetBias: 8,504 pairs whose worse response is the more attractive one."""

    kind: Literal["offsetbias"]


class Skywork(SourceSection):
    """Skywork-Reward-Preference v0.2: 77,016 pairs collected from other data sets."""

    kind: Literal["skywork"]
    keep_overlap: Flag = False
    """Keep the pairs that come from OffsetBias and HelpSteer2, which are sources of their own."""


NEED_ANSWERS = frozenset({"math", "telemath", "teleqna_short", "teleqna_traces"})
"""Kinds whose rows are questions that models.responder must answer."""

SOURCE_KINDS: dict[str, type[SourceSection]] = {
    "teleqna": TeleQnA,
    "teleqna_short": TeleQnAShort,
    "teleqna_traces": TeleQnATraces,
    "tau2": Tau2,
    "math": Math,
    "telemath": TeleMath,
    "gsm8k_solutions": Gsm8kSolutions,
    "ultrafeedback": UltraFeedback,
    "helpsteer2": HelpSteer2,
    "helpsteer2_preference": HelpSteer2Preference,
    "offsetbias": OffsetBias,
    "skywork": Skywork,
    "preference_sets": PreferenceSets,
}


def _source_kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


Source = Annotated[
    Annotated[TeleQnA, Tag("teleqna")]
    | Annotated[TeleQnAShort, Tag("teleqna_short")]
    | Annotated[TeleQnATraces, Tag("teleqna_traces")]
    | Annotated[Tau2, Tag("tau2")]
    | Annotated[Math, Tag("math")]
    | Annotated[TeleMath, Tag("telemath")]
    | Annotated[Gsm8kSolutions, Tag("gsm8k_solutions")]
    | Annotated[UltraFeedback, Tag("ultrafeedback")]
    | Annotated[HelpSteer2, Tag("helpsteer2")]
    | Annotated[HelpSteer2Preference, Tag("helpsteer2_preference")]
    | Annotated[OffsetBias, Tag("offsetbias")]
    | Annotated[Skywork, Tag("skywork")]
    | Annotated[PreferenceSets, Tag("preference_sets")],
    Discriminator(_source_kind),
]


class GeneralSection(Section):
    """`[general]`: general instruction rows to mix into RFT."""

    path: LocalPath | None = None
    """Local JSONL or Parquet with a `messages` column; relative to the recipe."""
    hub: HubId | None = None
    """Hub id of a chat data set with a `messages` column."""
    revision: Shown | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    ratio: Annotated[Number, Field(gt=0)] = 1.0
    """General rows for each judged one. The paper mixes about 5.75."""
    license: Label = "unknown"
    """Licence of rows that name none."""

    @model_validator(mode="after")
    def _has_a_place(self) -> "GeneralSection":
        if self.path is None and self.hub is None:
            raise ValueError("general needs a path or a hub id")
        return self
