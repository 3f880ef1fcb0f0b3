"""The recipe: one closed tree of settings. Unknown keys are refused with the nearest right name."""

from schemas.recipe.decontaminate import DecontaminateSection
from schemas.recipe.models import SCORERS, ModelSection, Price, SameAsGrm
from schemas.recipe.reading import read_recipe, recipe_of, section_type
from schemas.recipe.section import Flag, Label, Name, Number, Section, Whole
from schemas.recipe.serve import ServeSection
from schemas.recipe.simulated import Simulated
from schemas.recipe.sources import SOURCE_KINDS, GeneralSection, SourceKind, SourceSection
from schemas.recipe.stages import (
    TRAINING_SETS,
    BudgetSection,
    BuildSection,
    GrmSection,
    LeaksSection,
    MetaRmSection,
    RefreshSection,
    RejectionSection,
    ReviewsSection,
    RlSection,
    RubricsSection,
    SplitsSection,
    SynthesisSection,
    TrainingSection,
)
from schemas.recipe.tree import Recipe

__all__ = [
    "SCORERS",
    "SOURCE_KINDS",
    "TRAINING_SETS",
    "BudgetSection",
    "BuildSection",
    "DecontaminateSection",
    "Flag",
    "GeneralSection",
    "GrmSection",
    "Label",
    "LeaksSection",
    "MetaRmSection",
    "ModelSection",
    "Name",
    "Number",
    "Price",
    "Recipe",
    "RefreshSection",
    "RejectionSection",
    "ReviewsSection",
    "RlSection",
    "RubricsSection",
    "SameAsGrm",
    "Section",
    "ServeSection",
    "Simulated",
    "SourceKind",
    "SourceSection",
    "SplitsSection",
    "SynthesisSection",
    "TrainingSection",
    "Whole",
    "read_recipe",
    "recipe_of",
    "section_type",
]
