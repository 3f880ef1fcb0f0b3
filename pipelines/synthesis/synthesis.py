"""The synthesis stage: the questions of a source become preference sets and traces.

    questions -> rephrased -> gold checked -> answered by the responder, graded -> taught -> composed, balanced

The graded answers stand beside the sets, whatever became of them.

Test questions are answered too, since their sets are published in `sets`; curation splits them, and their traces stay
unpublished.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker, Product, find_answered
from pipelines.engines.jobs import Job
from pipelines.synthesis.answers import answer_job, settings_of
from pipelines.synthesis.composition import compose, composition_of, surplus, weighed
from pipelines.synthesis.grading import Answered
from pipelines.synthesis.questions import question_buckets, questions_to_answer
from pipelines.synthesis.responding import answered_questions, responded
from pipelines.synthesis.teaching import Pupil, needs_teacher, taught
from pipelines.synthesis.traces import graded_answers_table, traces_of, traces_table
from schemas.candidate import GRADED, TRACES, Origin
from schemas.preference import SETS, DropReason, sets_table
from schemas.question import STEMS, Verdict, stems_table
from schemas.recipe import Recipe, SynthesisSection
from storage.root import Root
from storage.spill import Spill
from storage.stages import Stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import many_records

STAGE_VERSION = 4
ROLES = ("responder", "teacher")
"""Models that are asked here, in the order in which they are."""
QUESTIONS = "questions"
"""The first outcome of a synthesised source's funnel."""
REPEATED = "repeated right answers"
"""The funnel's outcome of right answers in the words of another one to the same question: these are no traces."""
_QUESTIONS_AT_ONCE = 128
"""Questions whose traces and graded answers are written at a time."""


@dataclass(frozen=True)
class SynthesisJob:
    """All that decides which sets the questions of a source become."""

    settings: SynthesisSection
    seed: int
    roles: Mapping[str, Job]
    """What each role of ROLES is asked with; those that the recipe has a model for."""

    def key(self, questions: Stage, given_up: Sequence[str] = ()) -> str:
        """Return the stage's key; where requests were given up, another one, so that the next build asks again."""
        jobs = [settings_of(self.roles[role]) if role in self.roles else None for role in ROLES]
        settings = [self.settings.model_dump(), self.seed, jobs, given_up]
        return stage_key(f"synthesized-{questions.facts['source']}", STAGE_VERSION, settings, [questions.content])


def synthesis_job(recipe: Recipe) -> SynthesisJob:
    """Return how a recipe makes sets of questions."""
    roles = {role: job for role in ROLES if (job := answer_job(recipe, role))}
    return SynthesisJob(recipe.synthesis, recipe.build.seed, roles)


def find_synthesized(job: SynthesisJob, root: Root, questions: Stage, retry_failed: bool = False) -> Stage | None:
    """Return the finished stage of a source's questions, unless it holds failed requests that are to be sent again."""
    return find_answered(root, job.key(questions), retry_failed)


def synthesize(job: SynthesisJob, root: Root, run: Run, questions: Stage) -> Product:
    """Return the stage with the tables `sets`, `traces`, `answers` and `stems` of one source, sorted by query_id.

    Its facts are those of an input, with what was asked and how the sets came about under `synthesis`. Raises what
    asking raises; what was answered by then is kept.
    """
    if found := find_synthesized(job, root, questions, run.retry_failed):
        return Product(found)
    askers = {role: Asker(root, run, of_role) for role, of_role in job.roles.items()}
    teacher = askers.get("teacher")
    rephraser = Asker(root, run, teacher.job) if teacher else None
    checked = questions_to_answer(root, run, rephraser, questions)
    candidates = responded(root, run, askers.get("responder"), job.settings.samples, checked)
    with _taught(job.settings, teacher, checked, candidates) as answered:
        if teacher and rephraser:
            teacher.answers.add(rephraser.answers)
        run.watcher.stage(f"composing {questions.facts['source']}", None)
        given_up = sorted(request_id for asker in askers.values() for request_id in asker.answers.given_up)
        stage = _composed(job, root, job.key(questions, given_up), checked, candidates, answered, teacher)
    bought = {role: asker.answers.bought for role, asker in askers.items()}
    return Product(stage, bought, {role: asker.answers.seconds for role, asker in askers.items()})


@contextmanager
def _taught(
    settings: SynthesisSection, teacher: Asker | None, checked: Stage, candidates: Stage
) -> Iterator[Iterator[Answered]]:
    """Give every question with all its candidates, the teacher's among them."""
    if teacher is None:
        yield answered_questions(checked, candidates)
        return
    answered = answered_questions(checked, candidates)
    pupils = (Pupil(question, tuple(found)) for question, found in answered if needs_teacher(question, found))
    with taught(teacher, settings, pupils) as helped:
        teacher.check(f"teacher of {checked.facts['source']}")
        yield _with_helped(answered_questions(checked, candidates), helped)


def _with_helped(answered: Iterator[Answered], helped: Iterator[Answered]) -> Iterator[Answered]:
    """Yield the questions with their candidates, in order; those that the teacher helped with its own, too."""
    first = next(helped, None)
    for question, found in answered:
        if first is not None and found and question.query_id == first[0].query_id:
            yield first
            first = next(helped, None)
        else:
            yield question, found


def _composed(
    job: SynthesisJob,
    root: Root,
    key: str,
    checked: Stage,
    candidates: Stage,
    taught: Iterator[Answered],
    teacher: Asker | None,
) -> Stage:
    """Write the sets, traces and graded answers of all questions."""
    weights = [weighed(())]
    verdicts: Counter[tuple[str, str]] = Counter()
    repeated = 0
    with (
        many_records(),
        Spill(root, SETS) as spill,
        TableWriter(root, key, "traces", TRACES) as traces,
        TableWriter(root, key, "answers", GRADED) as answers,
        TableWriter(root, key, "sets", SETS) as sets,
    ):
        while answered := list(islice(taught, _QUESTIONS_AT_ONCE)):
            answers.write(graded_answers_table(answered))
            of_questions = [trace for question, found in answered for trace in traces_of(question, found)]
            traces.write(traces_table(of_questions))
            graded = [(one.origin.value, one.verdict) for _, found in answered for one in found]
            verdicts.update((origin, verdict.value) for origin, verdict in graded)
            repeated += sum(verdict is Verdict.RIGHT for _, verdict in graded) - len(of_questions)
            composed = [one for question, found in answered for one in compose(question, found, job.settings, job.seed)]
            spill.write(sets_table(composed))
            weights.append(weighed(composed))
        kept = pl.concat(weights)
        reasons = surplus(kept)
        for table in spill.ranges("query_id", "set_id", "source_id"):
            sets.write(_dropped(table, reasons))
    with TableWriter(root, key, "stems", STEMS) as stems:
        for _, rows in question_buckets(checked):
            stems.write(stems_table([question for question in rows if question.stem]))
    uses = [candidates.facts["use"]]
    if teacher is not None and teacher.answers.requests:
        uses.append(teacher.answers.facts(teacher.job))
    facts = {
        **checked.facts,
        "rows": spill.rows + checked.facts["unreadable"],
        "unit": "set",
        "synthesis": {
            "uses": [use for use in uses if use],
            "funnel": _funnel(checked, verdicts, repeated),
            "composition": composition_of(kept.filter(pl.col("set_id").is_in(list(reasons)).not_())),
        },
    }
    writers = {"sets": sets, "traces": traces, "answers": answers, "stems": stems}
    tables = {name: writer.files for name, writer in writers.items()}
    return finish_stage(root, key, tables, facts, [checked, candidates])


def _dropped(sets: pa.Table, reasons: Mapping[str, DropReason]) -> pa.Table:
    """Return the sets with a reason to drop those that have one here; a reason that a set has comes first."""
    found = pa.array(map(reasons.get, sets["set_id"].to_pylist()), pa.string())
    place = sets.column_names.index("drop_reason")
    return sets.set_column(place, "drop_reason", pc.coalesce(sets["drop_reason"], found))


def _funnel(checked: Stage, verdicts: Counter[tuple[str, str]], repeated: int) -> list[dict[str, Any]]:
    """Return (outcome, rows) in the order that data travels."""
    origins = [origin.value for origin in Origin]
    ordered = sorted(verdicts.items(), key=lambda item: (origins.index(item[0][0]), item[0][1]))
    return [
        {"outcome": QUESTIONS, "rows": checked.rows("questions")},
        *checked.facts.get("rephrasing", {}).get("outcomes", ()),
        *({"outcome": f"{origin}: {verdict}", "rows": rows} for (origin, verdict), rows in ordered),
        *([{"outcome": REPEATED, "rows": repeated}] if repeated else []),
    ]
