"""The synthesis stage: the questions of a source become preference sets and traces.

    questions -> rephrased -> gold checked -> answered by the responder, graded -> taught -> composed, balanced

The graded answers stand beside the sets, whatever became of them.

Test questions are answered too, since their sets are published in `sets`; curation splits them, and their traces stay
unpublished.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engines.answering import Run
from pipelines.engines.outages import check_answers
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.asking import Asked
from pipelines.synthesis.composition import Composed, balanced, compose
from pipelines.synthesis.gold_check import checked_questions
from pipelines.synthesis.graded_answers import graded_answers_table
from pipelines.synthesis.grading import Answered
from pipelines.synthesis.rephrasing import rephrased_questions
from pipelines.synthesis.responding import answered_questions, responded
from pipelines.synthesis.teaching import Pupil, needs_teacher, teach
from pipelines.synthesis.traces import Trace, traces_of, traces_table
from schemas.candidate import GRADED, TRACES, Origin
from schemas.preference import SETS, PreferenceSet, sets_table
from schemas.question import STEMS, Question, Verdict, stems_table
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter

STAGE_VERSION = 4
ROLES = ("responder", "teacher")
"""Models that are asked here, in the order in which they are."""
QUESTIONS = "questions"
"""The first outcome of a synthesised source's funnel."""
REPEATED = "repeated right answers"
"""The funnel's outcome of right answers in the words of another one to the same question: these are no traces."""
_BATCH = 2_048
_ANSWERED = 128
"""Questions whose graded answers are written at a time."""


@dataclass(frozen=True)
class SourceSets:
    """The sets of one source."""

    stage: Stage
    bought: Mapping[str, int] = field(default_factory=dict)
    """How many requests of each role were bought in this run to make them."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long that took, by role."""


def synthesize(recipe: Recipe, root: Root, run: Run, questions: Stage) -> SourceSets:
    """Return the stage with the tables `sets`, `traces`, `answers` and `stems` of one source, sorted by query_id.

    Its facts are those of an input, with what was asked and how the sets came about under `synthesis`. Raises what
    asking raises; what was answered by then is kept.
    """
    if found := find_synthesized(recipe, root, questions, run.retry_failed):
        return SourceSets(found)
    asked = {role: Asked(job) for role in ROLES if (job := answer_job(recipe, role))}
    rephrasing = Asked(asked["teacher"].job) if "teacher" in asked else None
    checked = questions_to_answer(root, run, rephrasing, questions)
    candidates = responded(root, run, asked.get("responder"), recipe.synthesis.samples, checked)
    taught = _taught(recipe, root, run, asked.get("teacher"), checked, candidates)
    if rephrasing is not None:
        asked["teacher"].add(rephrasing)
    run.watcher.stage(f"composing {questions.facts['source']}", None)
    given_up = sorted(request_id for one in asked.values() for request_id in one.given_up)
    stage = _composed(recipe, root, _key(recipe, questions, given_up), checked, candidates, taught, asked)
    return SourceSets(
        stage,
        {role: one.bought for role, one in asked.items()},
        {role: one.seconds for role, one in asked.items()},
    )


def questions_to_answer(root: Root, run: Run, rephrasing: Asked | None, questions: Stage) -> Stage:
    """Return the stage of a source's questions as they are asked: rephrased by the teacher, their gold checked."""
    rephrased = rephrased_questions(root, run, rephrasing, questions)
    run.watcher.stage(f"checking the gold answers of {questions.facts['source']}", None)
    return checked_questions(root, rephrased)


def find_synthesized(recipe: Recipe, root: Root, questions: Stage, retry_failed: bool = False) -> Stage | None:
    """Return the finished stage of a source's questions, unless it holds failed requests that are to be asked again."""
    found = find_stage(root, _key(recipe, questions))
    if found is None or not retry_failed:
        return found
    return None if any(use["failed"] for use in found.facts["synthesis"]["uses"]) else found


def _key(recipe: Recipe, questions: Stage, given_up: Sequence[str] = ()) -> str:
    """Return the stage's key; where requests were given up, another one, so that the next build asks again."""
    jobs = [answer_job(recipe, role) for role in ROLES]
    settings = [recipe.synthesis.model_dump(), recipe.build.seed, [job and job.settings() for job in jobs], given_up]
    return stage_key(f"synthesized-{questions.facts['source']}", STAGE_VERSION, settings, [questions.content])


def _taught(
    recipe: Recipe, root: Root, run: Run, asked: Asked | None, checked: Stage, candidates: Stage
) -> Iterator[Answered]:
    """Yield every question with all its candidates, the teacher's among them."""
    pupils: dict[str, Pupil] = {}
    if asked is not None:
        for question, found in answered_questions(checked, candidates):
            if needs_teacher(question, found):
                pupils[question.query_id] = Pupil(question, found)
        teach(root, run, asked, recipe.synthesis, list(pupils.values()))
        what = f"teacher of {checked.facts['source']}"
        check_answers(run, what, asked.requests, asked.failed, asked.given_up, asked.error, len(asked.questions))
    return (
        (question, pupils[question.query_id].candidates if found and question.query_id in pupils else found)
        for question, found in answered_questions(checked, candidates)
    )


def _composed(
    recipe: Recipe,
    root: Root,
    key: str,
    checked: Stage,
    candidates: Stage,
    taught: Iterator[Answered],
    asked: Mapping[str, Asked],
) -> Stage:
    """Write the sets, traces and graded answers of all questions."""
    composed: list[Composed] = []
    traces: list[Trace] = []
    counts = _Counts()
    stems: list[Question] = []
    answered: list[Answered] = []
    with (
        TableWriter(root, key, "traces", TRACES) as writer,
        TableWriter(root, key, "answers", GRADED) as answer_writer,
    ):
        for question, found in taught:
            answered.append((question, found))
            if len(answered) >= _ANSWERED:
                answer_writer.write(graded_answers_table(answered))
                answered.clear()
            stems += [question] if question.stem else []
            counts.verdicts.update((one.origin.value, one.verdict.value) for one in found)
            counts.questions += 1
            composed += compose(question, found, recipe.synthesis, recipe.build.seed)
            of_question = list(traces_of(question, found))
            traces += of_question
            counts.repeated += sum(one.verdict is Verdict.RIGHT for one in found) - len(of_question)
            if len(traces) >= _BATCH:
                writer.write(traces_table(traces))
                traces.clear()
        writer.write(traces_table(traces))
        answer_writer.write(graded_answers_table(answered))
    sets = sorted(balanced(composed), key=lambda one: (one.query_id, one.set_id, one.source_id))
    with TableWriter(root, key, "sets", SETS) as set_writer:
        for start in range(0, len(sets), _BATCH):
            set_writer.write(sets_table(sets[start : start + _BATCH]))
    with TableWriter(root, key, "stems", STEMS) as stem_writer:
        stem_writer.write(stems_table(stems))
    teacher = asked.get("teacher")
    uses = [candidates.facts["use"], teacher.facts() if teacher and teacher.requests else None]
    facts = {
        **checked.facts,
        "rows": len(sets) + checked.facts["unreadable"],
        "unit": "set",
        "synthesis": {
            "uses": [use for use in uses if use],
            "funnel": counts.funnel(checked.facts.get("rephrasing", {}).get("outcomes", ())),
            "composition": composition_of(sets),
        },
    }
    tables = {
        "sets": set_writer.files,
        "traces": writer.files,
        "answers": answer_writer.files,
        "stems": stem_writer.files,
    }
    return finish_stage(root, key, tables, facts, [checked, candidates])


class _Counts:
    """How many questions there were, and how their answers were graded."""

    def __init__(self) -> None:
        self.questions = 0
        self.repeated = 0
        self.verdicts: Counter[tuple[str, str]] = Counter()

    def funnel(self, rephrasing: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return (outcome, rows) in the order that data travels; `rephrasing` are those of what leans on options."""
        origins = [origin.value for origin in Origin]
        ordered = sorted(self.verdicts.items(), key=lambda item: (origins.index(item[0][0]), item[0][1]))
        return [
            {"outcome": QUESTIONS, "rows": self.questions},
            *rephrasing,
            *({"outcome": f"{origin}: {verdict}", "rows": rows} for (origin, verdict), rows in ordered),
            *([{"outcome": REPEATED, "rows": self.repeated}] if self.repeated else []),
        ]


def composition_of(sets: Sequence[PreferenceSet]) -> dict[str, int]:
    """Return how the sets that were composed are made up; at least half of them should have one author."""
    kept = [one for one in sets if one.drop_reason is None]
    compared = [one for one in kept if one.n_responses > 1]
    return {
        "sets": len(compared),
        "of_one_model": sum(len({response.model for response in one.responses}) == 1 for one in compared),
        "taught": sum(any(response.origin == Origin.TEACHER for response in one.responses) for one in compared),
        "single_right": sum(one.label == 1 for one in kept),
        "single_wrong": sum(one.label == 0 for one in kept),
    }
