"""What a build would read: exact where the rows are here, at most as many as were published where they are not.

Sources of questions whose answers were not bought yet have no sets: their questions are counted, and bound the sets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.curation.curation import curate, rules_of
from pipelines.engines.answering import Run
from pipelines.reporting.accounts import drops_of, inputs_of
from pipelines.reviews.labels import with_reviews
from pipelines.sources import general
from pipelines.sources.files import is_here
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from pipelines.steps import steps_to_sets
from pipelines.synthesis.composition import gives_single
from pipelines.synthesis.questions import checked_questions, question_buckets
from pipelines.walk import Step
from schemas.preference import SETS, Split
from schemas.question import Question
from schemas.recipe import Recipe, SourceSection
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_frame


@dataclass(frozen=True)
class InputPlan:
    """What one source would give."""

    source: str
    rows: int | None
    """Exact where the source is here, else the published number; None where nobody knows."""
    kept: int | None = None
    dropped: int | None = None
    unreadable: int | None = None
    """None where the rows are not here, or no sets were made of them yet."""
    questions: int | None = None
    """Questions to make sets of, each with a gold answer that its verifier can grade; None where the sets are known."""
    most_sets: int | None = None
    """How many sets the questions can give."""
    uncertain: int | None = None
    """Of the dropped, how many are still to be judged again; None where none are."""
    drop_reasons: Mapping[str, int] = field(default_factory=dict)
    """Of the dropped, how many for each reason, the commonest first."""
    all_test: bool = False
    """Whether all that is kept is in the test split, as that of official test files: nothing of it will be sampled."""

    def line(self) -> str:
        """Return it as a row of the plan's table."""
        return self._counts() + ("   all of it test: published in sets, never sampled" if self.all_test else "")

    def _counts(self) -> str:
        if self.questions is not None:
            return (
                f"  {self.source:<24} {self.rows:>9,} rows   {self.questions:>9,} questions to answer, "
                f"for at most {self.most_sets:,} sets"
            )
        if self.kept is None:
            known = "rows unknown" if self.rows is None else f"at most {self.rows:,} rows, by published size and limit"
            return f"  {self.source:<24} not downloaded: {known}"
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.drop_reasons.items())
        why = f"   dropped: {reasons}" if reasons else ""
        again = f"   {self.uncertain:,} of the dropped to judge again" if self.uncertain is not None else ""
        return (
            f"  {self.source:<24} {self.rows:>9,} rows   {self.kept:>9,} kept   {self.dropped:>7,} dropped   "
            f"{self.unreadable:>5,} unreadable{why}{again}"
        )


@dataclass(frozen=True)
class OpenSource:
    """A source that is not here, or whose sets are still to be made of questions, or some of them judged again."""

    section: SourceSection
    plan: InputPlan
    most_sets: int | None
    """Those that are here already apart; None where nobody knows."""
    rows: Stage | None = None
    """Its questions, their gold answers checked, or its sets that are to be judged again; None where it is not here."""


@dataclass(frozen=True)
class Inputs:
    """All that a build would read, as far as it is here."""

    plans: tuple[InputPlan, ...]
    curated: Stage | None
    """The curated sets of the sources that have some here; None where none has."""
    open: tuple[OpenSource, ...]
    synthesized: tuple[Stage, ...]
    """Sets that models were asked for already: made of questions, or judged again."""
    is_here: bool
    """Whether every row is here, general rows included."""

    @property
    def is_exact(self) -> bool:
        """Whether all sets are here, and what decides which of them are duplicates, and in which split each is."""
        return self.is_here and not self.open


def plan_inputs(recipe: Recipe, root: Root, run: Run, *, download: bool) -> Inputs:
    """Read and curate what is here, or everything where a download is wanted; no model is called."""
    steps = steps_to_sets(recipe, ())
    making = {step.section.source: step for step in steps if step.section and step.asking}
    sets: dict[str, Stage] = {}
    still_open: dict[str, OpenSource] = {}
    for section, reading in ((step.section, step) for step in steps if step.section and not step.asking):
        found, unmade = _look_at(recipe, root, run, section, reading, making.get(section.source), download)
        sets |= {section.source: found} if found else {}
        still_open |= {section.source: unmade} if unmade else {}
    plans = {source: unmade.plan for source, unmade in still_open.items()}
    has_general = recipe.general is None or download or is_here(recipe.general, "", general.SOURCE.patterns)
    curated = None
    if sets:
        chat = ingest(recipe, root, recipe.general) if recipe.general and has_general else None
        readable = tuple(section for section in recipe.sources if section.source in sets)
        curated = curate(rules_of(recipe.model_copy(update={"sources": readable})), root, list(sets.values()), chat)
        curated = with_reviews(recipe.reviews, root, curated)
        all_test, drops = _test_sources(curated), drops_of(curated)
        for counted in inputs_of(list(sets.values()), curated):
            uncertain = plans[counted.source].uncertain if counted.source in plans else None
            plans[counted.source] = InputPlan(
                counted.source,
                counted.rows,
                counted.kept,
                counted.dropped,
                counted.unreadable,
                uncertain=uncertain,
                drop_reasons=drops.get(counted.source, {}),
                all_test=counted.source in all_test,
            )
    in_order = [plans[section.source] for section in recipe.sources]
    return Inputs(
        plans=tuple(in_order if has_general else [*in_order, InputPlan("general", None)]),
        curated=curated,
        open=tuple(still_open.values()),
        synthesized=tuple(stage for stage in sets.values() if "synthesis" in stage.facts),
        is_here=has_general and all(unmade.rows for unmade in still_open.values()),
    )


def _look_at(
    recipe: Recipe, root: Root, run: Run, section: SourceSection, reading: Step, making: Step | None, download: bool
) -> tuple[Stage | None, OpenSource | None]:
    """Return the stage with the sets of a source, as far as they are here, and what is known of those that are not."""
    facts = SOURCES[section.kind]
    asks = facts.gives == "questions"
    if not download and not is_here(section, facts.hub, facts.patterns):
        rows = published_rows(section)
        sets = rows if rows is None or not asks else round(rows * (1 + recipe.synthesis.single_share))
        return None, OpenSource(section, InputPlan(section.source, rows), sets)
    read = reading.make(root, run, ()).stage
    if making is None or making.asking is None or making.asking.prepare is None:
        return read, None
    if found := making.asking.find(root, read, False):
        return found, None
    if asks:
        return None, _unanswered(recipe, section, checked_questions(root, read))
    uncertain = making.asking.prepare(root, run, read).stage
    plan = InputPlan(section.source, read.facts["rows"], uncertain=uncertain.rows("sets"))
    return read, OpenSource(section, plan, uncertain.rows("sets"), uncertain)


def _test_sources(curated: Stage) -> frozenset[str]:
    """Return the sources that have kept sets, all of them test sets."""
    kept = read_frame(curated.paths("sets"), SETS, ["source", "split", "drop_reason"]).filter(
        pl.col("drop_reason").is_null()
    )
    splits = kept.group_by("source").agg(all_test=(pl.col("split") == Split.TEST.value).all())
    return frozenset(splits.filter("all_test")["source"])


def published_rows(section: SourceSection) -> int | None:
    """Return how many rows a source has at most, without reading it."""
    rows = None if section.hub else SOURCES[section.kind].rows
    return min((bound for bound in (rows, section.limit) if bound is not None), default=None)


def kept_questions(checked: Stage) -> Iterator[Question]:
    """Yield the questions of a source that are not dropped."""
    for _, questions in question_buckets(checked):
        yield from (question for question in questions if question.drop_reason is None)


def _unanswered(recipe: Recipe, section: SourceSection, checked: Stage) -> OpenSource:
    """Return the questions of a source: each gives one set to compare at most, and some a single response as well."""
    questions = list(kept_questions(checked))
    sets = len(questions) + sum(gives_single(question, recipe.synthesis, recipe.build.seed) for question in questions)
    plan = InputPlan(
        section.source,
        checked.facts["rows"],
        questions=len(questions),
        most_sets=sets,
        all_test=bool(questions) and all(question.split is Split.TEST for question in questions),
    )
    return OpenSource(section, plan, sets, checked)
