"""What every section of a recipe is: frozen, and closed to keys it does not know. And the types of its values.

TOML has types of its own, so a value is of its type or refused: `n_rft = "3"` and `n_rft = true` are mistakes.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, WithJsonSchema

MAX_INTEGER = 2**63 - 1
"""The largest integer that fits the tables, the engines' seeds and a request's JSON."""

Whole = Annotated[int, Strict()]

Number = Annotated[float, Strict()]
"""A number; one without a fraction may be written as an integer."""

Flag = Annotated[bool, Strict()]

Share = Annotated[Number, Field(ge=0, le=1)]

Count = Annotated[Whole, Field(ge=1, le=MAX_INTEGER), WithJsonSchema({"type": "integer", "minimum": 1})]

Seed = Annotated[Whole, Field(ge=0, le=MAX_INTEGER), WithJsonSchema({"type": "integer", "minimum": 0})]

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
"""A name that becomes a directory's or stands in tables."""


class Section(BaseModel):
    """A frozen part of the recipe that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
