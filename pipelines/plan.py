"""The plan: rows, requests, tokens, hours and cost of a build before anything is spent. No model is called."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.build import prepare, purposes_of
from pipelines.curation.prompt_length import estimated_tokens
from pipelines.engines.answering import Run
from pipelines.grm.judging import find_judged
from pipelines.grm.samples import SamplingJob, modes_of, sample, samples_wanted, sampling_job, shown_set
from pipelines.grm.sampling import sampled_sets
from pipelines.reporting.funnel import inputs_of
from schemas.recipe import Recipe
from schemas.trajectory import Purpose
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage

TYPICAL_ANSWER_TOKENS = 300
"""What a GRM that does not reason aloud writes (METHOD section 1); `probe` measures the model's own."""


@dataclass(frozen=True)
class RolePlan:
    """What one role would be asked."""

    purpose: str
    model: str
    requests: int
    """Samples of every set, were each readable at once."""
    cached: int
    """Of these, answered already."""
    most_requests: int
    """The upper bound: every unreadable sample drawn again as often as the recipe lets it."""
    prompt_tokens: int
    """Of the missing requests, estimated at four bytes a token."""
    answer_tokens: int
    """Of the missing requests, at 300 tokens an answer."""
    most_answer_tokens: int
    """The upper bound: max_tokens for every answer."""
    cost_usd: float | None
    most_cost_usd: float | None
    """None without price_per_mtok."""
    least_hours: float | None
    """By rpm and tpm; None without them: only `probe` can tell."""

    @property
    def missing(self) -> int:
        return self.requests - self.cached


@dataclass(frozen=True)
class Plan:
    """What a build would read and ask."""

    name: str
    inputs: tuple[Mapping[str, Any], ...]
    roles: tuple[RolePlan, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """Return the plan as a table for a terminal."""
        lines = [f"plan of {self.name}; rows are exact, no model was called", ""]
        lines += [
            f"  {one['source']:<24} {one['rows']:>9,} rows   {one['kept']:>9,} kept   {one['dropped']:>7,} dropped   "
            f"{one['unreadable']:>5,} unreadable"
            for one in self.inputs
        ]
        for role in self.roles:
            lines += [
                "",
                f"  {role.purpose} with {role.model}",
                f"    requests        {role.requests:>14,}   at most {role.most_requests:,} with unreadable ones again",
                f"    there already   {role.cached:>14,}",
                f"    prompt tokens   {role.prompt_tokens:>14,}   estimated",
                f"    answer tokens   {role.answer_tokens:>14,}   at {TYPICAL_ANSWER_TOKENS} an answer; "
                f"at most {role.most_answer_tokens:,}",
                f"    cost            {_usd(role.cost_usd):>14}   at most {_usd(role.most_cost_usd)}",
                f"    hours           {_hours(role.least_hours):>14}",
            ]
        return "\n".join(lines)


def plan_of(recipe: Recipe, root: Root, run: Run) -> Plan:
    """Return the plan of a build: rows and requests exact, since sources are read and curated; tokens estimated."""
    sources, curated = prepare(recipe, root, run)
    roles = []
    for purpose in purposes_of(recipe):
        job = sampling_job(recipe, purpose)
        if job is not None:
            roles.append(_role_plan(root, job, purpose, curated))
    inputs = tuple(
        one.model_dump(include={"source", "rows", "kept", "dropped", "unreadable"})
        for one in inputs_of(sources, curated)
    )
    return Plan(recipe.build.name, inputs, tuple(roles))


def _role_plan(root: Root, job: SamplingJob, purpose: Purpose, curated: Stage) -> RolePlan:
    if found := find_judged(root, job, curated):
        requests = found.facts["requests"]
        return RolePlan(purpose, job.model.name, requests, requests, requests, 0, 0, 0, 0.0, 0.0, 0.0)
    generations = Generations(root)
    requests = cached = most = prompt_tokens = 0
    for bucket, sets in sampled_sets(curated):
        answers = generations.lookup(bucket)
        for preference in sets:
            shown = shown_set(job, preference)
            for mode in modes_of(job, preference):
                wanted = samples_wanted(job, mode)
                most += wanted * (1 + job.resample)
                for index in range(wanted):
                    drawn = sample(job, preference, shown, mode, index)
                    requests += 1
                    if drawn.request.request_id in answers:
                        cached += 1
                    else:
                        prompt_tokens += sum(estimated_tokens(message.content) for message in drawn.messages)
    missing = requests - cached
    answer_tokens, most_answer_tokens = missing * TYPICAL_ANSWER_TOKENS, (most - cached) * job.max_tokens
    most_prompt_tokens = prompt_tokens * (1 + job.resample)
    return RolePlan(
        purpose=purpose,
        model=job.model.name,
        requests=requests,
        cached=cached,
        most_requests=most,
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        most_answer_tokens=most_answer_tokens,
        cost_usd=_cost(job, prompt_tokens, answer_tokens),
        most_cost_usd=_cost(job, most_prompt_tokens, most_answer_tokens),
        least_hours=_least_hours(job, missing, prompt_tokens + answer_tokens),
    )


def _cost(job: SamplingJob, prompt_tokens: int, answer_tokens: int) -> float | None:
    price = job.model.price
    return None if price is None else (prompt_tokens * price.input + answer_tokens * price.output) / 1e6


def _least_hours(job: SamplingJob, requests: int, tokens: int) -> float | None:
    bounds = [
        amount / per_minute / 60
        for amount, per_minute in ((requests, job.model.rpm), (tokens, job.model.tpm))
        if per_minute
    ]
    return max(bounds) if bounds else None


def _usd(cost: float | None) -> str:
    return "no price given" if cost is None else f"${cost:,.2f}"


def _hours(hours: float | None) -> str:
    return "unknown: grmforge probe measures the rate" if hours is None else f"{hours:,.2f} at least, by rpm and tpm"
