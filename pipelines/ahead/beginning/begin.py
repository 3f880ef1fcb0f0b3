"""What `grmforge init` does, in order: data, endpoint, trials, recipe. The recipe is written last."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.ahead.beginning.abilities import is_late, tiny_answers
from pipelines.ahead.beginning.choices import GOOD, Place, best_of, choices_of, forms_to_try
from pipelines.ahead.beginning.data import Data, look_at
from pipelines.ahead.beginning.judge import Judge, judge_at
from pipelines.ahead.beginning.limits import Limits, PromptTokens, limits_of, prompt_tokens, set_tokens, template_tokens
from pipelines.ahead.beginning.outcome import Begun
from pipelines.ahead.beginning.recipe_text import recipe_by, text_of
from pipelines.ahead.beginning.trials import FREE, Form, Trial, first_prompt, trial_sets, tried
from pipelines.ahead.stand_ins import sets_of_questions
from pipelines.engines.answering import Run
from pipelines.judging.prompts import load_template, template_of
from schemas.errors import EngineError, RecipeError, SourceError
from schemas.preference import PreferenceSet
from schemas.recipe import Recipe
from storage.files import becoming, storage_errors
from storage.root import Root

SHORT_PROMPT = Path(__file__).with_name("short_prompt.txt").absolute()
SETS = 7
SECONDS = 300.0
MORE_TOKENS = 4_096
LEAST_SECONDS = 2.0
"""No form is tried in less."""
Watched = Callable[[Recipe, Root], AbstractContextManager[Run]]


@dataclass(frozen=True)
class Wish:
    """What the command was given."""

    data: str
    judge: str
    model: str | None = None
    api_key_env: str | None = None
    output: Path = Path("recipe.toml")
    root: str = "data"
    is_forced: bool = False
    sets: int = SETS
    seconds: float = SECONDS
    """How long everything but reading the data may take."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the source's section: config, split, where, columns."""


def begin(wish: Wish, environment: Mapping[str, str], watched: Watched) -> Begun:
    """Look at the data, ask the endpoint, try the forms, and write the recipe. Raises ForgeError with the way out."""
    place = Place(wish.output, wish.root)
    _check_output(wish, place)
    data = look_at(wish.data, wish.keys)
    sets = _sets(data)
    began = time.monotonic()
    judge = judge_at(wish.judge, wish.model, wish.api_key_env, environment, wish.seconds)
    work = _Work(wish, place, data, judge, sets, began + wish.seconds)
    trials = work.trials(watched)
    best = best_of(trials) if any(trial.answered for trial in trials) else None
    if best is None and trials and trials[0].error and not is_late(trials[0].error):
        raise EngineError(f"{judge.where} answers none of the judge's prompts: {trials[0].error}")
    form = best.form if best and best.usable else work.likely(trials)
    own = best if best and best.form == form else None
    final = work.final_limits(form, own)
    choices = choices_of(data, judge, place, form, final, own)
    begun = Begun(place, data, judge, tuple(trials), best, form, final, tuple(work.notes), wish.seconds / 60)
    text = text_of(choices, [*begun.head(), *(f"WARNING: {words}" for words in begun.warnings())])
    recipe_by(choices, place.output.parent)  # what cannot be read is not written
    with storage_errors(f"{place.output} cannot be written"):
        place.output.parent.mkdir(parents=True, exist_ok=True)
        if form.is_short:
            _write(place.prompt, short_prompt())
        _write(place.output, text)
    return begun


def _write(path: Path, text: str) -> None:
    with becoming(path) as temporary:
        temporary.write_text(text, "utf-8")


def short_prompt() -> str:
    """Return the text of the short prompt."""
    return SHORT_PROMPT.read_text("utf-8")


def _check_output(wish: Wish, place: Place) -> None:
    if place.output.is_dir():
        raise RecipeError(
            f"--output {place.output} is a directory; name a file, such as {place.output / 'recipe.toml'}"
        )
    for path in (place.output, place.prompt):
        if path.exists() and not wish.is_forced:
            raise RecipeError(f"{path} is there already; --force writes over it, --output names another file")


def _sets(data: Data) -> list[PreferenceSet]:
    """Return sets to try the judge on: the data's own, or such as are made of its questions. Raises SourceError."""
    sets = [one for one in data.sets if one.drop_reason is None] or sets_of_questions(data.questions)
    if not sets:
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in data.dropped.most_common())
        raise SourceError(
            f"{data.path or data.hub}: none of {data.rows:,} rows can be judged ({reasons or 'no rows'}): a set needs "
            "exactly one best response; give rewards that differ, best, or chosen and rejected, or questions with a "
            "known answer"
        )
    return list({one.set_id: one for one in sets}.values())


@dataclass
class _Work:
    """What the trials share."""

    wish: Wish
    place: Place
    data: Data
    judge: Judge
    sets: Sequence[PreferenceSet]
    until: float
    """When the time is over."""
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.until - time.monotonic()

    @property
    def fits(self) -> bool:
        """Whether sets fit beside the built-in prompt."""
        return False in self.limits

    @cached_property
    def limits(self) -> dict[bool, Limits]:
        """The limits by whether the prompt is the short one; only the short one's where the other is too long.

        Raises EngineError where no set fits beside either.
        """
        tokens = self.tokens
        short = template_of("short_prompt", short_prompt(), "short_prompt.txt")
        words = template_tokens(short) / template_tokens(load_template("grm"))
        found: dict[bool, Limits] = {}
        with suppress(EngineError):
            found[False] = limits_of(self.judge.context, tokens, self.sets, self.judge.where)
        shorter = PromptTokens(tokens.fixed * words, tokens.by_estimate)
        found[True] = limits_of(self.judge.context, shorter, self.sets, self.judge.where)
        return found

    @cached_property
    def tokens(self) -> PromptTokens:
        """The real tokens of the built-in prompt, as the endpoint counts them in a short and in a long one."""
        template = load_template("grm")
        guess = prompt_tokens(template, [])
        room = self.judge.context or 8_192
        by_size = sorted(self.sets, key=set_tokens)
        fitting = [one for one in by_size if guess.of(set_tokens(one)) < 0.8 * room]
        if not self.judge.abilities.answered or not fitting:
            return guess
        pairs: list[tuple[int, int]] = []
        for one in {fitting[0].set_id: fitting[0], fitting[-1].set_id: fitting[-1]}.values():
            prompt = first_prompt(self._recipe(FREE, Limits(1, None, 0, None)), one)
            seconds = max(LEAST_SECONDS, min(30.0, self.left / 4))
            (answer,) = tiny_answers(self.judge.section, self.judge.key, [{}], seconds, prompt=prompt, max_tokens=1)
            if answer.prompt_tokens:
                pairs.append((set_tokens(one), answer.prompt_tokens))
        return prompt_tokens(template, pairs)

    def _recipe(self, form: Form, limits: Limits) -> Recipe:
        """Return the recipe with which a form is tried. The short prompt is where it ships until it is chosen."""
        choices = choices_of(self.data, self.judge, self.place, form, limits, None)
        recipe = recipe_by(choices, self.place.output.parent)
        if not form.is_short:
            return recipe
        return recipe.model_copy(update={"grm": recipe.grm.model_copy(update={"template": str(SHORT_PROMPT)})})

    def trials(self, watched: Watched) -> list[Trial]:
        """Return what came of each form that was tried, in the order of the forms."""
        limits = self.limits
        first, further = forms_to_try(self.judge, self.fits)
        count = self.wish.sets
        if not self.judge.abilities.answered:  # so slow that one answer in one form is all that can be waited for
            first, further, count = first[:1], [], 1
        root = Root.open(self.place.root)
        draft = self._recipe(first[0], limits[first[0].is_short])
        trials: list[Trial] = []
        with watched(draft, root) as run:
            stage = trial_sets(draft, root, run, self.sets, count)
            while first or (further and not _is_good(trials)):
                form = (first or further).pop(0)
                seconds = self.left / (1 + len(first) + len(further))
                if seconds < LEAST_SECONDS and trials:
                    self.notes.append(f"the time was over before the form {form.name!r} was tried; see --minutes")
                    continue
                recipe = self._recipe(form, limits[form.is_short])
                trials.append(tried(recipe, root, run, form, stage, max(LEAST_SECONDS, seconds)))
                if not trials[-1].answered and is_late(trials[-1].error):
                    self.notes.append(f"in the form {form.name!r} no answer came within {seconds:,.0f} s")
        return trials

    def likely(self, trials: Sequence[Trial]) -> Form:
        """Return the form to begin with where none gave an answer of use: the strictest, untried ones before others."""
        first, further = forms_to_try(self.judge, self.fits)
        forms = [*first, *further]
        untried = [form for form in forms if form not in [trial.form for trial in trials]]
        return (untried or forms)[-1]

    def final_limits(self, form: Form, trial: Trial | None) -> Limits:
        """Return the limits of a form, with more room for answers where many were cut off, and more room may help.

        It may help where some answers ended, or the model thinks.
        """
        limits = self.limits[form.is_short]
        if trial is None or form.is_short:
            return limits
        are_many_cut_off = trial.cut_off * 4 >= trial.asked
        if not are_many_cut_off or (trial.cut_off == trial.asked and not trial.thinks):
            return limits
        more = min(MORE_TOKENS, limits.room or MORE_TOKENS)
        if more <= limits.max_tokens:
            return limits
        return limits_of(self.judge.context, self.tokens, self.sets, self.judge.where, more)


def _is_good(trials: Sequence[Trial]) -> bool:
    return any(trial.usable >= GOOD * trial.asked for trial in trials)
