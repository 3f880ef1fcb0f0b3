"""The recipe's tree: the remaining sections, and the recipe itself."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.answer_limit import NoLimit, answer_limit
from schemas.licenses import license_key
from schemas.recipe.judge_form import fault_of_form, fault_of_regex
from schemas.recipe.models import ModelSection, ModelsSection
from schemas.recipe.refresh import RefreshSection
from schemas.recipe.rubrics import RubricsSection
from schemas.recipe.section import Count, Flag, LocalPath, Name, Number, Section, Seed, Share, Whole
from schemas.recipe.sources import GeneralSection, Source, source_kinds

_OTHER_PARAMETERS = re.compile(r"([?&](?!api-version=)[^=&]+=)[^&]*")
"""What an address carries beside Azure's api-version: nothing that a snapshot needs, and it may be a key after all."""

TrainingSet = Literal["rft", "rl", "meta_rm", "pairs"]

TRAINING_SETS: tuple[TrainingSet, ...] = ("rft", "rl", "meta_rm", "pairs")


class BuildSection(Section):
    """`[build]`: what is built, and where it goes."""

    name: Name
    """Name of the snapshot: lower case letters, digits, `-` and `_`, 64 at most."""
    seed: Seed = 0
    """Seed of every shuffle and choice. Splits do not depend on it."""
    root: str = "data"
    """What holds everything: a directory, relative to where the command runs, or s3://bucket/prefix."""
    sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1)] = TRAINING_SETS
    """Which training sets to build."""
    licenses: tuple[str, ...] | None = None
    """Licences that may enter a set, in any usual spelling; all of them unless given."""

    @property
    def license_keys(self) -> list[str] | None:
        """What stages depend on of it: the licences however they are spelt, in whatever order."""
        return None if self.licenses is None else sorted({license_key(name) for name in self.licenses})

    @property
    def root_flag(self) -> str:
        """What printed commands end with, so that they can be pasted; empty where the root is the usual one."""
        return "" if self.root == "data" else f" --root {shlex.quote(self.root)}"


class SynthesisSection(Section):
    """`[synthesis]`: how questions without responses become sets."""

    samples: Annotated[Whole, Field(ge=1, le=64)] = 8
    """Answers of models.responder to each question."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of responder and teacher."""
    max_tokens: Count = 4096
    """Length of an answer at most, reasoning included; longer ones are `truncated`, and in no set."""
    n_responses: Annotated[Whole, Field(ge=2, le=8)] = 4
    """Responses of a set at most: one right, the others wrong."""
    single_share: Share = 0.2
    """Share of questions that also give a set of one response, with label 0 or 1."""
    teacher_samples: Annotated[Whole, Field(ge=1, le=16)] = 2
    """Answers of models.teacher to each question that models.responder never gets right."""
    rewrites: Annotated[Whole, Field(ge=1, le=8)] = 2
    """How often the teacher may try to rewrite a wrong response without changing its answer."""


class GrmSection(Section):
    """`[grm]`: how sets are judged."""

    n_rft: Annotated[Whole, Field(ge=1, le=32)] = 3
    """Readable non-hinted samples a set."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.5
    """Sampling temperature."""
    max_tokens: Count = 4096
    """Length of an answer at most, reasoning included; longer ones are `truncated`."""
    resample_unreadable: Annotated[Whole, Field(ge=0, le=10)] = 2
    """How often an unreadable sample is sampled again."""
    reference: Literal["none", "prompt", "hint"] = "none"
    """Where a set's reference answer goes: nowhere, into every prompt, or into the hint."""
    principles: Literal["self", "rubric", "none"] = "self"
    """`self`: the judge writes its criteria first. `rubric`: it is given those of similar questions to begin from.
    `none`: it scores without, for ablations."""
    compare_principles: Flag = False
    """Sample every set the other way too, given criteria or none, and report the accuracy of both on the same sets."""
    rubric_hint: Flag = False
    """Hinted samples are also told the rubric of the set's own question, where it has one."""
    shown: Literal["answer", "reasoning", "turns"] = "answer"
    """What of a response is shown: the answer, its reasoning and the answer, or the whole conversation, as responses
    without a text of their own always are."""
    template: LocalPath | None = None
    """A prompt template of your own, relative to the recipe, in place of the built-in one."""
    extractor: Literal["boxed"] = "boxed"
    """How scores are read: see docs/reading.md. There is one reader."""
    structured_output: Literal["none", "regex", "json_schema"] = "none"
    """For judges that cannot hold the format: the server keeps them to it, by a regex (vLLM 0.11 or newer) or by a JSON
    schema (OpenAI, vLLM and most others); see docs/structured_output.md."""
    structured_text: str | None = None
    """Regex of all that stands before `Scores:`, in place of the one that follows from the template; for `regex`."""
    max_prompt_tokens: Count | None = None
    """Long tool results are shortened in the prompt, which says so, then wrong responses are left out, until it fits; a
    set that still does not is dropped as too_long."""

    @field_validator("structured_text")
    @classmethod
    def _is_a_regex_that_servers_take(cls, value: str | None) -> str | None:
        if value is not None and (fault := fault_of_regex(value)):
            raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _text_is_for_a_regex(self) -> "GrmSection":
        if self.structured_text is not None and self.structured_output != "regex":
            raise ValueError('structured_text is a part of structured_output = "regex"; set that, or leave it out')
        return self


class RejectionSection(Section):
    """`[rejection]`: what becomes of a judged trajectory."""

    drop_too_easy: Flag = True
    """Reject the whole set when every non-hinted sample is correct."""
    keep_hinted_when_too_easy: Flag = False
    """Keep a correct hinted sample of a set that is too easy."""
    balance_positions: Flag = True
    """Downsample, per source and number of responses, until the best response stands everywhere equally often."""
    max_accepted_per_set: Count | None = None
    """At most this many accepted trajectories a set."""
    max_hinted_share: Share = 0.5
    """Hinted rows are at most this share of the accepted."""


class RlSection(Section):
    """`[rl]`: further rows of the RL set."""

    selection: Flag = False
    """Also ask for the best response and what is wrong in each other one; see docs/selection.md."""
    selection_share: Share = 1.0
    """Share of the sets that can have such a row which get one, chosen by their hash."""


class MetaRmSection(Section):
    """`[meta_rm]`: samples and balance of the Meta RM set."""

    n: Annotated[Whole, Field(ge=1, le=8)] = 3
    """Samples a set by models.policy; more find more sets with right and wrong ones."""
    one_label_share: Share = 0.2
    """Sets whose samples are all right or all wrong are at most this share of the rows."""


class SplitsSection(Section):
    """`[splits]`: shares of queries, by their own hash."""

    validation: Annotated[Number, Field(ge=0, le=0.5)] = 0.02
    """Share of validation queries."""
    test: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    """Share of test queries; sources that are benchmarks keep at least 0.1."""


class LeaksSection(Section):
    """`[leaks]`: what becomes of a source whose right responses can be found without reading them."""

    threshold: Annotated[Number, Field(ge=0.5, le=1)] = 0.6
    """AUC of the leak probe, within sets, above which a source leaks; 0.5 is chance."""
    over: Literal["mark", "downsample"] = "mark"
    """`mark`: publish it as leaky, and say so. `downsample`: first leave out sets that give themselves away."""


class BudgetSection(Section):
    """`[budget]`: hard ceilings of one run, with what is in flight reserved."""

    max_cost_usd: Annotated[Number, Field(gt=0)] | None = None
    """US dollars at most, by `price_per_mtok`, which every model behind an endpoint then needs."""
    max_tokens: Count | None = None
    """Tokens at most, prompts and answers."""
    max_requests: Count | None = None
    """Requests at most."""


class Recipe(Section):
    """Everything that a build depends on, apart from keys."""

    build: BuildSection
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    models: ModelsSection
    synthesis: SynthesisSection = SynthesisSection()
    grm: GrmSection = GrmSection()
    rejection: RejectionSection = RejectionSection()
    rl: RlSection = RlSection()
    meta_rm: MetaRmSection = MetaRmSection()
    splits: SplitsSection = SplitsSection()
    rubrics: RubricsSection = RubricsSection()
    leaks: LeaksSection = LeaksSection()
    general: GeneralSection | None = None
    budget: BudgetSection = BudgetSection()
    refresh: RefreshSection = RefreshSection()
    directory: str = Field(default=".", exclude=True)
    """Where the recipe stands; its relative paths start here. Set by `read_recipe`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        names = [source.source for source in self.sources]
        if "general" in names:
            raise ValueError("sources: 'general' names the rows of [general]; give the source another name")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"sources: {twice[0]!r} stands there twice; give preference_sets a name of its own each")
        if "rl" in self.build.sets and self.models.difficulty is None:
            raise ValueError(
                "an rl set needs [models.difficulty], a weaker model of the policy's size; "
                "same_as_grm = true in it uses the GRM's own samples, which filter nothing that RFT does not"
            )
        if self.grm.compare_principles and self.grm.principles == "none":
            raise ValueError('grm.compare_principles compares "self" with "rubric": set grm.principles to one of them')
        if self.grm.template is not None and (self.grm.principles == "rubric" or self.grm.compare_principles):
            raise ValueError("grm.template and given criteria do not go together: the built-in template has their slot")
        if self.grm.structured_output != "none" and (
            fault := fault_of_form(self.grm.structured_output, self._judges())
        ):
            raise ValueError(fault)
        unanswered = [source.kind for source in self.sources if source_kinds()[source.kind].needs_answers]
        if unanswered and self.models.responder is None:
            raise ValueError(
                f"source {unanswered[0]!r} has questions with a known answer and nothing to compare: add "
                "[models.responder], the model whose answers are to be compared"
            )
        for source in self.sources:
            if source.teacher_votes and self.models.teacher is None:
                raise ValueError(f"sources: retag_votes of {source.source!r} are votes of [models.teacher]; add one")
        if self.budget.max_cost_usd is not None:
            for role in type(self.models).model_fields:
                model = getattr(self.models, role)
                if isinstance(model, ModelSection) and model.engine != "simulated" and model.price_per_mtok is None:
                    raise ValueError(
                        f"budget.max_cost_usd cannot hold without a price: give models.{role} its price_per_mtok "
                        "(input = 0, output = 0 for a server of your own)"
                    )
        self._check_limits()
        return self

    def _check_limits(self) -> None:
        """Raise ValueError where no ceiling on tokens or cost can hold, since an answer has no limit."""
        ceilings = ("max_cost_usd", "max_tokens")
        ceiling = next((name for name in ceilings if getattr(self.budget, name) is not None), None)
        for role in type(self.models).model_fields if ceiling else ():
            model = getattr(self.models, role)
            if isinstance(model, ModelSection) and model.extra_body:
                try:
                    answer_limit({"max_tokens": 1} | model.extra_body)
                except NoLimit as open_end:
                    raise ValueError(
                        f"budget.{ceiling} cannot hold while models.{role}.extra_body says {open_end.key}, which sets "
                        "no limit to an answer: give it a whole number above 0, or leave it out"
                    ) from None

    def _judges(self) -> dict[str, ModelSection]:
        """Return the models that judge sets, by role."""
        votes = any(source.teacher_votes for source in self.sources)
        roles = ("grm", "difficulty", "policy", *(["teacher"] if votes else []))
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
