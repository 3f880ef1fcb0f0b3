"""Finished verdicts of any judge, evaluated: `grmforge evaluate --judgements FILE`. No model is called."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.evaluation.publication import Evaluated, Writers, publish
from pipelines.evaluation.reading import ReadBenchmark, read_benchmark
from pipelines.evaluation.summing_up import Scored, computed
from pipelines.evaluation.verdict_file import WRONG_COUNT, read_verdicts
from pipelines.evaluation.wording import counted
from schemas.errors import RecipeError
from schemas.recipe import Recipe, recipe_of
from storage.files import sha256_of
from storage.root import Root
from storage.stages import find_stage, stage_key

STAGE_VERSION = 3


def recipe_for(benchmark: str, path: str | None, protocol: str | None, root: str) -> Recipe:
    """Return a recipe that names one benchmark and asks no model. Raises RecipeError."""
    section = {"kind": benchmark, "path": path, "protocol": protocol}
    tree = {
        "build": {"name": "verdicts", "root": root, "sets": ["rft"]},
        "evaluate": {"benchmarks": [{key: value for key, value in section.items() if value is not None}]},
    }
    return recipe_of(tree, Path())


def evaluate_verdicts(recipe: Recipe, root: Root, file: Path, warn: Callable[[str], None]) -> Evaluated:
    """Score the verdicts of a file on the recipe's benchmarks, and publish what comes of it. Raises ForgeError."""
    sections = recipe.evaluate.benchmarks
    if not sections:
        raise RecipeError("no benchmark to score verdicts on: name one with --benchmark, or in [[evaluate.benchmarks]]")
    if not file.is_file():
        if file.exists():
            raise RecipeError(f"{file}: not a file of verdicts, but a directory, a pipe or a device")
        raise RecipeError(f"{file}: no such file of verdicts")
    benchmarks = [read_benchmark(recipe, root, section) for section in sections]
    settings = [[one.title, one.protocol, one.settings] for one in benchmarks]
    inputs = [sha256_of(file), *(one.sha256 for one in benchmarks)]
    changes = [recipe.evaluate.replicates, recipe.evaluate.compare, recipe.build.seed]
    key = stage_key("evaluated", STAGE_VERSION, ["verdicts", settings, changes], inputs)
    stage = find_stage(root, key)
    if stage is None:
        with Writers(root, key) as writers:
            facts = computed(recipe, _scored(benchmarks, file, warn), frozenset(), writers.write)
        stage = writers.finish(facts)
    plain = re.sub("[^a-z0-9_-]+", "-", file.stem.lower()).strip("-_") or "verdicts"
    return publish(recipe, recipe.evaluate.name or plain[:64], stage, file.name, None)


def _scored(benchmarks: list[ReadBenchmark], file: Path, warn: Callable[[str], None]) -> Iterator[Scored]:
    titles = [read.title for read in benchmarks]
    for read in benchmarks:
        verdicts = read_verdicts(file, read.rows, read.protocol, read.title, titles)
        if verdicts.elsewhere and read is benchmarks[0]:  # every pass over the file meets the same ones
            named = ", ".join(list(verdicts.elsewhere)[:3])
            count = counted(sum(verdicts.elsewhere.values()), "verdict")
            warn(f"{count} on {named}, which is no benchmark here: left out")
        if miscounted := verdicts.outcomes.get(WRONG_COUNT):
            count = counted(miscounted, "verdict")
            warn(f"{read.title}: {count} with another number of scores than responses shown, taken as unreadable")
        judged = replace(read, rows=verdicts.rows, left_out=read.left_out + verdicts.left_out)
        yield Scored(judged, verdicts.pools, None, verdicts.outcomes, 0, 0.0, {})
