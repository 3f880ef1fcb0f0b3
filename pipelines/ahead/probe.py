"""The probe: the smallest real spend that tells how a whole build would go."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ahead.endpoint import served_models
from pipelines.ahead.estimates import FEW_ANSWERS, earlier_token_rate, hours_for
from pipelines.ahead.few import AnsweredSource, FewSets, answered_sources, at_once, few_of, few_sets
from pipelines.ahead.inputs import plan_inputs
from pipelines.ahead.probed import OutcomeExample, Probe, in_order, rate_words
from pipelines.engines.advice import Seen, advice
from pipelines.engines.answering import Run, check_key
from pipelines.engines.budget import cost_usd
from pipelines.judging.judging import judge, stored_trajectories
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets, sampled_sets, wanted_answers
from pipelines.training_sets.rejection import DECISION_COLUMNS, READABLE_OUTCOMES, decide
from schemas.errors import BudgetReached, ForgeError, Interrupted, RecipeError, StoppedEarly
from schemas.generation import Completion
from schemas.recipe import ModelSection, Recipe
from schemas.trajectory import JUDGED, Purpose, RejectReason
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table

_WITHOUT_CAPS = {"balance_positions": False, "max_hinted_share": 1.0, "max_label_suspicion": None}
"""Rules of rejection that say nothing over a few sets."""
_MOST = 0.5
"""Where a smaller share of the answers is of use, a build is not worth its price: the probe says what to try next."""
_OF_NO_USE = frozenset({RejectReason.NO_CRITIQUE, RejectReason.NO_PRINCIPLES, RejectReason.DRAFT_VERDICT})
"""Faults of readable answers that `what_helps` is about, too."""


@dataclass(frozen=True)
class _Probed:
    """The sets of a probe, and what came of them so far."""

    recipe: Recipe
    root: Root
    run: Run
    job: SamplingJob
    few: FewSets
    answering: Sequence[AnsweredSource]
    sampled: Stage


def probe_of(
    recipe: Recipe, root: Root, run: Run, n: int, on_stop: Callable[[Probe], None] = lambda probe: None
) -> Probe:
    """Sample `n` of the recipe's sets as the build would, and say how it went. The build uses these answers.

    Where the judge is of no use, a ceiling is reached or someone stops it, `on_stop` gets what has come in, and the
    error is raised.
    """
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
    probed = _Probed(recipe, root, run, job, few, answering, few_of(recipe, root, run, few.curated, n))
    started = time.monotonic()
    try:
        answers = sample_sets(root, run, judge_now, probed.sampled)
    except (StoppedEarly, BudgetReached, Interrupted, KeyboardInterrupt) as stop:
        seconds = time.monotonic() - started
        if not (table := _stored(probed)).num_rows:
            raise
        on_stop(_found(probed, table, _bought(probed, seconds), stop))
        if isinstance(stop, StoppedEarly):
            raise StoppedEarly(str(stop)) from None  # without an example: the probe shows them
        raise
    judged = judge(root, job, probed.sampled, answers)
    table = read_table(judged.paths("judged"), JUDGED)
    if not pc.sum(pc.is_valid(table.column("text"))).as_py():
        error = next(iter(answers.given_up.values()), judged.facts.get("error"))
        one = f", one of them: {error}" if error else ""
        raise ForgeError(f"probe: none of {table.num_rows} requests was answered{one}; grmforge doctor says what to do")
    bought = _bought(probed, answers.seconds, next(iter(answers.given_up.values()), None))
    return _with_projection(probed, _found(probed, table, bought))


def _stored(probed: _Probed) -> pa.Table:
    """Return the trajectories of all answers that are stored by now."""
    pairs = stored_trajectories(probed.root, probed.job, probed.sampled)
    tables = [table.select(JUDGED.names) for _, table in pairs]
    return pa.concat_tables([JUDGED.empty_table(), *tables])


class _Bought(NamedTuple):
    """What this run has bought of the judge."""

    requests: int
    tokens: int
    """Of the answers, as far as the endpoint counts them."""
    seconds: float
    error: str | None
    """Of a request that failed."""

    @property
    def token_rate(self) -> float | None:
        return self.tokens / self.seconds if self.tokens and self.seconds else None


def _bought(probed: _Probed, seconds: float, error: str | None = None) -> _Bought:
    generations = Generations(probed.root)
    columns = ["request_id", "role", "run_id", "error", "completion_tokens"]
    tables = [generations.table(bucket, columns) for bucket, _ in sampled_sets(probed.sampled)]
    rows = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables))).filter(pl.col("role") == probed.job.role)
    own = rows.filter(pl.col("run_id") == probed.run.run_id)
    stored_error = next(iter(rows["error"].drop_nulls()), None)
    return _Bought(own.height, int(own["completion_tokens"].sum()), seconds, error or stored_error)


def _context(model: ModelSection, run: Run) -> int | None:
    """Return the context that an endpoint says a model has; None where it says none."""
    if model.engine != "openai" or not model.base_url:
        return None
    try:
        served = served_models(model.base_url[0], check_key(model, run.keys))
    except ForgeError:
        return None
    return next((listed.context for listed in served if listed.name == model.model), None)


def _found(probed: _Probed, table: pa.Table, bought: _Bought, stop: BaseException | None = None) -> Probe:
    """Return what the trajectories of a probe say."""
    frame = pl.DataFrame(pl.from_arrow(table.select(DECISION_COLUMNS)))
    rules = probed.recipe.rejection.model_copy(update=_WITHOUT_CAPS)
    decided = decide(frame, rules, probed.job.n)
    answered = table.filter(pc.is_valid(table.column("text")))
    prompt_tokens, answer_tokens = (
        pc.mean(answered.column(name)).as_py() for name in ("prompt_tokens", "completion_tokens")
    )
    outcomes, accepted = Counter[str](decided["outcome"]), decided.filter("accepted").height
    readable = sum(outcomes[outcome] for outcome in READABLE_OUTCOMES)
    first = (answered if answered.num_rows else table).slice(0, 1).to_pylist()[0]
    return Probe(
        sets=probed.sampled.rows("sets"),
        wanted=wanted_answers(probed.job, probed.sampled),
        answers=answered.num_rows,
        bought=bought.requests,
        seconds=round(bought.seconds, 2),
        readable=readable,
        readable_share=readable / decided.height,
        accepted=accepted,
        accepted_share=accepted / decided.height,
        outcomes=dict(outcomes.most_common()),
        rejected=dict(Counter(decided["reject_reason"].drop_nulls()).most_common()),
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        tokens_a_second=bought.token_rate,
        what_helps=tuple(_what_helps(probed, answered, decided, stop)),
        prompt="\n".join(message["content"] for message in first["prompt"]),
        answer=first["text"] or "",
        examples=tuple(_examples(table, outcomes, bought.error)),
        answering=tuple(probed.answering),
        stopped=None if stop is None else str(stop) or "interrupted",
    )


def _what_helps(
    probed: _Probed, answered: pa.Table, decided: pl.DataFrame, stop: BaseException | None
) -> Iterator[str]:
    """Yield what to try next, where most answers are of no use."""
    faults = decided.select(
        "trajectory_id",
        fault=pl.when(pl.col("reject_reason").is_in(list(_OF_NO_USE))).then("reject_reason").otherwise("outcome"),
    )
    of_no_use = dict(faults.filter(~pl.col("fault").is_in(READABLE_OUTCOMES)).iter_rows())
    if decided.height - len(of_no_use) >= _MOST * decided.height:
        return
    seen = Seen()
    columns = ["trajectory_id", "outcome", "text", "reasoning", "prompt_tokens", "completion_tokens"]
    for row in answered.select(columns).to_pylist():
        fault = of_no_use.get(row["trajectory_id"], row["outcome"])
        usage = {name: row[name] for name in ("reasoning", "prompt_tokens", "completion_tokens")}
        seen.see(fault, Completion(row["trajectory_id"], row["text"], **usage))
    is_asked = seen.is_often("truncated") and (stop is None or isinstance(stop, StoppedEarly))  # others are in a hurry
    context = _context(probed.job.model, probed.run) if is_asked else None
    yield from advice(probed.job, seen, context) if answered.num_rows else ()


def _examples(table: pa.Table, outcomes: Counter[str], error: str | None) -> Iterator[OutcomeExample]:
    """Yield one whole answer of each outcome."""
    for outcome in in_order(outcomes):
        row = table.slice(pc.index(table.column("outcome"), outcome).as_py(), 1).to_pylist()[0]
        thoughts = f"<think>\n{row['reasoning']}\n</think>\n\n" if row["reasoning"] else ""
        text = f"{thoughts}{row['text']}" if row["text"] is not None else error or "(no answer)"
        yield OutcomeExample(outcome, outcomes[outcome], text, row["finish_reason"])


def _with_projection(probed: _Probed, found: Probe) -> Probe:
    """Return a finished probe with what a whole build would take, if it went the same way."""
    job, answers = probed.job, sum(found.outcomes.values())
    first_samples = _wanted_by_build(probed)
    requests = round(first_samples * answers / max(found.wanted, 1))
    prompt_tokens, answer_tokens = (
        None if mean is None else round(mean * requests) for mean in (found.prompt_tokens, found.answer_tokens)
    )
    hours, hours_are = _hours(probed, found, requests, answer_tokens)
    return replace(
        found,
        build_requests=requests,
        build_again=requests - round(first_samples),
        build_prompt_tokens=prompt_tokens,
        build_answer_tokens=answer_tokens,
        build_cost_usd=cost_usd(job.model, prompt_tokens, answer_tokens),
        build_hours=hours,
        build_hours_are=hours_are,
    )


def _hours(probed: _Probed, found: Probe, requests: int, answer_tokens: int | None) -> tuple[float | None, str]:
    """Return how long a whole build takes, and what that assumes.

    It is by the tokens a second of this run, or of an earlier one. Where the endpoint counts no tokens, it is by the
    requests a second.
    """
    in_flight = min(found.bought, probed.job.model.max_concurrency)
    assumed = f"with at most {in_flight:,} in flight; more are seldom slower"
    if found.tokens_a_second and found.bought >= FEW_ANSWERS and answer_tokens is not None:
        by_tokens = answer_tokens / found.tokens_a_second / 3600
        return by_tokens, f"at the {rate_words(found.tokens_a_second)} answer tokens a second measured here {assumed}"
    if answer_tokens and (rate := earlier_token_rate(probed.root, probed.job.stage_name)):
        return answer_tokens / rate.value / 3600, f"at the {rate_words(rate.value)} answer tokens a second {rate.basis}"
    if hours := hours_for(requests, found.bought, found.seconds):
        return hours, f"at the requests a second measured here {assumed}"
    return None, "since nothing was bought"


def _wanted_by_build(probed: _Probed) -> float:
    """Return how many answers the job needs for the whole recipe.

    Of questions that are not answered yet, as many sets are expected as the probe's questions gave.
    """
    job, few = probed.job, probed.few
    if few.is_whole:
        return wanted_answers(job, few.curated)
    whole = plan_inputs(probed.recipe, probed.root, probed.run, download=True)
    wanted: float = wanted_answers(job, whole.curated) if whole.curated else 0
    sources = Counter(preference.source for _, sets in sampled_sets(few.curated) for preference in sets)
    for source in probed.answering:
        samples = job.n + (source.source in job.hinted_sources)
        wanted += samples * sources[source.source] * source.build_questions / max(1, source.questions)
    return wanted
