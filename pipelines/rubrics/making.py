"""Making rubrics: for questions with labelled answers, in the context of what the pools hold, tried on a panel.

    curated sets -> cases -> retrieved -> generated -> near-duplicates out -> tried on panels, filtered -> stored

A question that has a rubric keeps it; it is only tried again when the settings of trials change. What is made joins
the root's rubrics at the end: a killed run asks for the same once more, finds the answers, and goes on.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.jobs import Job
from pipelines.rubrics.cases import Case, chosen_cases, labelled_sets, question_text
from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.giving import RubricSettings, looked_up
from pipelines.rubrics.opening import cached_embedder, open_retriever
from pipelines.rubrics.panels import Panelist, panels_of
from pipelines.rubrics.requests import generation_request, read_criteria, template
from pipelines.rubrics.retrieval import Found
from pipelines.rubrics.trials import read_all, tried
from schemas.recipe import RubricsSection
from schemas.record import content_id
from schemas.rubric import CriterionDrop, Origin, Rubric, rubric
from storage.root import Root
from storage.rubric_tables import Given, add_rubrics, read_rubrics
from storage.stages import Stage

_TRIAL_SETTINGS = ("panel", "min_panel", "max_hit_rate", "min_hit_rate", "max_similarity", "min_consistency")


@dataclass(frozen=True)
class Made:
    """What a run of rubric making came to."""

    questions: int
    """How many questions were to have a rubric."""
    kept_before: int
    """Of these, those whose rubric stays as it is."""
    rubrics: tuple[Rubric, ...]
    """Made, or tried again, in this run."""
    unwritten: tuple[str, ...]
    """Questions for which no readable rubric came, however often it was asked for: query_id and first words."""
    malformed: Mapping[str, int]
    """Answers that could not be read, by what was asked for and the reason, first attempts among them."""
    job: Job
    answers: Answers

    def as_json(self) -> dict[str, Any]:
        rubrics = Counter(str(one.drop_reason or "kept") for one in self.rubrics)
        criteria = Counter(str(one.drop_reason or "kept") for rubric in self.rubrics for one in rubric.criteria)
        return {
            "questions": self.questions,
            "kept_before": self.kept_before,
            "made": len(self.rubrics),
            "rubrics": dict(sorted(rubrics.items())),
            "criteria": dict(sorted(criteria.items())),
            "unwritten": list(self.unwritten),
            "malformed": dict(sorted(self.malformed.items())),
            "model": self.answers.facts(self.job) | {"cached": self.answers.cached},
        }

    def as_text(self) -> str:
        """Return it for a terminal."""
        found = self.as_json()
        lines = [
            f"{self.questions:,} questions: {self.kept_before:,} have their rubric, {len(self.rubrics):,} made or tried"
        ]
        lines += [
            f"{what}: {', '.join(f'{rows:,} {reason}' for reason, rows in found[what].items())}"
            for what in ("rubrics", "criteria")
            if found[what]
        ]
        if self.unwritten:
            lines.append(f"questions without a rubric: {len(self.unwritten):,}, the first: {self.unwritten[0]}")
        longer = f"; raise [rubrics] max_tokens above {self.job.settings.max_tokens:,}"
        lines += [
            f"{what}: {rows:,} answers{longer if what.endswith(': truncated') else ''}"
            for what, rows in found["malformed"].items()
        ]
        answers = self.answers
        if answers.requests:
            lines.append(f"{answers.requests:,} requests, {answers.bought:,} of them new, ${answers.cost_usd:,.4f}")
        return "\n".join(lines)


def make_rubrics(settings: RubricSettings, job: Job, root: Root, run: Run, curated: Stage) -> Made:
    """Make the rubrics that the recipe wants and the root lacks, and put them into the pools.

    Raises what asking and indexing raise; answers are kept.
    """
    rubrics = settings.rubrics
    asker, malformed = Asker(root, run, job), Counter[str]()
    sets = labelled_sets(curated)
    cases = chosen_cases(sets, rubrics.queries)
    known = {one.query_id: one for one in read_rubrics(root) if one.origin == Origin.GENERATED}
    trial = _trial(rubrics, job)
    new = [case for case in cases if case.query_id not in known]
    again = [case for case in cases if case.query_id in known and known[case.query_id].trial != trial]
    unwritten: tuple[str, ...] = ()
    made: tuple[Rubric, ...] = ()
    if new or again:
        drafts = _drafts(asker, malformed, new, _contexts(settings, root, run, curated, new))
        written = {case.query_id for case, _ in drafts}
        unwritten = tuple(
            f"{case.query_id} {' '.join(question_text(case.preference).split())[:60]!r}"
            for case in new
            if case.query_id not in written
        )
        to_try = [*drafts, *((case, known[case.query_id]) for case in again)]
        run.watcher.stage(f"choosing panels for {len(to_try):,} rubrics", None)
        embedder = cached_embedder(root, rubrics, settings.directory)
        panels = panels_of([case for case, _ in to_try], sets, embedder, rubrics.panel)
        fresh = [_without_near_duplicates(one, embedder, rubrics.max_similarity) for _, one in to_try]
        found = tried(asker, malformed, fresh, panels, rubrics)
        asker.check("rubrics")
        # Where an answer is still to come, the next run tries again, from what is stored.
        trial_id = None if asker.answers.given_up else trial
        made = tuple(
            replace(one, trial=trial_id, rests_on=_rests_on(one, case, panel))
            for one, (case, _), panel in zip(found, to_try, panels, strict=True)
        )
    add_rubrics(root, made)
    run.watcher.stage("indexing rubrics", None)
    with open_retriever(root, rubrics, run.keys, settings.directory):
        pass  # opening completes the pools, also after a run that was killed here
    return Made(len(cases), len(cases) - len(new) - len(again), made, unwritten, malformed, job, asker.answers)


def _trial(settings: RubricsSection, job: Job) -> str:
    """Return the hash of all that decides what a trial finds of a rubric, but for the sets that a root holds."""
    embedding = [settings.embedding, settings.revision]
    body = job.body((), 0.0)
    thresholds = settings.model_dump(include=set(_TRIAL_SETTINGS))
    return content_id("trial", thresholds, embedding, job.identity, body, template("judgement"))


def _contexts(settings: RubricSettings, root: Root, run: Run, curated: Stage, cases: Sequence[Case]) -> list[str]:
    """Return what the pools hold for each case, a criterion a line."""
    sets = {case.query_id: case.preference for case in cases}

    def questions(missing: Collection[str]) -> dict[str, tuple[str, str]]:
        return {query_id: (question_text(sets[query_id]), sets[query_id].domain) for query_id in missing}

    def as_given(found: Found, _: object) -> Given:
        """Return the criteria that were found, and all of the nearest case."""
        criteria = [one.criterion for one in found.criteria]
        criteria += found.cases[0].rubric.kept if found.cases else ()
        unique = {one.criterion_id: one.text for one in criteria}
        return Given(tuple(unique), "\n".join(f"- {text}" for text in unique.values()), ())

    contexts = looked_up("context", settings, root, run, curated, sets, questions, as_given)
    return [contexts[query_id].text for query_id in sets]


def _drafts(
    asker: Asker, malformed: Counter[str], cases: Sequence[Case], contexts: Sequence[str]
) -> list[tuple[Case, Rubric]]:
    """Return the cases with the rubrics that were written for them; those that nobody could write are counted."""
    requests = [
        partial(generation_request, asker.job, case, context) for case, context in zip(cases, contexts, strict=True)
    ]
    drafts = read_all(
        asker, malformed, "writing rubrics", requests, lambda place, text: _rubric(cases[place], text, asker.job)
    )
    return [(case, draft) for case, draft in zip(cases, drafts, strict=True) if draft is not None]


def _rubric(case: Case, text: str, job: Job) -> Rubric:
    """Return the rubric that an answer holds. Raises MalformedAnswer, InvalidRubric."""
    one = case.preference
    return rubric(
        query_id=one.query_id,
        cluster=one.cluster,
        case=question_text(one),
        domain=one.domain,
        source=one.source,
        license=one.license,
        origin=Origin.GENERATED,
        criteria=read_criteria(text, job.model.name),
    )


def _rests_on(rubric: Rubric, case: Case, panel: Sequence[Panelist]) -> tuple[str, ...]:
    """Return the other queries whose labels had a part in a rubric, in an earlier trial or this one."""
    others = {*rubric.rests_on, *(one.query_id for one in panel), *({case.other.query_id} if case.other else ())}
    return tuple(sorted(others - {rubric.query_id}))


def _without_near_duplicates(rubric: Rubric, embedder: Embedder, most: float) -> Rubric:
    """Return the rubric as before any trial, each criterion marked that is too near to a weightier or earlier one."""
    vectors = embedder.vectors([one.text for one in rubric.criteria])
    by_weight = sorted(range(len(rubric.criteria)), key=lambda place: (-abs(rubric.criteria[place].points), place))
    kept: list[int] = []
    criteria = list(rubric.criteria)
    for place in by_weight:
        is_repeat = any(float(vectors[place] @ vectors[other]) > most for other in kept)
        criteria[place] = replace(criteria[place], drop_reason=CriterionDrop.NEAR_DUPLICATE if is_repeat else None)
        if not is_repeat:
            kept.append(place)
    return replace(rubric, criteria=tuple(criteria), drop_reason=None)
