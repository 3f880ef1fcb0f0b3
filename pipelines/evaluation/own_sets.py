"""Sets of a snapshot as a benchmark, and which questions of a benchmark a judge was trained on."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.evaluation.benchmarks.preference_sets import row_of_set
from schemas.errors import RecipeError
from schemas.evaluation import Row
from schemas.preference import SETS, SETS_TABLE, sets_of
from schemas.query import Messages
from schemas.recipe import Recipe
from schemas.recipe.evaluate import BenchmarkSection
from storage.root import Root
from storage.snapshots import Snapshot, find_snapshot, latest, versions
from storage.tables import read_batches

TABLE = "sets/kept"


def snapshot_of(recipe: Recipe, root: Root, section: BenchmarkSection) -> Snapshot:
    """Return the snapshot that a `test` section names. Raises RecipeError and StorageError where there is none."""
    if section.snapshot is None and not versions(root, recipe.build.name):
        raise RecipeError(
            f"evaluate.benchmarks: {section.title} reads the sets of {recipe.build.name}, which is not built yet: "
            'build it first, or name another snapshot, such as snapshot = "demo"'
        )
    return find_snapshot(root, section.snapshot or recipe.build.name)


def rows_of_snapshot(snapshot: Snapshot, section: BenchmarkSection) -> Iterator[Row]:
    """Yield the kept sets of the section's splits as rows. Raises RecipeError where there is none."""
    any_row = False
    for batch in read_batches(snapshot.files(TABLE), SETS_TABLE.schema):
        chosen = batch.filter(pc.is_in(batch.column("split"), pa.array(section.splits, pa.string())))
        for preference in sets_of(chosen):
            any_row = True
            yield row_of_set(preference, preference.source)
    if not any_row:
        name = f"{snapshot.manifest.name}@{snapshot.manifest.version}"
        raise RecipeError(
            f"evaluate.benchmarks: {name} has no set in {' or '.join(section.splits)}: give [splits] test a share and "
            'build anew, or name other splits, such as splits = ["validation"]'
        )


def trained_queries(recipe: Recipe, root: Root) -> frozenset[str]:
    """Return the questions of the recipe's own snapshot that training rows were made of, in plain form.

    Empty where the recipe has no snapshot yet.
    """
    if latest(root, recipe.build.name) is None:
        return frozenset()
    snapshot = find_snapshot(root, recipe.build.name)
    plain: set[str] = set()
    for batch in read_batches(snapshot.files(TABLE), SETS, ["query", "split"]):
        trained = batch.filter(pc.equal(batch.column("split"), "train")).column("query").to_pylist()
        plain.update(_plain(turn["content"] for turn in query) for query in trained)
    return frozenset(plain)


def is_trained_on(rows: Sequence[Row], trained: frozenset[str]) -> list[bool]:
    """Say of each row whether its question is one of these."""
    return [_plain(_texts(row.query)) in trained for row in rows] if trained else [False] * len(rows)


def _texts(query: Messages) -> Iterable[str]:
    return (message.content for message in query)


def _plain(texts: Iterable[str]) -> str:
    """Return texts in small letters with single spaces: what two forms of one question have in common."""
    return " ".join(" ".join(texts).casefold().split())
