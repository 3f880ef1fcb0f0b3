"""What one model would be asked in a build: requests counted, tokens and cost estimated, hours by what is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.ahead.estimates import (
    BYTES_A_TOKEN,
    Rate,
    earlier_rate,
    time_words,
    tokens_a_byte,
    tokens_a_prompt,
    tokens_an_answer,
    usage_of,
)
from pipelines.ahead.requests import Wanted
from pipelines.engines.budget import cost_usd
from pipelines.engines.jobs import Job, request_body
from pipelines.judging.samples import SamplingJob
from pipelines.synthesis.responding import answering_stage
from pipelines.synthesis.teaching import TEACHER_STAGES
from schemas.answer_limit import NoLimit, answer_limit
from schemas.recipe import SCORERS, ModelSection
from storage.generations import Generations
from storage.root import Root

CACHE_BLOCK = 16
"""Tokens of a block of vLLM's prefix cache, which is found whole or not at all: half of one is lost on the average."""
_BOUND_WORDS = {"exact": "", "at most": "an upper bound; ", "unknown": "of the sources whose size is known; "}


@dataclass(frozen=True)
class RolePlan:
    """What one role would be asked."""

    purpose: str
    model: str
    requests: int
    """Samples of every set, were each readable at once; answers to every question; all that a teacher may be asked."""
    requests_are: str
    """`exact`, or `at most` where a source is not here, or `unknown` where its size is not known either."""
    requests_of: str
    """What makes up an exact number of samples, in words; empty where that is not known."""
    cached: int
    """Of these, those that are answered already."""
    again: int
    """Of the missing ones, samples that replace stored answers that cannot be read."""
    most_requests: int
    """The upper bound: every unreadable sample drawn again as often as the recipe lets it."""
    prompt_tokens: int
    """Of the missing requests."""
    prompt_tokens_are: str
    """Where the figure comes from."""
    cacheable_tokens: int
    """Of the prompt tokens, those that a server's prefix cache of endless size finds, as prompts begin alike."""
    answer_tokens: int
    """Of the missing requests."""
    answer_tokens_are: str
    most_answer_tokens: int
    """The upper bound: max_tokens for every answer."""
    cost_usd: float | None
    most_cost_usd: float | None
    """None without price_per_mtok."""
    hours: float | None
    """None where nothing says how quickly the endpoint answers."""
    hours_are: str

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        requests = "unknown" if self.requests_are == "unknown" and not self.requests else f"{self.requests:,}"
        bound = _BOUND_WORDS[self.requests_are]
        if self.most_requests != self.requests:
            bound += f"at most {self.most_requests:,}, where unreadable answers are asked for again"
        again = f"   {self.again:,} are asked again, since a stored answer cannot be read" if self.again else ""
        cost, most_cost = f"{'unknown':>14}", "without price_per_mtok"
        if self.cost_usd is not None and self.most_cost_usd is not None:
            cost, most_cost = f"{f'${self.cost_usd:,.2f}':>14}", f"at most ${self.most_cost_usd:,.2f}"
        time = "unknown" if self.hours is None else time_words(self.hours) if self.hours else "none"
        return [
            f"  {self.purpose} with {self.model}",
            f"    requests        {requests:>14}   {bound}".rstrip().rstrip(";"),
            *([f"{'':>34} {self.requests_of}"] if self.requests_of else []),
            f"    there already   {self.cached:>14,}{again}",
            f"    prompt tokens   {self.prompt_tokens:>14,}   {self.prompt_tokens_are}",
            *([self._cache_line()] if self.cacheable_tokens else []),
            f"    answer tokens   {self.answer_tokens:>14,}   {self.answer_tokens_are}; "
            f"at most {self.most_answer_tokens:,}",
            f"    cost            {cost}   {most_cost}",
            f"    time            {time:>14}   {self.hours_are}",
        ]

    def _cache_line(self) -> str:
        share = f"{self.cacheable_tokens / self.prompt_tokens:.0%}"
        return f"    prefix cache    {share:>14}   of the prompt tokens, at best: requests of a set begin alike"


@dataclass(frozen=True)
class AskedRole:
    """What the plan of a role depends on, whatever the role does."""

    purpose: str
    role: str
    model: ModelSection
    max_tokens: int
    """How long an answer may get by the recipe, unless its body says otherwise."""
    stages: tuple[str, ...]
    """Names of the stages in which it is asked, as event logs have them."""
    measured_by: str = "--probe 20"
    """What measures how quickly it answers."""

    @property
    def longest_answer(self) -> int:
        if self.role in SCORERS:  # they only read
            return 0
        try:
            return answer_limit(request_body(self.model, (), temperature=0.0, max_tokens=self.max_tokens))
        except NoLimit:
            return self.max_tokens


def sampling_role(job: SamplingJob) -> AskedRole:
    """Return the role of a model that judges sets."""
    return AskedRole(job.purpose, job.role, job.model, job.settings.max_tokens, (job.stage_name,))


def answering_role(job: Job, sources: Iterable[str]) -> AskedRole:
    """Return the role of a model that answers questions."""
    names = map(answering_stage, sources) if job.role == "responder" else TEACHER_STAGES
    stages = tuple(f"{name} with {job.model.name}" for name in names)
    return AskedRole(job.role, job.role, job.model, job.settings.max_tokens, stages)


def plan_role(root: Root, asked: AskedRole, wanted: Wanted, directory: Path, rate: Rate | None) -> RolePlan:
    """Return what a role would be asked. `rate` is what a probe measured; without it, earlier runs may know."""
    model, longest = asked.model, asked.longest_answer
    usage = usage_of(Generations(root), asked.role, model.model)
    a_byte = tokens_a_byte(model, directory, wanted.prompts, usage)
    an_answer = Rate(0.0, "a scorer only reads") if asked.role in SCORERS else tokens_an_answer(usage, longest)
    in_prompts = wanted.missing_bytes * a_byte.value + wanted.answers_held * an_answer.value
    a_prompt = Rate(in_prompts / wanted.seen, a_byte.basis) if wanted.seen else tokens_a_prompt(usage)
    prompt_tokens, answer_tokens = round(wanted.missing * a_prompt.value), round(wanted.missing * an_answer.value)
    in_blocks = wanted.begun_alike * a_byte.value - wanted.beginnings * CACHE_BLOCK / 2
    cacheable = round(max(in_blocks, 0.0) * wanted.missing / wanted.seen) if wanted.seen else 0
    most_answer_tokens = (wanted.most - wanted.cached) * longest
    # By a rule of thumb, the real tokens may be twice as many.
    times = wanted.most / max(wanted.requests, 1) * (2 if a_byte.value == 1 / BYTES_A_TOKEN else 1)
    most_prompt_tokens = round(prompt_tokens * times) + wanted.answers_held * longest
    known_rate = rate or earlier_rate(root, asked.stages)
    hours, hours_are = _hours(asked, wanted, prompt_tokens + answer_tokens, known_rate)
    return RolePlan(
        purpose=asked.purpose,
        model=model.name,
        requests=wanted.requests,
        requests_are=wanted.requests_are,
        requests_of=wanted.made_up_of if wanted.requests_are == "exact" else "",
        cached=wanted.cached,
        again=wanted.again,
        most_requests=wanted.most,
        prompt_tokens=prompt_tokens,
        prompt_tokens_are=a_prompt.basis if wanted.missing else a_byte.basis,
        cacheable_tokens=min(cacheable, prompt_tokens),
        answer_tokens=answer_tokens,
        answer_tokens_are=an_answer.basis,
        most_answer_tokens=most_answer_tokens,
        cost_usd=cost_usd(model, prompt_tokens, answer_tokens),
        most_cost_usd=cost_usd(model, most_prompt_tokens, most_answer_tokens),
        hours=hours,
        hours_are=hours_are,
    )


def _hours(asked: AskedRole, wanted: Wanted, tokens: int, rate: Rate | None) -> tuple[float | None, str]:
    """Return the hours, and what they follow from: the slowest of rpm, tpm and the measured rate."""
    requests = wanted.missing
    bounds = [
        (amount / per_minute / 60, f"at least, by {name} = {per_minute:,}")
        for name, amount, per_minute in (("rpm", requests, asked.model.rpm), ("tpm", tokens, asked.model.tpm))
        if per_minute
    ]
    if rate is not None:
        bounds.append((requests / rate.value / 3600, rate.basis))
    if not requests:
        return 0.0, "everything is there already" if wanted.requests else "there is nothing to ask"
    return max(bounds) if bounds else (None, f"{asked.measured_by} measures the rate")
