"""The recipe: one closed tree of settings. Unknown keys are refused with the nearest right name."""

from schemas.recipe.models import ModelSection, ModelsSection, Price, SameAsGrm, Simulated
from schemas.recipe.reading import read_recipe, recipe_of, section_type
from schemas.recipe.refresh import RefreshSection
from schemas.recipe.rubrics import RubricsSection
from schemas.recipe.section import Section
from schemas.recipe.sources import SOURCE_KINDS, GeneralSection, SourceKind, SourceSection
from schemas.recipe.tree import (
    TRAINING_SETS,
    BudgetSection,
    BuildSection,
    GrmSection,
    LeaksSection,
    MetaRmSection,
    Recipe,
    RejectionSection,
    RlSection,
    SplitsSection,
    SynthesisSection,
)
from schemas.recipe.vllm import Vllm

__all__ = [
    "SOURCE_KINDS",
    "TRAINING_SETS",
    "BudgetSection",
    "BuildSection",
    "GeneralSection",
    "GrmSection",
    "LeaksSection",
    "MetaRmSection",
    "ModelSection",
    "ModelsSection",
    "Price",
    "Recipe",
    "RefreshSection",
    "RejectionSection",
    "RlSection",
    "RubricsSection",
    "SameAsGrm",
    "Section",
    "Simulated",
    "SourceKind",
    "SourceSection",
    "SplitsSection",
    "SynthesisSection",
    "Vllm",
    "read_recipe",
    "recipe_of",
    "section_type",
]
