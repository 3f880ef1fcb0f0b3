"""The recipe's tree, and what its sections ask of each other."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from os.path import normpath
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from schemas.answer_limit import NoLimit, answer_limit
from schemas.benchmarks import REWARD_BENCHMARKS, benchmark_at, benchmark_of_hub, refusal
from schemas.recipe import stages
from schemas.recipe.decontaminate import DecontaminateSection
from schemas.recipe.evaluate import BenchmarkSection, EvaluateSection
from schemas.recipe.models import ModelSection, ModelsSection
from schemas.recipe.section import Section
from schemas.recipe.serve import ServeSection
from schemas.recipe.sources import GeneralSection, Source, SourceSection, source_kinds

FORM_KEYS = frozenset(
    {
        "response_format",
        "structured_outputs",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "grammar",
    }
)
"""Keys of a request's body that say which form its answer has."""
# What an address carries beside Azure's api-version: nothing that a snapshot needs, and it may be a key after all.
_OTHER_PARAMETERS = re.compile(r"([?&](?!api-version=)[^=&]+=)[^&]*")


class Recipe(Section):
    """Everything that a build depends on, apart from keys."""

    build: stages.BuildSection
    sources: tuple[Source, ...] = ()
    """Needed by all but `[evaluate]`."""
    models: ModelsSection = ModelsSection()
    synthesis: stages.SynthesisSection = stages.SynthesisSection()
    grm: stages.GrmSection = stages.GrmSection()
    rejection: stages.RejectionSection = stages.RejectionSection()
    training: stages.TrainingSection = stages.TrainingSection()
    rl: stages.RlSection = stages.RlSection()
    meta_rm: stages.MetaRmSection = stages.MetaRmSection()
    splits: stages.SplitsSection = stages.SplitsSection()
    rubrics: stages.RubricsSection = stages.RubricsSection()
    leaks: stages.LeaksSection = stages.LeaksSection()
    decontaminate: DecontaminateSection = DecontaminateSection()
    reviews: stages.ReviewsSection = stages.ReviewsSection()
    general: GeneralSection | None = None
    budget: stages.BudgetSection = stages.BudgetSection()
    refresh: stages.RefreshSection = stages.RefreshSection()
    serve: ServeSection | None = None
    evaluate: EvaluateSection = EvaluateSection()
    directory: str = Field(default=".", exclude=True)
    """Where the recipe stands; its relative paths start here. Set by `read_recipe`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        faults = (
            self._faults_of_sources(),
            self._faults_of_benchmarks(),
            self._faults_of_judging(),
            self._faults_of_models(),
        )
        if fault := next(chain(*faults), None):
            raise ValueError(fault)
        return self

    def _faults_of_sources(self) -> Iterator[str]:
        if not self.sources and not self.evaluate.benchmarks:
            yield "sources: missing; add [[sources]], or [[evaluate.benchmarks]] where only a judge is evaluated"
        if self.refresh.evaluate and not self.evaluate.benchmarks:
            yield "refresh.evaluate: there is nothing to evaluate on; add [[evaluate.benchmarks]]"
        names = [source.source for source in self.sources]
        if "general" in names:
            yield "sources: 'general' names the rows of [general]; give the source another name"
        if twice := sorted({name for name in names if names.count(name) > 1}):
            yield f"sources: {twice[0]!r} stands there twice; give preference_sets a name of its own each"

    def _faults_of_benchmarks(self) -> Iterator[str]:
        """Yield which rows would be trained on that a reward model is evaluated on."""
        # Sets of one's own may be judged where they are trained on: an evaluation says so.
        held_out = {
            _place(benchmark): benchmark
            for benchmark in self.evaluate.benchmarks
            if benchmark.kind in REWARD_BENCHMARKS
        }
        read: list[tuple[str, SourceSection | GeneralSection]]
        read = [(f"sources: {source.source!r}", source) for source in self.sources]
        if self.general is not None:
            read.append(("general", self.general))
        for where, section in read:
            path, hub = section.path or "", section.hub or ""
            if benchmark := (benchmark_at(path) if path else benchmark_of_hub(hub)):
                renamed = "; if these are other rows, rename the file or folder" if path else ""
                yield refusal(f"{where}: {path or hub}", benchmark) + renamed
            if (path or hub) and (same := held_out.get(_place(section))):
                yield (
                    f"{where}: evaluate.benchmarks {same.title!r} is read from {path or hub}, too, and a judge that "
                    "was trained on it cannot be evaluated on it: take other rows for one of the two"
                )

    def _faults_of_judging(self) -> Iterator[str]:
        if self.sources and self.models.grm is None:
            yield "models.grm: missing; add [models.grm], the model that judges the sets of [[sources]]"
        if self.sources and "rl" in self.build.sets and self.models.difficulty is None:
            yield (
                "an rl set needs [models.difficulty], a weaker model of the policy's size; "
                "same_as_grm = true in it uses the GRM's own samples, which filter nothing that RFT does not"
            )
        if self.grm.compare_principles and self.grm.principles == "none":
            yield 'grm.compare_principles compares "self" with "rubric": set grm.principles to one of them'
        if self.grm.template is not None and (self.grm.principles == "rubric" or self.grm.compare_principles):
            yield "grm.template and given criteria do not go together: the built-in template has their slot"
        if (least := self.rejection.min_pass_for_hinted) is not None and least > self.grm.n_rft:
            yield (
                f"rejection.min_pass_for_hinted = {least} is more than grm.n_rft = {self.grm.n_rft}, so no "
                "hinted sample could pass: lower it, or leave the hints out (hinted = false in the source)"
            )
        retagged = [source for source in self.sources if source.teacher_votes]
        roles = ("grm", "difficulty", "policy", *(["teacher"] if retagged else []))
        if self.grm.structured_output != "none":
            yield from _faults_of_form(self.grm.structured_output, self._own_models(roles))
        unanswered = [source.kind for source in self.sources if source_kinds()[source.kind].needs_answers]
        if unanswered and self.models.responder is None:
            yield (
                f"source {unanswered[0]!r} has questions with a known answer and nothing to compare: add "
                "[models.responder], the model whose answers are to be compared"
            )
        if retagged and self.models.teacher is None:
            yield f"sources: retag_votes of {retagged[0].source!r} are votes of [models.teacher]; add one"

    def _faults_of_models(self) -> Iterator[str]:
        """Yield why a ceiling cannot hold: a model has no price, or its answers no limit."""
        models = self._own_models(type(self.models).model_fields)
        if self.budget.max_cost_usd is not None:
            for role, model in models.items():
                if model.engine != "simulated" and model.price_per_mtok is None:
                    yield (
                        f"budget.max_cost_usd cannot hold without a price: give models.{role} its price_per_mtok "
                        "(input = 0, output = 0 for a server of your own)"
                    )
        ceiling = next((key for key in ("max_cost_usd", "max_tokens") if getattr(self.budget, key) is not None), None)
        for role, model in models.items() if ceiling else ():
            try:
                answer_limit({"max_tokens": 1} | model.extra_body)
            except NoLimit as open_end:
                yield (
                    f"budget.{ceiling} cannot hold while models.{role}.extra_body says {open_end.key}, which sets "
                    "no limit to an answer: give it a whole number above 0, or leave it out"
                )

    def _own_models(self, roles: Iterable[str]) -> dict[str, ModelSection]:
        """Return the models of these roles, but for a difficulty model that is the GRM."""
        models = {role: getattr(self.models, role) for role in roles}
        return {role: model for role, model in models.items() if isinstance(model, ModelSection)}

    def at(self, path: str) -> Path:
        """Return a path of the recipe, relative ones taken from where the recipe stands."""
        return Path(self.directory, path)

    def resolved(self) -> dict[str, Any]:
        """Return every setting, defaults included, as it goes into manifests. It holds no secret."""
        tree = self.model_dump(mode="json", exclude_none=True)
        for model in tree["models"].values():
            if urls := model.pop("base_url", None):
                model["base_url"] = [_OTHER_PARAMETERS.sub(r"\1..", url) for url in urls]
        return tree


def _place(section: SourceSection | GeneralSection | BenchmarkSection) -> tuple[str, str | None]:
    """Return where rows are read from: a path, or a hub id with its revision."""
    return (normpath(section.path), None) if section.path else ((section.hub or "").casefold(), section.revision)


def _faults_of_form(structured_output: str, models: dict[str, ModelSection]) -> Iterator[str]:
    """Yield why these models, by role, cannot be asked for judgements in this form."""
    for role, model in models.items():
        if key := min(FORM_KEYS & model.extra_body.keys(), default=None):
            yield (
                f"grm.structured_output and {key!r} in models.{role}.extra_body both say which form a judgement has: "
                "leave one of them out"
            )
        if structured_output in ("regex", "grammar") and model.engine == "openai" and not model.base_url:
            takes = "vLLM" if structured_output == "regex" else "llama.cpp"
            yield (
                f'grm.structured_output = "{structured_output}" is what {takes} takes, and models.{role} is asked at '
                'OpenAI: say "json_schema", or give it a base_url'
            )
