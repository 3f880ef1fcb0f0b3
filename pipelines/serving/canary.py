"""The canary: a fixed set of responses that is judged anew every so many steps, to see the judge drift."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.evaluation.own_sets import TABLE
from pipelines.serving.judging import Judges, Question, judged
from pipelines.serving.verdicts import Failure, Verdict, numbers_of
from pipelines.sources.preference_sets import unlabelled
from pipelines.sources.rows import rows_of
from pipelines.sources.text import RowError
from schemas.errors import RecipeError
from schemas.preference import SETS_TABLE, UnreadableRow, sets_of
from schemas.recipe import Recipe
from schemas.record import unit_interval
from storage.root import Root
from storage.snapshots import find_snapshot, latest
from storage.tables import read_batches

SAMPLES_A_ROUND = 1_000
"""The samples of a round are numbered from here on: each round asks anew, and a restart asks nothing twice."""
TOP = 9.5
"""Rewards from here on count as top scores."""


class CanarySet(NamedTuple):
    """One set of the canary."""

    question: Question
    texts: tuple[str, ...]


Figures = dict[str, float | None]
"""What a round says, by the names of MEANINGS; None where nothing could be read."""
MEANINGS = {
    "canary_round": "Last round of the canary; 0 is the first.",
    "canary_mean_reward": "Mean reward of the canary's responses.",
    "canary_mean_shift": "Mean change of a response's reward since round 0.",
    "canary_top_share": f"Share of the canary's rewards of at least {TOP}.",
    "canary_length_correlation": "Correlation of reward and length, within sets.",
    "canary_unreadable_share": "Share of the canary's samples that could not be read.",
}


class Canary:
    """Judges its sets in rounds, as steps go by."""

    def __init__(self, judges: Judges, sets: Sequence[CanarySet], every: int) -> None:
        self._judges, self._sets, self._every = judges, sets, every
        self._first: list[Verdict] = []
        self._running: asyncio.Task[None] | None = None
        self._rounds: set[int] = set()
        self.figures: Figures = {}

    def seen(self, step: int | None) -> None:
        """Begin the round of this step where it was not judged yet, and none is going on.

        Runs that share the service share its rounds: one that is far ahead, or says a step by mistake, stops no other.
        """
        number = None if step is None else step // self._every
        if number is None or not self._sets or number in self._rounds:
            return
        if self._running is None or self._running.done():
            self._rounds.add(number)
            self._running = asyncio.get_running_loop().create_task(self._judge(number))

    async def stop(self) -> None:
        """Let go of a round that goes on; what it was answered is stored."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _judge(self, number: int) -> None:
        if not any(numbers_of(verdict.rewards) for verdict in self._first):  # the endpoint may have been away
            self._first = await self._verdicts(0)
        now = self._first if number == 0 else await self._verdicts(number)
        self.figures = figures_of(number, self._sets, self._first, now)

    async def _verdicts(self, number: int) -> list[Verdict]:
        first = number * SAMPLES_A_ROUND
        asked = [judged(self._judges, one.question, one.texts, first) for one in self._sets]
        return list(await asyncio.gather(*asked))


def figures_of(number: int, sets: Sequence[CanarySet], first: Sequence[Verdict], now: Sequence[Verdict]) -> Figures:
    """Return what the verdicts of a round say, beside those of the first one."""
    scores, lengths, shifts = [], [], []
    for one, before, after in zip(sets, first, now, strict=True):
        kept = [place for place, reward in enumerate(after.rewards) if not isinstance(reward, Failure)]
        own = np.array([after.rewards[place] for place in kept], float)
        sizes = np.array([len(one.texts[place]) for place in kept], float)
        scores.append(own)
        lengths.append(sizes)
        shifts += [
            new - old
            for old, new in zip(before.rewards, after.rewards, strict=True)
            if not isinstance(old, Failure) and not isinstance(new, Failure)
        ]
    samples, everything = sum(verdict.samples for verdict in now), np.concatenate(scores)
    is_read = len(everything) > 0
    values = (
        number,
        float(everything.mean()) if is_read else None,
        float(np.mean(shifts)) if shifts else None,
        float((everything >= TOP).mean()) if is_read else None,
        _correlation(scores, lengths) if is_read else None,
        1 - sum(verdict.readable for verdict in now) / samples if samples else None,
    )
    return dict(zip(MEANINGS, values, strict=True))


def _correlation(scores: Sequence[Any], lengths: Sequence[Any]) -> float | None:
    """Return Pearson's correlation of what is left of both without the means of their sets; None without spread."""
    left = [np.concatenate([part - part.mean() for part in parts if len(part)]) for parts in (scores, lengths)]
    spread = float(np.sqrt((left[0] ** 2).sum() * (left[1] ** 2).sum()))
    return float((left[0] * left[1]).sum()) / spread if spread else None


def canary_sets(recipe: Recipe, root: Root) -> list[CanarySet]:
    """Return the sets that [serve] canary names. Raises RecipeError, SourceError and StorageError."""
    wanted = recipe.serve.canary if recipe.serve else None
    if wanted is None:
        return []
    sets = list(_of_file(recipe.at(wanted)) if isinstance(wanted, str) else _of_snapshot(recipe, root, wanted))
    if not sets:
        raise RecipeError(f"serve.canary = {wanted!r} holds no set of several responses: give more, or leave it out")
    return sets


def _of_file(path: Path) -> Iterator[CanarySet]:
    for location, row in rows_of(path):
        if isinstance(row, UnreadableRow):
            raise RecipeError(f"serve.canary: {location}: {row.detail}")
        try:
            query, responses = unlabelled(row)
        except RowError as error:
            raise RecipeError(f"serve.canary: {location}: {error.detail}") from None
        if len(responses) > 1:
            yield CanarySet(Question(query), tuple(response.text for response in responses))


def _of_snapshot(recipe: Recipe, root: Root, share: float) -> Iterator[CanarySet]:
    if latest(root, recipe.build.name) is None:
        raise RecipeError(
            f"serve.canary = {share}: a share of the sets of {recipe.build.name}, which is not built yet: build it "
            "first, or name a file"
        )
    for batch in read_batches(find_snapshot(root, recipe.build.name).files(TABLE), SETS_TABLE.schema):
        for preference in sets_of(batch):
            if preference.n_responses > 1 and unit_interval("canary", preference.set_id) < share:
                question = Question(preference.query, preference.reference, preference.given_principles)
                yield CanarySet(question, tuple(response.text for response in preference.responses))
