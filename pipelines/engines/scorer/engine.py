"""engine = "score" without a base_url: texts are scored in this process, in batches of about one length.

Requests come one by one. Those that wait while a batch is computed make the next one: the longest first, and with it
those that come nearest to it, so that little is padded.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.engines.faults import Fault, snippet
from pipelines.engines.protocol import Attempt
from pipelines.engines.scorer.local import Classifier, NoText, load
from pipelines.engines.scorer.replies import score_of, scored
from schemas.generation import FaultKind, Request
from schemas.recipe import ModelSection

BATCH_TOKENS = 16_384
"""Of a batch, padding included: a few seconds of a small model on a processor."""
GATHER_S = 0.005
"""How long requests are waited for while they are handed over, before a batch is made of them."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A text that waits for its score."""

    tokens: list[int]
    values: "asyncio.Future[list[float]]"


class LocalScorer:
    """One loaded model. Closing the engine keeps the model for the next dispatch."""

    def __init__(self, model: ModelSection, loaded: Callable[[], Classifier]) -> None:
        """`loaded` returns the model, loaded at the first request. It may raise EngineError."""
        self._model = model
        self._loaded = loaded
        self._classifier: Classifier | None = None
        self._loading = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self._pump: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Attempt:
        """Score a request's conversation. Raises EngineError where the model cannot be loaded, or has no room."""
        classifier = self._classifier or await self._load()
        where = f"model {self._model.name}"
        try:
            tokens = classifier.tokens(request.body)
        except NoText as error:
            return _failed(request, Fault(FaultKind.REQUEST, f"{where}: its chat template: {snippet(str(error))}"))
        if len(tokens) > classifier.longest:
            fault = f"{where}: the text has {len(tokens):,} tokens, and the model reads {classifier.longest:,}"
            return _failed(request, Fault(FaultKind.REQUEST, fault))
        waiting = _Waiting(tokens, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run(classifier))
        score = score_of(await waiting.values, where)
        if isinstance(score, Fault):
            return _failed(request, score)
        return Attempt(scored(request.request_id, score, self._model, self._model.name, len(tokens)))

    async def close(self) -> None:
        """Wait for the batch that is computed: nothing can break it off."""
        for one in self._waiting:
            one.values.cancel()
        self._waiting.clear()
        if self._pump is not None:
            await asyncio.gather(self._pump, return_exceptions=True)

    async def _load(self) -> Classifier:
        async with self._loading:
            if self._classifier is None:
                self._classifier = await asyncio.to_thread(self._loaded)
            return self._classifier

    async def _run(self, classifier: Classifier) -> None:
        """Score what waits, batch by batch, until nothing does."""
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_S)
                batch = self._next_batch()
                if not batch:
                    continue
                try:
                    values = await asyncio.to_thread(classifier.values, [one.tokens for one in batch])
                except Exception as error:  # noqa: BLE001 - whoever waits for the batch hears of it, and raises it
                    for one in batch:
                        _settle(one, error=error)
                else:
                    for one, found in zip(batch, values, strict=True):
                        _settle(one, found)
        finally:
            self._pump = None

    def _next_batch(self) -> list[_Waiting]:
        self._waiting.sort(key=lambda one: len(one.tokens))
        batch: list[_Waiting] = []
        while self._waiting and (not batch or (len(batch) + 1) * len(batch[0].tokens) <= BATCH_TOKENS):
            batch.append(self._waiting.pop())
        return batch


class Scorers:
    """The models that a run has loaded. A run loads each once, and keeps it to its end."""

    def __init__(self, directory: Path = Path()) -> None:
        """`directory` is where the recipe stands."""
        self._directory = directory
        self._loaded: dict[tuple[str, str | None], Classifier] = {}

    def engine(self, model: ModelSection) -> LocalScorer:
        """Return an engine for one dispatch. Nothing is loaded before the first request."""
        return LocalScorer(model, lambda: self._load(model))

    def _load(self, model: ModelSection) -> Classifier:
        key = model.model, model.revision
        if key not in self._loaded:
            self._loaded[key] = load(model, self._directory)
        return self._loaded[key]


def _failed(request: Request, fault: Fault) -> Attempt:
    return Attempt(fault.completion(request.request_id), is_doubtful=fault.is_doubtful)


def _settle(one: _Waiting, values: list[float] | None = None, error: Exception | None = None) -> None:
    with suppress(asyncio.InvalidStateError):  # whoever waited has given up
        if error is not None:
            one.values.set_exception(error)
        elif values is not None:
            one.values.set_result(values)
