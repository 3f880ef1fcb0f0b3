"""What `grmforge init` found, in a short table, and as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.ahead.beginning.choices import GOOD, Place
from pipelines.ahead.beginning.data import Data
from pipelines.ahead.beginning.judge import Judge
from pipelines.ahead.beginning.limits import Limits
from pipelines.ahead.beginning.trials import Form, Trial
from pipelines.ahead.estimates import time_words
from pipelines.evaluation.wording import counted

ANSWERS_A_SET = 4
"""Three samples and a hinted one."""
SLOW_HOURS = 24.0
LONGER_MINUTES = 15


@dataclass(frozen=True)
class Begun:
    """The data, the judge, what came of the trials, and where the recipe is."""

    place: Place
    data: Data
    judge: Judge
    trials: tuple[Trial, ...]
    best: Trial | None
    """The trial whose form reads best; None where no answer came in time."""
    form: Form
    """The form that was chosen; another one where no answer was of use."""
    limits: Limits
    notes: tuple[str, ...]
    minutes: float
    """How long the endpoint was given."""

    def lines(self) -> Iterator[str]:
        """Yield it for a terminal."""
        yield from self.data.lines()
        yield from self.judge.lines()
        if self.trials:
            yield f"trials    {counted(self.trials[0].asked, 'set')}, one answer each"
            yield f"          {'form':<20} {'readable':>9} {'of use':>7} {'cut off':>8} {'tokens':>7} {'seconds':>8}"
        for trial in self.trials:
            tokens = "-" if trial.answer_tokens is None else f"{trial.answer_tokens:,.0f}"
            seconds = f"{trial.seconds:,.1f}" if trial.bought else "stored"
            yield (
                f"          {trial.form.name:<20} {f'{trial.readable} of {trial.asked}':>9} {trial.usable:>7} "
                f"{trial.cut_off:>8} {tokens:>7} {seconds:>8}" + (f"   {fault}" if (fault := trial.fault()) else "")
            )
        if self.best is None or self.best.form != self.form:
            yield f"chosen    {self.form.name}, untried or without an answer of use so far"
        else:
            yield f"chosen    {self.form.name}" + (f"; {time}" if (time := self._time()) else "")
        yield from (f"warning   {words}" for words in self.warnings())
        yield f"wrote     {self.place.output}" + (f" and {self.place.prompt}" if self.form.is_short else "")
        yield f"next      {self._next(str(self.place.output))}"

    def _next(self, recipe: str) -> str:
        """Return what to do now. Where no answer came, a probe would wait in vain, too."""
        if self.best is not None:
            return f"grmforge probe {recipe} -n 20"
        longer = f"--minutes {max(LONGER_MINUTES, 3 * self.minutes):g}"
        return f"run init again when the server is free, or with {longer}; --force writes over {recipe}"

    def _time(self) -> str:
        """Return how long a build of the rows that were read takes; empty where that is not known."""
        hours = self._hours()
        if hours is None:
            return ""
        answers = self.limits.kept * ANSWERS_A_SET
        return f"about {answers:,} answers for these sets, {time_words(hours)} at the rate of the trial"

    def _hours(self) -> float | None:
        rate = self.best.rate if self.best else None
        return None if rate is None else self.limits.kept * ANSWERS_A_SET / rate / 3600

    def warnings(self) -> Iterator[str]:
        """Yield what should be known before anything is built, each with a way out."""
        yield from self.judge.warnings()
        yield from self.notes
        sets = len([one for one in self.data.records if one.drop_reason is None])
        if sets < 20:
            yield f"only {sets} row(s) can be judged: too few for training sets; give more rows"
        if self.data.unreadable.total() > len(self.data.records):
            yield f"most rows are unreadable, the first: {self.data.example}"
        looked_at = sets if self.data.sets else 0
        if looked_at > self.limits.kept:
            yield (
                f"{looked_at - self.limits.kept:,} of {looked_at:,} sets are longer than the context allows: they lose "
                "wrong responses or are dropped; serve the model with a longer context to keep them"
            )
        if self.best is None:
            yield "no form got an answer in time: whether the judge can be read is not known, and the form is a guess"
        elif self.best.usable < GOOD * self.best.asked:
            yield (
                f"only {self.best.usable} of {self.best.asked} answers are of use in the best form "
                f"({self.best.fault()}): most of what a build pays for would be lost; a larger model, "
                "or a [grm] template of your own, may help"
            )
        if self.best is not None and self.best.thinks * 2 >= self.best.asked:
            yield (
                "the model thinks aloud: each answer costs more, and needs a higher [grm] max_tokens; "
                "extra_body = { chat_template_kwargs = { enable_thinking = false } } turns it off where it can be"
            )
        if (hours := self._hours()) is not None and hours > SLOW_HOURS:
            yield f"a build of these rows takes {time_words(hours)} at this rate; begin with --limit"

    def head(self) -> Iterator[str]:
        """Yield the first lines of the recipe."""
        yield f"Written by grmforge init for {self.data.path or self.data.hub}, judged by {self.judge.where}."
        then = f", then grmforge build {self.place.output.name}" if self.best is not None else ""
        yield f"Next: {self._next(self.place.output.name)}{then}"
        yield "Every key: docs/recipes.md"

    def as_json(self) -> dict[str, Any]:
        """Return it as data."""
        data = self.data
        return {
            "recipe": str(self.place.output),
            "data": {
                "kind": data.source.kind,
                "rows": data.rows,
                "is_whole": data.is_whole,
                "columns": list(data.columns),
                "set_aside": dict(data.dropped),
                "unreadable": dict(data.unreadable),
            },
            "judge": {
                "model": self.judge.section.model,
                "base_url": self.judge.url,
                "context": self.judge.context,
                **{
                    name: {"taken": ability.is_taken, "says": ability.says}
                    for name, ability in self.judge.abilities.by_name().items()
                },
            },
            "trials": [
                {
                    "form": trial.form.name,
                    "asked": trial.asked,
                    "readable": trial.readable,
                    "of_use": trial.usable,
                    "cut_off": trial.cut_off,
                    "outcomes": dict(trial.outcomes),
                    "prompt_tokens": trial.prompt_tokens,
                    "answer_tokens": trial.answer_tokens,
                    "seconds": round(trial.seconds, 2),
                    "error": trial.error,
                    "example": trial.example,
                }
                for trial in self.trials
            ],
            "chosen": self.form.name,
            "warnings": list(self.warnings()),
        }
