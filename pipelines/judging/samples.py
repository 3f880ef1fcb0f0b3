"""What is sampled for a purpose: all that decides which requests a build makes of a judge."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.engines.jobs import Job, identity
from pipelines.judging.answer_forms import form_in_body, headings_of, judgement_text
from pipelines.judging.parts_wanted import PartsWanted, parts_wanted
from pipelines.judging.prompt_length import result_limit
from pipelines.judging.prompts import Template, load_template, score_range
from pipelines.judging.shown_text import ShownSet, show
from schemas.preference import PreferenceSet
from schemas.query import Messages
from schemas.recipe import GrmSection, ModelSection, Recipe
from schemas.trajectory import Mode, Purpose

ROLE = {
    Purpose.RFT: "grm",
    Purpose.DIFFICULTY: "difficulty",
    Purpose.ON_POLICY: "policy",
    Purpose.RETAG: "teacher",
    Purpose.PAIRED: "grm",
}
TEMPLATES = {"self": "grm", "rubric": "grm_rubric", "none": "grm_no_principles"}
"""The built-in template by where the judge's criteria come from."""


@dataclass(frozen=True, kw_only=True)
class SamplingJob(Job):
    """All that decides what is sampled for one purpose."""

    purpose: Purpose
    settings: GrmSection
    n: int
    """Readable non-hinted samples a set."""
    hinted_sources: frozenset[str]
    """Sources whose sets also get one hinted sample."""
    template: Template
    single_template: Template
    principles: str
    """Where the judge's criteria come from: "self", "rubric" or "none"."""
    seed: int
    is_for_rft: bool = False
    """Whether correct answers become examples, which need more than a verdict."""
    grades_single: bool = False
    """Whether a single response gets a grade of 1 to 10, as at evaluation, in place of 0 or 1, as in training."""

    @property
    def stage_name(self) -> str:
        """The sampling stage as watchers, event logs and plans name it."""
        return f"sampling {self.purpose} with {self.model.name}"

    def modes_of(self, preference: PreferenceSet) -> tuple[Mode, ...]:
        """Return the modes in which a set is sampled; one that is given no criteria has nothing to be compared."""
        if self.purpose is Purpose.PAIRED and preference.given_principles is None:
            return ()
        return (Mode.NON_HINTED, Mode.HINTED) if preference.source in self.hinted_sources else (Mode.NON_HINTED,)

    def samples_wanted(self, mode: Mode) -> int:
        """Return how many readable samples a set needs in a mode."""
        return self.n if mode is Mode.NON_HINTED else 1

    def shown_set(self, preference: PreferenceSet) -> ShownSet:
        """Return the set's texts as they are shown, made once for all its samples."""
        return show(preference, self.settings.shown, result_limit(preference, self.settings))

    def template_of(self, n_responses: int) -> Template:
        """Return the template: single-response items are scored 0 or 1 by one of their own."""
        return self.single_template if n_responses == 1 and not self.grades_single else self.template

    def scale(self, n_responses: int) -> tuple[int, int]:
        """Return the lowest and the highest score of an answer about so many responses."""
        return score_range(2 if self.grades_single else n_responses)

    def form_of(self, n_responses: int) -> dict[str, Any]:
        """Return the part of a body that has the server keep to a form."""
        form, text = self.settings.structured_output, self.settings.structured_text
        return form_in_body(form, text, self.template_of(n_responses), n_responses, self.scale(n_responses))

    def body_of(self, messages: Messages, n_responses: int) -> dict[str, Any]:
        """Return the body of the request with this prompt, which shows so many responses."""
        return self.form_of(n_responses) | self.body(messages)

    def text_of(self, answer: str, n_responses: int) -> str:
        """Return an answer as the text that the template asks for; one that was to be JSON and is none, as it is."""
        if self.settings.structured_output != "json_schema":
            return answer
        text = judgement_text(answer, headings_of(self.template_of(n_responses)), n_responses)
        return answer if text is None else text

    def parts_wanted(self, n_responses: int) -> PartsWanted:
        """Return the parts without which an answer is no example; criteria only where the judge is to find its own."""
        form, text = self.settings.structured_output, self.settings.structured_text
        wanted = parts_wanted(self.template_of(n_responses), form, text)
        return wanted._replace(criteria=wanted.criteria and self.principles == "self")

    def key_settings(self) -> dict[str, Any]:
        """Return everything that a stage made by this job depends on."""
        grm = self.settings
        forms = [self.form_of(n_responses) for n_responses in (1, 2)]
        return {
            "purpose": self.purpose,
            "model": self.model.name,
            "identity": self.identity,
            "body": self.body(()),
            "system_role": self.model.system_role,
            "n": self.n,
            "hinted_sources": sorted(self.hinted_sources),
            "resample": grm.resample_unreadable,
            "reference": grm.reference,
            "shown": grm.shown,
            "max_prompt_tokens": grm.max_prompt_tokens,
            "templates": [self.template.identity, self.single_template.identity],
            "rubric_hint": grm.rubric_hint,
            "seed": self.seed,
            **({"forms": forms} if any(forms) else {}),
            **({} if self.principles == "self" else {"principles": self.principles}),
        }


def sampling_job(recipe: Recipe, purpose: Purpose) -> SamplingJob | None:
    """Return what to sample for a purpose; None where the recipe has no model of its own for it."""
    model = getattr(recipe.models, ROLE[purpose])
    if not isinstance(model, ModelSection):
        return None
    grm, principles = recipe.grm, recipe.grm.principles
    if purpose is Purpose.PAIRED:  # the comparison takes the way that RFT's samples do not
        principles = "self" if principles == "rubric" else "rubric"
    hinted = [source.source for source in recipe.sources if source.hinted and purpose is Purpose.RFT]
    return SamplingJob(
        role=ROLE[purpose],
        model=model,
        identity=identity(model, Path(recipe.directory)),
        section="grm",
        settings=grm,
        purpose=purpose,
        n=recipe.meta_rm.n if purpose is Purpose.ON_POLICY else grm.n_rft,
        hinted_sources=frozenset(hinted),
        template=load_template(recipe.at(grm.template) if grm.template else TEMPLATES[principles]),
        single_template=load_template("grm_single"),
        principles=principles,
        seed=recipe.build.seed,
        is_for_rft=purpose is Purpose.RFT and "rft" in recipe.build.sets,
    )
