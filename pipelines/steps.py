"""The steps of a build, in the order that the data travels. What a step needs of the recipe is made here, once.

    read -> make sets -> curate -> give criteria -> sample and judge -> assemble; then publish

Each step finds its finished stage by fingerprint, and makes it only where it is missing. Two kinds of steps ask models:
those that make sets (of questions without answers, or by votes on uncertain labels), and those that sample and judge.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pipelines.curation.curation import curate, license_warnings, rules_of
from pipelines.engines.answering import Run, check_key, has_key
from pipelines.engines.asking import Answers, Asker, Product
from pipelines.judging.judging import Judged, find_judged, judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import asks_anything, sample_sets
from pipelines.orders import models_of
from pipelines.reporting.contamination import announced
from pipelines.reporting.publication import Published, make_latest, publish_snapshot
from pipelines.reviews.labels import review_checks, with_reviews
from pipelines.rubrics.giving import rubric_settings, with_criteria
from pipelines.rubrics.making import Made, make_rubrics
from pipelines.rubrics.nearest import nearest_queries
from pipelines.rubrics.requests import rubric_job
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.questions import questions_to_answer
from pipelines.synthesis.responding import ask_questions
from pipelines.synthesis.retagging import find_retagged, retag, retag_job, uncertain_sets
from pipelines.synthesis.synthesis import ROLES, find_synthesized, synthesis_job, synthesize
from pipelines.training_sets.assembly import assemble
from pipelines.walk import Asking, Step, walked
from schemas.errors import DamagedError, RecipeError
from schemas.recipe import GeneralSection, ModelSection, Recipe, SameAsGrm, SourceSection
from schemas.trajectory import Purpose
from storage.root import Root
from storage.stages import Stage

READ, GENERAL, MAKE, CURATE = "read source {}", "read_general", "make sets of source {}", "curate"
CRITERIA, JUDGE, ASSEMBLE = "give criteria", "sample and judge {}", "assemble"


def build(recipe: Recipe, root: Root, run: Run) -> Published:
    """Build every set of the recipe and publish them. Raises ForgeError; what was bought by then is kept."""
    published = publish(recipe, root, run, walked(steps_of(recipe), root, run))
    make_latest(root, published)
    return published


def build_rubrics(recipe: Recipe, root: Root, run: Run) -> Made:
    """Make the rubrics that the recipe wants and the root lacks, and index them. Raises ForgeError, as `build` does."""
    job = rubric_job(recipe)
    made: list[Made] = []

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        made.append(make_rubrics(rubric_settings(recipe), job, root, run, needed[0]))
        return Product(needed[0])

    step = Step("make rubrics", (CURATE,), make, job.role, {job.role: job.model})
    walked([*steps_to_sets(recipe, [job.model]), step], root, run)
    return made[0]


def publish(
    recipe: Recipe, root: Root, run: Run, made: Mapping[str, Product], check: Callable[[], None] = lambda: None
) -> Published:
    """Publish what the steps of a build made; LATEST stays where it is.

    `check` is called before anything is published, and raises what should stop it.
    """
    run.watcher.stage("publishing", None)
    check()
    sources = [made[name] for name in _set_names(recipe)]
    judged = {}
    for job in jobs_of(recipe):
        product = made[JUDGE.format(job.purpose)]
        bought = product.bought.get(job.role, 0)
        judged[job.purpose] = Judged(job, product.stage, max(0, product.stage.facts["requests"] - bought))
    curated, assembled = made[CRITERIA].stage, made[ASSEMBLE].stage
    checks = review_checks(root, curated, assembled)
    publish_tables = partial(publish_snapshot, recipe, root, sources, curated, judged, checks=checks, run_id=run.run_id)
    try:
        return publish_tables(assembled)
    except DamagedError as error:
        run.watcher.warn(f"{error}; it is assembled anew")
        root.remove(f"{assembled.key}/manifest.json")
        again = _assembly_step(recipe, jobs_of(recipe))
        return publish_tables(again.make(root, run, [made[name].stage for name in again.needs]).stage)


def steps_of(recipe: Recipe) -> tuple[Step, ...]:
    """Return the steps of a build, in order. Raises RecipeError where the recipe lacks sources or a model."""
    _check_sources(recipe)
    jobs = jobs_of(recipe)
    sets = steps_to_sets(recipe, [job.model for job in jobs])
    return (*sets, _criteria_step(recipe, jobs), *map(_judging_step, jobs), _assembly_step(recipe, jobs))


def steps_to_sets(recipe: Recipe, judges: Iterable[ModelSection]) -> tuple[Step, ...]:
    """Return the steps up to the curated sets.

    `judges` are the models that go on from there. Where the key of one of them is missing, or that of a model which
    makes sets, nothing is bought to make sets. Raises RecipeError where the recipe has no sources.
    """
    _check_sources(recipe)
    also_asked = (*(model for role, model in models_of(recipe).items() if role in ROLES), *judges)
    sections = list(enumerate(recipe.sources))
    return (
        *(_reading_step(recipe, index, section) for index, section in sections),
        *([_general_step(recipe, recipe.general)] if recipe.general else []),
        *(_making_step(recipe, index, one, also_asked) for index, one in sections if makes_sets(recipe, one)),
        _curation_step(recipe),
    )


def _check_sources(recipe: Recipe) -> None:
    if not recipe.sources:
        raise RecipeError("the recipe has no [[sources]] to make sets of; grmforge evaluate runs its [evaluate]")


def jobs_of(recipe: Recipe) -> list[SamplingJob]:
    """Return what must be sampled for the recipe's sets, in order. Raises RecipeError where it has no model for it."""
    jobs = []
    for purpose in purposes_of(recipe):
        if (job := sampling_job(recipe, purpose)) is None:
            raise RecipeError(f"the recipe names no model that samples {purpose}")
        jobs.append(job)
    return jobs


def purposes_of(recipe: Recipe) -> list[Purpose]:
    """Return what must be sampled for the recipe's sets, in order."""
    sets, grm_decides_difficulty = recipe.build.sets, isinstance(recipe.models.difficulty, SameAsGrm)
    wants_rft = "rft" in sets or "meta_rm" in sets or ("rl" in sets and grm_decides_difficulty)
    is_wanted = {
        Purpose.RFT: wants_rft,
        Purpose.DIFFICULTY: "rl" in sets and not grm_decides_difficulty,
        Purpose.ON_POLICY: "meta_rm" in sets and recipe.models.policy is not None,
        Purpose.PAIRED: wants_rft and recipe.grm.compare_principles,
    }
    return [purpose for purpose, wanted in is_wanted.items() if wanted]


def makes_sets(recipe: Recipe, section: SourceSection) -> bool:
    """Say whether models are asked for a source's sets."""
    return SOURCES[section.kind].gives == "questions" or retag_job(recipe, section) is not None


def check_keys(jobs: Iterable[SamplingJob], root: Root, run: Run, curated: Stage) -> None:
    """Raise EngineError where a key is missing that a later step needs, before an earlier one spends anything."""
    for job in jobs:
        if find_judged(root, job, curated, run.retry_failed):
            continue
        if has_key(job.model, run.keys) or asks_anything(root, job, curated, run.retry_failed):
            check_key(job.model, run.keys)


def _set_names(recipe: Recipe) -> list[str]:
    """Return the steps that end in each source's sets: those that make them, or else those that read them."""
    return [
        MAKE.format(index) if makes_sets(recipe, section) else READ.format(index)
        for index, section in enumerate(recipe.sources)
    ]


def _reading_step(recipe: Recipe, index: int, section: SourceSection) -> Step:
    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        run.watcher.stage(f"reading {section.source}", None)
        return Product(ingest(recipe, root, section))

    return Step(READ.format(index), (), make, section=section)


def _general_step(recipe: Recipe, section: GeneralSection) -> Step:
    return Step(GENERAL, (), lambda root, run, needed: Product(ingest(recipe, root, section)))


def _making_step(recipe: Recipe, index: int, section: SourceSection, also_asked: tuple[ModelSection, ...]) -> Step:
    """Return the step that makes a source's sets: of its questions, or by votes on its uncertain labels."""
    is_answered = SOURCES[section.kind].gives == "questions"
    buying = partial(replace, also_asked=also_asked)
    asking = (_answering if is_answered else _voting)(recipe, f"source {index}", section, buying)

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        return asking.finish(root, run, needed[0], Answers())

    roles = ROLES if is_answered else ROLES[1:]
    models = {role: model for role, model in models_of(recipe).items() if role in roles}
    return Step(MAKE.format(index), (READ.format(index),), make, roles[0], models, asking, section)


def _answering(recipe: Recipe, subject: str, section: SourceSection, buying: Callable[[Run], Run]) -> Asking:
    """The responder answers a source's questions. The teacher rephrases them before, and adds what is missing after."""
    job = synthesis_job(recipe)
    responder, teacher = (job.roles.get(role) for role in ROLES)

    def prepare(root: Root, run: Run, read: Stage) -> Product:
        run = buying(run)
        asker = Asker(root, run, teacher) if teacher else None
        checked = questions_to_answer(root, run, asker, read)
        return Product(checked, {"teacher": asker.answers.bought if asker else 0})

    def ask(root: Root, run: Run, checked: Stage, buckets: Collection[int]) -> Answers:
        if responder is not None:
            ask_questions(Asker(root, buying(run), responder), job.settings.samples, checked, buckets)
        return Answers()  # the sets are made in one stream, which asks again for what was given up

    def finish(root: Root, run: Run, read: Stage, answers: Answers) -> Product:
        return synthesize(job, root, buying(run), read)

    return Asking(subject, partial(find_synthesized, job), ask, finish, prepare)


def _voting(recipe: Recipe, subject: str, section: SourceSection, buying: Callable[[Run], Run]) -> Asking:
    """The teacher judges the uncertain sets of a source again."""
    votes = retag_job(recipe, section)
    assert votes is not None

    def ask(root: Root, run: Run, uncertain: Stage, buckets: Collection[int]) -> Answers:
        sample_sets(root, buying(run), votes, uncertain, buckets)
        return Answers()  # as with questions

    def finish(root: Root, run: Run, read: Stage, answers: Answers) -> Product:
        return retag(votes, recipe.build, root, buying(run), read)

    return Asking(
        subject,
        partial(find_retagged, votes, recipe.build),
        ask,
        finish,
        prepare=lambda root, run, read: Product(uncertain_sets(recipe.build, root, read)),
    )


def _curation_step(recipe: Recipe) -> Step:
    sets = _set_names(recipe)

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        run.watcher.stage("curating", None)
        curated = curate(rules_of(recipe), root, needed[: len(sets)], needed[-1] if recipe.general else None)
        contamination = curated.facts["contamination"]
        curated = with_reviews(recipe.reviews, root, curated)
        for line in (*announced(contamination), *license_warnings(recipe.build.licenses, curated)):
            run.watcher.warn(line)
        nearest_queries(recipe, root, curated)  # here, since what it may lack is to be missed before anything is bought
        return Product(curated)

    return Step(CURATE, (*sets, *([GENERAL] if recipe.general else [])), make)


def _criteria_step(recipe: Recipe, jobs: Sequence[SamplingJob]) -> Step:
    """Return the step that adds the criteria which judges are to see. It ends where a judge's key is missing."""

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        given = with_criteria(rubric_settings(recipe), root, run, needed[0])
        check_keys(jobs, root, run, given)
        return Product(given)

    return Step(CRITERIA, (CURATE,), make)


def _judging_step(job: SamplingJob) -> Step:
    """Return the step that has a purpose's samples answered, and reads them."""

    def finish(root: Root, run: Run, curated: Stage, answers: Answers) -> Product:
        run.watcher.stage(f"judging {job.purpose}", None)
        stage = judge(root, job, curated, answers)
        answers.recall(stage.facts)
        answers.check(run, job.purpose)
        return Product(stage)

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        if found := find_judged(root, job, needed[0], run.retry_failed):
            return Product(found)
        answers = sample_sets(root, run, job, needed[0])
        return replace(finish(root, run, needed[0], answers), bought={job.role: answers.bought})

    asking = Asking(
        job.purpose.value,
        find=lambda root, curated, retry_failed: find_judged(root, job, curated, retry_failed),
        ask=lambda root, run, curated, buckets: sample_sets(root, run, job, curated, buckets),
        finish=finish,
    )
    return Step(JUDGE.format(job.purpose), (CRITERIA,), make, job.role, {job.role: job.model}, asking, job=job)


def _assembly_step(recipe: Recipe, jobs: Sequence[SamplingJob]) -> Step:
    """Return the step that rejects, balances and assembles; no model is called."""
    sets = _set_names(recipe)
    purposes = [job.purpose for job in jobs]

    def make(root: Root, run: Run, needed: Sequence[Stage]) -> Product:
        run.watcher.stage("assembling", None)
        sources, (curated, *judged) = needed[: len(sets)], needed[len(sets) :]
        return Product(assemble(recipe, root, sources, curated, dict(zip(purposes, judged, strict=True))))

    return Step(ASSEMBLE, (*sets, CRITERIA, *(JUDGE.format(job.purpose) for job in jobs)), make)
