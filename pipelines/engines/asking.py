"""One way to ask: what a role is wanted to answer is looked up, sent where it is missing, stored, counted, given up.

asker = Asker(root, run, job)
completions = asker.fetch("teaching", requests, readable)      stored ones, and those that were sent for now
for one, answers in asker.fetch_each(what, wanted, readable)   the same where not all of them fit in memory
asker.answers.check(run, "teacher of telecom")                 raises where the endpoint, not a row, is to blame
stage_key(name, version, asker.answers.in_key(settings), ..)   another key where the next build sends again
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from pipelines.engines.answering import FollowUp, Run, Stored, answer
from pipelines.engines.early_stop import Purpose, Use
from pipelines.engines.jobs import Job
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.question import Verdict
from storage.root import Root
from storage.stages import Stage, find_stage

FEW_ROWS = 3
"""What is sent about so few questions or sets may all be refused for their own fault; of more, it is the recipe's."""
FEW_GIVEN_UP = 3
SHARE_GIVEN_UP = 0.01
"""So many requests, or this share of them, may stay without an answer."""
CUT_SHORT = frozenset({"length"})
REFUSALS = frozenset({"refusal", "content_filter"})
_COUNTED = ("requests", "failed", "prompt_tokens", "completion_tokens", "cost_usd")

Readable = Callable[[Request, str], bool]
"""Whether the text that came for a request holds what was wanted."""
Item = TypeVar("Item")
Wanted = Callable[[], Iterable[tuple[Item, Sequence[Request]]]]
"""Goes through items with the requests for each, in order; all requests about one query are one item's."""
Fetched = tuple[Item, list[tuple[Request, Completion | None]]]
"""An item, and its requests with their answers."""


@dataclass(slots=True)
class Answers:
    """What came of all that one role was wanted to answer."""

    requests: int = 0
    """How many answers were wanted."""
    bought: int = 0
    """Of these, those that were sent for, not stored before."""
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    error: str | None = None
    """One of the failures that are stored."""
    seconds: float = 0.0
    """How long answering took."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Requests that failed for a passing reason however often they were tried, with their last error, by id.

    No answer of theirs is stored, and the next build sends them again."""

    @property
    def cached(self) -> int:
        """How many were stored before."""
        return max(0, self.requests - self.bought)

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
        """Add what a finished stage keeps of its answers."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + facts[name])
        self.error = self.error or facts.get("error")

    def add(self, other: "Answers") -> None:
        """Add what the same role answered in another step, or in another process."""
        self.recall(other.facts())
        self.bought += other.bought
        self.seconds += other.seconds
        self.error = self.error or other.error
        self.given_up |= other.given_up

    def facts(self, job: Job | None = None) -> dict[str, Any]:
        """Return what a stage keeps: the same whenever and however often it was sent. With a job, whose it is, too."""
        whose = {} if job is None else {"role": job.role, "engine": job.model.engine, "model": job.model.name}
        return whose | {name: getattr(self, name) for name in _COUNTED} | {"cost_usd": round(self.cost_usd, 6)}

    def in_key(self, settings: Any) -> Any:
        """Return the settings of a stage's key: others where requests were given up, so that the next build asks."""
        return [settings, sorted(self.given_up)] if self.given_up else settings

    def check(self, run: Run, what: str, rows: int | None = None) -> None:
        """Raise EngineError where what is missing is an endpoint's trouble, not a row's.

        A few requests that fail however often they are tried must not keep the others from being published; the next
        build sends them again. Many of them, or nothing but failures, would publish the weather of the network. `rows`
        is how many questions or sets they are about, where one that is refused must not hold the others back.
        """
        if not self.failed:
            return
        last = [*self.given_up.values(), self.error][0]
        of_all, lost = f"of {self.requests:,} requests", len(self.given_up)
        is_all = self.failed == self.requests and not (rows is not None and rows <= FEW_ROWS and not lost)
        if is_all and not lost:
            raise EngineError(
                f"{what}: all {self.requests:,} requests were refused, one of them: {last}; nothing is asked again by "
                "itself: mend what it says in the recipe, or run again with --retry-failed"
            )
        if is_all or lost > max(FEW_GIVEN_UP, SHARE_GIVEN_UP * self.requests):
            raise EngineError(
                f"{what}: {self.failed:,} {of_all} got no answer, one of them: {last}; "
                "every answer so far is kept: the same command goes on from here"
            )
        if self.failed > lost and self.error:
            run.watcher.warn(
                f"{what}: {self.failed - lost:,} {of_all} were refused for good and are counted as failed; one of "
                f"them: {self.error}; --retry-failed asks again"
            )
        if lost:
            run.watcher.warn(f"{lost:,} {of_all} failed ({last}); the next build asks again")


@dataclass(frozen=True)
class Product:
    """What a step of a build makes."""

    stage: Stage
    bought: Mapping[str, int] = field(default_factory=dict)
    """How many requests of each role were bought in this run to make it."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long that took, by role, where it is known."""


class Asker:
    """One role that a run asks, and what came of it so far."""

    def __init__(self, root: Root, run: Run, job: Job) -> None:
        self.root, self.run, self.job = root, run, job
        self.answers = Answers()
        self._query_ids: set[str] = set()

    def send(
        self,
        what: str,
        total: int,
        requests: Iterator[Request],
        use_of: Callable[[Request, Completion], Use],
        kind: str | None = None,
        follow_up: FollowUp = lambda request, completion: (),
    ) -> None:
        """See that every request has its answer in the generations, but for those that end in `answers.given_up`.

        The first answers of one `kind` count together, or else those of one `what`: where too few of them are of use,
        StoppedEarly is raised.
        """

        def followed(request: Request, completion: Completion) -> Iterable[Request]:
            if completion.fault is FaultKind.TRANSIENT:
                self.answers.given_up[request.request_id] = completion.error or "no answer"
            if len(self._query_ids) <= FEW_ROWS:
                self._query_ids.add(request.query_id)
            return follow_up(request, completion)

        before, started = self.run.budget.answers, time.monotonic()
        self.run.watcher.stage(f"{what} with {self.job.model.name}", total)
        answer(self.root, self.run, self.job.model, requests, followed, Purpose(kind or what, self.job, use_of))
        self.answers.bought += self.run.budget.answers - before
        self.answers.seconds += time.monotonic() - started

    def fetch(self, what: str, requests: Iterable[Request], readable: Readable) -> dict[str, Completion]:
        """Return the answers to these by request_id, stored ones and those that are sent for now, and count them."""
        unique = {request.request_id: request for request in requests}
        in_order = sorted(unique.values(), key=lambda request: (request.query_id, request.request_id))
        of_queries = [(None, list(same)) for _, same in groupby(in_order, key=attrgetter("query_id"))]
        fetched = self.fetch_each(what, lambda: of_queries, readable)
        return {request.request_id: found for _, answers in fetched for request, found in answers if found is not None}

    def fetch_each(self, what: str, wanted: Wanted[Item], readable: Readable) -> Iterator[Fetched[Item]]:
        """Yield the items, each with its requests and their answers, stored ones and those that are sent for now.

        Equal requests are sent and counted once. `wanted` is gone through three times, so that nobody holds them all.
        """

        def in_order() -> Iterator[Request]:
            for _, requests in wanted():
                unique = {request.request_id: request for request in requests}
                yield from (unique[request_id] for request_id in sorted(unique))

        if total := sum(1 for _ in in_order()):
            self.send(what, total, in_order(), use_by(readable))
        stored = Stored(self.root)
        for item, requests in wanted():
            answers = {request.request_id: stored.bought(request) for request in requests}
            self.answers.count(len(answers), filter(None, answers.values()))
            yield item, [(request, answers[request.request_id]) for request in requests]

    def check(self, what: str) -> None:
        """Raise EngineError where what is missing is an endpoint's trouble; a few refused questions hold up nobody."""
        self.answers.check(self.run, what, len(self._query_ids))


def use_by(readable: Readable) -> Callable[[Request, Completion], Use]:
    """Return what says what an answer is good for, where `readable` looks at the text of whole ones."""
    return use_unless(lambda request, text: None if readable(request, text) else "unreadable")


def use_unless(fault_of: Callable[[Request, str], str | None]) -> Callable[[Request, Completion], Use]:
    """Return what says what an answer is good for, where `fault_of` names the fault of a whole one's text, if any."""

    def use_of(request: Request, completion: Completion) -> Use:
        verdict = before_grading(completion)
        if verdict is not Verdict.UNDECIDED:
            return Use(verdict.value, False)
        fault = fault_of(request, completion.text or "")
        return Use(fault or "readable", fault is None)

    return use_of


def before_grading(completion: Completion | None) -> Verdict:
    """Return what an answer is whatever it says; `undecided` where the text has the next word."""
    if completion is None or completion.fault is not None:
        return Verdict.FAILED
    if completion.finish_reason in CUT_SHORT:
        return Verdict.TRUNCATED
    if completion.finish_reason in REFUSALS:
        return Verdict.REFUSED
    return Verdict.UNDECIDED if (completion.text or "").strip() else Verdict.EMPTY


def find_answered(root: Root, key: str, retry_failed: bool) -> Stage | None:
    """Return a finished stage, unless it rests on failed requests that are to be sent again."""
    stage = find_stage(root, key)
    return None if stage is not None and retry_failed and _has_failed(stage.facts) else stage


def _has_failed(facts: Mapping[str, Any]) -> bool:
    """Say whether requests that a stage rests on failed, wherever its facts count them."""
    uses: Collection[Mapping[str, Any] | None] = (
        facts,
        facts.get("use"),
        (facts.get("rephrasing") or {}).get("use"),
        *facts.get("synthesis", {}).get("uses", ()),
    )
    return any(use["failed"] for use in uses if use and "failed" in use)
