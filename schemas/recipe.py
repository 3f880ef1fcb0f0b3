"""The recipe: one closed tree of settings. Unknown keys are refused with the nearest right name."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from schemas.errors import RecipeError
from schemas.record import content_id

TrainingSet = Literal["rft", "rl", "meta_rm", "pairs"]
TRAINING_SETS: tuple[TrainingSet, ...] = ("rft", "rl", "meta_rm", "pairs")

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


RESERVED_BODY_KEYS = frozenset({"model", "messages", "seed", "n", "stream"})


class Section(BaseModel):
    """A frozen part of the recipe that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class BuildSection(Section):
    """`[build]`: what is built, and where it goes."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Name of the snapshot: lower case letters, digits, `-` and `_`."""
    seed: int = 0
    """Seed of every shuffle and choice. Splits do not depend on it."""
    root: str = "data"
    """Directory that holds everything; relative to where the command runs."""
    sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1)] = TRAINING_SETS
    """Which training sets to build."""
    licenses: tuple[str, ...] | None = None
    """Licences that may enter a set; all of them unless given."""


class SourceSection(Section):
    """Keys of every `[[sources]]` entry."""

    kind: str
    """Which data set it is."""
    path: str | None = None
    """Local file or directory of the layout that the hub has; relative to the recipe. The hub is read unless given."""
    hub: str | None = None
    """Hub id of the data set, where it is not the usual one."""
    revision: str | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    limit: Count | None = None
    """At most this many rows, chosen by their hash: a larger limit keeps every row of a smaller one."""
    hinted: bool = True
    """Whether each set also gets one hinted sample."""
    max_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """At most this share of all kept sets comes from here."""

    @property
    def source(self) -> str:
        """What the source is called in tables and reports."""
        return self.kind


class TeleQnA(SourceSection):
    """TeleQnA: 10,000 telecom questions with 2 to 5 options."""

    kind: Literal["teleqna"]
    password: str = "teleqnadataset"
    """Password of the archive, as its authors publish it."""
    keep_all_of: bool = False
    """Keep questions with an "all of the above" or "none of the above" option, reworded to stand by themselves."""


class UltraFeedback(SourceSection):
    """UltraFeedback: 63,967 instructions with four responses, each rated in four aspects."""

    kind: Literal["ultrafeedback"]
    min_margin: Annotated[float, Field(ge=0)] = 0.5
    """Sets whose two highest mean ratings are nearer than this are uncertain, and dropped."""


class HelpSteer2(SourceSection):
    """HelpSteer2: pairs of responses rated by people for helpfulness."""

    kind: Literal["helpsteer2"]


class HelpSteer2Preference(SourceSection):
    """HelpSteer2-Preference: 9,125 pairs with a preference of -3 to 3."""

    kind: Literal["helpsteer2_preference"]


class PreferenceSets(SourceSection):
    """Your own JSONL or Parquet: query, responses, and rewards or best (docs/sources.md)."""

    kind: Literal["preference_sets"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = "preference_sets"
    """What the source is called in tables and reports."""
    license: str = "unknown"
    """Licence of rows that name none."""
    domain: str = "general"
    """Domain of rows that name none."""
    min_margin: Annotated[float, Field(ge=0)] = 0.0
    """Sets whose two highest rewards are nearer than this are uncertain, and dropped."""

    @property
    def source(self) -> str:
        return self.name

    @model_validator(mode="after")
    def _has_a_place(self) -> "PreferenceSets":
        if self.path is None and self.hub is None:
            raise ValueError("a preference_sets source needs a path or a hub id")
        return self


SOURCE_KINDS: dict[str, type[SourceSection]] = {
    "teleqna": TeleQnA,
    "ultrafeedback": UltraFeedback,
    "helpsteer2": HelpSteer2,
    "helpsteer2_preference": HelpSteer2Preference,
    "preference_sets": PreferenceSets,
}


def _source_kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


Source = Annotated[
    Annotated[TeleQnA, Tag("teleqna")]
    | Annotated[UltraFeedback, Tag("ultrafeedback")]
    | Annotated[HelpSteer2, Tag("helpsteer2")]
    | Annotated[HelpSteer2Preference, Tag("helpsteer2_preference")]
    | Annotated[PreferenceSets, Tag("preference_sets")],
    Discriminator(_source_kind),
]


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
    extra_body: dict[str, Any] = {}
    """Further keys of the request body, as the endpoint takes them."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling; the endpoint's default unless given."""
    system_role: bool = True
    """False folds a system message into the user's turn, for models that refuse it."""
    price_per_mtok: Price | None = None
    """What a million tokens cost; without it, cost is unknown and `max_cost_usd` cannot hold."""
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


class GrmSection(Section):
    """`[grm]`: how sets are judged."""

    n_rft: Annotated[int, Field(ge=1, le=32)] = 3
    """Readable non-hinted samples a set."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.5
    """Sampling temperature."""
    max_tokens: Count = 4096
    """Length of an answer at most, reasoning included; longer ones are `truncated`."""
    resample_unreadable: Annotated[int, Field(ge=0, le=10)] = 2
    """How often an unreadable sample is sampled again."""
    reference: Literal["none", "prompt", "hint"] = "none"
    """Where a set's reference answer goes: nowhere, into every prompt, or into the hint."""
    principles: Literal["self", "none"] = "self"
    """`self`: the judge writes its criteria first. `none`: it scores without, for ablations."""
    shown: Literal["answer", "reasoning", "turns"] = "answer"
    """What of a response is shown: the answer, its reasoning and the answer, or the whole conversation."""
    template: str | None = None
    """A prompt template of your own, relative to the recipe, in place of the built-in one."""
    extractor: Literal["boxed"] = "boxed"
    """How scores are read: from the `\\boxed{}` after the last `Scores:`."""
    max_prompt_tokens: Count | None = None
    """Wrong responses are left out until a prompt fits; a set that still does not is dropped as too_long."""


class RejectionSection(Section):
    """`[rejection]`: what becomes of a judged trajectory."""

    drop_too_easy: bool = True
    """Reject the whole set when every non-hinted sample is correct."""
    keep_hinted_when_too_easy: bool = False
    """Keep a correct hinted sample of a set that is too easy."""
    balance_positions: bool = True
    """Downsample, per source and number of responses, until the best response stands everywhere equally often."""
    max_accepted_per_set: Count | None = None
    """At most this many accepted trajectories a set."""
    max_hinted_share: Share = 0.5
    """Hinted rows are at most this share of the accepted."""


class MetaRmSection(Section):
    """`[meta_rm]`: samples and balance of the Meta RM set."""

    n: Annotated[int, Field(ge=1, le=8)] = 3
    """Samples a set by models.policy; more find more sets with right and wrong ones."""
    one_label_share: Share = 0.2
    """Sets whose samples are all right or all wrong are at most this share of the rows."""


class SplitsSection(Section):
    """`[splits]`: shares of queries, by their own hash."""

    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """Share of validation queries."""
    test: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of test queries; sources that are benchmarks keep at least 0.1."""


class GeneralSection(Section):
    """`[general]`: general instruction rows to mix into RFT."""

    path: str | None = None
    """Local JSONL or Parquet with a `messages` column; relative to the recipe."""
    hub: str | None = None
    """Hub id of a chat data set with a `messages` column."""
    revision: str | None = None
    """Commit, tag or branch on the hub; for a local path, the revision to put down for it."""
    ratio: Annotated[float, Field(gt=0)] = 1.0
    """General rows for each judged one. The paper mixes about 5.75."""
    license: str = "unknown"
    """Licence of rows that name none."""

    @model_validator(mode="after")
    def _has_a_place(self) -> "GeneralSection":
        if self.path is None and self.hub is None:
            raise ValueError("general needs a path or a hub id")
        return self


class BudgetSection(Section):
    """`[budget]`: hard ceilings of one run, with what is in flight reserved."""

    max_cost_usd: Annotated[float, Field(gt=0)] | None = None
    """US dollars at most, by `price_per_mtok`."""
    max_tokens: Count | None = None
    """Tokens at most, prompts and answers."""
    max_requests: Count | None = None
    """Requests at most."""


class Recipe(Section):
    """Everything that a build depends on, apart from keys."""

    build: BuildSection
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    models: ModelsSection
    grm: GrmSection = GrmSection()
    rejection: RejectionSection = RejectionSection()
    meta_rm: MetaRmSection = MetaRmSection()
    splits: SplitsSection = SplitsSection()
    general: GeneralSection | None = None
    budget: BudgetSection = BudgetSection()
    directory: str = Field(default=".", exclude=True)
    """Where the recipe stands; its relative paths start here. Set by `read_recipe`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        names = [source.source for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"sources: {twice[0]!r} stands there twice; give preference_sets a name of its own each")
        if "rl" in self.build.sets and self.models.difficulty is None:
            raise ValueError(
                "an rl set needs [models.difficulty], a weaker model of the policy's size; "
                "same_as_grm = true in it uses the GRM's own samples, which filter nothing that RFT does not"
            )
        return self

    def at(self, path: str) -> Path:
        """Return a path of the recipe, relative ones taken from where the recipe stands."""
        return Path(self.directory, path)

    def resolved(self) -> dict[str, Any]:
        """Return every setting, defaults included, as it goes into manifests. It holds no secret."""
        return self.model_dump(mode="json", exclude_none=True)


def read_recipe(path: Path) -> Recipe:
    """Read and check a TOML recipe.

    Raises RecipeError, one line, naming the key and the nearest right one.
    """
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from None
    return recipe_of(tree, path.parent, name=str(path))


def recipe_of(tree: dict[str, Any], directory: Path, name: str = "recipe") -> Recipe:
    """Return the recipe of an already parsed tree; relative paths start at `directory`."""
    if "directory" in tree:
        raise RecipeError(f"{name}: unknown key 'directory'")
    try:
        return Recipe.model_validate({**tree, "directory": str(directory)})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = errors[0]
        others = sum(other["type"] != "too_short" for other in errors[1:])  # pydantic adds it when every item failed
        more = f" (and {others} more)" if others else ""
        message = f"{name}: {_explain(tree, first)}{more}"
        raise RecipeError(message.replace("\n", "\\n")) from None  # a quoted TOML key may hold a line break


def _explain(tree: dict[str, Any], error: Any) -> str:
    """Return one line on a validation error: the key, what is wrong with it, and the way out."""
    loc = error["loc"]
    keys = [key for at, key in enumerate(loc) if not _is_tag(loc[:at])]
    where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(tree, keys[:-1])
            near = difflib.get_close_matches(str(keys[-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}"
            return f"{where}: unknown key; {hint}"
        case "union_tag_invalid" | "union_tag_not_found":
            given = error["ctx"].get("tag")
            if given is None:
                return f"{where}: needs a kind, one of {', '.join(SOURCE_KINDS)}"
            near = difflib.get_close_matches(str(given), SOURCE_KINDS, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{where}.kind: {given!r} is none of {', '.join(SOURCE_KINDS)}{hint}"
        case "missing":
            return f"{where}: missing, and has no default"
        case "model_type" | "model_attributes_type":
            return f"{where}: must be a table of keys"
        case "tuple_type":
            return f"{where}: must be a list"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Tuple ")
    given = error["input"]
    got = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return (f"{where}: {message}" if where else message) + got


def _is_tag(before: tuple[Any, ...]) -> bool:
    """Tell whether what follows in an error's location is pydantic's name of a union's member, no key."""
    return before == ("models", "difficulty") or (len(before) == 2 and before[0] == "sources")


def _known_keys(tree: Any, keys: list[Any]) -> list[str]:
    """Return the keys of the section that stands at `keys` in the tree."""
    section: Any = Recipe
    for key in keys:
        tree = tree[key] if isinstance(key, int) or key in tree else {}
        if isinstance(key, int):
            section = SOURCE_KINDS[tree["kind"]]
        elif key == "sources":
            section = None
        elif key == "difficulty":
            section = SameAsGrm if "same_as_grm" in tree else ModelSection
        else:
            section = section_type(section.model_fields[key].annotation)
    return [name for name in section.model_fields if name != "directory"] if section else []


def section_type(annotation: Any) -> type[BaseModel]:
    """Return the section class inside `Section | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    section: type[BaseModel] = next(argument for argument in get_args(annotation) if argument is not type(None))
    return section


def recipe_id(recipe: Recipe) -> str:
    """Return the id of a recipe's settings, for messages and run logs."""
    return content_id("recipe", recipe.resolved())
