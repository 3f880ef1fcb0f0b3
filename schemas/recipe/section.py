"""What every section of a recipe is: frozen, and closed to keys it does not know."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]

Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A frozen part of the recipe that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
