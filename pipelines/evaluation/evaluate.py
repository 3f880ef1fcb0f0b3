"""`grmforge evaluate`: a judge on benchmarks, from reading them to the published evaluation.

read the benchmarks -> ask the judge -> read its judgements -> figures, claims -> evaluations/<name>/<version>/
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.engines.answering import Run, check_key, has_key, wait_for_batches
from pipelines.engines.asking import Answers, find_answered
from pipelines.engines.jobs import Job
from pipelines.evaluation.asking import ask, missing_samples
from pipelines.evaluation.curves import check_family
from pipelines.evaluation.judges import greedy, judge_of
from pipelines.evaluation.meta_rm import ROLE as META_RM
from pipelines.evaluation.meta_rm import MetaRm, meta_rm_of
from pipelines.evaluation.own_sets import trained_queries
from pipelines.evaluation.prompts import Prompt, prompts_of
from pipelines.evaluation.publication import Evaluated, Writers, publish
from pipelines.evaluation.reading import ReadBenchmark, read_benchmark, without_single_rows
from pipelines.evaluation.reward_model import ROLE as REWARD_MODEL
from pipelines.evaluation.reward_model import reward_model_of
from pipelines.evaluation.samples import Judge
from pipelines.evaluation.scoring import ask_for_scores
from pipelines.evaluation.summing_up import Attack, Judged, attack_on, sum_up
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import READER_VERSION
from schemas.errors import RecipeError, Waiting
from schemas.evaluation import CREDITS, FIGURES, ITEMS, JUDGEMENTS, Protocol
from schemas.manifest import ModelUse
from schemas.recipe import Recipe, recipe_of
from storage.root import Root
from storage.stages import Stage, stage_key

STAGE_VERSION = 2
_VERSION = STAGE_VERSION * 1000 + READER_VERSION  # another reader reads every stored answer anew
SCHEMAS = {"items": ITEMS, "judgements": JUDGEMENTS, "figures": FIGURES, "credits": CREDITS}


class Sent(NamedTuple):
    """What was sent in one run."""

    answers: Answers
    """Of the judge."""
    scores: Answers
    """Of the Meta RM."""


@dataclass(frozen=True)
class Asked:
    """One benchmark, and what the judge is asked about it."""

    read: ReadBenchmark
    judge: Judge
    greedy: SamplingJob | None
    """The same judge at temperature 0, once; None where it is not asked."""
    prompts: Sequence[Prompt]
    attacks: Mapping[str, Attack]
    meta_rm: MetaRm | None
    """Scores the judge's answers; None where there is none, or nothing to choose."""

    @property
    def orders(self) -> Iterator[tuple[Judge, Sequence[Prompt]]]:
        """Yield all that is asked: a judge, and the prompts that it is shown."""
        yield self.judge, self.prompts
        if self.greedy is not None:
            yield self.greedy, self.prompts
            for attack in self.attacks.values():
                yield self.greedy, attack.prompts


def evaluating(
    recipe: Recipe, *, role: str | None = None, k_max: int | None = None, limit: int | None = None
) -> Recipe:
    """Return the recipe with what a command's or a flow's parameters change in its evaluation. Raises RecipeError."""
    tree = recipe.model_dump(exclude_unset=True)
    settings = tree.setdefault("evaluate", {})
    if role is not None:
        settings["judge"] = role
    if k_max is not None:
        settings["k_max"] = k_max
    if limit is not None:
        for section in settings.get("benchmarks", ()):
            section["limit"] = min(limit, section.get("limit") or limit)
    return recipe_of(tree, Path(recipe.directory))


def name_of(recipe: Recipe) -> str:
    """Return what the evaluation is called."""
    return recipe.evaluate.name or f"{recipe.build.name}-{recipe.evaluate.judge}"


def asked_of(recipe: Recipe, root: Root) -> list[Asked]:
    """Read the recipe's benchmarks; return what the judge is asked about each. Raises RecipeError and SourceError."""
    settings = recipe.evaluate
    if not settings.benchmarks:
        raise RecipeError("the recipe has no [[evaluate.benchmarks]] to evaluate a judge on")
    check_family(recipe)
    if settings.judge == REWARD_MODEL:
        return list(_scored_alone(recipe, root))
    meta_rm = meta_rm_of(recipe) if settings.k_max > 1 else None
    asked = []
    for section in settings.benchmarks:
        read = read_benchmark(recipe, root, section)
        judge = judge_of(
            recipe,
            settings.judge,
            settings.k_max,
            grades_single=read.grades_single,
            temperature=settings.temperature,
            logprobs=settings.logprobs,
        )
        # At temperature 0 the samples themselves are greedy.
        beside = greedy(judge) if settings.greedy and judge.settings.temperature else None
        attacks: dict[str, Attack] = {attack: attack_on(read, attack) for attack in settings.attacks}
        asked.append(Asked(read, judge, beside, prompts_of(read.rows, read.protocol, read.title), attacks, meta_rm))
    return asked


def _scored_alone(recipe: Recipe, root: Root) -> Iterator[Asked]:
    """Yield what a reward model is asked: the score of every response, once."""
    judge = reward_model_of(recipe)
    for section in recipe.evaluate.benchmarks:
        read = without_single_rows(read_benchmark(recipe, root, section, Protocol.SINGLE))
        yield Asked(read, judge, None, prompts_of(read.rows, read.protocol, read.title), {}, None)


def evaluate(recipe: Recipe, root: Root, run: Run) -> Evaluated:
    """Evaluate the recipe's judge and publish what comes of it. Raises ForgeError; what was bought by then is kept."""
    run.watcher.stage("reading benchmarks", None)
    asked = asked_of(recipe, root)
    trained = trained_queries(recipe, root)
    sent = Sent(Answers(), Answers())
    stage = None if run.retry_failed else find_answered(root, _key(recipe, asked, trained, sent), False)
    if stage is None:
        sent = _send(root, run, asked)
        stage = _stage(recipe, root, run, asked, trained, sent)
    judge, meta_rm = asked[0].judge, asked[0].meta_rm
    use = _use(judge, stage.facts, sent.answers)
    of_meta_rm = None if meta_rm is None else _use(meta_rm.job, stage.facts["meta_rm"], sent.scores)
    return publish(recipe, name_of(recipe), stage, judge.model.name, use, of_meta_rm)


def _use(job: Job, facts: Mapping[str, Any], sent: Answers) -> ModelUse:
    """Return what a model was asked, as manifests have it."""
    return ModelUse(
        role=job.role,
        engine=job.model.engine,
        model=job.model.name,
        cached=max(0, facts["requests"] - sent.bought),
        **{key: facts[key] for key in ("requests", "failed", "prompt_tokens", "completion_tokens", "cost_usd")},
    )


def _send(root: Root, run: Run, asked: Sequence[Asked]) -> Sent:
    """See that every sample has its answer, and then that every judgement has its score, where a Meta RM gives one."""
    models = [one.meta_rm.job.model for one in asked if one.meta_rm is not None]
    answers, scores = _ask(root, replace(run, also_asked=tuple(models[:1])), asked), Answers()
    for one in asked:
        if one.meta_rm is not None and isinstance(one.judge, SamplingJob):
            scores.add(ask_for_scores(root, run, one.meta_rm, one.judge, one.read.rows, one.prompts, one.read.title))
    return Sent(answers, scores)


def _ask(root: Root, run: Run, asked: Sequence[Asked]) -> Answers:
    """See that every sample has its answer; return what was bought, and what was given up.

    A benchmark whose answers lie in batches does not hold up the others. Raises Waiting once all are submitted, unless
    the run waits for them.
    """
    pending = [(one.read.title, judge, prompts) for one in asked for judge, prompts in one.orders]
    for _, judge, prompts in pending:  # before anything is bought
        if not has_key(judge.model, run.keys) and missing_samples(root, prompts, judge, run.retry_failed):
            check_key(judge.model, run.keys)
    answers = Answers()
    while pending:
        waiting: list[tuple[str, Judge, Sequence[Prompt]]] = []
        errors: list[Waiting] = []
        for title, judge, prompts in pending:
            try:
                answers.add(ask(root, run, judge, prompts, title))
            except Waiting as error:
                waiting.append((title, judge, prompts))
                errors.append(error)
        if errors and not run.wait:
            raise Waiting("; ".join(map(str, errors)))
        if waiting:
            wait_for_batches(root, run, [judge.model for _, judge, _ in waiting])
        pending = waiting
    return answers


def _key(recipe: Recipe, asked: Sequence[Asked], trained: frozenset[str], sent: Sent) -> str:
    """Return the key of the stage: all that the figures depend on."""
    of_benchmarks = [
        [one.read.title, one.read.protocol, one.read.settings, [judge.key_settings() for judge, _ in one.orders]]
        for one in asked
    ]
    settings = [
        of_benchmarks,
        recipe.evaluate.replicates,
        recipe.evaluate.compare,
        recipe.evaluate.attacks,
        recipe.build.seed,
        sorted(trained),
    ]
    if (meta_rm := asked[0].meta_rm) is not None:
        settings = [settings, sent.scores.in_key(meta_rm.key_settings())]
    return stage_key("evaluated", _VERSION, sent.answers.in_key(settings), [one.read.sha256 for one in asked])


def _stage(recipe: Recipe, root: Root, run: Run, asked: Sequence[Asked], trained: frozenset[str], sent: Sent) -> Stage:
    """Read every judgement, compute every figure, and write the tables."""
    key = _key(recipe, asked, trained, sent)
    judged = [Judged(one.read, one.prompts, one.judge, one.greedy, one.attacks, one.meta_rm) for one in asked]
    answers, scores = Answers(), Answers()
    with Writers(root, key) as writers:
        facts = sum_up(recipe, root, run, judged, trained, writers.write, answers, scores)
    answers.check(run, asked[0].judge.role)
    scores.check(run, META_RM)
    return writers.finish(facts | {"meta_rm": scores.facts()})
