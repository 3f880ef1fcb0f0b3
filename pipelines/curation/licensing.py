"""What the recipe's `licenses` let through, and what they were probably meant to."""

import polars as pl

from schemas.errors import RecipeError
from schemas.licenses import license_key, near
from schemas.preference import SETS, DropReason
from schemas.recipe import Recipe
from schemas.training import GENERAL
from storage.stages import Stage
from storage.tables import read_table


def license_warnings(recipe: Recipe, curated: Stage) -> list[str]:
    """Return a line for every allowed licence that no row has though one has a name much like it.

    Raises RecipeError where not one set is left because of its licence: the list names what is not there.
    """
    allowed = recipe.build.licenses
    if allowed is None:
        return []
    sets = pl.from_arrow(read_table(curated.paths("sets"), SETS, ["license", "drop_reason"]))
    chat = pl.from_arrow(read_table(curated.paths("general"), GENERAL, ["license", "drop_reason"]))
    assert isinstance(sets, pl.DataFrame) and isinstance(chat, pl.DataFrame)
    rows = pl.concat([sets, chat])
    refused = rows.filter(drop_reason=DropReason.LICENSE.value)["license"].value_counts().sort("license")
    counts = dict(refused.iter_rows())
    lost = sets.filter(drop_reason=DropReason.LICENSE.value).height
    if 2 * lost >= sets.height > 0 and not sets["drop_reason"].null_count():
        raise RecipeError(
            f"build.licenses: no set is left; allowed are {', '.join(allowed)}, and the rows have "
            + ", ".join(f"{name} ({count:,})" for name, count in counts.items())
        )
    keys = {license_key(name) for name in rows["license"].unique()}
    meant = {name: near(name, counts) for name in allowed if license_key(name) not in keys}
    return [
        f"build.licenses: no row has {name!r}; {counts[found]:,} rows with {found!r} were left out: was that meant?"
        for name, found in meant.items()
        if found is not None
    ]
