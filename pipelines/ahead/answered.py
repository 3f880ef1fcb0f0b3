"""What a probe learns of the models that answer questions: how their answers fall, and what all of them would take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.ahead.estimates import cost_usd, time_words
from pipelines.ahead.few import FewSets
from pipelines.reporting.visible import visible
from pipelines.sources.ingestion import ingest
from pipelines.synthesis.answers import answer_job, answer_request, candidate_of
from pipelines.synthesis.gold_check import checked_questions
from pipelines.synthesis.grading import graded
from pipelines.synthesis.prompts import answer_prompt
from pipelines.synthesis.responding import question_buckets, questions_to_ask
from schemas.candidate import Candidate, Origin
from schemas.question import Question
from schemas.recipe import ModelSection, Recipe, SourceSection
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage


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
    return [_answered(recipe, root, few, whole[one.source], one, product.stage) for one, product in few.made]


def _answered(
    recipe: Recipe, root: Root, few: FewSets, whole: SourceSection, limited: SourceSection, made: Stage
) -> AnsweredSource:
    facts = made.facts["synthesis"]
    checked = checked_questions(root, ingest(recipe, root, limited))
    questions, of_build = _kept(checked), _kept(checked_questions(root, ingest(recipe, root, whole)))
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


def _kept(checked: Stage) -> int:
    return sum(question.drop_reason is None for _, bucket in question_buckets(checked) for question in bucket)


def _use(recipe: Recipe, use: Mapping[str, Any], times: float, few: FewSets) -> RoleUse:
    """Return what a role was asked, and what `times` as many questions would take."""
    model: ModelSection = getattr(recipe.models, use["role"])
    asked = use["requests"], use["prompt_tokens"], use["completion_tokens"]
    requests, prompt_tokens, answer_tokens = (round(count * times) for count in asked)
    cost, timing = cost_usd(model, prompt_tokens, answer_tokens), few.timings.get(use["role"])
    hours = timing.hours(use["requests"] * times) if timing else None
    return RoleUse(use["role"], use["model"], *asked, requests, prompt_tokens, answer_tokens, cost, hours)


def _example(recipe: Recipe, root: Root, checked: Stage) -> dict[str, str]:
    """Return one question as it was asked, an answer to it, and the answer's verdict; nothing where there is none."""
    job = answer_job(recipe, "responder")
    if job is None:
        return {}
    generations = Generations(root)
    for bucket, questions in questions_to_ask(checked):
        answers = generations.lookup(bucket) if questions else {}
        for question in questions:
            for index in range(recipe.synthesis.samples):
                request = answer_request(job, question, index)
                candidate = candidate_of(request, Origin.RESPONDER, job.model.name, answers)
                if candidate.text is not None:
                    return _shown(question, candidate)
    return {}


def _shown(question: Question, candidate: Candidate) -> dict[str, str]:
    ((_, [one]),) = graded([(question, [candidate])])
    reasoning = f"<think>\n{one.reasoning}\n</think>\n\n" if one.reasoning else ""
    prompt = "\n".join(message.content for message in answer_prompt(question))
    return {"prompt": prompt, "answer": f"{reasoning}{one.text}", "verdict": one.verdict.value}
