"""What one model would be asked in a build: requests counted, tokens and cost estimated, hours by what is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.ahead.planning.rates import AnswerRate, earlier_rate, time_words
from pipelines.ahead.planning.tokens import (
    BYTES_A_TOKEN,
    Rate,
    tokens_a_byte,
    tokens_an_answer,
    usage_of,
)
from pipelines.ahead.planning.wanted import Wanted
from pipelines.engines.request_body import request_body
from pipelines.judging.samples import SamplingJob
from pipelines.synthesis.answers import AnswerJob
from pipelines.synthesis.responding import answering_stage
from pipelines.synthesis.teaching import TEACHER_STAGES
from schemas.answer_limit import NoLimit, answer_limit
from schemas.recipe import ModelSection
from storage.generations import Generations
from storage.root import Root

TYPICAL_PROMPT_TOKENS = 1_500
"""Of sources that are not here, where none is: a conversation with four responses, and the template."""


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
    """Of these, answered already."""
    again: int
    """Of those that are missing, samples in the place of stored answers that cannot be read."""
    most_requests: int
    """The upper bound: every unreadable sample drawn again as often as the recipe lets it."""
    prompt_tokens: int
    """Of the missing requests."""
    prompt_tokens_are: str
    """Where the figure comes from."""
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

    @property
    def missing(self) -> int:
        return self.requests - self.cached

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        requests = "unknown" if self.requests_are == "unknown" and not self.requests else f"{self.requests:,}"
        bound = {"exact": "", "at most": "an upper bound; "}.get(
            self.requests_are, "of the sources whose size is known; "
        )
        again = f"at most {self.most_requests:,}, where unreadable answers are asked for again"
        if self.most_requests == self.requests:
            again = ""
        return [
            f"  {self.purpose} with {self.model}",
            f"    requests        {requests:>14}   {bound}{again}".rstrip().rstrip(";"),
            *([f"{'':>34} {self.requests_of}"] if self.requests_of else []),
            f"    there already   {self.cached:>14,}"
            + (f"   {self.again:,} are asked again, since a stored answer cannot be read" if self.again else ""),
            f"    prompt tokens   {self.prompt_tokens:>14,}   {self.prompt_tokens_are}",
            f"    answer tokens   {self.answer_tokens:>14,}   {self.answer_tokens_are}; "
            f"at most {self.most_answer_tokens:,}",
            f"    cost            {_cost_words(self.cost_usd, self.most_cost_usd)}",
            f"    time            {_time_words(self.hours):>14}   {self.hours_are}",
        ]


@dataclass(frozen=True)
class AskedRole:
    """What the plan of a role depends on, whatever the role does."""

    purpose: str
    role: str
    model: ModelSection
    max_tokens: int
    stages: tuple[str, ...]
    """Names of the stages in which it is asked, as event logs have them."""


def sampling_role(job: SamplingJob) -> AskedRole:
    """Return the role of a model that judges sets."""
    longest = _longest_answer(job.model, job.max_tokens)
    return AskedRole(job.purpose, job.role, job.model, longest, (job.stage_name,))


def answering_role(job: AnswerJob, sources: Iterable[str]) -> AskedRole:
    """Return the role of a model that answers questions."""
    whats = [answering_stage(source) for source in sources] if job.role == "responder" else TEACHER_STAGES
    stages = tuple(f"{what} with {job.model.name}" for what in whats)
    return AskedRole(job.role, job.role, job.model, _longest_answer(job.model, job.max_tokens), stages)


def _longest_answer(model: ModelSection, max_tokens: int) -> int:
    """Return how long an answer may get by its body, or by the recipe's limit where that leaves it open."""
    try:
        return answer_limit(request_body(model, (), temperature=0.0, max_tokens=max_tokens))
    except NoLimit:
        return max_tokens


def plan_role(root: Root, asked: AskedRole, wanted: Wanted, directory: Path, rate: AnswerRate | None) -> RolePlan:
    """Return what a role would be asked. `rate` is what a probe measured; without it, earlier runs may know."""
    usage = usage_of(Generations(root), asked.role, asked.model.model)
    a_byte = tokens_a_byte(asked.model, directory, wanted.prompts, usage)
    an_answer = tokens_an_answer(usage)
    in_prompts = wanted.missing_bytes * a_byte.value + wanted.answers_held * an_answer.value
    a_prompt = in_prompts / wanted.seen if wanted.seen else TYPICAL_PROMPT_TOKENS
    prompt_tokens, answer_tokens = round(wanted.missing * a_prompt), round(wanted.missing * an_answer.value)
    again = wanted.most / max(wanted.requests, 1)
    most_answer_tokens = (wanted.most - wanted.cached) * asked.max_tokens
    most_prompt_tokens = round(max(prompt_tokens, round(prompt_tokens * _most(a_byte))) * again)
    most_prompt_tokens += wanted.answers_held * asked.max_tokens
    hours, hours_are = _hours(
        asked.model, wanted.missing, prompt_tokens + answer_tokens, rate or earlier_rate(root, asked.stages)
    )
    return RolePlan(
        purpose=asked.purpose,
        model=asked.model.name,
        requests=wanted.requests,
        requests_are=wanted.requests_are,
        requests_of=wanted.made_up_of if wanted.requests_are == "exact" else "",
        cached=wanted.cached,
        again=wanted.again,
        most_requests=wanted.most,
        prompt_tokens=prompt_tokens,
        prompt_tokens_are=a_byte.basis
        if wanted.seen or not wanted.missing
        else f"guessed at {TYPICAL_PROMPT_TOKENS:,} a prompt",
        answer_tokens=answer_tokens,
        answer_tokens_are=an_answer.basis,
        most_answer_tokens=most_answer_tokens,
        cost_usd=_cost(asked.model, prompt_tokens, answer_tokens),
        most_cost_usd=_cost(asked.model, most_prompt_tokens, most_answer_tokens),
        hours=hours,
        hours_are=hours_are,
    )


def _most(a_byte: Rate) -> float:
    """Return by how much the real prompt tokens may exceed an estimate by rule of thumb: twice, as a rule."""
    return 2.0 if a_byte.value == 1 / BYTES_A_TOKEN else 1.0


def _cost(model: ModelSection, prompt_tokens: int, answer_tokens: int) -> float | None:
    price = model.price
    return None if price is None else (prompt_tokens * price.input + answer_tokens * price.output) / 1e6


def _hours(model: ModelSection, requests: int, tokens: int, rate: AnswerRate | None) -> tuple[float | None, str]:
    """Return the hours, and what they follow from: the slowest of rpm, tpm and the measured rate."""
    bounds = [
        (amount / per_minute / 60, f"at least, by {name} = {per_minute:,}")
        for name, amount, per_minute in (("rpm", requests, model.rpm), ("tpm", tokens, model.tpm))
        if per_minute
    ]
    if rate is not None:
        bounds.append((requests / rate.value / 3600, rate.basis))
    if not requests:
        return 0.0, "everything is there already"
    return max(bounds) if bounds else (None, "--probe 20 measures the rate")


def _time_words(hours: float | None) -> str:
    if hours is None:
        return "unknown"
    return time_words(hours) if hours else "none"


def _cost_words(cost: float | None, most: float | None) -> str:
    if cost is None or most is None:
        return f"{'unknown':>14}   without price_per_mtok"
    return f"{f'${cost:,.2f}':>14}   at most ${most:,.2f}"
