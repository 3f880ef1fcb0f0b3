"""The guard that looks at the judge: where its accuracy on the recipe's benchmarks fell, LATEST is held back.

The evaluation of a new version is compared, item by item, with that of the version that LATEST names. So a version
that a person promotes becomes the yardstick of the next night.
"""

from collections.abc import Iterator

from pipelines.engines.answering import Run
from pipelines.evaluation.comparing import compare_evaluations
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.reading import SNAPSHOT
from pipelines.reporting.publication import Published
from schemas.errors import StorageError
from schemas.recipe import Recipe
from storage.evaluations import FOLDER, Evaluation, evaluation_at, retain_evaluations
from storage.root import Root
from storage.snapshot_upkeep import evaluation_of, note_evaluation
from storage.snapshots import Snapshot, latest


def judge_reasons(recipe: Recipe, root: Root, run: Run, published: Published) -> tuple[str, ...]:
    """Evaluate the recipe's judge; return a sentence for each benchmark on which it fell too far.

    Returns none where the recipe wants no such guard, or there is nothing to compare with. Raises ForgeError, as an
    evaluation does; what was bought by then is kept, and LATEST stays.
    """
    if not recipe.refresh.evaluate:
        return ()
    manifest = published.snapshot.manifest
    before = latest(root, manifest.name)
    earlier = None if before in (None, manifest.version) else _earlier(root, manifest.name, str(before), run)
    evaluation = evaluate(_on(recipe, published.snapshot), root, run).evaluation
    named = f"{evaluation.manifest.name}/{evaluation.manifest.version}"
    note_evaluation(root, manifest.name, manifest.version, named)
    reasons = [] if earlier is None else list(_fallen(earlier, evaluation, recipe.refresh.max_accuracy_drop))
    in_use = {one.manifest.version for one in (earlier, evaluation) if one is not None}
    retain_evaluations(root, evaluation.manifest.name, recipe.refresh.keep, in_use)
    return tuple(reasons)


def _on(recipe: Recipe, snapshot: Snapshot) -> Recipe:
    """Return the recipe with the new version as the snapshot that its `test` benchmarks read: LATEST is another one."""
    version = f"{snapshot.manifest.name}@{snapshot.manifest.version}"
    sections = tuple(
        section.model_copy(update={"snapshot": version})
        if section.kind == SNAPSHOT and section.snapshot is None
        else section
        for section in recipe.evaluate.benchmarks
    )
    return recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"benchmarks": sections})})


def _earlier(root: Root, name: str, version: str, run: Run) -> Evaluation | None:
    """Return the evaluation of a version; None where it has none, or none that can be read."""
    named = evaluation_of(root, name, version)
    if named is None:
        return None
    try:
        return evaluation_at(root, f"{FOLDER}/{named}")
    except StorageError as error:
        run.watcher.warn(f"the judge is not compared with that of {name}@{version}: {error}")
        return None


def _fallen(earlier: Evaluation, evaluation: Evaluation, limit: float) -> Iterator[str]:
    """Yield each benchmark on which the vote of half of the samples fell by more than the limit and its interval."""
    for found in compare_evaluations(earlier, evaluation).benchmarks:
        votes = [one for one in found.differences if one.selector == VOTING]
        if not votes or limit >= 1:
            continue
        vote = max(votes, key=lambda one: one.k)
        if vote.high < -limit:
            yield (
                f"the judge's {found.figure} on {found.benchmark} (vote of {vote.k}) fell from {vote.before:.1%} to "
                f"{vote.after:.1%} on {found.shared:,} items: by at least {-100 * vote.high:.1f} points, where "
                f"max_accuracy_drop is {limit:g}"
            )
