"""What a build starts from: an order names a recipe and its changes; a run has the budget, the keys and a watcher."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.engines.answering import Run, Watcher
from pipelines.engines.budget import Budget
from pipelines.engines.early_stop import BUILD, Look
from pipelines.engines.scorer.engine import Scorers
from pipelines.engines.vllm.server import Servers
from schemas.errors import RecipeError
from schemas.recipe import TRAINING_SETS, ModelSection, Recipe, read_recipe, recipe_of
from storage.journal import new_run_id


@dataclass(frozen=True)
class Order:
    """A recipe, and what a command's or a flow's parameters change in it. It can be pickled, and written as JSON."""

    recipe: str
    """The path of the recipe."""
    sets: str | None = None
    """A comma-separated choice of the recipe's sets."""
    root: str | None = None
    limit: int | None = None
    """At most so many rows of every source."""
    keep_going: bool = False
    """Whether a model is asked on where its first answers are of no use."""

    def read(self) -> Recipe:
        """Return the recipe with its changes. Raises RecipeError."""
        return changed(read_recipe(Path(self.recipe)), sets=self.sets, root=self.root, limit=self.limit)


def changed(recipe: Recipe, *, sets: str | None = None, root: str | None = None, limit: int | None = None) -> Recipe:
    """Return the recipe with what a command's or a flow's parameters change in it.

    `sets` is a comma-separated choice. A part of the recipe's sets is published under a name that says so, such as
    `<name>-rft`. `limit` bounds the rows of every source.
    """
    tree = recipe.model_dump(exclude_unset=True)
    if sets is not None:
        named = {name.strip() for name in sets.split(",") if name.strip()}
        if (unknown := sorted(named - set(recipe.build.sets))) or not named:
            wrong = ", ".join(unknown) or repr(sets)
            raise RecipeError(f"--sets {wrong}: the recipe's sets are {', '.join(recipe.build.sets)}")
        chosen = [name for name in TRAINING_SETS if name in named]  # the same name in whatever order they are given
        if named != set(recipe.build.sets):
            tree["build"] |= {"sets": chosen, "name": "-".join([recipe.build.name, *chosen])}
    if root is not None:
        tree["build"]["root"] = root
    if limit is not None:
        for source, section in zip(tree.get("sources", ()), recipe.sources, strict=True):
            source["limit"] = min(limit, section.limit or limit)
    return recipe_of(tree, Path(recipe.directory))


def new_run(
    recipe: Recipe,
    environment: Mapping[str, str],
    watcher: Watcher,
    retry_failed: bool = False,
    wait: bool = False,
    run_id: str | None = None,
    looks: tuple[Look, ...] = BUILD,
) -> Run:
    """Return a run with the recipe's budget, and the keys that its models need and the environment has.

    `looks` says when a role whose first answers are of no use ends the run; without any it keeps going. The caller
    closes the run's `servers`, in whatever way the run ends.
    """
    variables = [recipe.rubrics.token_env, *(model.key_variable for model in models_of(recipe).values())]
    keys = {name: environment[name] for name in variables if name is not None and name in environment}
    directory, budget = Path(recipe.directory), Budget.of(recipe.budget)
    servers, scorers = Servers(directory), Scorers(directory)
    name = run_id or new_run_id()
    return Run(name, budget, keys, watcher, retry_failed, wait, looks=looks, servers=servers, scorers=scorers)


def models_of(recipe: Recipe) -> dict[str, ModelSection]:
    """Return the recipe's models by role."""
    models = {role: getattr(recipe.models, role) for role in type(recipe.models).model_fields}
    return {role: model for role, model in models.items() if isinstance(model, ModelSection)}
