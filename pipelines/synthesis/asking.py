"""Asking: requests of one role are answered, and what was asked is counted."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.engines.answering import Run, answer
from pipelines.engines.early_stop import Purpose, Use
from pipelines.engines.pilot_advice import Asked as Settings
from pipelines.grading.verification import answer_in
from pipelines.synthesis.answers import AnswerJob, before_grading
from schemas.generation import AnswerTruth, Completion, FaultKind, Request
from schemas.question import Verdict
from schemas.record import bucket_of
from storage.generations import Generations
from storage.root import Root


@dataclass(slots=True)
class Asked:
    """What one role was asked for a source, over all its steps."""

    job: AnswerJob
    requests: int = 0
    bought: int = 0
    """Of these, not answered before."""
    seconds: float = 0.0
    """How long answering took."""
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    error: str | None = None
    questions: set[str] = field(default_factory=set)
    """What it was asked about, by query_id."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Requests that failed for a passing reason however often they were tried, with their last error, by id."""

    def count(self, requests: int, completions: Iterable[Completion]) -> None:
        """Add so many requests, with the answers that are stored of them."""
        self.requests += requests
        answered = 0
        for completion in completions:
            answered += completion.fault is None
            self.error = self.error or completion.error
            self.prompt_tokens += completion.prompt_tokens or 0
            self.completion_tokens += completion.completion_tokens or 0
            self.cost_usd += completion.cost_usd or 0.0
        self.failed += requests - answered

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Add what a finished stage kept of what it asked."""
        self.requests += facts["requests"]
        self.failed += facts["failed"]
        self.prompt_tokens += facts["prompt_tokens"]
        self.completion_tokens += facts["completion_tokens"]
        self.cost_usd += facts["cost_usd"]

    def add(self, other: "Asked") -> None:
        """Add what the same role was asked in another step."""
        self.recall(other.facts())
        self.bought += other.bought
        self.seconds += other.seconds
        self.error = self.error or other.error
        self.questions |= other.questions
        self.given_up |= other.given_up

    def facts(self) -> dict[str, Any]:
        """Return what a stage keeps of it: the same whenever and however often it was asked."""
        return {
            "role": self.job.role,
            "engine": self.job.model.engine,
            "model": self.job.model.name,
            "requests": self.requests,
            "failed": self.failed,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost_usd": round(self.cost_usd, 6),
        }


Readable = Callable[[Request, str], bool]
"""Whether the text that came for a request holds what was asked for."""


def holds_answer(request: Request, text: str) -> bool:
    """Say whether an answer to a question gives a final answer."""
    return not isinstance(request.truth, AnswerTruth) or answer_in(request.truth.gold, text) is not None


def ask(
    root: Root,
    run: Run,
    asked: Asked,
    what: str,
    total: int,
    requests: Iterator[Request],
    readable: Readable = holds_answer,
    kind: str | None = None,
) -> None:
    """See that every request has its answer in the generations, but for those that end in `asked.given_up`.

    The first answers of one `kind` count together, or else those of one `what`: where too few of them are readable,
    StoppedEarly is raised.
    """

    def noted() -> Iterator[Request]:
        for one in requests:
            asked.questions.add(one.query_id)
            yield one

    def follow_up(sent: Request, completion: Completion) -> Iterable[Request]:
        if completion.fault is FaultKind.TRANSIENT:
            asked.given_up[sent.request_id] = completion.error or "no answer"
        return ()

    before, started = run.budget.answers, time.monotonic()
    run.watcher.stage(f"{what} with {asked.job.model.name}", total)
    answer(root, run, asked.job.model, noted(), follow_up, _purpose(asked.job, kind or what, readable))
    asked.bought += run.budget.answers - before
    asked.seconds += time.monotonic() - started


def _purpose(job: AnswerJob, what: str, readable: Readable) -> Purpose:
    def use_of(request: Request, completion: Completion) -> Use:
        verdict = before_grading(completion)
        if verdict is not Verdict.UNDECIDED:
            return Use(verdict.value, False)
        is_readable = readable(request, completion.text or "")
        return Use("readable" if is_readable else "unreadable", is_readable)

    settings = Settings(job.role, job.model, job.section, job.given, job.max_tokens, job.temperature)
    return Purpose(what, settings, use_of)


def answers_of(
    root: Root, run: Run, asked: Asked, what: str, requests: Iterable[Request], readable: Readable = holds_answer
) -> Mapping[str, Completion]:
    """Ask for these, and return the answers, by request_id."""
    in_order = sorted(
        {one.request_id: one for one in requests}.values(), key=lambda one: (one.query_id, one.request_id)
    )
    if not in_order:
        return {}
    ask(root, run, asked, what, len(in_order), iter(in_order), readable)
    wanted: defaultdict[int, set[str]] = defaultdict(set)
    for one in in_order:
        wanted[bucket_of(one.query_id)].add(one.request_id)
    generations = Generations(root)
    answers = {
        request_id: completion
        for bucket in sorted(wanted)
        for request_id, completion in generations.lookup(bucket).items()
        if request_id in wanted[bucket]
    }
    asked.count(len(in_order), answers.values())
    return answers
