"""How much of what is planted is found, how much clean text is taken for it, and how fast.

`python -m benchmarks.decontamination [--full]` plants queries of MATH's and GSM8K's test problems and of TeleQnA,
changed as `benchmarks.planted` does it, and compares them with the signatures that ship. Clean rows are MATH's training
problems. It reads them where GRMFORGE_MATH (a folder), GRMFORGE_GSM8K and GRMFORGE_TELEQNA (files) say, or else beside
the project. The figures of queries of 26 words and more end up in one JSON object; words are those of the comparison.

    recall_*           share of the planted rows that are dropped or marked
    false_positives    share of the clean rows that are dropped: rows of which less than half of the characters are
                       also in the query that they hit, in its order. MATH's problems repeat each other with other
                       numbers, so most rows that are dropped are no clean rows: see what a person says of them below
    rows_per_s         rows compared with 50,000 queries in a second, with --full 100,000 of them; signing not counted
    peak_mb            the most memory that the process took which does this
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.planted import CHANGES, with_options
from pipelines.curation.contamination.comparing import compared
from pipelines.curation.contamination.index import Index, index_of
from pipelines.curation.contamination.normalising import whole_hashes, words_of
from pipelines.curation.contamination.signatures import read_signature, shipped_signatures, sign
from pipelines.sources import teleqna
from pipelines.sources.files import open_files
from pipelines.sources.rows import rows_of
from pipelines.sources.teleqna import PublishedQuestion
from schemas.query import Messages, user
from schemas.recipe import DecontaminateSection

LENGTHS = {"26 words and more": (26, 10**9), "13 to 25": (13, 26), "under 13": (1, 13)}
QUERIES, ROWS, FULL_ROWS = 50_000, 20_000, 100_000
QUERY_WORDS, RESPONSE_WORDS = 60, 150
SEED = 17
RULES = DecontaminateSection()
"""The defaults of a recipe."""
ALIKE = 0.5
PLACES = {
    "GRMFORGE_MATH": "../shared/data/math",
    "GRMFORGE_GSM8K": "../shared/data/gsm8k/example_model_solutions.jsonl",
    "GRMFORGE_TELEQNA": "../shared/data/teleqna/TeleQnA.zip",
}
READ = Path(__file__).with_name("read_rows.txt")
"""MATH's training problems that were dropped or marked, as a person read them beside the test problem that they hit."""


class Tiers(NamedTuple):
    """Of some rows, the shares that were dropped and marked."""

    rows: int
    drop: float
    mark: float

    @property
    def found(self) -> float:
        return self.drop + self.mark


def tiers_of(index: Index, rows: Sequence[Messages]) -> Tiers:
    """Return what becomes of rows that have these queries, and no response."""
    found = hits_of_rows(index, rows)["tier"]
    return Tiers(len(rows), *(float((found == tier).sum()) / max(1, len(rows)) for tier in ("drop", "mark")))


def hits_of_rows(index: Index, rows: Sequence[Messages]) -> pl.DataFrame:
    texts = pa.list_(pa.string())
    queries = pa.array([[message.content for message in row] for row in rows], texts)
    return compared(index, queries, pa.array([[]] * len(rows), texts))


def planted_tiers(index: Index, queries: Sequence[str], words: Sequence[str], most: int) -> dict[str, dict[str, Tiers]]:
    """Return the tiers of every change, by the length of the query; `most` queries of each length are changed."""
    counts = words_of(pl.Series(queries, dtype=pl.String)).counts
    chance = np.random.default_rng(SEED)
    table: dict[str, dict[str, Tiers]] = {}
    for length, (least, end) in LENGTHS.items():
        chosen = np.flatnonzero((counts >= least) & (counts < end))
        chosen = chance.permutation(chosen)[:most]
        table[length] = {}
        for name, change in CHANGES.items():
            rows = [change(queries[number], words, chance) for number in chosen]
            table[length][name] = tiers_of(index, [row for row in rows if row is not None])
    return table


def texts_in(file: Path, field: str) -> list[str]:
    return [str(row[field]) for _, row in rows_of(file) if isinstance(row, dict)]


def _place(variable: str) -> Path:
    """Return where data lies: where its variable says, or beside the project."""
    path = Path(os.environ.get(variable) or PLACES[variable])
    if not path.exists():
        raise SystemExit(f"no {path}: set {variable} to the data that is planted, or put it there")
    return path


def teleqna_rows() -> Iterator[PublishedQuestion]:
    section = teleqna.SOURCE.section(kind="teleqna", path=str(_place("GRMFORGE_TELEQNA").absolute()))
    files = open_files(section, "", teleqna.SOURCE.patterns, Path())
    yield from (row for _, row in teleqna.published_rows(section, files) if isinstance(row, PublishedQuestion))


def options_tiers(index: Index, most: int) -> dict[str, Tiers]:
    """Return the tiers of TeleQnA's questions with their options laid out in another way, by the question's length."""
    rows = list(teleqna_rows())
    counts = words_of(pl.Series([row.question for row in rows], dtype=pl.String)).counts
    chance = np.random.default_rng(SEED)
    found = {}
    for length, (least, end) in LENGTHS.items():
        chosen = chance.permutation(np.flatnonzero((counts >= least) & (counts < end)))[:most]
        planted = [
            with_options(rows[number].question, list(rows[number].options.values()), chance) for number in chosen
        ]
        found[length] = tiers_of(index, planted)
    return found


def text_key(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def as_read() -> dict[str, str]:
    """Return what a person found of each row that was read: copied, reworded or phrase."""
    lines = (line.split() for line in READ.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {line[0]: line[1] for line in lines if line}


def is_clean(text: str, query: str) -> bool:
    """Say whether less than half of a text's characters are those of a query, by difflib and not by any n-gram."""
    return SequenceMatcher(None, text.casefold(), query.casefold(), autojunk=False).ratio() < ALIKE


def clean_rows(index: Index, texts: Sequence[str], queries: Sequence[str]) -> dict[str, float]:
    """Return what becomes of rows of the same domain as the queries, and what a person says of those that are hit."""
    hashes = whole_hashes(words_of(pl.Series(queries, dtype=pl.String)))
    query_of = {f"{row:016x}": query for row, query in zip(hashes.tolist(), queries, strict=True)}
    verdicts = as_read()
    hits: dict[str, list[tuple[str, str]]] = {"drop": [], "mark": []}
    for row, tier, _, query, _ in hits_of_rows(index, [user(text) for text in texts]).iter_rows():
        hits[tier].append((texts[row], query_of.get(query, "")))
    false = sum(is_clean(text, query) for text, query in hits["drop"])
    clean = len(texts) - len(hits["drop"]) + false
    found = {"dropped": len(hits["drop"]), "marked": len(hits["mark"]), "false_drops": false / clean}
    for tier, rows in hits.items():
        read = Counter(verdicts[key] for text, _ in rows if (key := text_key(text)) in verdicts)
        found[f"{tier}s_read"] = read.total()
        found[f"{tier}s_copied_or_reworded"] = (read.total() - read["phrase"]) / max(1, read.total())
    return found


def shuffled(words: Sequence[str], sizes: Iterable[int], seed: int) -> Iterator[str]:
    """Yield texts of so many words each, drawn from real texts: their frequencies are real, their order is none."""
    chance = np.random.default_rng(seed)
    pool = np.array(words, dtype=object)
    for size in sizes:
        yield " ".join(pool[chance.integers(len(pool), size=size)])


def measure_speed(rows: int) -> None:
    """Print, as JSON, the seconds and the memory that it takes to compare so many rows: a process of its own."""
    words = " ".join(texts_in(_place("GRMFORGE_GSM8K"), "question")).split()
    chance = np.random.default_rng(SEED)
    lengths = chance.choice([len(text.split()) for text in texts_in(_place("GRMFORGE_GSM8K"), "question")], QUERIES)
    signature = sign("made", list(shuffled(words, lengths, 1)), source="made", revision="1", license="none")
    index = index_of([signature], RULES.shingles, RULES.similarity)
    kind = pa.list_(pa.string())
    seconds, used, found, part = 0.0, 0.0, 0, 10_000
    for start in range(0, rows, part):
        queries = pa.array([[text] for text in shuffled(words, [QUERY_WORDS] * part, 2 + start)], kind)
        responses = list(shuffled(words, [RESPONSE_WORDS] * 2 * part, 3 + start))
        answers = pa.array(list(zip(responses[::2], responses[1::2], strict=True)), kind)
        begun, used_before = time.perf_counter(), time.process_time()
        found += compared(index, queries, answers).height
        seconds, used = seconds + time.perf_counter() - begun, used + time.process_time() - used_before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": used, "peak_mb": peak, "found": found}))


def speed(rows: int) -> tuple[float, float]:
    """Return (rows a second, peak MB)."""
    command = [sys.executable, "-m", "benchmarks.decontamination", "--speed", str(rows)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    taken = f"{found['seconds']:.1f} s, of processors {found['cpu']:.1f} s, {found['peak_mb']:,.0f} MB"
    taken += f", {found['found']} hits"
    print(f"{rows:,} rows against {QUERIES:,} queries: {taken}")
    return rows / found["seconds"], found["peak_mb"]


def main() -> None:
    if "--speed" in sys.argv[1:]:
        measure_speed(int(sys.argv[-1]))
        return
    full = "--full" in sys.argv[1:]
    most = 10**9 if full else 500
    math = _place("GRMFORGE_MATH")
    train = texts_in(math / "math_train_7500_nosolution.jsonl", "problem")
    of_math = texts_in(math / "hendrycks_math_test.jsonl", "problem")
    queries = of_math + texts_in(_place("GRMFORGE_GSM8K"), "question")
    words = " ".join(train).split()
    index = index_of([read_signature(path) for path in shipped_signatures().values()], RULES.shingles, RULES.similarity)
    table = planted_tiers(index, queries, words, most)
    options = options_tiers(index, most)
    for length, changes in table.items():
        changes["options"] = options[length]
        print(f"{length:18} {'rows':>6} {'dropped':>8} {'marked':>8} {'found':>8}")
        for name, tiers in changes.items():
            print(f"  {name:16} {tiers.rows:>6,} {tiers.drop:>8.4f} {tiers.mark:>8.4f} {tiers.found:>8.4f}")
    clean = clean_rows(index, train, of_math)
    print(f"clean rows, {len(train):,}: {json.dumps(clean)}")
    rate, peak = speed(FULL_ROWS if full else ROWS)
    long = table["26 words and more"]
    names = ("exact", "wrapped", "cut", "reordered", "edited")
    recalls = {f"recall_{name}": round(long[name].found, 4) for name in names}
    rest = {"false_positives": round(clean["false_drops"], 5), "rows_per_s": round(rate), "peak_mb": round(peak)}
    print(json.dumps(recalls | rest))


if __name__ == "__main__":
    main()
