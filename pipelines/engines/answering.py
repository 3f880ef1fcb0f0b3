"""Answers to requests: looked up first, bought where missing, stored as they come. All that stages call of engines."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Protocol

from pipelines.engines.budget import Budget
from pipelines.engines.dispatch import dispatch
from pipelines.engines.protocol import Observer, open_engine
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from schemas.record import bucket_of
from storage.generations import Generations
from storage.imports import ImportedAnswers
from storage.journal import JournalWriter
from storage.root import Root

FollowUp = Callable[[Request, Completion], Iterable[Request]]
"""Called once a request, with its answer, stored or new; what it returns is asked next."""


class Watcher(Observer, Protocol):
    """Who watches a run: what engines do, and what its stages are at."""

    def stage(self, name: str, total: int | None) -> None:
        """A stage begins; `total` is how many answers it needs at least, None where it asks for none."""
        ...

    def found(self, completion: Completion) -> None:
        """An answer was there already."""
        ...

    def judged(self, outcome: str) -> None:
        """An answer, stored or new, was read."""
        ...


@dataclass(frozen=True)
class Run:
    """What the answers of one run share."""

    run_id: str
    budget: Budget
    keys: Mapping[str, str]
    """API keys by the name of their environment variable; read by the caller, never stored."""
    watcher: Watcher
    retry_failed: bool = False
    """Ask again for what an endpoint once refused for good."""


def answer(root: Root, run: Run, model: ModelSection, requests: Iterator[Request], follow_up: FollowUp) -> None:
    """See that every request, and all that follows from its answer, has an answer in the generations.

    `requests` come bucket by bucket. Transient failures that outlast their retries are handed to `follow_up` and not
    stored, so that the next run asks for them again. Raises EngineError, BudgetReached and StorageError; what was
    answered by then is on disk.
    """
    generations = Generations(root)
    imported = ImportedAnswers(root)
    bucket_answers = lru_cache(maxsize=4)(generations.lookup)  # follow-ups lag a bucket or two behind
    with JournalWriter(root, run.run_id) as journal:

        def stored(request: Request) -> Completion | None:
            completion = bucket_answers(bucket_of(request.query_id)).get(request.request_id)
            if completion is None and (completion := imported.answer_to(request)) is not None:
                journal.append(request, completion)
            return None if completion is not None and completion.fault and run.retry_failed else completion

        def unanswered(request: Request) -> Iterator[Request]:
            """Yield the request, or what follows from its stored answer, as far as it has no answer yet."""
            pending = [request]
            while pending:
                current = pending.pop()
                completion = stored(current)
                if completion is None:
                    yield current
                else:
                    run.watcher.found(completion)
                    pending.extend(follow_up(current, completion))

        def on_completion(request: Request, completion: Completion) -> Iterable[Request]:
            if completion.fault is not FaultKind.TRANSIENT:
                journal.append(request, completion)
            return [further for next_one in follow_up(request, completion) for further in unanswered(next_one)]

        missing = chain.from_iterable(map(unanswered, requests))
        first = next(missing, None)
        if first is not None:
            engine = open_engine(model, check_key(model, run.keys))
            run.budget.is_in_use = True
            try:
                dispatch(chain([first], missing), engine, model, run.budget, on_completion, run.watcher)
            finally:
                run.budget.is_in_use = False
    generations.fold()


def check_key(model: ModelSection, keys: Mapping[str, str]) -> str | None:
    """Return the model's API key. Raises EngineError, naming the variable, where it is not set."""
    variable = model.key_variable
    if variable is None:
        return None
    if not keys.get(variable):
        raise EngineError(f"model {model.name}: its key is not set; export {variable}=.. and run again")
    return keys[variable]
