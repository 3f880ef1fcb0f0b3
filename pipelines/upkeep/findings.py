"""Findings: where something of what is to be forgotten lies under a root, part by part. Nothing is changed here."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc

from pipelines.upkeep.claims import every_stage, kept_requests
from pipelines.upkeep.concerned import Concerned, among
from pipelines.upkeep.phrases import phrases_of_rubrics, phrases_of_runs
from pipelines.upkeep.rules import of_answers, of_given, of_imported, of_origins
from schemas.errors import StorageError
from schemas.record import BUCKETS, bucket_of
from schemas.rubric import Origin
from storage.batch_jobs import FOLDER as BATCHES
from storage.batch_jobs import read_job
from storage.generations import folder_of, set_aside
from storage.imports import FOLDER as IMPORTED
from storage.imports import prompt_id
from storage.origins import origin_files
from storage.root import Root
from storage.row_removal import rows_that_go
from storage.rubric_tables import FOLDER as RUBRICS
from storage.rubric_tables import read_rubrics
from storage.snapshots import FOLDER as SNAPSHOTS
from storage.snapshots import every_snapshot, latest, unfinished
from storage.tables import open_table
from storage.temporary_files import temporary_files


class Place(StrEnum):
    """Where something lies, in the order in which it is removed: what tells the ids of a source goes last."""

    ANSWERS = "answers"
    IMPORTED = "imported answers"
    BATCH = "batch requests"
    RESULTS = "batch results"
    RUBRICS = "rubrics"
    GIVEN = "given criteria"
    VECTORS = "vectors"
    INDEX = "index"
    UNFINISHED = "unfinished files"
    """What killed runs left: nobody looks into it."""
    DAMAGED = "damaged answers"
    """Set aside: what can be read of it is kept elsewhere."""
    VERSION = "version"
    STAGE = "stage"
    ORIGINS = "origins"


@dataclass(frozen=True, slots=True)
class Finding:
    """One object, or one folder, that holds something of it."""

    place: Place
    key: str
    rows: int | None
    """Rows that go; None where it goes as a whole, whatever it holds."""
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

    @property
    def key(self) -> str:
        return f"{SNAPSHOTS}/{self.name}/{self.version}"

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "latest": self.is_latest, "tables": self.tables}


@dataclass(frozen=True)
class Findings:
    """All of it."""

    concerned: Concerned
    parts: tuple[Finding, ...]
    versions: tuple[VersionRows, ...]
    roles: Counter[str]
    """Answers that go, by role."""
    prompts: frozenset[str]
    """Prompts behind these answers, as imported ones are found by."""
    kept: frozenset[str]
    """Answers to shared queries that are known to be others'."""


def search(root: Root, concerned: Concerned) -> Findings:
    """Return all that a root holds of what is concerned. Raises StorageError where a table cannot be read."""
    concerned = _with_rubrics(root, concerned)
    kept = kept_requests(root, concerned)
    answers, roles, prompts = _answers(root, concerned, kept)
    parts = [*answers, *_imported(root, prompts), *_batches(root, concerned, kept), *_rubric_files(root, concerned)]
    parts += [*_unfinished(root), *_stages(root, concerned), *_origins(root, concerned)]
    return Findings(concerned, tuple(parts), tuple(_versions(root, concerned)), roles, frozenset(prompts), kept)


def _with_rubrics(root: Root, concerned: Concerned) -> Concerned:
    """Return the same with the rubrics that rest on it, and the phrases that give rows away."""
    every = read_rubrics(root)
    gone = [
        one
        for one in every
        if one.origin != Origin.SEED
        and (
            one.query_id in concerned.queries
            or not concerned.queries.isdisjoint(one.rests_on)
            or (concerned.source is not None and one.source == concerned.source)
        )
    ]
    ids = {one.rubric_id for one in gone}
    left = [one for one in every if one.rubric_id not in ids]
    others = {one.criterion_id for rubric in left for one in rubric.criteria}
    criteria = {one.criterion_id for rubric in gone for one in rubric.criteria} - others
    phrases = [*phrases_of_rubrics(gone, _drafts(root, concerned), left), *phrases_of_runs(root, concerned)]
    return replace(concerned, rubrics=frozenset(ids), criteria=frozenset(criteria), phrases=tuple(phrases))


def _drafts(root: Root, concerned: Concerned) -> Iterator[str]:
    """Yield what was written where rubrics of these queries were asked for."""
    for bucket in sorted({bucket_of(one) for one in concerned.queries}):
        for name in root.names(folder_of(bucket), ".parquet"):
            rows = rows_that_go(
                root, f"{folder_of(bucket)}/{name}", lambda table: among(table.column("query_id"), concerned.queries)
            )
            yield from rows.filter(pc.equal(rows.column("role"), "rubric")).column("text").drop_null().to_pylist()


def _answers(root: Root, concerned: Concerned, kept: frozenset[str]) -> tuple[list[Finding], Counter[str], set[str]]:
    """Return the files of generations with rows that go, these rows by role, and the prompts behind them."""
    goes = of_answers(concerned, kept)
    buckets = range(BUCKETS) if concerned.phrases else sorted({bucket_of(one) for one in concerned.queries})
    found: list[Finding] = []
    roles: Counter[str] = Counter()
    prompts: set[str] = set()
    for bucket in buckets:
        for name in root.names(folder_of(bucket), ".parquet"):
            key = f"{folder_of(bucket)}/{name}"
            rows = rows_that_go(root, key, goes)
            if rows.num_rows:
                found.append(Finding(Place.ANSWERS, key, rows.num_rows))
                roles.update(rows.column("role").to_pylist())
                prompts.update(_prompt_id(body) for body in rows.column("request").to_pylist())
    return found, roles, prompts


def _prompt_id(body: str) -> str:
    asked = orjson.loads(body)
    return prompt_id(asked["model"], asked["messages"])


def _imported(root: Root, prompts: set[str]) -> Iterator[Finding]:
    for name in root.names(IMPORTED, ".parquet"):
        rows = rows_that_go(root, f"{IMPORTED}/{name}", of_imported(frozenset(prompts))).num_rows
        if rows:
            yield Finding(Place.IMPORTED, f"{IMPORTED}/{name}", rows)


def _batches(root: Root, concerned: Concerned, kept: frozenset[str]) -> Iterator[Finding]:
    """Yield requests that wait in batches, and all results that were downloaded and are not needed any more."""
    for submission in root.folders(BATCHES):
        folder = f"{BATCHES}/{submission}"
        key = f"{folder}/requests.parquet"
        rows = rows_that_go(root, key, of_answers(concerned, kept)).num_rows if root.exists(key) else 0
        job = read_job(root, f"{folder}/job.json") if root.exists(f"{folder}/job.json") else None
        if rows:
            is_open = job is not None and job.collected_at is None
            note = f"{job.name} lies at {job.endpoint}: have its files deleted there" if is_open and job else ""
            yield Finding(Place.BATCH, key, rows, note)
        if rows or (job is not None and job.collected_at is not None):
            yield from (
                Finding(Place.RESULTS, f"{folder}/{path.name}", None)
                for path in sorted(root.scratch(f"{folder}/_").parent.glob("*.jsonl"))
            )


def _rubric_files(root: Root, concerned: Concerned) -> Iterator[Finding]:
    """Yield what is left of it among rubrics; vectors and indexes are made again, so they go whole."""
    for name in root.names(RUBRICS, ".parquet"):
        rows = rows_that_go(
            root, f"{RUBRICS}/{name}", lambda table: among(table.column("rubric_id"), concerned.rubrics)
        )
        if rows.num_rows:
            yield Finding(Place.RUBRICS, f"{RUBRICS}/{name}", rows.num_rows)
    for settings in root.folders(f"{RUBRICS}/given"):
        for name in root.names(f"{RUBRICS}/given/{settings}", ".parquet"):
            key = f"{RUBRICS}/given/{settings}/{name}"
            if rows_gone := rows_that_go(root, key, of_given(concerned)).num_rows:
                yield Finding(Place.GIVEN, key, rows_gone)
    for model in root.folders(f"{RUBRICS}/vectors"):
        yield Finding(Place.VECTORS, f"{RUBRICS}/vectors/{model}", None, "made again where they are needed")
    for path in sorted(root.scratch(f"{RUBRICS}/_").parent.glob("milvus-*.db")):
        yield Finding(Place.INDEX, f"{RUBRICS}/{path.name}", None, "made again from rubrics/*.parquet")


def _unfinished(root: Root) -> Iterator[Finding]:
    """Yield temporary files and versions without a manifest, whatever is in them."""
    for path in temporary_files(root):
        yield Finding(Place.UNFINISHED, str(path.relative_to(root.path)), None)
    yield from (Finding(Place.DAMAGED, key, None, "nobody can look into it") for key in set_aside(root))
    for name in root.folders(SNAPSHOTS):
        yield from (Finding(Place.UNFINISHED, f"{SNAPSHOTS}/{name}/{one}", None) for one in unfinished(root, name))


def _stages(root: Root, concerned: Concerned) -> Iterator[Finding]:
    """Yield every stage that holds a row of it, and those that cannot be looked into; the sources' own ones last."""
    found = []
    for key, stage in every_stage(root):
        name = key.split("/")[1]
        if stage is None:
            found.append(Finding(Place.STAGE, key, None, "it cannot be looked into"))
            continue
        is_own = concerned.source is not None and name.partition("-")[2] == concerned.source
        try:
            rows = sum(_rows_in(path, concerned) for table in stage.tables for path in stage.paths(table))
        except StorageError:
            found.append(Finding(Place.STAGE, key, None, "it cannot be looked into"))
            continue
        if rows or is_own:
            found.append(Finding(Place.STAGE, key, rows))
    yield from sorted(found, key=lambda one: (one.key.startswith(("stages/source-", "stages/rephrased-")), one.key))


def _rows_in(path: Path, concerned: Concerned) -> int:
    """Return how many rows of a table hold something of it; texts are read only where words must be looked for."""
    file = open_table(path)
    names = None if concerned.phrases else [name for name in file.schema_arrow.names if name in _TELLING]
    rows = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=names)
        rows += pc.sum(concerned.rows(table)).as_py() or 0
    return rows


_TELLING = {"source", "set_id", "query_id", "rubric_id", "given_ids", "extra_info"}


def _origins(root: Root, concerned: Concerned) -> Iterator[Finding]:
    for key in origin_files(root):
        if rows := rows_that_go(root, key, of_origins(concerned)).num_rows:
            yield Finding(Place.ORIGINS, key, rows)


def _versions(root: Root, concerned: Concerned) -> Iterator[VersionRows]:
    for snapshot in every_snapshot(root):
        name, version, tables = snapshot.manifest.name, snapshot.manifest.version, snapshot.manifest.tables
        counts = {table: sum(_rows_in(path, concerned) for path in snapshot.files(table)) for table in tables}
        if held := {table: rows for table, rows in counts.items() if rows}:
            yield VersionRows(name, version, held, version == latest(root, name))
