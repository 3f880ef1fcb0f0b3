"""What a probe learns of the models that answer questions: how their answers fall, and what all of them would take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.ahead.planning.rates import time_words
from pipelines.ahead.probing.sampling import SomeSets, Timing
from pipelines.reporting.visible import visible
from pipelines.sources.ingestion import ingest
from pipelines.synthesis.answers import answer_job, answer_prompt, answer_request, candidate_of
from pipelines.synthesis.grading import graded
from pipelines.synthesis.questions import checked_questions, question_buckets, questions_to_ask
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
            f"one question of {self.source} as it is asked:",
            "",
            visible(self.prompt),
            "",
            "-" * 20 + f" an answer to it ({self.verdict}) " + "-" * 20,
            "",
            visible(self.answer),
            "",
            "-" * 52,
        ]

    def lines(self) -> Iterator[str]:
        """Yield what the answers looked like, and what the whole source would take."""
        yield f"{self.source}: {self.questions} questions gave {self.sets} sets, {self.singles} single responses"
        for origin, shares in self._shares().items():
            yield f"  {origin:<11} {shares}"
        for use in self.uses:
            cost = "" if use.build_cost_usd is None else f", ${use.build_cost_usd:,.2f}"
            cost += "" if use.build_hours is None else f", {time_words(use.build_hours)} at this rate"
            yield (
                f"  all {self.build_questions:,} questions: {use.build_requests:,} requests to {use.model}, "
                f"{use.build_prompt_tokens:,} prompt tokens, {use.build_answer_tokens:,} answer tokens{cost}"
            )

    def _shares(self) -> dict[str, str]:
        by_origin: dict[str, dict[str, int]] = {}
        for name, rows in self.verdicts.items():
            origin, verdict = name.split(": ")
            by_origin.setdefault(origin, {})[verdict] = rows
        return {
            origin: f"{sum(counts.values()):,} answers: "
            + ", ".join(
                f"{rows / sum(counts.values()):.0%} {verdict.replace('_', ' ')}"
                for verdict, rows in sorted(counts.items(), key=lambda item: -item[1])
            )
            for origin, counts in by_origin.items()
        }


def answered_sources(recipe: Recipe, root: Root, some: SomeSets) -> list[AnsweredSource]:
    """Return how the few questions of a probe were answered, by source."""
    whole = {section.source: section for section in recipe.sources}
    return [_answered(recipe, root, some, whole[one.source], one, sets.stage) for one, sets in some.made]


def _answered(
    recipe: Recipe, root: Root, some: SomeSets, whole: SourceSection, limited: SourceSection, made: Stage
) -> AnsweredSource:
    facts = made.facts["synthesis"]
    few = checked_questions(root, ingest(recipe, root, limited))
    every = checked_questions(root, ingest(recipe, root, whole))
    questions, of_build = _kept(few), _kept(every)
    composition = facts["composition"]
    example = _example(recipe, root, few)
    return AnsweredSource(
        source=whole.source,
        questions=questions,
        verdicts={row["outcome"]: row["rows"] for row in facts["funnel"] if ": " in row["outcome"]},
        sets=composition["sets"],
        singles=composition["single_right"] + composition["single_wrong"],
        build_questions=of_build,
        uses=tuple(_use(recipe, use, of_build / max(1, questions), some.timings) for use in facts["uses"]),
        prompt=example[0] if example else None,
        answer=example[1] if example else None,
        verdict=example[2] if example else None,
    )


def _kept(checked: Stage) -> int:
    return sum(one.drop_reason is None for _, questions in question_buckets(checked) for one in questions)


def _use(recipe: Recipe, use: Mapping[str, Any], times: float, timings: Mapping[str, Timing]) -> RoleUse:
    model: ModelSection = getattr(recipe.models, use["role"])
    prompt_tokens, answer_tokens = round(use["prompt_tokens"] * times), round(use["completion_tokens"] * times)
    price, timing = model.price, timings.get(use["role"])
    return RoleUse(
        role=use["role"],
        model=use["model"],
        requests=use["requests"],
        prompt_tokens=use["prompt_tokens"],
        answer_tokens=use["completion_tokens"],
        build_requests=round(use["requests"] * times),
        build_prompt_tokens=prompt_tokens,
        build_answer_tokens=answer_tokens,
        build_cost_usd=None if price is None else (prompt_tokens * price.input + answer_tokens * price.output) / 1e6,
        build_hours=use["requests"] * times * timing.seconds / timing.bought / 3600
        if timing and timing.bought
        else None,
    )


def _example(recipe: Recipe, root: Root, checked: Stage) -> tuple[str, str, str] | None:
    """Return one question as it was asked, an answer to it, and the answer's verdict."""
    job = answer_job(recipe, "responder")
    if job is None:
        return None
    generations = Generations(root)
    for bucket, questions in questions_to_ask(checked):
        answers = generations.lookup(bucket) if questions else {}
        for question in questions:
            for index in range(recipe.synthesis.samples):
                asked = answer_request(job, question, index)
                found = candidate_of(asked, Origin.RESPONDER, job.model.name, answers)
                if found.text is not None:
                    return _shown(question, found)
    return None


def _shown(question: Question, candidate: Candidate) -> tuple[str, str, str]:
    ((_, [one]),) = graded([(question, [candidate])])
    prompt = "\n".join(message.content for message in answer_prompt(question))
    reasoning = f"<think>\n{one.reasoning}\n</think>\n\n" if one.reasoning else ""
    return prompt, f"{reasoning}{one.text}", one.verdict.value
