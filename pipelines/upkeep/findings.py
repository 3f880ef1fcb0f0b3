"""Findings: the parts of a root that hold something of what must be forgotten, and how each part is removed.

Nothing is changed before a finding's `remove` is called.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.upkeep.concerned import Concerned, among, phrases_of_rubrics, phrases_of_runs
from schemas.errors import StorageError
from schemas.record import BUCKETS, bucket_of
from schemas.rubric import Origin
from storage import batch_jobs, evaluations, imports, reviews, rubric_tables, snapshots
from storage.answer_files import write_answers
from storage.files import remove_here, temporary_files
from storage.generations import folder_of, set_aside
from storage.milvus import remove_index
from storage.origins import origin_files, remember_origins
from storage.root import Root
from storage.stages import every_stage
from storage.tables import Goes, Mask, open_table, parquet_keys, rows_that_go, take_out


class Place(StrEnum):
    """Where something lies, in the order of removal. What names the ids of a source goes last."""

    ANSWERS = "answers"
    IMPORTED = "imported answers"
    BATCH = "batch requests"
    RESULTS = "batch results"
    RUBRICS = "rubrics"
    GIVEN = "given criteria"
    REVIEWS = "reviews"
    VECTORS = "vectors"
    INDEX = "index"
    UNFINISHED = "unfinished files"
    """Left by killed runs. Nobody looks into them."""
    DAMAGED = "damaged answers"
    """Set aside: what can be read of it is kept elsewhere."""
    STAGE = "stage"
    ORIGINS = "origins"


@dataclass(frozen=True, slots=True)
class Finding:
    """One object, or one folder, that holds something of it."""

    place: Place
    key: str
    remove: Callable[[], None] = field(repr=False, compare=False)
    """Removes the rows, or all of it."""
    rows: int | None = None
    """Rows that go; None where the whole object goes."""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"place": self.place, "key": self.key, "rows": self.rows, "note": self.note}


@dataclass(frozen=True, slots=True)
class VersionRows:
    """A published version that holds something of it."""

    name: str
    version: str
    tables: dict[str, int]
    """Rows by published path."""
    is_latest: bool
    is_evaluation: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "latest": self.is_latest, "tables": self.tables} | (
            {"evaluation": True} if self.is_evaluation else {}
        )


@dataclass(frozen=True)
class Findings:
    """All that was found."""

    concerned: Concerned
    parts: tuple[Finding, ...]
    versions: tuple[VersionRows, ...]
    roles: Counter[str]
    """Answers that go, by role."""


def search(root: Root, concerned: Concerned) -> Findings:
    """Return all that a root holds of what is concerned. Raises StorageError where a table cannot be read."""
    concerned = _with_rubrics(root, concerned)
    goes = concerned.answers(_kept_requests(root, concerned))
    buckets = range(BUCKETS) if concerned.phrases else _buckets(concerned)
    roles: Counter[str] = Counter()
    prompts: set[str] = set()

    def counted(table: pa.Table) -> Mask:
        mask = goes(table)
        rows = table.filter(mask)
        roles.update(rows.column("role").to_pylist())
        requests = map(orjson.loads, rows.column("request").to_pylist())
        prompts.update(imports.prompt_id(request["model"], request["messages"]) for request in requests)
        return mask

    answers = [key for bucket in buckets for key in parquet_keys(root, folder_of(bucket))]
    parts = [
        replace(part, remove=partial(take_out, root, part.key, goes, write=write_answers))
        for part in _rows(root, Place.ANSWERS, answers, counted)
    ]
    imported = parquet_keys(root, imports.FOLDER)
    parts += _rows(root, Place.IMPORTED, imported, lambda table: among(table.column("prompt_id"), prompts), "number")
    parts += [*_batches(root, goes), *_rubrics(root, concerned), *_unfinished(root), *_stages(root, concerned)]
    parts += _rows(root, Place.REVIEWS, parquet_keys(root, reviews.FOLDER), concerned.rows, "number")
    parts += _rows(root, Place.ORIGINS, origin_files(root), concerned.origins, "name")
    return Findings(concerned, tuple(parts), tuple(_versions(root, concerned)), roles)


def _rows(root: Root, place: Place, keys: Iterable[str], goes: Goes, keep: Any = "nothing") -> Iterator[Finding]:
    """Yield the files of a place with rows that go; `keep` says what of their names must stay."""
    for key in keys:
        if rows := rows_that_go(root, key, goes).num_rows:
            yield Finding(place, key, partial(take_out, root, key, goes, keep=keep), rows)


def _buckets(concerned: Concerned) -> list[int]:
    return sorted({bucket_of(query) for query in concerned.queries})


def _with_rubrics(root: Root, concerned: Concerned) -> Concerned:
    """Return the same with the rubrics that rest on it, and the phrases that give rows away."""
    rubrics = rubric_tables.read_rubrics(root)
    resting = [
        rubric
        for rubric in rubrics
        if rubric.origin != Origin.SEED
        and (
            rubric.query_id in concerned.queries
            or not concerned.queries.isdisjoint(rubric.rests_on)
            or (concerned.source is not None and rubric.source == concerned.source)
        )
    ]
    ids = frozenset(rubric.rubric_id for rubric in resting)
    left = [rubric for rubric in rubrics if rubric.rubric_id not in ids]
    others = {criterion.criterion_id for rubric in left for criterion in rubric.criteria}
    criteria = frozenset(criterion.criterion_id for rubric in resting for criterion in rubric.criteria) - others
    phrases = [*phrases_of_rubrics(resting, _drafts(root, concerned), left), *phrases_of_runs(root, concerned)]
    return replace(concerned, rubrics=ids, criteria=criteria, phrases=tuple(phrases))


def _drafts(root: Root, concerned: Concerned) -> Iterator[str]:
    """Yield the answers to requests for rubrics of these queries."""
    for key in (key for bucket in _buckets(concerned) for key in parquet_keys(root, folder_of(bucket))):
        rows = rows_that_go(root, key, lambda table: among(table.column("query_id"), concerned.queries))
        yield from rows.filter(pc.equal(rows.column("role"), "rubric")).column("text").drop_null().to_pylist()


def _kept_requests(root: Root, concerned: Concerned) -> frozenset[str]:
    """Return the answers to shared queries that remaining sets, and questions of other sources, claim."""
    claimed: set[str] = set()
    lost: set[str] = set()
    for table in _claims(root, concerned) if concerned.shared else ():
        rows = table.filter(among(table.column("query_id"), concerned.shared))
        has_sets = "set_id" in rows.column_names
        is_lost = among(rows.column("set_id"), concerned.sets) if has_sets else pa.repeat(False, rows.num_rows)
        lost.update(rows.filter(is_lost).column("request_id").to_pylist())
        claimed.update(rows.filter(pc.invert(is_lost)).column("request_id").drop_null().to_pylist())
    return frozenset(claimed - lost)


def _claims(root: Root, concerned: Concerned) -> Iterator[pa.Table]:
    """Yield (request_id, query_id, and set_id where there is one) of judged sets, and of other sources' candidates."""
    columns = ["request_id", "query_id", "set_id"]
    for key, stage in every_stage(root, ("judged-", "candidates-")):
        if stage is None or key.split("/")[1] == f"candidates-{concerned.source}":
            continue
        with contextlib.suppress(StorageError):  # a damaged stage claims nothing, and goes
            for path in (path for table in ("judged", "candidates") for path in stage.paths(table)):
                yield open_table(path).read(columns=columns)  # those that it has
    for snapshot in snapshots.every_snapshot(root):
        tables = [table for table in snapshot.manifest.tables if table.startswith(("trajectories/", "answers/"))]
        for name, path in ((table, path) for table in tables for path in snapshot.files(table)):
            rows = open_table(path).read(columns=[*columns, "source"])
            if name.startswith("answers/"):
                rows = rows.filter(pc.not_equal(rows.column("source"), concerned.source or ""))
            yield rows


def _batches(root: Root, goes: Goes) -> Iterator[Finding]:
    """Yield requests that wait in batches, and all results that were downloaded and are not needed any more."""
    for folder in (f"{batch_jobs.FOLDER}/{submission}" for submission in root.folders(batch_jobs.FOLDER)):
        key = f"{folder}/requests.parquet"
        requests = list(_rows(root, Place.BATCH, [key] if root.exists(key) else (), goes, "name"))
        job = batch_jobs.read_job(root, f"{folder}/job.json") if root.exists(f"{folder}/job.json") else None
        is_open = job is not None and job.collected_at is None
        note = f"{job.name} lies at {job.endpoint}: have its files deleted there" if job and is_open else ""
        yield from (replace(part, note=note) for part in requests)
        if requests or (job is not None and not is_open):
            for path in sorted(root.scratch(f"{folder}/_").parent.glob("*.jsonl")):
                yield Finding(Place.RESULTS, f"{folder}/{path.name}", partial(remove_here, path))


def _rubrics(root: Root, concerned: Concerned) -> Iterator[Finding]:
    """Yield what is left of it among rubrics; vectors and indexes are made again, so they go whole."""
    rubrics = parquet_keys(root, rubric_tables.FOLDER)
    yield from _rows(
        root, Place.RUBRICS, rubrics, lambda table: among(table.column("rubric_id"), concerned.rubrics), "number"
    )
    for settings in root.folders(rubric_tables.GIVEN_FOLDER):
        given = parquet_keys(root, f"{rubric_tables.GIVEN_FOLDER}/{settings}")
        yield from _rows(root, Place.GIVEN, given, concerned.given, "number")
    for key in (f"{rubric_tables.FOLDER}/vectors/{model}" for model in root.folders(f"{rubric_tables.FOLDER}/vectors")):
        yield Finding(Place.VECTORS, key, partial(root.remove_folder, key), note="made again where they are needed")
    for path in sorted(root.scratch(f"{rubric_tables.FOLDER}/_").parent.glob("milvus-*.db")):
        key, note = f"{rubric_tables.FOLDER}/{path.name}", "made again from rubrics/*.parquet"
        yield Finding(Place.INDEX, key, partial(remove_index, path), note=note)


def _unfinished(root: Root) -> Iterator[Finding]:
    """Yield temporary files and versions without a manifest, whatever is in them."""
    for path in temporary_files(root.path):
        yield Finding(Place.UNFINISHED, str(path.relative_to(root.path)), partial(remove_here, path))
    yield from (
        Finding(Place.DAMAGED, key, partial(root.remove, key), note="nobody can look into it")
        for key in set_aside(root)
    )
    for name in root.folders(snapshots.FOLDER):
        for key in (f"{snapshots.FOLDER}/{name}/{version}" for version in snapshots.unfinished(root, name)):
            yield Finding(Place.UNFINISHED, key, partial(root.remove_folder, key))
    for name in root.folders(evaluations.FOLDER):
        for key in (f"{evaluations.FOLDER}/{name}/{version}" for version in evaluations.unfinished(root, name)):
            yield Finding(Place.UNFINISHED, key, partial(root.remove_folder, key))


def _stages(root: Root, concerned: Concerned) -> Iterator[Finding]:
    """Yield every stage that holds a row of it, and those that cannot be looked into; the sources' own ones last."""
    own = ("stages/source-", "stages/rephrased-")
    for key, stage in sorted(every_stage(root), key=lambda entry: (entry[0].startswith(own), entry[0])):
        remove = partial(_remove_stage, root, key)
        try:
            if stage is None:
                raise StorageError
            rows = sum(_rows_in(path, concerned) for table in stage.tables for path in stage.paths(table))
        except StorageError:
            yield Finding(Place.STAGE, key, remove, None, "it cannot be looked into")
            continue
        if rows or (concerned.source is not None and key.split("/")[1].partition("-")[2] == concerned.source):
            yield Finding(Place.STAGE, key, remove, rows)


def _remove_stage(root: Root, key: str) -> None:
    remember_origins(root, key)
    root.remove_folder(key)


_TELLING = {"source", "set_id", "query_id", "rubric_id", "given_ids", "extra_info"}


def _rows_in(path: Path, concerned: Concerned) -> int:
    """Return how many rows of a table hold something of it; texts are read only where words must be looked for."""
    file = open_table(path)
    names = None if concerned.phrases else [name for name in file.schema_arrow.names if name in _TELLING]
    groups = (file.read_row_group(group, columns=names) for group in range(file.num_row_groups))
    return sum(pc.sum(concerned.rows(table)).as_py() or 0 for table in groups)


def _versions(root: Root, concerned: Concerned) -> Iterator[VersionRows]:
    for snapshot in snapshots.every_snapshot(root):
        name, version, tables = snapshot.manifest.name, snapshot.manifest.version, snapshot.manifest.tables
        counts = {table: sum(_rows_in(path, concerned) for path in snapshot.files(table)) for table in tables}
        if held := {table: rows for table, rows in counts.items() if rows}:
            yield VersionRows(name, version, held, version == snapshots.latest(root, name))
    for evaluation in evaluations.every_evaluation(root):
        tables = evaluation.manifest.tables
        counts = {table: sum(_rows_in(path, concerned) for path in evaluation.files(table)) for table in tables}
        if held := {table: rows for table, rows in counts.items() if rows}:
            yield VersionRows(evaluation.manifest.name, evaluation.manifest.version, held, False, is_evaluation=True)
