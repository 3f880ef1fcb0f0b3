"""The event log of a run: what happened when, for people and scripts that were not watching."""

import re
import time
from importlib.metadata import version
from typing import Any

from flows.watching.progress import Display
from flows.watching.tally import StageTally
from pipelines.engines.answering import Run
from pipelines.orders import models_of
from schemas.errors import BudgetReached, ForgeError, Interrupted, StoppedEarly, StorageError, Waiting
from schemas.recipe import Recipe
from schemas.record import content_id
from storage.root import Root
from storage.run_events import RunEvents

_ADDRESS = re.compile(r"https?://[^\s;,]+")
_ENDS = {BudgetReached.exit_code: "budget", Waiting.exit_code: "waiting"}
OWN_WORDS = (BudgetReached, Interrupted, StorageError, StoppedEarly)
"""Errors whose message holds only our words. Others may quote an endpoint, a prompt or a row."""


class EventLog(Display):
    """A display that writes `runs/<run_id>.jsonl`."""

    def __init__(self, recipe: Recipe, root: Root, run: Run, what: str) -> None:
        self._run = run
        self._started = time.monotonic()
        self._events = RunEvents(root, run.run_id)
        self._events.write(
            "run_started",
            run_id=run.run_id,
            what=what,
            name=recipe.build.name,
            recipe_id=content_id("recipe", recipe.resolved()),
            version=version("grmforge"),
            sources=[source.source for source in recipe.sources],
            # By role; never where they are reached: an address may hold a password.
            models={role: model.name for role, model in models_of(recipe).items()},
            budget=recipe.budget.model_dump(exclude_none=True),
        )

    def began(self, stage: StageTally) -> None:
        self._events.write("stage_began", stage=stage.name, wanted=stage.total)

    def show(self, stage: StageTally) -> None:
        if stage.total is not None:
            self._events.write(
                "progress",
                **_counts(stage),
                rate=round(stage.rate, 2),
                token_rate=round(stage.token_rate, 1),
                in_flight=stage.flying,
                room=stage.room,
                seconds_left=None if stage.seconds_left is None else round(stage.seconds_left),
            )

    def ended(self, stage: StageTally) -> None:
        counts: dict[str, Any] = {"stage": stage.name}
        if stage.total is not None:
            counts = _counts(stage) | {
                "outcomes": {str(outcome): rows for outcome, rows in stage.outcomes.items()},
                "prompt_tokens": stage.prompt_tokens,
                "answer_tokens": stage.answer_tokens,
                "rate": round(stage.mean_rate, 2),
                "token_rate": round(stage.mean_token_rate, 1),
            }
        self._events.write("stage_ended", **counts, seconds=round(stage.seconds, 3))

    def say(self, text: str) -> None:
        self._events.write("said", text=_ADDRESS.sub("the endpoint", text.split("; ", 1)[0]))

    def warn(self, text: str) -> None:
        # Behind the first semicolon there may be an endpoint's words; a budget's warning is ours throughout.
        own = text if text.startswith("budget: ") else text.split("; ", 1)[0]
        self._events.write("warning", text=_ADDRESS.sub("the endpoint", own))

    def stopping(self, in_flight: int) -> None:
        self._events.write("stopping", in_flight=in_flight)

    def close(self, error: BaseException | None) -> None:
        budget = self._run.budget
        words = {} if error is None else {"error": type(error).__name__}
        if isinstance(error, OWN_WORDS):
            words["message"] = str(error)
        self._events.write(
            "run_ended",
            how=_how(error),
            **words,
            seconds=round(time.monotonic() - self._started, 3),
            requests=budget.requests,
            tokens=budget.tokens,
            cost_usd=budget.cost_usd,
        )
        self._events.close()


def _how(error: BaseException | None) -> str:
    if error is None:
        return "finished"
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return "interrupted"
    return _ENDS.get(error.exit_code, "failed") if isinstance(error, ForgeError) else "crashed"


def _counts(stage: StageTally) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "wanted": stage.total,
        "settled": stage.settled,
        "bought": stage.bought,
        "found": stage.found,
        "failed": stage.failed,
        "readable": stage.readable,
        "correct_share": round(stage.correct_share, 4),
        "cost_usd": stage.cost_usd,
        "retries": dict(stage.retries),
    }
