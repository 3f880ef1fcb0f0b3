"""What one model would be asked in a build: requests counted, tokens and cost estimated, hours by what is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.grm.judging import find_judged
from pipelines.grm.samples import SamplingJob, first_samples
from pipelines.grm.sampling import sampled_sets, wanted_answers
from pipelines.planning.inputs import Inputs, absent_rows
from pipelines.planning.rates import AnswerRate, earlier_rate
from pipelines.planning.tokens import (
    BYTES_A_TOKEN,
    SAMPLED_PROMPTS,
    Rate,
    tokens_a_byte,
    tokens_an_answer,
    usage_of,
)
from storage.generations import Generations
from storage.imports import ImportedAnswers
from storage.root import Root
from storage.stages import Stage

TYPICAL_PROMPT_TOKENS = 1_500
"""Of sources that are not here, where none is: a conversation with four responses, and the template."""


@dataclass(frozen=True)
class RolePlan:
    """What one role would be asked."""

    purpose: str
    model: str
    requests: int
    """Samples of every set, were each readable at once."""
    requests_are: str
    """`exact`, or `at most` where a source is not here, or `unknown` where its size is not known either."""
    cached: int
    """Of these, answered already."""
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
        return [
            f"  {self.purpose} with {self.model}",
            f"    requests        {requests:>14}   {bound}at most {self.most_requests:,} with unreadable ones again",
            f"    there already   {self.cached:>14,}",
            f"    prompt tokens   {self.prompt_tokens:>14,}   {self.prompt_tokens_are}",
            f"    answer tokens   {self.answer_tokens:>14,}   {self.answer_tokens_are}; "
            f"at most {self.most_answer_tokens:,}",
            f"    cost            {_cost_words(self.cost_usd, self.most_cost_usd)}",
            f"    hours           {_hours_words(self.hours):>14}   {self.hours_are}",
        ]


@dataclass(slots=True)
class _Count:
    """Requests of a job, and the bytes of those that are missing."""

    requests: int = 0
    most: int = 0
    """With every unreadable sample drawn again; `requests` where all is answered and read."""
    cached: int = 0
    missing_bytes: int = 0


def plan_role(root: Root, job: SamplingJob, inputs: Inputs, directory: Path, rate: AnswerRate | None) -> RolePlan:
    """Return what a job would ask for. `rate` is what a probe measured; without it, earlier runs may know."""
    count, prompts = _counted(root, job, inputs.curated)
    absent = [(rows, job.n + (section.source in job.hinted_sources)) for section, rows in absent_rows(inputs.absent)]
    absent_requests = sum(rows * samples for rows, samples in absent)
    generations = Generations(root)
    usage = usage_of(generations, job.role, job.model.model)
    a_byte, an_answer = tokens_a_byte(job.model, directory, prompts, usage), tokens_an_answer(usage)
    here = count.requests - count.cached
    a_prompt = count.missing_bytes * a_byte.value / here if here else TYPICAL_PROMPT_TOKENS
    missing = here + absent_requests
    prompt_tokens, answer_tokens = round(missing * a_prompt), round(missing * an_answer.value)
    requests = count.requests + absent_requests
    most_requests = count.most + absent_requests * (1 + job.resample)
    most_answer_tokens = (most_requests - count.cached) * job.max_tokens
    most_prompt_tokens = max(prompt_tokens, round(prompt_tokens * _most(a_byte))) * (1 + job.resample)
    hours, hours_are = _hours(job, missing, prompt_tokens + answer_tokens, rate or earlier_rate(root, job.stage_name))
    return RolePlan(
        purpose=job.purpose,
        model=job.model.name,
        requests=requests,
        requests_are=_certainty(inputs, len(absent)),
        cached=count.cached,
        most_requests=most_requests,
        prompt_tokens=prompt_tokens,
        prompt_tokens_are=a_byte.basis if here or not missing else f"guessed at {TYPICAL_PROMPT_TOKENS:,} a prompt",
        answer_tokens=answer_tokens,
        answer_tokens_are=an_answer.basis,
        most_answer_tokens=most_answer_tokens,
        cost_usd=_cost(job, prompt_tokens, answer_tokens),
        most_cost_usd=_cost(job, most_prompt_tokens, most_answer_tokens),
        hours=hours,
        hours_are=hours_are,
    )


def _counted(root: Root, job: SamplingJob, curated: Stage | None) -> tuple[_Count, Sequence[str]]:
    """Count the samples of the sets that are here, and return some of the missing prompts, spread over all sets."""
    if curated is None:
        return _Count(), ()
    if found := find_judged(root, job, curated):
        requests = found.facts["requests"]
        return _Count(requests, requests, requests), ()
    generations, imported = Generations(root), ImportedAnswers(root)
    count = _Count()
    prompts: list[str] = []
    stride = max(1, wanted_answers(job, curated) // SAMPLED_PROMPTS)
    for bucket, sets in sampled_sets(curated):
        answers = generations.lookup(bucket)
        for drawn in (drawn for preference in sets for drawn in first_samples(job, preference)):
            count.requests += 1
            if drawn.request.request_id in answers or imported.answer_to(drawn.request):
                count.cached += 1
                continue
            text = "\n".join(message.content for message in drawn.messages)
            count.missing_bytes += len(text.encode("utf-8", "replace"))
            if (count.requests - count.cached) % stride == 0 and len(prompts) < SAMPLED_PROMPTS:
                prompts.append(text)
    count.most = count.requests * (1 + job.resample)
    return count, prompts


def _certainty(inputs: Inputs, known: int) -> str:
    if inputs.is_exact:
        return "exact"
    return "at most" if known == len(inputs.absent) else "unknown"


def _most(a_byte: Rate) -> float:
    """Return by how much the real prompt tokens may exceed an estimate by rule of thumb: twice, as a rule."""
    return 2.0 if a_byte.value == 1 / BYTES_A_TOKEN else 1.0


def _cost(job: SamplingJob, prompt_tokens: int, answer_tokens: int) -> float | None:
    price = job.model.price
    return None if price is None else (prompt_tokens * price.input + answer_tokens * price.output) / 1e6


def _hours(job: SamplingJob, requests: int, tokens: int, rate: AnswerRate | None) -> tuple[float | None, str]:
    """Return the hours, and what they follow from: the slowest of rpm, tpm and the measured rate."""
    bounds = [
        (amount / per_minute / 60, f"at least, by {name} = {per_minute:,}")
        for name, amount, per_minute in (("rpm", requests, job.model.rpm), ("tpm", tokens, job.model.tpm))
        if per_minute
    ]
    if rate is not None:
        bounds.append((requests / rate.value / 3600, rate.basis))
    if not requests:
        return 0.0, "everything is there already"
    return max(bounds) if bounds else (None, "--probe 20 measures the rate")


def _hours_words(hours: float | None) -> str:
    if hours is None:
        return "unknown"
    return f"{hours:,.2f}" if hours >= 0.1 or not hours else f"{hours * 60:.1f} minutes"


def _cost_words(cost: float | None, most: float | None) -> str:
    if cost is None or most is None:
        return f"{'unknown':>14}   without price_per_mtok"
    return f"{f'${cost:,.2f}':>14}   at most ${most:,.2f}"
