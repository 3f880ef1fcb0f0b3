"""The probe: the smallest real spend that tells how a whole build would go."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl
import pyarrow.compute as pc

from pipelines.build import prepare
from pipelines.engines.answering import Run
from pipelines.grm.judging import judge
from pipelines.grm.rejection import DECISION_COLUMNS, READABLE_OUTCOMES, decide
from pipelines.grm.samples import SamplingJob, sampling_job
from pipelines.grm.sampling import SAMPLED_SPLITS, sample_sets, wanted_answers
from pipelines.reporting.visible import visible
from schemas.errors import ForgeError
from schemas.preference import SETS
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.tables import TableWriter, read_table

STAGE_VERSION = 1


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
    prompt_tokens: float | None
    """A request, on average; None where the endpoint gives no usage."""
    answer_tokens: float | None
    build_requests: int
    build_prompt_tokens: int | None
    build_answer_tokens: int | None
    build_cost_usd: float | None
    build_hours: float | None
    """At the probe's rate, which a larger build with more in flight exceeds; None where nothing was bought."""
    prompt: str
    answer: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """Return the probe for a terminal, the example last."""
        outcomes = ", ".join(f"{rows} {outcome}" for outcome, rows in self.outcomes.items())
        cost = "unknown without price_per_mtok" if self.build_cost_usd is None else f"${self.build_cost_usd:,.2f}"
        hours = "unknown, nothing was bought" if self.build_hours is None else f"{self.build_hours:,.2f} at this rate"
        rate = f" in {self.seconds:.1f} s" if self.bought else ""
        return "\n".join(
            [
                "one whole example, prompt first:",
                "",
                visible(self.prompt),
                "",
                "-" * 20 + " the answer " + "-" * 20,
                "",
                visible(self.answer),
                "",
                "-" * 52,
                f"{self.sets} sets, {self.answers} answers, {self.bought} bought{rate}",
                f"readable  {self.readable_share:.0%}",
                f"accepted  {self.accepted_share:.0%}   ({outcomes})",
                f"tokens    {_count(self.prompt_tokens)} a prompt, {_count(self.answer_tokens)} an answer",
                "",
                f"the RFT samples of a whole build: {self.build_requests:,} requests, "
                f"{_count(self.build_prompt_tokens)} prompt tokens, {_count(self.build_answer_tokens)} answer tokens",
                f"cost      {cost}",
                f"hours     {hours}",
            ]
        )


@dataclass(frozen=True)
class Timing:
    """How quickly requests were answered."""

    bought: int
    seconds: float


@dataclass(frozen=True)
class SampledSome:
    """Some sets of a build, sampled."""

    sets: Stage
    given_up: dict[str, str]
    timing: Timing


def sample_some(root: Root, run: Run, job: SamplingJob, curated: Stage, n: int) -> SampledSome:
    """Sample `n` of the sets as the build would; it uses these answers."""
    some = _some_sets(root, curated, n)
    before, started = run.budget.requests, time.monotonic()
    # A probe wants to know now: it asks at once, at the full price, what the build would put into a batch.
    at_once = replace(job, model=job.model.model_copy(update={"batch": False}))
    given_up = sample_sets(root, run, at_once, some)
    return SampledSome(some, given_up, Timing(run.budget.requests - before, time.monotonic() - started))


def probe_of(recipe: Recipe, root: Root, run: Run, n: int) -> Probe:
    """Sample `n` of the recipe's sets as the build would, and say how it went. The build uses these answers."""
    _, curated = prepare(recipe, root, run)
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    sampled = sample_some(root, run, job, curated, n)
    some, seconds, bought = sampled.sets, sampled.timing.seconds, sampled.timing.bought
    judged = judge(root, job, some, sampled.given_up)
    table = read_table(judged.paths("judged"), JUDGED)
    frame = pl.from_arrow(table.select(DECISION_COLUMNS))
    assert isinstance(frame, pl.DataFrame)
    decided = decide(
        frame, recipe.rejection.model_copy(update={"balance_positions": False, "max_hinted_share": 1.0}), job.n
    )
    answered = table.filter(pc.is_valid(table.column("text")))
    if not answered.num_rows:
        raise ForgeError(f"probe: none of {table.num_rows} requests was answered; grmforge doctor says why")
    prompt_tokens, answer_tokens = (
        pc.mean(answered.column(name)).as_py() for name in ("prompt_tokens", "completion_tokens")
    )
    requests = round(wanted_answers(job, curated) * table.num_rows / max(wanted_answers(job, some), 1))
    totals = [None if mean is None else round(mean * requests) for mean in (prompt_tokens, answer_tokens)]
    example = answered.slice(0, 1).to_pylist()[0]
    return Probe(
        sets=some.rows("sets"),
        answers=answered.num_rows,
        bought=bought,
        seconds=round(seconds, 2),
        readable_share=decided.filter(pl.col("outcome").is_in(READABLE_OUTCOMES)).height / decided.height,
        accepted_share=decided.filter("accepted").height / decided.height,
        outcomes=dict(Counter(decided["outcome"]).most_common()),
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        build_requests=requests,
        build_prompt_tokens=totals[0],
        build_answer_tokens=totals[1],
        build_cost_usd=_cost(job, totals),
        build_hours=requests * seconds / bought / 3600 if bought else None,
        prompt="\n".join(message["content"] for message in example["prompt"]),
        answer=example["text"],
    )


def _some_sets(root: Root, curated: Stage, n: int) -> Stage:
    """Return a stage with the `n` sampled sets of the smallest set_id, so that a larger probe holds a smaller one."""
    key = stage_key("probed", STAGE_VERSION, n, [curated.content])
    if found := find_stage(root, key):
        return found
    sets = read_table(curated.paths("sets"), SETS)
    frame = pl.from_arrow(sets.select(["set_id", "split", "drop_reason"]))
    assert isinstance(frame, pl.DataFrame)
    sampled = frame.with_row_index("row").filter(
        pl.col("drop_reason").is_null() & pl.col("split").is_in(SAMPLED_SPLITS)
    )
    if not sampled.height:
        raise ForgeError("probe: the recipe keeps no train or validation set; grmforge plan shows what was dropped")
    rows = sampled.sort("set_id").head(n)["row"].sort()
    with TableWriter(root, key, "sets", SETS) as writer:
        writer.write(sets.take(rows.to_arrow()))
    return finish_stage(root, key, {"sets": writer.files}, {})


def _cost(job: SamplingJob, totals: list[int | None]) -> float | None:
    price, (prompt_tokens, answer_tokens) = job.model.price, totals
    if price is None or prompt_tokens is None or answer_tokens is None:
        return None
    return (prompt_tokens * price.input + answer_tokens * price.output) / 1e6


def _count(tokens: float | None) -> str:
    return "an unknown number of" if tokens is None else f"{tokens:,.0f}"
