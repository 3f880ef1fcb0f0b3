"""The probe: the smallest real spend that tells how a whole build would go."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow.compute as pc

from pipelines.ahead.estimates import hours_for, time_words
from pipelines.ahead.few import AnsweredSource, FewSets, answered_sources, at_once, few_of, few_sets
from pipelines.ahead.inputs import plan_inputs
from pipelines.engines.answering import Run
from pipelines.engines.budget import cost_usd
from pipelines.judging.judging import judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets, sampled_sets, wanted_answers
from pipelines.reporting.meanings import meaning
from pipelines.reporting.visible import visible
from pipelines.training_sets.rejection import DECISION_COLUMNS, READABLE_OUTCOMES, decide
from schemas.errors import ForgeError, RecipeError
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.tables import read_table

_MOST = 0.5
"""Where a smaller share of the answers can be read, a build is not worth its price: the probe says what helps."""


@dataclass(frozen=True)
class Probe:
    """What a probe found, and what a whole build would take at that rate."""

    sets: int
    answers: int
    bought: int
    seconds: float
    readable_share: float
    accepted_share: float
    """Of all trajectories, before the caps that balance a whole set."""
    outcomes: dict[str, int]
    rejected: dict[str, int]
    """By reason, as the build would reject them."""
    prompt_tokens: float | None
    """A request, on average; None where the endpoint gives no usage."""
    answer_tokens: float | None
    build_requests: int
    build_again: int
    """Of these, for answers that could not be read, at the probe's share."""
    build_prompt_tokens: int | None
    build_answer_tokens: int | None
    build_cost_usd: float | None
    build_hours: float | None
    """At the probe's rate, which a larger build with more in flight exceeds; None where nothing was bought."""
    prompt: str
    answer: str
    answering: tuple[AnsweredSource, ...] = ()
    """Sources of questions, with how the few were answered that the probe asked."""

    def as_text(self) -> str:
        """Return the probe for a terminal, the example first."""
        outcomes, rejected = (
            ", ".join(f"{rows} {name}" for name, rows in counts.items()) for counts in (self.outcomes, self.rejected)
        )
        cost = "unknown without price_per_mtok" if self.build_cost_usd is None else f"${self.build_cost_usd:,.2f}"
        time = None if self.build_hours is None else f"{time_words(self.build_hours)} at this rate"
        lines = [
            *(line for source in self.answering[:1] for line in [*source.example_lines(), ""]),
            *("one whole example, prompt first:", "", visible(self.prompt), ""),
            *("-" * 20 + " the answer " + "-" * 20, "", visible(self.answer), "", "-" * 52),
            *(line for source in self.answering for line in source.lines()),
            *([""] if self.answering else []),
            f"{self.sets} sets, {self.answers} answers, {self.bought} bought"
            + (f" in {self.seconds:.1f} s" if self.bought else ""),
            f"readable  {self.readable_share:.0%}   ({outcomes})",
            f"accepted  {self.accepted_share:.0%}" + (f"   (rejected: {rejected})" if rejected else ""),
            *(f"          {name}: {meaning(name).words}" for name in self.rejected if name not in self.outcomes),
            *self._what_helps(),
            f"tokens    {_count(self.prompt_tokens)} a prompt, {_count(self.answer_tokens)} an answer",
            "",
            "a whole build's RFT samples, if they go as these did:",
            f"requests  {self.build_requests:,}, {self.build_again:,} of them where an answer cannot be read",
            f"tokens    {_count(self.build_prompt_tokens)} in prompts, {_count(self.build_answer_tokens)} in answers",
            f"cost      {cost}",
            f"time      {time or 'unknown, nothing was bought'}",
        ]
        return "\n".join(lines)

    def _what_helps(self) -> list[str]:
        """Return what to do about the commonest fault, where most answers could not be read."""
        if self.readable_share >= _MOST:
            return []
        fault = next(outcome for outcome in self.outcomes if outcome not in READABLE_OUTCOMES)
        words, way_out = meaning(fault)
        return [f"{fault:<9} {words}", *([f"          what helps: {way_out}"] if way_out else [])]


def probe_of(recipe: Recipe, root: Root, run: Run, n: int) -> Probe:
    """Sample `n` of the recipe's sets as the build would, and say how it went. The build uses these answers."""
    now = at_once(recipe)  # the figures of a whole build are those of its own recipe: a batch costs half
    job = sampling_job(recipe, Purpose.RFT)
    if not recipe.sources or job is None:
        raise RecipeError(
            "the recipe has no [[sources]] to sample sets of; grmforge evaluate --limit 20 tries its judge"
        )
    judge_now = replace(job, model=job.model.model_copy(update={"batch": False}))
    few = few_sets(now, root, run, [judge_now.model], n)
    answering = answered_sources(recipe, root, few)
    if answering and not wanted_answers(job, few.curated):
        words = "; ".join(" ".join(line.split()) for source in answering for line in source.lines())
        raise ForgeError(f"probe: no train or validation set came of the answers. {words}")
    sampled = few_of(recipe, root, run, few.curated, n)
    answers = sample_sets(root, run, judge_now, sampled)
    table = read_table(judge(root, job, sampled, answers).paths("judged"), JUDGED)
    frame = pl.DataFrame(pl.from_arrow(table.select(DECISION_COLUMNS)))
    without_caps = recipe.rejection.model_copy(update={"balance_positions": False, "max_hinted_share": 1.0})
    decided = decide(frame, without_caps, job.n)
    answered = table.filter(pc.is_valid(table.column("text")))
    if not answered.num_rows:
        raise ForgeError(f"probe: none of {table.num_rows} requests was answered; grmforge doctor says why")
    prompt_tokens, answer_tokens = (
        pc.mean(answered.column(name)).as_py() for name in ("prompt_tokens", "completion_tokens")
    )
    first_samples = _wanted_by_build(recipe, root, run, job, few, answering)
    requests = round(first_samples * table.num_rows / max(wanted_answers(job, sampled), 1))
    totals = [None if mean is None else round(mean * requests) for mean in (prompt_tokens, answer_tokens)]
    example = answered.slice(0, 1).to_pylist()[0]
    return Probe(
        sets=sampled.rows("sets"),
        answers=answered.num_rows,
        bought=answers.bought,
        seconds=round(answers.seconds, 2),
        readable_share=decided.filter(pl.col("outcome").is_in(READABLE_OUTCOMES)).height / decided.height,
        accepted_share=decided.filter("accepted").height / decided.height,
        outcomes=dict(Counter(decided["outcome"]).most_common()),
        rejected=dict(Counter(decided["reject_reason"].drop_nulls()).most_common()),
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        build_requests=requests,
        build_again=requests - round(first_samples),
        build_prompt_tokens=totals[0],
        build_answer_tokens=totals[1],
        build_cost_usd=cost_usd(job.model, *totals),
        build_hours=hours_for(requests, answers.bought, answers.seconds),
        prompt="\n".join(message["content"] for message in example["prompt"]),
        answer=example["text"],
        answering=tuple(answering),
    )


def _wanted_by_build(
    recipe: Recipe, root: Root, run: Run, job: SamplingJob, few: FewSets, answering: Sequence[AnsweredSource]
) -> float:
    """Return how many answers the job needs for the whole recipe.

    Of questions that are not answered yet, as many sets are expected as the probe's questions gave.
    """
    if few.is_whole:
        return wanted_answers(job, few.curated)
    whole = plan_inputs(recipe, root, run, download=True)
    wanted: float = wanted_answers(job, whole.curated) if whole.curated else 0
    sources = Counter(preference.source for _, sets in sampled_sets(few.curated) for preference in sets)
    for source in answering:
        samples = job.n + (source.source in job.hinted_sources)
        wanted += samples * sources[source.source] * source.build_questions / max(1, source.questions)
    return wanted


def _count(tokens: float | None) -> str:
    return "an unknown number of" if tokens is None else f"{tokens:,.0f}"
