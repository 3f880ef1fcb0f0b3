"""Reading a benchmark that a recipe names: its rows, and what is known of it."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipelines.evaluation.benchmarks.benchmark import Benchmark
from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from pipelines.evaluation.own_sets import rows_of_snapshot, snapshot_of
from schemas.errors import RecipeError, SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import UnreadableRow
from schemas.query import query_id
from schemas.recipe import Recipe
from schemas.recipe.evaluate import BenchmarkSection
from schemas.record import content_id
from storage.root import Root
from storage.snapshots import latest

SNAPSHOT = "test"
"""The kind that reads sets of a snapshot."""
OWN = "preference_sets"
"""The benchmark whose rule sets of a snapshot are scored by."""
EXAMPLES = 5
"""Unreadable rows shown for each reason."""


@dataclass(frozen=True)
class ReadBenchmark:
    """A benchmark as it was read."""

    section: BenchmarkSection
    benchmark: Benchmark
    protocol: Protocol
    rows: list[Row]
    left_out: int
    unreadable: list[UnreadableRow]
    origin: str
    revision: str
    license: str
    sha256: str

    @property
    def title(self) -> str:
        return self.section.title

    @property
    def grades_single(self) -> bool:
        """Whether single responses get a grade of 1 to 10; those of a snapshot are judged as in training."""
        return self.section.kind != SNAPSHOT

    @property
    def settings(self) -> dict[str, Any]:
        """What of the recipe the rows depend on."""
        return self.section.model_dump(mode="json", exclude={"path", "hub", "snapshot"})

    @property
    def is_whole(self) -> bool:
        """Whether every subset has all its published rows."""
        counts = Counter(row.subset for row in self.rows)
        return self.benchmark.is_whole(counts, limited=self.left_out > 0)

    @property
    def clusters(self) -> list[str]:
        """The cluster of each row: rows with one question, or of one pair, belong together."""
        return [row.cluster or row.pair or query_id(row.query) for row in self.rows]

    def reasons(self) -> list[dict[str, Any]]:
        """Return the unreadable rows by reason, with examples, as manifests have them."""
        by_reason: defaultdict[str, list[UnreadableRow]] = defaultdict(list)
        for row in self.unreadable:
            by_reason[row.reason].append(row)
        return [
            {
                "reason": reason,
                "rows": len(rows),
                "examples": [{"source_id": row.source_id, "detail": row.detail} for row in rows[:EXAMPLES]],
            }
            for reason, rows in sorted(by_reason.items())
        ]


def read_benchmark(
    recipe: Recipe, root: Root, section: BenchmarkSection, only: Protocol | None = None
) -> ReadBenchmark:
    """Return a benchmark's rows, those of its limit; `only` is the one protocol that the judge knows.

    Raises RecipeError, SourceError and StorageError.
    """
    benchmark = benchmark_of(section)
    protocol = section.protocol or only or benchmark.protocols[0]
    if only is not None and (protocol is not only or only not in benchmark.protocols):
        known = ", ".join(benchmark.protocols)
        raise RecipeError(
            f"evaluate.benchmarks: {section.title} would be shown as {protocol.value!r}, and a reward model scores one "
            f"response alone, protocol {only.value!r}; the benchmark has {known}"
        )
    if protocol not in benchmark.protocols:
        known = ", ".join(benchmark.protocols)
        raise RecipeError(f"evaluate.benchmarks: {section.title} has no protocol {protocol.value!r}; it has {known}")
    if section.kind == SNAPSHOT:
        snapshot = snapshot_of(recipe, root, section)
        rows: list[Row | UnreadableRow] = list(rows_of_snapshot(snapshot, section))
        manifest = snapshot.manifest
        place = (manifest.name, manifest.version, "by row", manifest.content_hash)
    else:
        own = _own_section(section, benchmark)
        files = benchmark.open(own, recipe.at("."))
        rows = [row for one in files for row in benchmark.read(own, one)]
        together = content_id("files", [one.sha256 for one in files])
        first = files[0]
        place = (
            ", ".join(dict.fromkeys(one.origin for one in files)),
            first.revision,
            benchmark.license or "unknown",
            first.sha256 if len(files) == 1 else together,
        )
    readable = [row for row in rows if isinstance(row, Row)]
    unreadable = [row for row in rows if isinstance(row, UnreadableRow)]
    if not readable:
        why = f"; the first one: {unreadable[0].source_id}: {unreadable[0].detail}" if unreadable else ""
        raise SourceError(f"{section.title}: no row can be evaluated{why}")
    kept = list(_limited(readable, section.limit))
    return ReadBenchmark(section, benchmark, protocol, kept, len(readable) - len(kept), unreadable, *place)


def is_to_be_built(recipe: Recipe, root: Root, section: BenchmarkSection) -> bool:
    """Say whether a section reads the sets of the recipe's own snapshot, which is not there yet."""
    return section.kind == SNAPSHOT and section.snapshot is None and latest(root, recipe.build.name) is None


def is_downloaded(section: BenchmarkSection) -> bool:
    """Say whether a benchmark can be read without a download. A wrong place counts as here: reading it tells why."""
    if section.kind == SNAPSHOT:
        return True
    benchmark = benchmark_of(section)
    return benchmark.is_here(_own_section(section, benchmark))


def without_single_rows(read: ReadBenchmark) -> ReadBenchmark:
    """Return a benchmark without its rows of one response, unless it has no others.

    A reward model's scores have no middle, so one score alone is neither right nor wrong; only over all of them does
    ROC-AUC say something.
    """
    single = [row for row in read.rows if len(row.responses) == 1]
    if len(single) in (0, len(read.rows)):
        return read
    detail = "one response, whose score by a reward model is neither right nor wrong"
    left_out = [UnreadableRow(row.row_id, "single_response", detail) for row in single]
    rows = [row for row in read.rows if len(row.responses) > 1]
    return replace(read, rows=rows, unreadable=[*read.unreadable, *left_out])


def benchmark_of(section: BenchmarkSection) -> Benchmark:
    """Return the benchmark of a section. Raises RecipeError for a kind that does not exist."""
    kind = OWN if section.kind == SNAPSHOT else section.kind
    if kind not in BENCHMARKS:
        known = [*BENCHMARKS, SNAPSHOT]
        near = difflib.get_close_matches(kind, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
        raise RecipeError(f"evaluate.benchmarks: unknown kind {kind!r}{hint}")
    return BENCHMARKS[kind]


def _own_section(section: BenchmarkSection, benchmark: Benchmark) -> Any:
    """Return the section that the benchmark's reader takes."""
    keys = section.model_dump(include={"kind", "path", "hub", "revision"}, exclude_none=True)
    if "name" in benchmark.section.model_fields:
        keys["name"] = section.title
    if "best_of_k" in benchmark.section.model_fields:
        keys["best_of_k"] = section.best_of_k
    own = benchmark.section.model_validate(keys)
    if benchmark.place_needed and own.path is None and own.hub is None:
        raise RecipeError(f"evaluate.benchmarks: {benchmark.place_needed}")
    return own


def _limited(rows: list[Row], limit: int | None) -> Iterator[Row]:
    """Yield the rows of a limit, chosen by their hash: a larger limit keeps every row of a smaller one."""
    if limit is None or limit >= len(rows):
        yield from rows
        return
    chosen = sorted(range(len(rows)), key=lambda place: content_id("row", rows[place].row_id))[:limit]
    yield from (rows[place] for place in sorted(chosen))
