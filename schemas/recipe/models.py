"""`[models]`: who judges, and how to reach them."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from schemas.recipe.section import Count, Section, Share

RESERVED_BODY_KEYS = frozenset({"model", "messages", "seed", "n", "stream"})
BATCH_PRICE_SHARE = 0.5
"""What a request in a batch costs, of the price of one that is answered at once: every batch endpoint asks for half."""
MOST_BATCH_REQUESTS = 50_000


class Price(Section):
    """What a million tokens cost, in US dollars."""

    input: Annotated[float, Field(ge=0)] = 0.0
    """Of the prompt."""
    output: Annotated[float, Field(ge=0)] = 0.0
    """Of the answer, reasoning included."""


class Simulated(Section):
    """How the simulated engine judges. The defaults make a decent judge with the usual small faults."""

    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """Share of samples in which the best response scores highest, over all positions."""
    chance: bool = False
    """Independent uniform scores in place of a judgement: right in .45 of pairs, .20 of fours."""
    position_bias: float = 0.0
    """Added to the quality of the first response shown, in standard deviations of the judge's noise."""
    difficulty_spread: Annotated[float, Field(ge=0)] = 1.0
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
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    """Seconds that each answer takes."""
    seed: int = 0
    """Seed of the judge; another one is another judge."""


class ModelSection(Section):
    """`[models.<role>]`: a model and how to reach it."""

    engine: Literal["openai", "simulated"]
    """`openai`: any OpenAI-compatible endpoint. `simulated`: offline, deterministic, for trying a recipe out."""
    model: str = "simulated"
    """Name of the model, as the endpoint knows it."""
    revision: str | None = None
    """Revision of the model; part of its identity, so that another revision is asked anew."""
    base_url: tuple[str, ...] = ()
    """One endpoint or several, `http://host:port/v1`; OpenAI's own unless given."""
    api_key_env: str | None = None
    """Environment variable with the key; OPENAI_API_KEY where no base_url is given, no key where one is."""
    max_concurrency: Count = 256
    """Requests in flight at most."""
    rpm: Count | None = None
    """Requests a minute at most."""
    tpm: Count | None = None
    """Tokens a minute at most, prompt and answer."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """How long one request may take."""
    max_retries: Annotated[int, Field(ge=0)] = 8
    """Further tries of a request that fails for a passing reason."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the request body, as the endpoint takes them."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling; the endpoint's default unless given."""
    system_role: bool = True
    """False folds a system message into the user's turn, for models that refuse it."""
    price_per_mtok: Price | None = None
    """What a million tokens cost; without it, cost is unknown. `max_cost_usd` needs it, `batch` halves it."""
    batch: bool = False
    """Ask through the endpoint's batch interface, within a day and at half of `price_per_mtok`; see docs/batches.md."""
    batch_requests: Annotated[int, Field(ge=1, le=MOST_BATCH_REQUESTS)] = MOST_BATCH_REQUESTS
    """Requests in one batch at most; fewer where the endpoint limits the tokens that may stand in its queue."""
    simulated: Simulated = Simulated()
    """Settings of the simulated engine."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _http_only(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"base_url {url!r} must begin with http:// or https://")
        return value

    @field_validator("extra_body")
    @classmethod
    def _leaves_our_keys_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in RESERVED_BODY_KEYS & value.keys():
            raise ValueError(f"{key!r} is not an extra: every request sets it itself, or needs it as it is")
        return value

    @model_validator(mode="after")
    def _names_its_model(self) -> "ModelSection":
        if self.engine == "openai" and "model" not in self.model_fields_set:
            raise ValueError('engine = "openai" needs a model name: model = ".."')
        return self

    @model_validator(mode="after")
    def _batches_at_one_endpoint(self) -> "ModelSection":
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
    """A weaker model of the policy's size, whose 3 of 3 make a set too easy for RL."""
    policy: ModelSection | None = None
    """The trained GRM itself; its samples close Meta RM's gap between policies."""
