"""`[evaluate]`: which judge is evaluated, on which benchmarks, with how many samples."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.evaluation import Protocol
from schemas.recipe.section import Count, Flag, HubId, LocalPath, Name, Number, Section, Shown, Whole

Judge = Literal["grm", "policy", "difficulty", "responder", "teacher", "rubric", "reward_model"]


class BenchmarkSection(Section):
    """`[[evaluate.benchmarks]]`: one benchmark."""

    kind: str
    """Which benchmark it is; `test` is the test split of a snapshot, `preference_sets` are sets of your own."""
    name: Name | None = None
    """What tables and reports call it; its kind unless given. Two of one kind need two names."""
    path: LocalPath | None = None
    """Local file or directory of the layout that the hub has; relative to the recipe. The hub is read unless given."""
    hub: HubId | None = None
    """Hub id of the benchmark, where it is not the usual one."""
    revision: Shown | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    limit: Count | None = None
    """At most this many rows, chosen by their hash. A part of a benchmark has no total."""
    protocol: Protocol | None = None
    """How a row is shown; the benchmark's first protocol unless given, see docs/evaluation.md."""
    snapshot: Shown | None = None
    """For `test`: a directory, a name, or name@version; what the recipe itself builds unless given."""
    splits: Annotated[tuple[Literal["train", "validation", "test"], ...], Field(min_length=1)] = ("test",)
    """For `test`: which splits of the snapshot are evaluated."""

    best_of_k: Flag = False
    """For `ppe`: also all answers to each question as one row, for curves of the best of k. Ask with
    protocol = "single"."""

    @model_validator(mode="after")
    def _keys_are_of_its_kind(self) -> "BenchmarkSection":
        reads_snapshot = self.kind == "test"
        others = ("path", "hub", "revision") if reads_snapshot else ("snapshot", "splits")
        fields = type(self).model_fields
        if wrong := [key for key in others if getattr(self, key) != fields[key].default]:
            what = "a snapshot, not files" if reads_snapshot else "files or the hub; only 'test' reads a snapshot"
            raise ValueError(f"{wrong[0]} does nothing here: the kind {self.kind!r} reads {what}")
        if self.best_of_k and self.kind != "ppe":
            raise ValueError(f"best_of_k is for 'ppe'; the kind {self.kind!r} has no such rows")
        return self

    @property
    def title(self) -> str:
        """What tables and reports call the benchmark."""
        return self.name or self.kind


class EvaluateSection(Section):
    """`[evaluate]`: how good a judge is."""

    name: Name | None = None
    """Name of the evaluation; `<build.name>-<judge>` unless given."""
    judge: Judge = "grm"
    """Role of the model that is evaluated. Samples that a build bought of it count as the first ones. A
    `reward_model` scores each response once: protocol `single`, whatever `k_max` says."""
    k_max: Annotated[Whole, Field(ge=1, le=1_024)] = 32
    """Samples of each prompt."""
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    """Sampling temperature; that of `[grm]` unless given. Another one than a build's asks everything anew."""
    greedy: Flag = True
    """Also ask once at temperature 0, to stand beside a single sample."""
    logprobs: Flag = False
    """Ask for log-probabilities, and choose samples by their mean too. These are other requests: all are asked anew."""
    attacks: tuple[Literal["opener", "padding", "markdown", "verdict", "order"], ...] = ()
    """Ways to dress up every wrong response, to see which verdicts flip: one greedy request an item and attack."""
    compare: tuple[str, ...] | None = None
    """Selectors that are compared with voting: fixed before any answer is read. Every selector that the recipe allows
    unless given."""
    replicates: Annotated[Whole, Field(ge=200, le=100_000)] = 2_000
    """Bootstrap replicates of each interval."""
    benchmarks: tuple[BenchmarkSection, ...] = ()
    """What the judge is evaluated on."""

    @model_validator(mode="after")
    def _names_differ(self) -> "EvaluateSection":
        if self.attacks and not self.greedy:
            raise ValueError("evaluate.attacks are compared with greedy answers: leave greedy = false out")
        titles = [benchmark.title for benchmark in self.benchmarks]
        if twice := sorted({title for title in titles if titles.count(title) > 1}):
            raise ValueError(f"evaluate.benchmarks: {twice[0]!r} stands there twice; give each a name of its own")
        return self
