"""Making rubrics: for questions with labelled answers, in the context of what the pools hold, tried on a panel.

    curated sets -> cases -> retrieved -> generated -> near-duplicates out -> tried on panels, filtered -> stored

A question that has a rubric keeps it; it is only tried again when the settings of trials change. What is made joins
the root's rubrics at the end: a killed run asks for the same once more, finds the answers, and goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

from pipelines.engines.answering import Run
from pipelines.engines.outages import check_answers
from pipelines.engines.protocol import request_body
from pipelines.rubrics.cases import Case, chosen_cases, labelled_sets, own_queries, question_text
from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.giving import licensed
from pipelines.rubrics.made import Made
from pipelines.rubrics.opening import cached_embedder, open_retriever
from pipelines.rubrics.panels import Panelist, panels_of
from pipelines.rubrics.prompts import read_criteria, template
from pipelines.rubrics.requests import generation_request, rubric_job
from pipelines.rubrics.retrieval import Found, Question
from pipelines.rubrics.trials import Desk, tried
from pipelines.synthesis.answers import AnswerJob
from pipelines.synthesis.asking import Asked
from schemas.generation import Request
from schemas.recipe import Recipe, RubricsSection
from schemas.record import content_id
from schemas.rubric import CriterionDrop, Origin, Rubric, rubric
from storage.root import Root
from storage.rubric_tables import Given, add_given, add_rubrics, read_given, read_rubrics
from storage.stages import Stage

_SEARCH_SETTINGS = ("k", "candidates", "lexical_weight", "reranker", "embedding", "revision", "seeds")
_TRIAL_SETTINGS = ("panel", "min_panel", "max_hit_rate", "min_hit_rate", "max_similarity", "min_consistency")


def make_rubrics(recipe: Recipe, root: Root, run: Run, curated: Stage) -> Made:
    """Make the rubrics that the recipe wants and the root lacks, and put them into the pools.

    Raises RecipeError where no model is named for it, and what asking and indexing raise; answers are kept.
    """
    settings, directory = recipe.rubrics, Path(recipe.directory)
    asked = Asked(rubric_job(recipe))
    desk = Desk(root, run, asked)
    sets = labelled_sets(curated)
    cases = chosen_cases(sets, settings.queries)
    known = {one.query_id: one for one in read_rubrics(root) if one.origin == Origin.GENERATED}
    trial = _trial(settings, asked.job)
    new = [case for case in cases if case.query_id not in known]
    again = [case for case in cases if case.query_id in known and known[case.query_id].trial != trial]
    unwritten: tuple[str, ...] = ()
    if new or again:
        drafts = _drafts(desk, new, _contexts(recipe, root, run, curated, new))
        written = {case.query_id for case, _ in drafts}
        unwritten = tuple(_named(case) for case in new if case.query_id not in written)
        to_try = [*drafts, *((case, known[case.query_id]) for case in again)]
        run.watcher.stage(f"choosing panels for {len(to_try):,} rubrics", None)
        embedder = cached_embedder(root, settings, directory)
        panels = panels_of([case for case, _ in to_try], sets, embedder, settings.panel)
        fresh = [_without_near_duplicates(one, embedder, settings.max_similarity) for _, one in to_try]
        found = tried(desk, fresh, panels, settings)
        check_answers(run, "rubrics", asked.requests, asked.failed, asked.given_up, asked.error, len(asked.questions))
        # Where an answer is still to come, the next run tries again, from what is stored.
        trial_id = None if asked.given_up else trial
        made = tuple(
            replace(one, trial=trial_id, rests_on=_rests_on(one, case, panel))
            for one, (case, _), panel in zip(found, to_try, panels, strict=True)
        )
    else:
        made = ()
    add_rubrics(root, made)
    run.watcher.stage("indexing rubrics", None)
    with open_retriever(root, settings, run.keys, directory):
        pass  # opening completes the pools, also after a run that was killed here
    return Made(len(cases), len(cases) - len(new) - len(again), made, unwritten, desk.malformed, asked)


def _named(case: Case) -> str:
    """Return a question as it is named to people."""
    return f"{case.query_id} {' '.join(question_text(case.preference).split())[:60]!r}"


def _trial(settings: RubricsSection, job: AnswerJob) -> str:
    """Return the hash of all that decides what a trial finds of a rubric, but for the sets that a root holds."""
    embedding = [settings.embedding, settings.revision]
    body = request_body(job.model, (), temperature=0.0, max_tokens=job.max_tokens)
    thresholds = settings.model_dump(include=set(_TRIAL_SETTINGS))
    return content_id("trial", thresholds, embedding, job.identity, body, template("judgement"))


def _contexts(recipe: Recipe, root: Root, run: Run, curated: Stage, cases: Sequence[Case]) -> list[str]:
    """Return what the pools hold for each case, a criterion a line: what they held when it was first looked up.

    Kept, since the pools grow: a run that goes on after a stop, or asks again for what was malformed, must find its
    answers.
    """
    settings = recipe.rubrics
    settings_id = content_id("context", settings.model_dump(include=set(_SEARCH_SETTINGS)), *licensed(recipe))
    own = own_queries(curated)
    wanted: Mapping[str, AbstractSet[str]] = {case.query_id: own[case.query_id] for case in cases}
    contexts = read_given(root, settings_id, wanted)
    missing = [case for case in cases if case.query_id not in contexts]
    if missing:
        run.watcher.stage(f"searching the pools for {len(missing):,} questions", None)
        questions = [
            Question(question_text(case.preference), case.preference.domain, frozenset(wanted[case.query_id]))
            for case in missing
        ]
        directory = Path(recipe.directory)
        with open_retriever(root, settings, run.keys, directory, recipe.build.licenses) as retriever:
            found = [_context(one) for one in retriever.search(questions, settings.k)]
        new = {case.query_id: one for case, one in zip(missing, found, strict=True)}
        add_given(root, settings_id, new)
        contexts |= new
    return [contexts[case.query_id].text for case in cases]


def _context(found: Found) -> Given:
    """Return the criteria that were found, and all of the nearest case."""
    criteria = [one.criterion for one in found.criteria]
    criteria += found.cases[0].rubric.kept if found.cases else ()
    unique = {one.criterion_id: one.text for one in criteria}
    return Given(tuple(unique), "\n".join(f"- {text}" for text in unique.values()), ())


def _drafts(desk: Desk, cases: Sequence[Case], contexts: Sequence[str]) -> list[tuple[Case, Rubric]]:
    """Return the cases with the rubrics that were written for them; those that nobody could write are counted."""
    job = desk.asked.job

    def request(case: Case, context: str) -> Callable[[int], Request]:
        return lambda attempt: generation_request(job, case, context, attempt)

    drafts = desk.read(
        "writing rubrics",
        [request(case, context) for case, context in zip(cases, contexts, strict=True)],
        lambda at, text: _rubric(cases[at], text, job),
    )
    return [(case, draft) for case, draft in zip(cases, drafts, strict=True) if draft is not None]


def _rubric(case: Case, text: str, job: AnswerJob) -> Rubric:
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
    by_weight = sorted(range(len(rubric.criteria)), key=lambda at: (-abs(rubric.criteria[at].points), at))
    kept: list[int] = []
    criteria = list(rubric.criteria)
    for at in by_weight:
        is_repeat = any(float(vectors[at] @ vectors[other]) > most for other in kept)
        criteria[at] = replace(criteria[at], drop_reason=CriterionDrop.NEAR_DUPLICATE if is_repeat else None)
        if not is_repeat:
            kept.append(at)
    return replace(rubric, criteria=tuple(criteria), drop_reason=None)
