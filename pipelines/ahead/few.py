"""The few sets that a probe samples: how their questions were answered, and how quickly. The build uses all of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.ahead.estimates import hours_for, time_words
from pipelines.ahead.inputs import kept_questions
from pipelines.engines.answering import Run
from pipelines.engines.asking import Product
from pipelines.engines.budget import cost_usd
from pipelines.judging.sampling import SAMPLED_SPLITS
from pipelines.orders import models_of
from pipelines.reporting.visible import visible
from pipelines.rubrics.giving import rubric_settings, with_criteria
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from pipelines.steps import CURATE, steps_to_sets
from pipelines.synthesis.answers import answer_job, answer_prompt, answer_request, candidate_of
from pipelines.synthesis.grading import graded
from pipelines.synthesis.questions import checked_questions, questions_to_ask
from pipelines.synthesis.synthesis import ROLES
from pipelines.walk import Step, walked
from schemas.candidate import Candidate, Origin
from schemas.errors import ForgeError
from schemas.preference import SETS
from schemas.question import Question
from schemas.recipe import ModelSection, Recipe, SourceSection
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_table

STAGE_VERSION = 1


@dataclass(frozen=True)
class FewSets:
    """Sets to probe with."""

    curated: Stage
    """All sets of the recipe; where some are still to be made of questions, those of a few rows of each source."""
    made: tuple[tuple[SourceSection, Product], ...] = ()
    """The sources of questions whose sets are not all made yet, with the few that are."""
    is_whole: bool = True
    """Whether these are all sets of the recipe."""

    @property
    def timings(self) -> dict[str, tuple[int, float]]:
        """How many answers were bought from each role that made them, and in how many seconds."""
        products = [product for _, product in self.made]
        return {
            role: (
                sum(product.bought.get(role, 0) for product in products),
                sum(product.seconds.get(role, 0.0) for product in products),
            )
            for role in ROLES
        }


def at_once(recipe: Recipe) -> Recipe:
    """Return the recipe with no model asked by batch.

    A probe wants to know now: it asks at once, at the full price, what the build would put into a batch.
    """
    models = {role: model.model_copy(update={"batch": False}) for role, model in models_of(recipe).items()}
    return recipe.model_copy(update={"models": recipe.models.model_copy(update=models)})


def few_sets(recipe: Recipe, root: Root, run: Run, judges: Sequence[ModelSection], n: int) -> FewSets:
    """Return sets for a probe of `n`; the `judges` are asked about them later.

    Where questions are still to be answered, `n` rows of all sources together are read, and only their questions
    answered. The sets that these give are enough for a probe, and the build would ask for the same answers.
    """
    steps = steps_to_sets(recipe, judges)
    unmade = [step.section.source for step in steps if step.section and _is_unmade(steps, step, root, run)]
    if not unmade:
        return FewSets(walked(steps, root, run)[CURATE].stage)
    few = math.ceil(n / len(recipe.sources))
    sections = [section.model_copy(update={"limit": min(few, section.limit or few)}) for section in recipe.sources]
    steps = steps_to_sets(recipe.model_copy(update={"sources": tuple(sections), "general": None}), judges)
    products = walked(steps, root, run)
    made = [(step.section, products[step.name]) for step in steps if step.asking and step.section]
    of_questions = tuple(
        (section, product)
        for section, product in made
        if section.source in unmade and SOURCES[section.kind].gives == "questions"
    )
    return FewSets(products[CURATE].stage, of_questions, is_whole=False)


def few_of(recipe: Recipe, root: Root, run: Run, curated: Stage, n: int) -> Stage:
    """Return the stage of those `n` sets that a probe samples, with the criteria that judges are to see."""
    return with_criteria(rubric_settings(recipe), root, run, _smallest(root, curated, n))


def _is_unmade(steps: Sequence[Step], step: Step, root: Root, run: Run) -> bool:
    """Say whether models are still to be asked for sets of a source."""
    if step.asking is None:
        return False
    (reading,) = (earlier for earlier in steps if earlier.name in step.needs)
    return step.asking.find(root, reading.make(root, run, ()).stage, False) is None


def _smallest(root: Root, curated: Stage, n: int) -> Stage:
    """Return a stage with the `n` sampled sets of the smallest set_id, so that a larger probe holds a smaller one."""
    key = stage_key("probed", STAGE_VERSION, n, [curated.content])
    if found := find_stage(root, key):
        return found
    sets = read_table(curated.paths("sets"), SETS)
    frame = pl.DataFrame(pl.from_arrow(sets.select(["set_id", "split", "drop_reason"])))
    sampled = frame.with_row_index("row").filter(
        pl.col("drop_reason").is_null() & pl.col("split").is_in(SAMPLED_SPLITS)
    )
    if not sampled.height:
        raise ForgeError("probe: the recipe keeps no train or validation set; grmforge plan shows what was dropped")
    with TableWriter(root, key, "sets", SETS) as writer:
        writer.write(sets.take(sampled.sort("set_id").head(n)["row"].sort().to_arrow()))
    return finish_stage(root, key, {"sets": writer.files}, {}, [curated])


@dataclass(frozen=True)
class RoleUse:
    """What one role was asked for the questions of a probe, and what all questions would take."""

    role: str
    model: str
    requests: int
    prompt_tokens: int
    answer_tokens: int
    build_requests: int
    build_prompt_tokens: int
    build_answer_tokens: int
    build_cost_usd: float | None
    build_hours: float | None
    """At the probe's rate; None where nothing was bought."""

    def words(self) -> str:
        cost = "" if self.build_cost_usd is None else f", ${self.build_cost_usd:,.2f}"
        time = "" if self.build_hours is None else f", {time_words(self.build_hours)} at this rate"
        return (
            f"{self.build_requests:,} requests to {self.model}, {self.build_prompt_tokens:,} prompt tokens, "
            f"{self.build_answer_tokens:,} answer tokens{cost}{time}"
        )


@dataclass(frozen=True)
class AnsweredSource:
    """How the questions of one source were answered."""

    source: str
    questions: int
    verdicts: dict[str, int]
    """Answers by origin and verdict, such as "responder: right"."""
    sets: int
    """Sets with a right and a wrong response that came of them."""
    singles: int
    """Sets of one response."""
    build_questions: int
    """Of the whole source."""
    uses: tuple[RoleUse, ...]
    prompt: str | None = None
    """One question as it was asked, and an answer with its reasoning; None where all answers came with the source."""
    answer: str | None = None
    verdict: str | None = None

    def example_lines(self) -> list[str]:
        """Return one whole question and answer."""
        if self.prompt is None or self.answer is None:
            return []
        return [
            *(f"one question of {self.source} as it is asked:", "", visible(self.prompt), ""),
            *("-" * 20 + f" an answer to it ({self.verdict}) " + "-" * 20, "", visible(self.answer), "", "-" * 52),
        ]

    def lines(self) -> Iterator[str]:
        """Yield what the answers looked like, and what the whole source would take."""
        yield f"{self.source}: {self.questions} questions gave {self.sets} sets, {self.singles} single responses"
        for origin in dict.fromkeys(name.split(": ")[0] for name in self.verdicts):
            counts = {name: rows for name, rows in self.verdicts.items() if name.startswith(f"{origin}: ")}
            answers = sum(counts.values())
            shares = ", ".join(
                f"{rows / answers:.0%} {name.split(': ')[1].replace('_', ' ')}"
                for name, rows in sorted(counts.items(), key=lambda item: -item[1])
            )
            yield f"  {origin:<11} {answers:,} answers: {shares}"
        for use in self.uses:
            yield f"  all {self.build_questions:,} questions: {use.words()}"


def answered_sources(recipe: Recipe, root: Root, few: FewSets) -> list[AnsweredSource]:
    """Return how the few questions of a probe were answered, by source."""
    whole = {section.source: section for section in recipe.sources}
    return [
        _answered(recipe, root, few, whole[section.source], section, product.stage) for section, product in few.made
    ]


def _answered(
    recipe: Recipe, root: Root, few: FewSets, whole: SourceSection, limited: SourceSection, made: Stage
) -> AnsweredSource:
    facts = made.facts["synthesis"]
    checked = checked_questions(root, ingest(recipe, root, limited))
    questions = sum(1 for _ in kept_questions(checked))
    of_build = sum(1 for _ in kept_questions(checked_questions(root, ingest(recipe, root, whole))))
    composition = facts["composition"]
    return AnsweredSource(
        whole.source,
        questions,
        verdicts={row["outcome"]: row["rows"] for row in facts["funnel"] if ": " in row["outcome"]},
        sets=composition["sets"],
        singles=composition["single_right"] + composition["single_wrong"],
        build_questions=of_build,
        uses=tuple(_use(recipe, use, of_build / max(1, questions), few) for use in facts["uses"]),
        **_example(recipe, root, checked),
    )


def _use(recipe: Recipe, use: Mapping[str, Any], times: float, few: FewSets) -> RoleUse:
    """Return what a role was asked, and what `times` as many questions would take."""
    model: ModelSection = getattr(recipe.models, use["role"])
    asked = use["requests"], use["prompt_tokens"], use["completion_tokens"]
    requests, prompt_tokens, answer_tokens = (round(count * times) for count in asked)
    cost = cost_usd(model, prompt_tokens, answer_tokens)
    hours = hours_for(use["requests"] * times, *few.timings.get(use["role"], (0, 0.0)))
    return RoleUse(use["role"], use["model"], *asked, requests, prompt_tokens, answer_tokens, cost, hours)


def _example(recipe: Recipe, root: Root, checked: Stage) -> dict[str, str]:
    """Return one question as it was asked, an answer to it, and the answer's verdict; nothing where there is none."""
    if (job := answer_job(recipe, "responder")) is None:
        return {}
    generations = Generations(root)
    for bucket, questions in questions_to_ask(checked):
        answers = generations.lookup(bucket) if questions else {}
        for question in questions:
            for index in range(recipe.synthesis.samples):
                request = answer_request(job, question, index)
                completion = answers.get(request.request_id)
                candidate = candidate_of(request, Origin.RESPONDER, job.model.name, completion)
                if candidate.text is not None:
                    return _shown(question, candidate)
    return {}


def _shown(question: Question, candidate: Candidate) -> dict[str, str]:
    ((_, [answer]),) = graded([(question, [candidate])])
    reasoning = f"<think>\n{answer.reasoning}\n</think>\n\n" if answer.reasoning else ""
    prompt = "\n".join(message.content for message in answer_prompt(question))
    return {"prompt": prompt, "answer": f"{reasoning}{answer.text}", "verdict": answer.verdict.value}
