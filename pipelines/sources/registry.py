"""Every kind of source a recipe can name: what is known of it, and what reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.sources import (
    gsm8k_solutions,
    helpsteer2,
    helpsteer2_preference,
    hendrycks_math,
    offsetbias,
    preference_sets,
    skywork,
    tau2,
    telemath,
    teleqna,
    teleqna_short,
    teleqna_traces,
    ultrafeedback,
)
from pipelines.sources.files import SourceFiles
from schemas.preference import PreferenceSet, UnreadableRow
from schemas.question import Question

Reader = (
    Callable[[Any, SourceFiles], Iterator[PreferenceSet | UnreadableRow]]
    | Callable[[Any, SourceFiles], Iterator[Question | UnreadableRow]]
)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of a source before a row is read."""

    kind: str
    hub: str
    """Its usual hub id; empty where the recipe must name a place."""
    patterns: tuple[str, ...]
    """Which files of the hub's layout are read."""
    license: str | None
    """None where rows or the recipe name it."""
    benchmark: bool
    """Whether models are tested on it: its test share is always kept out."""
    redistribution: Literal["open", "restricted"]
    """`restricted` where the authors ask that rows are not republished in plain text."""
    unit: str
    """What one row is, as the counts of rows mean it."""
    rows: int | None
    """Rows as published, all splits read here together; None where the recipe names the data set."""
    read: Reader
    """Reads the files for a section of this kind; as many records and unreadable rows come out as there are rows."""
    gives: Literal["sets", "questions"] = "sets"
    """What a readable row is: a set, or a question that synthesis makes sets of."""


SOURCES: dict[str, SourceFacts] = {
    facts.kind: facts
    for facts in (
        SourceFacts(
            kind="teleqna",
            hub=teleqna.HUB,
            patterns=teleqna.PATTERNS,
            license=teleqna.LICENSE,
            benchmark=True,
            redistribution="restricted",
            unit="question",
            rows=10_000,
            read=teleqna.read,
        ),
        SourceFacts(
            kind="teleqna_short",
            hub=teleqna.HUB,
            patterns=teleqna.PATTERNS,
            license=teleqna.LICENSE,
            benchmark=True,
            redistribution="restricted",
            unit="question",
            rows=10_000,
            read=teleqna_short.read,
            gives="questions",
        ),
        SourceFacts(
            kind="teleqna_traces",
            hub=teleqna.HUB,
            patterns=teleqna.PATTERNS,
            license=teleqna.LICENSE,
            benchmark=True,
            redistribution="restricted",
            unit="question",
            rows=10_000,
            read=teleqna_traces.read,
            gives="questions",
        ),
        SourceFacts(
            kind="math",
            hub=hendrycks_math.HUB,
            patterns=hendrycks_math.PATTERNS,
            license=hendrycks_math.LICENSE,
            benchmark=True,
            redistribution="open",
            unit="problem",
            rows=12_500,
            read=hendrycks_math.read,
            gives="questions",
        ),
        SourceFacts(
            kind="telemath",
            hub=telemath.HUB,
            patterns=telemath.PATTERNS,
            license=telemath.LICENSE,
            benchmark=True,
            redistribution="open",
            unit="problem",
            rows=500,
            read=telemath.read,
            gives="questions",
        ),
        SourceFacts(
            kind="gsm8k_solutions",
            hub=gsm8k_solutions.HUB,
            patterns=gsm8k_solutions.PATTERNS,
            license=None,
            benchmark=True,
            redistribution="open",
            unit="problem",
            rows=None,
            read=gsm8k_solutions.read,
            gives="questions",
        ),
        SourceFacts(
            kind="tau2",
            hub=tau2.HUB,
            patterns=tau2.PATTERNS,
            license=tau2.LICENSE,
            benchmark=True,
            redistribution="open",
            unit="task with its trials",
            rows=None,
            read=tau2.read,
        ),
        SourceFacts(
            kind="ultrafeedback",
            hub=ultrafeedback.HUB,
            patterns=ultrafeedback.PATTERNS,
            license=ultrafeedback.LICENSE,
            benchmark=False,
            redistribution="open",
            unit="instruction",
            rows=63_967,
            read=ultrafeedback.read,
        ),
        SourceFacts(
            kind="helpsteer2",
            hub=helpsteer2.HUB,
            patterns=helpsteer2.PATTERNS,
            license=helpsteer2.LICENSE,
            benchmark=False,
            redistribution="open",
            unit="pair",
            rows=10_681,
            read=helpsteer2.read,
        ),
        SourceFacts(
            kind="helpsteer2_preference",
            hub=helpsteer2_preference.HUB,
            patterns=helpsteer2_preference.PATTERNS,
            license=helpsteer2_preference.LICENSE,
            benchmark=False,
            redistribution="open",
            unit="pair",
            rows=9_125,
            read=helpsteer2_preference.read,
        ),
        SourceFacts(
            kind="offsetbias",
            hub=offsetbias.HUB,
            patterns=offsetbias.PATTERNS,
            license=offsetbias.LICENSE,
            benchmark=False,
            redistribution="open",
            unit="pair",
            rows=8_504,
            read=offsetbias.read,
        ),
        SourceFacts(
            kind="skywork",
            hub=skywork.HUB,
            patterns=skywork.PATTERNS,
            license=skywork.LICENSE,
            benchmark=False,
            redistribution="open",
            unit="pair",
            rows=77_016,
            read=skywork.read,
        ),
        SourceFacts(
            kind="preference_sets",
            hub=preference_sets.HUB,
            patterns=preference_sets.PATTERNS,
            license=None,
            benchmark=False,
            redistribution="open",
            unit="set",
            rows=None,
            read=preference_sets.read,
        ),
    )
}
"""The sources by the `kind` of their `[[sources]]` section. General rows are no sets: see `general`."""
