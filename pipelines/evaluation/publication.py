"""Publishing an evaluation: its tables become an immutable version with manifest and page."""

from importlib import metadata
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.evaluation.report import report_of
from pipelines.judging.verdicts import READER_VERSION
from schemas.evaluation import CREDITS, FIGURES, ITEMS, JUDGEMENTS
from schemas.evaluation_manifest import BenchmarkEntry, Claim, EvaluationManifest
from schemas.manifest import ModelUse, TableEntry
from schemas.recipe import Recipe
from storage.evaluations import Evaluation, heal_evaluation, publish_evaluation, with_content
from storage.published import new_version
from storage.root import Root
from storage.stages import Stage, finish_stage
from storage.table_writer import TableWriter

SCHEMAS = {"items": ITEMS, "judgements": JUDGEMENTS, "figures": FIGURES, "credits": CREDITS}


class Evaluated(NamedTuple):
    """What an evaluation ends with."""

    evaluation: Evaluation
    new: bool
    """False where a version with the same content stood there already."""
    healed: tuple[str, ...] = ()
    """Files of that version that were gone or damaged, and were put back."""


class Writers:
    """A writer for each table of an evaluation's stage; use as a context manager."""

    def __init__(self, root: Root, key: str) -> None:
        self._root, self._key = root, key
        self._of = {name: TableWriter(root, key, name, schema) for name, schema in SCHEMAS.items()}

    def write(self, name: str, table: pa.Table) -> None:
        """Add rows to a table."""
        self._of[name].write(table)

    def finish(self, facts: dict[str, Any]) -> Stage:
        """Return the finished stage, once every writer is closed."""
        return finish_stage(self._root, self._key, {name: writer.files for name, writer in self._of.items()}, facts)

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *error: Any) -> None:
        for writer in self._of.values():
            writer.__exit__(*error)


def publish(
    recipe: Recipe,
    name: str,
    stage: Stage,
    judge_name: str,
    judge: ModelUse | None,
    meta_rm: ModelUse | None = None,
) -> Evaluated:
    """Publish the tables of a stage, unless a version of the name holds the same content.

    `judge` is None for finished verdicts, of which nothing was asked.
    """
    root = stage.root
    if (known := with_content(root, name, stage.content)) is not None:
        healed = heal_evaluation(known, stage.key, {"report.html": lambda: report_of(known.manifest, stage)})
        return Evaluated(known, False, tuple(healed))
    version, created_at = new_version(stage.content)
    manifest = EvaluationManifest(
        name=name,
        version=version,
        content_hash=stage.content,
        created_at=created_at,
        package_version=metadata.version("grmforge"),
        reader_version=READER_VERSION,
        recipe=recipe.resolved(),
        judge=judge,
        meta_rm=meta_rm,
        judge_name=judge_name,
        k_max=stage.facts["k_max"],
        benchmarks=[BenchmarkEntry(**one) for one in stage.facts["benchmarks"]],
        claims=[Claim(**one) for one in stage.facts["claims"]],
        checks=stage.facts["checks"],
        stages=[stage.key],
        tables={table: TableEntry(rows=stage.rows(table), files=list(files)) for table, files in stage.tables.items()},
    )
    data = {file.path: f"{stage.key}/{file.path}" for file in stage.files()}
    return Evaluated(publish_evaluation(root, manifest, data, {"report.html": report_of(manifest, stage)}), True)
