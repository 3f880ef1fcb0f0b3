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
    Seed,
    Share,
    Shown,
    Variable,
    Whole,
)
from schemas.recipe.vllm import Vllm
from schemas.secrets import address_secret, secret_in

RESERVED_BODY_KEYS = frozenset({"model", "messages", "seed", "n", "stream"})
BATCH_PRICE_SHARE = 0.5
"""What a request in a batch costs, of the price of one that is answered at once: every batch endpoint asks for half."""
MOST_BATCH_REQUESTS = 50_000
FAULTS = ("tied", "truncated", "wrong_count", "out_of_range", "unparsed", "refused", "failed")
"""The shares of `Simulated` of which one answer can have one only."""


class Price(Section):
    """What a million tokens cost, in US dollars."""

    input: Annotated[Number, Field(ge=0)] = 0.0
    """Of the prompt."""
    output: Annotated[Number, Field(ge=0)] = 0.0
    """Of the answer, reasoning included."""


class Simulated(Section):
    """How the simulated engine judges. The defaults make a decent judge with the usual small faults."""

    accuracy: Annotated[Number, Field(gt=0, lt=1)] = 0.75
    """Share of samples in which the best response scores highest, over all positions."""
    chance: Flag = False
    """Independent uniform scores in place of a judgement: right in .45 of pairs, .20 of fours."""
    position_bias: Number = 0.0
    """Added to the quality of the first response shown, in standard deviations of the judge's noise."""
    difficulty_spread: Annotated[Number, Field(ge=0)] = 1.0
    """How much sets differ in difficulty, in standard deviations of the judge's noise."""
    tied: Share = 0.02
    """Share of answers in which another response gets the best score too."""
    truncated: Share = 0.01
    """Share of answers that end at `max_tokens`."""
    wrong_count: Share = 0.01
    """Share of answers with a score too many or too few."""
    out_of_range: Share = 0.005
    """Share of answers with a score outside the range."""
    unparsed: Share = 0.005
    """Share of answers without a verdict."""
    refused: Share = 0.005
    """Share of answers that refuse to judge."""
    thinks_aloud: Share = 0.1
    """Share of answers that begin with a `<think>` part."""
    hint_leak: Share = 0.1
    """Share of hinted answers that speak of the hint."""
    failed: Share = 0.0
    """Share of requests that the engine refuses for good, as an endpoint does with a 400."""
    latency_s: Annotated[Number, Field(ge=0)] = 0.0
    """Seconds that each answer takes."""
    seed: Seed = 0
    """Seed of the judge; another one is another judge."""

    @model_validator(mode="after")
    def _faults_leave_no_less_than_nothing(self) -> "Simulated":
        # Only shares that are not the defaults: `unparsed = 1` alone is a plain wish, and the small faults give way.
        fields = type(self).model_fields
        given = {name: getattr(self, name) for name in FAULTS if getattr(self, name) != fields[name].default}
        if sum(given.values()) > 1 + 1e-9:
            raise ValueError(
                f"{' + '.join(given)} add up to {sum(given.values()):g}; shares of answers add up to 1 at most"
            )
        return self


class ModelSection(Section):
    """`[models.<role>]`: a model and how to reach it."""

    engine: Literal["openai", "vllm", "simulated"]
    """`openai`: any OpenAI-compatible endpoint. `vllm`: a vLLM server that grmforge starts, watches and stops.
    `simulated`: offline, deterministic, for trying a recipe out."""
    model: Annotated[str, Field(min_length=1, max_length=1_000), NO_KEY] = "simulated"
    """Name of the model, as the endpoint knows it; for `vllm` a hub id, or a directory relative to the recipe."""
    revision: Shown | None = None
    """Revision of the model; part of its identity, so that another revision is asked anew."""
    base_url: tuple[str, ...] = ()
    """One endpoint or several, `http://host:port/v1`; OpenAI's own unless given."""
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
        return self

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

    grm: ModelSection
    """Samples the RFT trajectories."""
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
