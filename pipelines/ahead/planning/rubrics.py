"""What `grmforge rubrics build` would ask: a build itself asks nothing of models.rubric."""

from dataclasses import dataclass

from pipelines.ahead.planning.inputs import Inputs
from pipelines.rubrics.cases import chosen_cases, labelled_sets
from pipelines.rubrics.trials import ATTEMPTS
from schemas.recipe import Recipe
from schemas.rubric import Origin
from storage.root import Root
from storage.rubric_tables import read_rubrics


@dataclass(frozen=True)
class RubricsPlan:
    """What making the recipe's rubrics would ask."""

    model: str
    questions: int
    """Questions that are to have a rubric, of the sources whose sets are here."""
    made: int
    """Of these, those that have one."""
    panel: int
    requests: int
    """For the others: one that writes the rubric and one for each answer of its panel, which holds whole sets and so
    may be a few larger; answers that are there already among them."""

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        bound = f"about: 1 + {self.panel} a question; at most {ATTEMPTS * self.requests:,} with malformed answers again"
        return [
            f"  rubrics with {self.model}: asked by grmforge rubrics build, never by a build",
            f"    questions       {self.questions:>14,}   {self.made:,} have their rubric",
            f"    requests        {self.requests:>14,}   {bound if self.requests else ''}".rstrip(),
        ]


def plan_rubrics(recipe: Recipe, root: Root, inputs: Inputs) -> RubricsPlan | None:
    """Return what making rubrics would ask; None where the recipe has no model for it, or no set is here."""
    model, settings = recipe.models.rubric, recipe.rubrics
    if model is None or inputs.curated is None:
        return None
    wanted = {case.query_id for case in chosen_cases(labelled_sets(inputs.curated), settings.queries)}
    made = wanted & {one.query_id for one in read_rubrics(root) if one.origin == Origin.GENERATED}
    requests = len(wanted - made) * (1 + settings.panel)
    return RubricsPlan(model.name, len(wanted), len(made), settings.panel, requests)
