"""What every section of a recipe is: frozen, and closed to keys it does not know. And the types of its values.

TOML has types of its own, so a value is of its type or refused: `n_rft = "3"` and `n_rft = true` are mistakes.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, WithJsonSchema

from schemas.secrets import is_variable_name, looks_like_key

MAX_INTEGER = 2**63 - 1
"""The largest integer that fits the tables, the engines' seeds and a request's JSON."""

Whole = Annotated[int, Strict()]

Number = Annotated[float, Strict()]
"""A number; one without a fraction may be written as an integer."""

Flag = Annotated[bool, Strict()]

Share = Annotated[Number, Field(ge=0, le=1)]

Count = Annotated[Whole, Field(ge=1, le=MAX_INTEGER), WithJsonSchema({"type": "integer", "minimum": 1})]

Seed = Annotated[Whole, Field(ge=0, le=MAX_INTEGER), WithJsonSchema({"type": "integer", "minimum": 0})]


def _refuse(is_wrong: Callable[[str], bool], message: str) -> AfterValidator:
    def checked(value: str) -> str:
        if is_wrong(value):
            raise ValueError(message)
        return value

    return AfterValidator(checked)


NO_KEY = _refuse(looks_like_key, "holds a key, as it seems, which snapshots would show (it is not shown here)")
_NOT_EMPTY = _refuse(lambda value: not value.strip(), "must not be empty")
_NO_ADDRESS = _refuse(
    lambda value: "\0" in value or "://" in value, "must be a path on this machine: no address, and no null character"
)
_NAMES_VARIABLE = _refuse(
    lambda value: not is_variable_name(value),
    "is no name of an environment variable (it may be a key, and is not shown): export the key under a name, "
    "such as OPENAI_API_KEY, and write that name",
)

Variable = Annotated[str, _NAMES_VARIABLE]
"""Name of an environment variable that holds a key."""

LocalPath = Annotated[str, _NOT_EMPTY, _NO_ADDRESS]
"""A file or directory."""

HubId = Annotated[
    str, _NOT_EMPTY, _refuse(lambda value: ":" in value, "must be a hub id, 'owner/name', and no address"), NO_KEY
]

Shown = Annotated[str, NO_KEY]
"""A text that manifests and tables show."""

Label = Annotated[str, Field(max_length=1_000)]
"""A short text that stands in tables."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
"""A name that becomes a directory's or stands in tables."""


class Section(BaseModel):
    """A frozen part of the recipe that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
