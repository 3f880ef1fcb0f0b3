"""Shares: where several processes ask for one build, each takes a part of the buckets, of the limits and of the budget.

No two questions of different buckets share an answer, so shares never ask for the same one, and what is made of all
answers afterwards is the same whatever the number of shares. A share knows nothing of where it runs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipelines.engines.budget import Spent
from schemas.recipe import BudgetSection, ModelSection, Recipe
from schemas.record import BUCKETS

ALL_BUCKETS = range(BUCKETS)


@dataclass(frozen=True, slots=True)
class Share:
    """One stream of requests: number `number`, from 0, of `of` that run beside each other."""

    buckets: Collection[int] = ALL_BUCKETS
    number: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        return f"share {self.number + 1} of {self.of}"

    def recipe(self, recipe: Recipe, spent: Spent) -> Recipe:
        """Return the recipe with this share's part of every model's limits, and of what `spent` leaves of the budget.

        Requests, their ids and all that is made of the answers are those of the whole recipe.
        """
        models = {role: self._model(section) for role, section in recipe.models if isinstance(section, ModelSection)}
        update = {"models": recipe.models.model_copy(update=models), "budget": self._budget(recipe.budget, spent)}
        return recipe.model_copy(update=update)

    def _model(self, model: ModelSection) -> ModelSection:
        limits = {name: getattr(model, name) for name in ("max_concurrency", "rpm", "tpm")}
        parts = {name: max(1, self._part(most)) for name, most in limits.items() if most is not None}
        return model.model_copy(update=parts)

    def _budget(self, budget: BudgetSection, spent: Spent) -> BudgetSection:
        """Return ceilings for a budget that carries `spent`: with this share's part of what is left on top of it."""
        update: dict[str, float] = {}
        for name, amount in Spent(*spent)._asdict().items():
            if (most := getattr(budget, f"max_{name}", None)) is not None:  # answers have no ceiling
                left = max(0, most - amount)
                update[f"max_{name}"] = amount + (left / self.of if name == "cost_usd" else self._part(left))
        return budget.model_copy(update=update)

    def _part(self, whole: int) -> int:
        """Return this share's part of a whole that is handed out to the last piece."""
        return whole * (self.number + 1) // self.of - whole * self.number // self.of


WHOLE = Share()


def can_be_shared(model: ModelSection) -> bool:
    """Say whether several processes may ask a model at once.

    One process at a time stands at the desk of a model that answers by batch. A server that grmforge starts itself, and
    a model that is loaded here, is one process's own.
    """
    return not model.batch and model.engine != "vllm" and not model.is_loaded_here


def share_count(model: ModelSection, budget: BudgetSection, spent: Spent, wanted: int) -> int:
    """Return into how many shares a model's requests are cut: as many as are wanted, or fewer.

    There are never more of them than requests that the model may have in flight, or take in a minute, or that are left
    in the budget: every share has one at least.
    """
    left = None if budget.max_requests is None else budget.max_requests - spent[0]
    most = (BUCKETS, model.max_concurrency, model.rpm, model.tpm, left)
    return max(1, min(wanted, *(limit for limit in most if limit is not None)))


def cut(count: int) -> list[Share]:
    """Return all buckets in so many shares of neighbouring ones. Ids are hashes, so these hold about the same."""
    return [Share(range(BUCKETS * n // count, BUCKETS * (n + 1) // count), n, count) for n in range(count)]


def rest_of(shares: Sequence[Share]) -> Share:
    """Return what is left of some shares as one, which has all limits and the whole budget for itself."""
    return Share(tuple(bucket for share in shares for bucket in share.buckets))
