"""The recipe: one closed tree of settings. Unknown keys are refused with the nearest right name."""

from schemas.recipe.models import ModelSection, ModelsSection, Price, SameAsGrm, Simulated
from schemas.recipe.reading import read_recipe, recipe_of, section_type
from schemas.recipe.section import Section
from schemas.recipe.sources import (
    SOURCE_KINDS,
    GeneralSection,
    HelpSteer2,
    HelpSteer2Preference,
    PreferenceSets,
    SourceSection,
    TeleQnA,
    UltraFeedback,
)
from schemas.recipe.tree import (
    TRAINING_SETS,
    BudgetSection,
    BuildSection,
    GrmSection,
    LeaksSection,
    MetaRmSection,
    Recipe,
    RejectionSection,
    SplitsSection,
)

__all__ = [
    "SOURCE_KINDS",
    "TRAINING_SETS",
    "BudgetSection",
    "BuildSection",
    "GeneralSection",
    "GrmSection",
    "HelpSteer2",
    "HelpSteer2Preference",
    "LeaksSection",
    "MetaRmSection",
    "ModelSection",
    "ModelsSection",
    "PreferenceSets",
    "Price",
    "Recipe",
    "RejectionSection",
    "SameAsGrm",
    "Section",
    "Simulated",
    "SourceSection",
    "SplitsSection",
    "TeleQnA",
    "UltraFeedback",
    "read_recipe",
    "recipe_of",
    "section_type",
]
