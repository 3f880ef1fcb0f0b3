"""The samples of a set in a mode: which are drawn, what became of each, and which are wanted next.

All of it follows from ids, settings and the outcomes so far: what sampling sends, judging finds again.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.judging.extraction import read_answer
from pipelines.judging.prompts import around_responses, hint_text, responses_text, shown_order
from pipelines.judging.samples import SamplingJob
from pipelines.judging.shown_text import ShownSet
from schemas.generation import Completion, Request, Truth
from schemas.preference import PreferenceSet
from schemas.query import user
from schemas.trajectory import Mode, Outcome, Reading


class Draw(NamedTuple):
    """One sample of a set."""

    sample_index: int
    order: tuple[int, ...]
    """order[p] = index, in the set, of the response shown at position p."""
    best_position: int | None
    before: str
    """The prompt up to the responses: without a hint, the same for every sample."""
    rest: str

    @property
    def prompt(self) -> str:
        return self.before + self.rest


class Draws:
    """The samples of one set in one mode. Each sample shuffles the responses anew, unless their order is fixed."""

    def __init__(
        self, job: SamplingJob, shown: ShownSet, mode: Mode, fixed_order: tuple[int, ...] | None = None
    ) -> None:
        self.job, self.preference, self.shown, self.mode = job, shown.preference, shown, mode
        preference = shown.preference
        self.template = job.template_of(preference.n_responses)
        self.wanted = job.samples_wanted(mode)
        """Readable samples that the set needs."""
        self.outcomes: list[Outcome | None] = []
        """By sample index; None while the answer is out."""
        self._repeats: list[int] = []
        self._same_order: dict[tuple[int, ...], int] = {}
        self._drawn_by = job.seed, preference.set_id, job.purpose.value, mode.value
        self._fixed_order = fixed_order
        has_reference = preference.reference is not None
        self._in_prompt = has_reference and job.settings.reference == "prompt"
        self._in_hint = has_reference and job.settings.reference == "hint" and mode is Mode.HINTED
        self._around = None if mode is Mode.HINTED else self._around_responses(None)

    @property
    def has_reference(self) -> bool:
        """Whether the prompts show the reference answer."""
        return self._in_prompt or self._in_hint

    def following(self) -> Iterator[Draw]:
        """Draw the samples that the set wants next, by the outcomes so far; none while an answer is out."""
        known = [outcome for outcome in self.outcomes if outcome is not None]
        if len(known) < len(self.outcomes):
            return iter(())
        indices = next_samples(known, self.wanted, self.job.settings.resample_unreadable)
        self.outcomes += [None] * len(indices)
        return self.drawn(indices)

    def draw(self, index: int) -> Draw:
        """Return one sample: in which order it shows the responses, and its prompt."""
        return next(self.drawn((index,)))

    def drawn(self, indices: Iterable[int]) -> Iterator[Draw]:
        """Yield these samples. Judging draws millions: what they share is looked up once."""
        shown, around, drawn_by, fixed = self.shown, self._around, self._drawn_by, self._fixed_order
        n_responses, best = len(shown.responses), shown.preference.best
        for index in indices:
            order = fixed or shown_order(*drawn_by, index, n_responses)
            before, after = around or self._around_hint(order)
            best_position = None if best is None else order.index(best)
            yield Draw(index, order, best_position, before, responses_text(shown, order) + after)

    def _around_hint(self, order: tuple[int, ...]) -> tuple[str, str]:
        return self._around_responses(
            hint_text(self.shown, order, with_reference=self._in_hint, with_rubric=self.job.settings.rubric_hint)
        )

    def _around_responses(self, hint: str | None) -> tuple[str, str]:
        return around_responses(self.template, self.shown, hint=hint, reference=self._in_prompt)

    def request(self, draw: Draw) -> Request:
        """Return the request that a sample is sent as."""
        preference, n_responses = self.preference, self.preference.n_responses
        is_hinted = self.mode is Mode.HINTED
        is_graded = self.job.grades_single
        truth = Truth(preference.set_id, n_responses, draw.best_position, preference.label, is_hinted, is_graded)
        body = self.job.body_of(user(draw.prompt), n_responses)
        return self.job.request(preference.query_id, body, draw.sample_index, truth, self._repeat(draw.sample_index))

    def _repeat(self, index: int) -> int:
        """Return how many earlier samples show the same order, and so have the same prompt."""
        n_responses = len(self.shown.responses)
        for earlier in range(len(self._repeats), index + 1):
            order = self._fixed_order or shown_order(*self._drawn_by, earlier, n_responses)
            self._repeats.append(self._same_order.get(order, 0))
            self._same_order[order] = self._repeats[-1] + 1
        return self._repeats[index]

    def outcome_of(self, draw: Draw, completion: Completion) -> Outcome:
        """Return the outcome that judging will read, and nothing else."""
        return self.reading_of(draw, completion).outcome

    def reading_of(self, draw: Draw, completion: Completion) -> Reading:
        """Return what an answer amounts to, without its principles and critique."""
        if completion.text is None:
            return Reading(Outcome.FAILED)
        n_responses = self.preference.n_responses
        truth = draw.best_position, self.preference.label
        low, high = self.job.scale(n_responses)
        text = self.job.text_of(completion.text, n_responses)
        return read_answer(text, completion.finish_reason, n_responses, *truth, low, high, with_parts=False)


def draws_of(job: SamplingJob, preference: PreferenceSet) -> list[Draws]:
    """Return the samples of a set, in each mode that the job samples it in."""
    shown = job.shown_set(preference)
    return [Draws(job, shown, mode) for mode in job.modes_of(preference)]


def next_samples(outcomes: Sequence[Outcome], n: int, resample: int) -> range:
    """Return the sample indices to draw next, given the outcomes of samples 0, 1, .. so far.

    First n; then, for each that was unreadable, one more with the next index, at most `resample` times over. A failed
    request is not sampled again: its next sample would fail likewise, and the next run sends it anyway.
    """
    drawn, more = 0, n
    for _ in range(resample + 1):
        if len(outcomes) < drawn + more:
            return range(len(outcomes), drawn + more)
        drawn += more
        more = n - sum(outcome.readable or outcome is Outcome.FAILED for outcome in outcomes[:drawn])
        if more <= 0:
            break
    return range(0)
