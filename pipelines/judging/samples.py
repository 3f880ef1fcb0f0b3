"""Which samples a set gets, and the request behind each: pure functions of ids and settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.engines.identity import identity
from pipelines.engines.request_body import request_body
from pipelines.judging.answer_forms import form_in_body, headings_of
from pipelines.judging.json_judgements import judgement_text
from pipelines.judging.parts_wanted import PartsWanted, parts_wanted
from pipelines.judging.prompt_length import result_limit
from pipelines.judging.prompts import Template, around_responses, hint_text, load_template, responses_text, shown_order
from pipelines.judging.shown_text import Shown, ShownSet, show
from schemas.generation import Request, Truth, request
from schemas.preference import PreferenceSet
from schemas.query import Messages, user
from schemas.recipe import ModelSection, Recipe, SameAsGrm
from schemas.trajectory import Mode, Outcome, Purpose

ROLE = {
    Purpose.RFT: "grm",
    Purpose.DIFFICULTY: "difficulty",
    Purpose.ON_POLICY: "policy",
    Purpose.RETAG: "teacher",
    Purpose.PAIRED: "grm",
}


TEMPLATES = {"self": "grm", "rubric": "grm_rubric", "none": "grm_no_principles"}
"""The built-in template by where the judge's criteria come from."""


@dataclass(frozen=True)
class SamplingJob:
    """All that decides what is sampled for one purpose."""

    purpose: Purpose
    model: ModelSection
    identity: dict[str, Any]
    n: int
    """Readable non-hinted samples a set."""
    hinted_sources: frozenset[str]
    """Sources whose sets also get one hinted sample."""
    resample: int
    temperature: float
    max_tokens: int
    reference: str
    shown: Shown
    max_prompt_tokens: int | None
    template: Template
    single_template: Template
    rubric_hint: bool
    """Whether hints hold the rubric of the set's own question."""
    structured_output: str
    structured_text: str | None
    principles: str
    """Where the judge's criteria come from: "self", "rubric" or "none"."""
    seed: int
    is_for_rft: bool = False
    """Whether correct answers become examples, which need more than a verdict."""
    given: frozenset[str] = frozenset()
    """Keys that the recipe sets in `[grm]`; nothing depends on them but advice."""

    @property
    def role(self) -> str:
        return ROLE[self.purpose]

    @property
    def stage_name(self) -> str:
        """The sampling stage as watchers, event logs and plans name it."""
        return f"sampling {self.purpose} with {self.model.name}"

    def template_of(self, n_responses: int) -> Template:
        """Return the template: single-response items are scored 0 or 1 by one of their own."""
        return self.single_template if n_responses == 1 else self.template

    def body(self, messages: Messages, n_responses: int) -> dict[str, Any]:
        """Return the body of the request with this prompt, which shows so many responses."""
        return self._form(n_responses) | self._body(messages)

    def _body(self, messages: Messages) -> dict[str, Any]:
        return request_body(self.model, messages, temperature=self.temperature, max_tokens=self.max_tokens)

    def _form(self, n_responses: int) -> dict[str, Any]:
        return form_in_body(self.structured_output, self.structured_text, self.template_of(n_responses), n_responses)

    def text_of(self, answer: str, n_responses: int) -> str:
        """Return an answer as the text that the template asks for; one that was to be JSON and is none, as it is."""
        if self.structured_output != "json_schema":
            return answer
        text = judgement_text(answer, headings_of(self.template_of(n_responses)), n_responses)
        return answer if text is None else text

    def parts_wanted(self, n_responses: int) -> PartsWanted:
        """Return the parts without which an answer is no example; criteria only where the judge is to find its own."""
        wanted = parts_wanted(self.template_of(n_responses), self.structured_output, self.structured_text)
        return wanted._replace(criteria=wanted.criteria and self.principles == "self")

    def settings(self) -> dict[str, Any]:
        """Return everything that a stage made by this job depends on."""
        forms = [self._form(n_responses) for n_responses in (1, 2)]
        return {
            "purpose": self.purpose,
            "model": self.model.name,
            "identity": self.identity,
            "body": self._body(()),
            "system_role": self.model.system_role,
            "n": self.n,
            "hinted_sources": sorted(self.hinted_sources),
            "resample": self.resample,
            "reference": self.reference,
            "shown": self.shown,
            "max_prompt_tokens": self.max_prompt_tokens,
            "templates": [self.template.identity, self.single_template.identity],
            "rubric_hint": self.rubric_hint,
            "seed": self.seed,
            **({"forms": forms} if any(forms) else {}),
            **({} if self.principles == "self" else {"principles": self.principles}),
        }


def sampling_job(recipe: Recipe, purpose: Purpose) -> SamplingJob | None:
    """Return what to sample for a purpose; None where the recipe has no model of its own for it."""
    model: ModelSection | SameAsGrm | None = getattr(recipe.models, ROLE[purpose])
    if model is None or isinstance(model, SameAsGrm):
        return None
    grm = recipe.grm
    builtin = TEMPLATES[principles_of(recipe, purpose)]
    return SamplingJob(
        purpose=purpose,
        model=model,
        identity=identity(model, Path(recipe.directory)),
        n=recipe.meta_rm.n if purpose is Purpose.ON_POLICY else grm.n_rft,
        hinted_sources=frozenset(hinted_sources(recipe)) if purpose is Purpose.RFT else frozenset(),
        resample=grm.resample_unreadable,
        temperature=grm.temperature,
        max_tokens=grm.max_tokens,
        reference=grm.reference,
        shown=grm.shown,
        max_prompt_tokens=grm.max_prompt_tokens,
        template=load_template(recipe.at(grm.template) if grm.template else builtin),
        single_template=load_template("grm_single"),
        rubric_hint=grm.rubric_hint,
        structured_output=grm.structured_output,
        structured_text=grm.structured_text,
        principles=principles_of(recipe, purpose),
        seed=recipe.build.seed,
        is_for_rft=purpose is Purpose.RFT and "rft" in recipe.build.sets,
        given=frozenset(grm.model_fields_set),
    )


def principles_of(recipe: Recipe, purpose: Purpose) -> str:
    """Return where the judge's criteria come from; the comparison takes the way that RFT's samples do not."""
    if purpose is not Purpose.PAIRED:
        return recipe.grm.principles
    return "self" if recipe.grm.principles == "rubric" else "rubric"


def hinted_sources(recipe: Recipe) -> Iterator[str]:
    """Yield the names of the sources whose sets get a hinted sample."""
    return (source.source for source in recipe.sources if source.hinted)


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt of one set, as it is or would be sent."""

    mode: Mode
    index: int
    order: tuple[int, ...]
    """order[p] = index, in the set, of the response shown at position p."""
    template: Template
    messages: Messages
    request: Request
    best_position: int | None
    has_reference: bool


class SetPrompts:
    """A set's prompts in one mode, with what they share made once."""

    __slots__ = ("_around", "_in_hint", "_in_prompt", "_job", "_mode", "_preference", "_shown", "template")

    def __init__(self, job: SamplingJob, preference: PreferenceSet, shown: ShownSet, mode: Mode) -> None:
        told = preference.reference is not None
        self.template = job.template_of(preference.n_responses)
        self._job, self._preference, self._shown, self._mode = job, preference, shown, mode
        self._in_prompt = told and job.reference == "prompt"
        self._in_hint = told and job.reference == "hint" and mode is Mode.HINTED
        self._around = None if mode is Mode.HINTED else self._around_responses(None)

    @property
    def has_reference(self) -> bool:
        return self._in_prompt or self._in_hint

    def order(self, index: int) -> tuple[int, ...]:
        """Return the order in which a sample shows the responses."""
        preference, job = self._preference, self._job
        mode, purpose = self._mode.value, job.purpose.value  # an enumeration's own format takes half a microsecond
        return shown_order(job.seed, preference.set_id, purpose, mode, index, len(preference.responses))

    def best_position(self, order: tuple[int, ...]) -> int | None:
        best = self._preference.best
        return None if best is None else order.index(best)

    def pieces(self, order: tuple[int, ...]) -> tuple[str, str, str]:
        """Return the prompt in three: its beginning, which without a hint is every sample's, the responses, the end."""
        if self._around is None:
            hint = hint_text(self._shown, order, with_reference=self._in_hint, with_rubric=self._job.rubric_hint)
            before, after = self._around_responses(hint)
        else:
            before, after = self._around
        return before, responses_text(self._shown, order), after

    def _around_responses(self, hint: str | None) -> tuple[str, str]:
        return around_responses(self.template, self._shown, hint=hint, reference=self._in_prompt)


def modes_of(job: SamplingJob, preference: PreferenceSet) -> tuple[Mode, ...]:
    """Return the modes in which a set is sampled; one that is given no criteria has nothing to be compared."""
    if job.purpose is Purpose.PAIRED and preference.given_principles is None:
        return ()
    return (Mode.NON_HINTED, Mode.HINTED) if preference.source in job.hinted_sources else (Mode.NON_HINTED,)


def next_samples(outcomes: Sequence[Outcome], n: int, resample: int) -> range:
    """Return the sample indices to ask for, given the outcomes of samples 0, 1, .. so far.

    First n; then, for each that was unreadable, one more with the next index, at most `resample` times over. A failed
    request is not sampled again: its next sample would fail likewise, and the next run asks for it anyway.
    """
    asked, wanted = 0, n
    for _ in range(resample + 1):
        if len(outcomes) < asked + wanted:
            return range(len(outcomes), asked + wanted)
        asked += wanted
        settled = sum(outcome.readable or outcome is Outcome.FAILED for outcome in outcomes[:asked])
        wanted = n - settled
        if wanted <= 0:
            break
    return range(0)


def samples_wanted(job: SamplingJob, mode: Mode) -> int:
    """Return how many readable samples a set needs in a mode."""
    return job.n if mode is Mode.NON_HINTED else 1


def shown_set(job: SamplingJob, preference: PreferenceSet) -> ShownSet:
    """Return the set's texts as they are shown, made once for all its samples."""
    return show(preference, job.shown, result_limit(preference, job))


def sample(job: SamplingJob, preference: PreferenceSet, shown: ShownSet, mode: Mode, index: int) -> Sample:
    """Return one sample of a set: its order, prompt and request, all derived from ids."""
    prompts = SetPrompts(job, preference, shown, mode)
    order = prompts.order(index)
    messages = user("".join(prompts.pieces(order)))
    best_position = prompts.best_position(order)
    truth = Truth(preference.set_id, preference.n_responses, best_position, preference.label, mode is Mode.HINTED)
    return Sample(
        mode=mode,
        index=index,
        order=order,
        template=prompts.template,
        messages=messages,
        request=request(
            role=job.role,
            identity=job.identity,
            query_id=preference.query_id,
            body=job.body(messages, preference.n_responses),
            sample_index=index,
            truth=truth,
        ),
        best_position=best_position,
        has_reference=prompts.has_reference,
    )
