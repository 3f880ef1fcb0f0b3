"""`[models]`: who judges, and how to reach them."""

import math
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from schemas.recipe.section import (
    MAX_INTEGER,
    NO_KEY,
    Count,
    Flag,
    Number,
    Section,
    Shown,
    Variable,
    Whole,
)
from schemas.recipe.simulated import Simulated
from schemas.recipe.vllm import Vllm
from schemas.secrets import address_secret, secret_in

RESERVED_BODY_KEYS = frozenset({"model", "messages", "seed", "n", "stream"})
BATCH_PRICE_SHARE = 0.5
"""What a request in a batch costs, of the price of one that is answered at once: every batch endpoint asks for half."""
MOST_BATCH_REQUESTS = 50_000
SCORERS = ("meta_rm", "reward_model")
"""Roles that give a text one number. All others write texts."""
TEMPLATE_KEYS = frozenset(
    {"chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message", "add_special_tokens"}
)
"""Keys of `extra_body` that a scorer which is loaded here obeys: how a conversation becomes one text."""
CUTTING_KEYS = frozenset({"truncate_prompt_tokens", "truncation", "truncation_side", "max_length"})
"""Keys with which a server would score a part of a text as if it were the whole."""


class Price(Section):
    """What a million tokens cost, in US dollars."""

    input: Annotated[Number, Field(ge=0)] = 0.0
    """Of the prompt."""
    output: Annotated[Number, Field(ge=0)] = 0.0
    """Of the answer, reasoning included."""


class ModelSection(Section):
    """`[models.<role>]`: a model and how to reach it."""

    engine: Literal["openai", "vllm", "score", "simulated"]
    """`openai`: any OpenAI-compatible endpoint. `vllm`: a vLLM server that grmforge starts, watches and stops.
    `score`: a sequence classifier that gives a text one number, at vLLM's classification endpoint, or loaded here where
    no base_url is given; for `meta_rm` and `reward_model` alone. `simulated`: offline, deterministic, for trying a
    recipe out."""
    model: Annotated[str, Field(min_length=1, max_length=1_000), NO_KEY] = "simulated"
    """Name of the model, as the endpoint knows it; for `vllm`, and for `score` without a base_url, a hub id, or a
    directory relative to the recipe."""
    revision: Shown | None = None
    """Revision of the model; part of its identity, so that another revision is asked anew."""
    base_url: tuple[str, ...] = ()
    """One endpoint or several, `http://host:port/v1`; OpenAI's own unless given. For `score` with or without `/v1`."""
    api_key_env: Variable | None = None
    """Environment variable with the key; OPENAI_API_KEY where no base_url is given, no key where one is."""
    max_concurrency: Count = 256
    """Requests in flight at most, over all endpoints together."""
    rpm: Count | None = None
    """Requests a minute at most, over all endpoints together."""
    tpm: Count | None = None
    """Tokens a minute at most, prompt and answer, over all endpoints together."""
    timeout_s: Annotated[Number, Field(gt=0)] = 600.0
    """How long one request may take."""
    max_retries: Annotated[Whole, Field(ge=0)] = 8
    """Further tries of a request that fails for a passing reason."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the request body, as the endpoint takes them. What sets the length of an answer counts in
    `[budget]`; no ceiling on tokens or cost goes with one that leaves it open, such as `max_tokens = -1`."""
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Nucleus sampling; the endpoint's default unless given."""
    system_role: Flag = True
    """False folds a system message into the user's turn, for models that refuse it."""
    price_per_mtok: Price | None = None
    """What a million tokens cost; without it, cost is unknown. `max_cost_usd` needs it, `batch` halves it."""
    batch: Flag = False
    """Ask through the endpoint's batch interface, within a day and at half of `price_per_mtok`; see docs/batches.md."""
    batch_requests: Annotated[Whole, Field(ge=1, le=MOST_BATCH_REQUESTS)] = MOST_BATCH_REQUESTS
    """Requests in one batch at most; fewer where the endpoint limits the tokens that may stand in its queue."""
    simulated: Simulated = Simulated()
    """Settings of the simulated engine."""
    vllm: Vllm = Vllm()
    """The server that engine = "vllm" starts."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _can_be_reached(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no endpoint; leave base_url out to ask OpenAI's own")
        for number, url in enumerate(value, 1):
            which = f"address {number}" if len(value) > 1 else "it"  # never the address: it may hold a key
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{which} must begin with http:// or https://")
            if held := address_secret(url):
                raise ValueError(f"{which} holds {held}, which snapshots would show; use api_key_env")
            if fault := _fault_of_url(url):
                raise ValueError(f"{which} {fault}; write it as http://host:port/v1")
        return value

    @field_validator("extra_body")
    @classmethod
    def _leaves_our_keys_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in RESERVED_BODY_KEYS & value.keys():
            raise ValueError(f"{key!r} is not an extra: every request sets it itself, or needs it as it is")
        if held := secret_in(value):
            raise ValueError(
                f"{held!r} holds a key, as it seems, which every stored request would show; use api_key_env"
            )
        if not _fits_json(value):
            raise ValueError("holds an integer beyond 64 bits, or no finite number: no request can carry it")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelSection":
        if self.engine != "simulated" and "model" not in self.model_fields_set:
            raise ValueError(f'engine = "{self.engine}" needs a model name: model = ".."')
        for key in ("base_url", "api_key_env"):
            if self.engine == "vllm" and getattr(self, key):
                raise ValueError(
                    f'engine = "vllm" starts a server of its own and takes no {key}; a server that runs already is '
                    'engine = "openai"'
                )
        if self.batch and self.engine != "openai":
            raise ValueError('batch = true needs engine = "openai"')
        if self.batch and len(self.base_url) > 1:
            raise ValueError("batch = true takes one base_url: a batch lies at the endpoint that it was given to")
        if self.engine == "score" and (fault := self._fault_of_scorer()):
            raise ValueError(fault)
        return self

    def _fault_of_scorer(self) -> str | None:
        """Return what in the section no scorer can do."""
        if cutting := min(CUTTING_KEYS & self.extra_body.keys(), default=None):
            return (
                f"extra_body.{cutting} cuts texts that are too long, and the score of a part is none of the whole: "
                "leave it out, and they are refused"
            )
        if self.base_url:
            return None
        if self.api_key_env:
            return 'engine = "score" without a base_url loads the model here, and takes no api_key_env'
        if other := min(self.extra_body.keys() - TEMPLATE_KEYS, default=None):
            known = ", ".join(sorted(TEMPLATE_KEYS))
            return f"extra_body.{other} means nothing to a model that is loaded here, which takes {known}"
        return None

    @property
    def price(self) -> Price | None:
        """What a million tokens of this model's answers really cost: `price_per_mtok`, half of it in batches."""
        price = self.price_per_mtok
        if price is None or not self.batch:
            return price
        return Price(input=price.input * BATCH_PRICE_SHARE, output=price.output * BATCH_PRICE_SHARE)

    @property
    def key_variable(self) -> str | None:
        """The environment variable that must hold a key, if any."""
        return self.api_key_env or (None if self.base_url or self.engine != "openai" else "OPENAI_API_KEY")

    @property
    def is_loaded_here(self) -> bool:
        """Whether the model is loaded into this process, in place of being asked at an endpoint."""
        return self.engine == "score" and not self.base_url

    @property
    def name(self) -> str:
        """The model's name in tables: model, and its revision where the recipe gives one."""
        return f"{self.model}@{self.revision}" if self.revision else self.model


def _fault_of_url(url: str) -> str | None:
    """Return what is wrong with an address that begins as one of the web does."""
    if any(character.isspace() for character in url):
        return "holds a space"
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            return "has no valid port"
    except ValueError as error:
        return "has no valid port" if "port" in str(error).lower() else "has no valid host"
    return None if parts.hostname else "has no host"


def _fits_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_fits_json(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_fits_json(item) for item in value)
    if isinstance(value, int):
        return -MAX_INTEGER - 1 <= value <= MAX_INTEGER
    return not isinstance(value, float) or math.isfinite(value)


class SameAsGrm(Section):
    """`[models.difficulty] same_as_grm = true`: the filter then only repeats RFT's, and the build says so."""

    same_as_grm: Literal[True]
    """Use the GRM's own samples in place of a difficulty model's."""


def _difficulty_kind(value: Any) -> str:
    return "same" if isinstance(value, SameAsGrm) or (isinstance(value, dict) and "same_as_grm" in value) else "own"


class ModelsSection(Section):
    """`[models]`: one section a role."""

    grm: ModelSection | None = None
    """Samples the RFT trajectories. A recipe with `[[sources]]` needs it."""
    difficulty: (
        Annotated[
            Annotated[ModelSection, Tag("own")] | Annotated[SameAsGrm, Tag("same")], Discriminator(_difficulty_kind)
        ]
        | None
    ) = None
    """A weaker model of the policy's size. A set that it gets right 3 times of 3 is too easy for RL."""
    policy: ModelSection | None = None
    """The trained GRM itself; its samples close Meta RM's gap between policies."""
    responder: ModelSection | None = None
    """Answers questions that have no responses."""
    teacher: ModelSection | None = None
    """A stronger model: answers what the responder never gets right, and judges what is uncertain."""
    rubric: ModelSection | None = None
    """Writes rubrics, and says which answers meet their criteria."""
    meta_rm: ModelSection | None = None
    """The trained Meta RM: a scorer of judgements, by which an evaluation chooses those that vote."""
    reward_model: ModelSection | None = None
    """A scalar reward model: a scorer of responses, to be evaluated as a judge."""

    @model_validator(mode="after")
    def _scorers_score_and_others_write(self) -> "ModelsSection":
        for role in type(self).model_fields:
            model = getattr(self, role)
            if not isinstance(model, ModelSection):
                continue
            if role in SCORERS and model.engine not in ("score", "simulated"):
                raise ValueError(
                    f'models.{role} gives scores, and engine = "{model.engine}" writes texts: take engine = "score", '
                    'or "simulated" to try it out'
                )
            if role not in SCORERS and model.engine == "score":
                raise ValueError(
                    f'models.{role} writes texts, and engine = "score" gives one number: it is for models.meta_rm and '
                    "models.reward_model"
                )
        return self
