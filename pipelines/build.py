"""A build: the stages in the order that the data travels, as plain functions. The command and the flows both walk it.

    ingest -> synthesize -> curate -> sample -> judge -> assemble -> publish

Each stage finds its finished table by fingerprint and makes it only where it is missing; only `synthesize`, for sources
of questions without answers, and `sample` call models.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.curation.curation import curate, license_warnings
from pipelines.engines.answering import Run, Watcher, check_key, has_key, wait_for_batches
from pipelines.engines.budget import Budget
from pipelines.engines.early_stop import BUILD, Look
from pipelines.engines.outages import check_answers
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.engines.vllm.servers import Servers
from pipelines.judging.judging import Judged, find_judged, judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import asks_anything, sample_sets
from pipelines.reporting.publication import Published, make_latest, publish_snapshot
from pipelines.rubrics.giving import with_criteria
from pipelines.rubrics.made import Made
from pipelines.rubrics.making import make_rubrics
from pipelines.rubrics.requests import rubric_job
from pipelines.sources.ingestion import ingest, ingest_general
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.ahead import stage_asked
from pipelines.synthesis.retagging import find_retagged, retag, retag_job
from pipelines.synthesis.synthesis import ROLES, SourceSets, find_synthesized, synthesize
from pipelines.training_sets.assembly import assemble
from schemas.errors import DamagedError, RecipeError, Waiting
from schemas.recipe import TRAINING_SETS, ModelSection, Recipe, SameAsGrm, SourceSection, recipe_of
from schemas.trajectory import Purpose
from storage.journal import new_run_id
from storage.root import Root
from storage.stages import Stage
from storage.tombstones import forgotten


def build(recipe: Recipe, root: Root, run: Run) -> Published:
    """Build every set of the recipe and publish them. Raises ForgeError; what was bought by then is kept."""
    sources, curated = prepare(recipe, root, run)
    check_keys(recipe, root, run, curated)
    judged = sample_and_judge_all(recipe, root, run, curated)
    published = finish(recipe, root, run, sources, curated, judged)
    make_latest(root, published)
    return published


def prepare(recipe: Recipe, root: Root, run: Run) -> tuple[list[SourceSets], Stage]:
    """Return the sets of every source, and all of them curated, with the criteria that judges are to see."""
    sources, curated = curated_sets(recipe, root, run)
    return sources, with_criteria(recipe, root, run, curated)


def build_rubrics(recipe: Recipe, root: Root, run: Run) -> Made:
    """Make the rubrics that the recipe wants and the root lacks, and index them. Raises ForgeError, as `build` does."""
    model = rubric_job(recipe).model
    _, curated = curated_sets(recipe, root, buying_for(recipe, run, [model]))
    while True:
        try:
            return make_rubrics(recipe, root, run, curated)
        except Waiting:
            if not run.wait:
                raise
            wait_for_batches(root, run, [model])


def curated_sets(recipe: Recipe, root: Root, run: Run) -> tuple[list[SourceSets], Stage]:
    """Read every source, make sets where one has questions only, and curate them all."""
    named = [*(section.source for section in recipe.sources), *(["general"] if recipe.general else [])]
    forgotten(root).check_sources(named)  # before anything is spent on others
    sources = [source_sets(recipe, root, run, section) for section in recipe.sources]
    general = ingest_general(recipe, root, recipe.general) if recipe.general else None
    run.watcher.stage("curating", None)
    curated = curate(recipe, root, [source.stage for source in sources], general)
    for line in license_warnings(recipe, curated):
        run.watcher.warn(line)
    return sources, curated


def source_sets(recipe: Recipe, root: Root, run: Run, section: SourceSection) -> SourceSets:
    """Return the sets of one source; models are called only where it has questions without answers, or wants votes."""
    run.watcher.stage(f"reading {section.source}", None)
    read = ingest(recipe, root, section)
    is_whole = SOURCES[section.kind].gives == "sets"
    if is_whole and retag_job(recipe, section) is None:
        return SourceSets(read)
    models = _models(recipe)
    run = buying_for(recipe, run)
    while True:
        try:
            return retag(recipe, root, run, section, read) if is_whole else synthesize(recipe, root, run, read)
        except Waiting:
            if not run.wait:
                raise
            answering = [models[role] for role in ("responder", "teacher") if role in models]
            wait_for_batches(root, run, [model for model in answering if model.batch])


def rows_to_ask(recipe: Recipe, root: Root, run: Run, section: SourceSection) -> Stage | None:
    """Return the stage whose rows can be asked about in shares before `source_sets`; None where the sets are made."""
    read = ingest(recipe, root, section)
    if _has_sets(recipe, root, run, section, read):
        return None
    return stage_asked(recipe, root, buying_for(recipe, run), section, read)


def _has_sets(recipe: Recipe, root: Root, run: Run, section: SourceSection, read: Stage) -> bool:
    if SOURCES[section.kind].gives == "sets":
        return find_retagged(recipe, root, section, read, run.retry_failed) is not None
    return find_synthesized(recipe, root, read, run.retry_failed) is not None


def buying_for(recipe: Recipe, run: Run, judges: Iterable[ModelSection] | None = None) -> Run:
    """Return the run as it makes sets: it buys nothing where a key is missing of a model that goes on from there.

    Those are the models that make sets, and the `judges` of these: all that the recipe's training sets want, or those
    that are known to the run already.
    """
    if run.also_asked and judges is None:
        return run
    if judges is None:
        judges = [job.model for purpose in purposes_of(recipe) if (job := sampling_job(recipe, purpose)) is not None]
    makers = [model for role, model in _models(recipe).items() if role in ROLES]
    return replace(run, also_asked=(*makers, *judges))


def _models(recipe: Recipe) -> dict[str, ModelSection]:
    """Return the recipe's models by role."""
    models = {role: getattr(recipe.models, role) for role in type(recipe.models).model_fields}
    return {role: model for role, model in models.items() if isinstance(model, ModelSection)}


def check_keys(recipe: Recipe, root: Root, run: Run, curated: Stage) -> None:
    """Raise EngineError where a key is missing that a later stage needs, before an earlier one spends anything."""
    for purpose in purposes_of(recipe):
        job = sampling_job(recipe, purpose)
        if job is None or find_judged(root, job, curated, run.retry_failed):
            continue
        if has_key(job.model, run.keys) or asks_anything(root, job, curated, run.retry_failed):
            check_key(job.model, run.keys)


def sample_and_judge_all(recipe: Recipe, root: Root, run: Run, curated: Stage) -> dict[Purpose, Judged]:
    """See that every purpose's samples are answered, and read them.

    Raises Waiting where answers lie in batches, but only after every purpose has submitted its own: they do not wait
    for each other. With `run.wait` it stays, and goes on whenever a batch has ended.
    """
    judged: dict[Purpose, Judged] = {}
    while True:
        waiting: list[str] = []
        models: list[ModelSection] = []
        for purpose in purposes_of(recipe):
            if purpose in judged:
                continue
            try:
                judged[purpose] = sample_and_judge(recipe, root, run, purpose, curated)
            except Waiting as error:
                waiting.append(str(error))
                models.append(job_of(recipe, purpose).model)
        if not waiting:
            return {purpose: judged[purpose] for purpose in purposes_of(recipe)}
        if not run.wait:
            raise Waiting("; ".join(waiting))
        wait_for_batches(root, run, models)


def sample_and_judge(recipe: Recipe, root: Root, run: Run, purpose: Purpose, curated: Stage) -> Judged:
    """See that a purpose's samples are answered, and read them."""
    if found := find_sampled(recipe, root, purpose, curated, run.retry_failed):
        return found
    bought = run.budget.answers
    given_up = sample(recipe, root, run, purpose, curated)
    return judge_samples(recipe, root, run, purpose, curated, given_up, run.budget.answers - bought)


def find_sampled(
    recipe: Recipe, root: Root, purpose: Purpose, curated: Stage, retry_failed: bool = False
) -> Judged | None:
    """Return a purpose's trajectories where all its samples were answered and read before."""
    job = job_of(recipe, purpose)
    found = find_judged(root, job, curated, retry_failed)
    return Judged(job, found, found.facts["requests"]) if found else None


def sample(
    recipe: Recipe, root: Root, run: Run, purpose: Purpose, curated: Stage, buckets: Collection[int] = ALL_BUCKETS
) -> dict[str, str]:
    """See that a purpose's samples in these buckets are answered; return those given up, with their last error."""
    return sample_sets(root, run, job_of(recipe, purpose), curated, buckets)


def judge_samples(
    recipe: Recipe, root: Root, run: Run, purpose: Purpose, curated: Stage, given_up: Mapping[str, str], bought: int
) -> Judged:
    """Read a purpose's samples, all of which were asked for; `bought` of them in this run."""
    job = job_of(recipe, purpose)
    run.watcher.stage(f"judging {purpose}", None)
    stage = judge(root, job, curated, given_up)
    facts = stage.facts
    check_answers(run, purpose, facts["requests"], facts["failed"], given_up, facts["error"])
    return Judged(job, stage, max(0, facts["requests"] - bought))


def job_of(recipe: Recipe, purpose: Purpose) -> SamplingJob:
    """Return what is sampled for a purpose. Raises RecipeError where the recipe has no model for it."""
    job = sampling_job(recipe, purpose)
    if job is None:
        raise RecipeError(f"the recipe names no model that samples {purpose}")
    return job


def finish(
    recipe: Recipe,
    root: Root,
    run: Run,
    sources: Sequence[SourceSets],
    curated: Stage,
    judged: Mapping[Purpose, Judged],
    check: Callable[[], None] = lambda: None,
) -> Published:
    """Reject, balance, assemble and publish; no model is called, and LATEST stays where it is.

    `check` is called before anything is published, and raises what should stop it.
    """
    run.watcher.stage("assembling", None)
    stages = [source.stage for source in sources]
    trajectories = {purpose: one.stage for purpose, one in judged.items()}
    assembled = assemble(recipe, root, stages, curated, trajectories)
    run.watcher.stage("publishing", None)
    check()
    try:
        return publish_snapshot(recipe, root, sources, curated, judged, assembled, run.run_id)
    except DamagedError as error:
        run.watcher.warn(f"{error}; it is assembled anew")
        root.remove(f"{assembled.key}/manifest.json")
        assembled = assemble(recipe, root, stages, curated, trajectories)
        return publish_snapshot(recipe, root, sources, curated, judged, assembled, run.run_id)


def purposes_of(recipe: Recipe) -> list[Purpose]:
    """Return what must be sampled for the recipe's sets, in order."""
    sets = recipe.build.sets
    purposes = []
    grm_decides_difficulty = isinstance(recipe.models.difficulty, SameAsGrm)
    if "rft" in sets or "meta_rm" in sets or ("rl" in sets and grm_decides_difficulty):
        purposes.append(Purpose.RFT)
    if "rl" in sets and not grm_decides_difficulty:
        purposes.append(Purpose.DIFFICULTY)
    if "meta_rm" in sets and recipe.models.policy is not None:
        purposes.append(Purpose.ON_POLICY)
    if recipe.grm.compare_principles and Purpose.RFT in purposes:
        purposes.append(Purpose.PAIRED)
    return purposes


def new_run(
    recipe: Recipe,
    environment: Mapping[str, str],
    watcher: Watcher,
    retry_failed: bool = False,
    wait: bool = False,
    run_id: str | None = None,
    looks: tuple[Look, ...] = BUILD,
) -> Run:
    """Return a run with the recipe's budget, and the keys that its models need and the environment has.

    `looks` says when a role whose first answers are of no use ends it; without any it keeps going. Its `servers` are
    the caller's to close, in whatever way the run ends.
    """
    variables = [recipe.rubrics.token_env, *(model.key_variable for model in _models(recipe).values())]
    keys = {name: environment[name] for name in variables if name is not None and name in environment}
    servers = Servers(Path(recipe.directory))
    budget = Budget.of(recipe.budget)
    return Run(run_id or new_run_id(), budget, keys, watcher, retry_failed, wait, looks=looks, servers=servers)


def changed(recipe: Recipe, *, sets: str | None = None, root: str | None = None, limit: int | None = None) -> Recipe:
    """Return the recipe with what a command's or a flow's parameters change in it.

    `sets` is a comma-separated choice; a part of the recipe's sets is published under a name that says so, such as
    `<name>-rft`. `limit` bounds the rows of every source.
    """
    tree = recipe.model_dump(exclude_unset=True)
    if sets is not None:
        named = {name.strip() for name in sets.split(",") if name.strip()}
        unknown = sorted(named - set(recipe.build.sets))
        if unknown or not named:
            wrong = ", ".join(unknown) or repr(sets)
            raise RecipeError(f"--sets {wrong}: the recipe's sets are {', '.join(recipe.build.sets)}")
        chosen = [name for name in TRAINING_SETS if name in named]  # one name, in whatever order they were asked for
        if named != set(recipe.build.sets):
            tree["build"] |= {"sets": chosen, "name": "-".join([recipe.build.name, *chosen])}
    if root is not None:
        tree["build"]["root"] = root
    if limit is not None:
        for source, section in zip(tree["sources"], recipe.sources, strict=True):
            source["limit"] = min(limit, section.limit or limit)
    return recipe_of(tree, Path(recipe.directory))
