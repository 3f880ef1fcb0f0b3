"""The explorer on many trajectories: how soon its server is ready, and how long rows, filters and words take.

    python -m benchmarks.explorer [--full] [--trajectories 100000]

writes a snapshot of simulated rows, starts `grmforge look` on it in a process of its own with two cores, and asks it
over loopback. A million rows with --full, which is about 3 GB on disk. The last line is one JSON object.
`text_search_ms` is the count of rows whose `text` holds a rare word, warm; the lines above say the rest.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.judging import some_words
from schemas.manifest import Manifest, TableEntry, TableFile
from schemas.preference import SETS_TABLE
from schemas.record import content_id
from schemas.tables import Table
from schemas.trajectory import TRAJECTORIES_TABLE
from storage.root import Root
from storage.snapshots import publish
from storage.table_writer import ROW_GROUP_ROWS, TableWriter

SAMPLES = 8
"""Trajectories of a set."""
_SENTENCES = 20_000
_REASONS = ("incorrect", "too_easy", "position_balance", "tied", "unparsed", "hint_leak")
_RARE = "zebrafish"
_PROMPT = "You are an expert judge of responses to a conversation. Compare the responses, and score every one of them. "


def write_snapshot(root: Root, trajectories: int) -> None:
    """Publish a snapshot of simulated rows: judgements of 1 kB, prompts of 2 kB."""
    drawn = np.random.default_rng(0)
    sentences = np.array([f"{some_words(f'sentence {n}', 14).capitalize()}." for n in range(_SENTENCES)], object)
    tables = {}
    for path, rows, table, make in (
        ("trajectories/accepted", trajectories * 2 // 5, TRAJECTORIES_TABLE, _trajectories),
        ("trajectories/rejected", trajectories - trajectories * 2 // 5, TRAJECTORIES_TABLE, _trajectories),
        ("sets/kept", trajectories // SAMPLES, SETS_TABLE, _sets),
    ):
        folder, part = path.split("/")
        with TableWriter(root, f"made/{folder}", part, table.schema) as writer:
            for first in range(0, rows, ROW_GROUP_ROWS):
                count = min(ROW_GROUP_ROWS, rows - first)
                writer.write(_table(table, make(drawn, sentences, part, first, count), count))
        files = [TableFile(f"{folder}/{one.path}", one.rows, one.bytes, one.sha256) for one in writer.files]
        tables[path] = TableEntry(rows=rows, files=files)
    manifest = Manifest(
        name="many", version="20260101T000000Z-00000000", content_hash="0" * 32, created_at="2026-01-01T00:00:00.000Z",
        package_version="0", seed=0, recipe={}, inputs=[], models=[], funnel=[], checks={}, tables=tables,
    )  # fmt: skip
    data = {file.path: f"made/{file.path}" for entry in tables.values() for file in entry.files}
    publish(root, manifest, data, {})


def _table(table: Table, columns: dict[str, Any], rows: int) -> pa.Table:
    """Return a table with these columns, the others null."""
    arrays = []
    for field in table.schema:
        values = columns.get(field.name)
        if isinstance(values, str):
            values = pa.repeat(values, rows)
        arrays.append(pa.nulls(rows, field.type) if values is None else pa.array(values, field.type))
    return pa.table(arrays, schema=table.schema)


def _texts(drawn: np.random.Generator, sentences: Any, rows: int, each: int) -> list[str]:
    return [" ".join(found) for found in sentences[drawn.integers(0, len(sentences), (rows, each))]]


def _trajectories(drawn: np.random.Generator, sentences: Any, part: str, first: int, rows: int) -> dict[str, Any]:
    sets = [content_id("set", (part, (first + row) // SAMPLES)) for row in range(rows)]
    scores = drawn.integers(1, 11, (rows, 4))
    texts = _texts(drawn, sentences, rows, 9)
    texts[rows // 2] += f" A {_RARE}, for once."
    reasons = drawn.choice(_REASONS, rows) if part == "rejected" else np.full(rows, None)
    said = [f"{text}\n\nScores: \\boxed{{{', '.join(map(str, one))}}}" for text, one in zip(texts, scores, strict=True)]
    return {
        "trajectory_id": [content_id("trajectory", part, first + row) for row in range(rows)],
        "request_id": [content_id("request", part, first + row) for row in range(rows)],
        "set_id": sets,
        "query_id": sets,
        "source": drawn.choice(["one", "two", "three", "four"], rows).tolist(),
        "domain": "telecom",
        "split": "train",
        "purpose": "rft",
        "mode": drawn.choice(["non_hinted", "hinted"], rows, p=[0.8, 0.2]).tolist(),
        "sample_index": drawn.integers(0, SAMPLES, rows),
        "model": "simulated",
        "order": [[0, 1, 2, 3]] * rows,
        "prompt": [[{"role": "user", "content": _PROMPT * 6 + text}] for text in _texts(drawn, sentences, rows, 14)],
        "text": said,
        "principles": [[{"name": "Accuracy", "description": "it is right", "weight": 1.0}]] * rows,
        "critique": texts,
        "scores": scores.astype(float).tolist(),
        "margin": drawn.normal(1, 2, rows).round(1),
        "outcome": [reason if reason in ("incorrect", "tied", "unparsed") else "correct" for reason in reasons],
        "accepted": [part == "accepted"] * rows,
        "reject_reason": reasons.tolist(),
        "finish_reason": "stop",
        "prompt_tokens": drawn.integers(400, 900, rows),
        "completion_tokens": drawn.integers(100, 400, rows),
        "agreement": drawn.random(rows).round(2),
    }


def _sets(drawn: np.random.Generator, sentences: Any, part: str, first: int, rows: int) -> dict[str, Any]:
    ids = [content_id("set", ("rejected", first + row)) for row in range(rows)]
    texts = _texts(drawn, sentences, rows, 4)
    return {
        "set_id": ids,
        "query_id": ids,
        "source": drawn.choice(["one", "two"], rows).tolist(),
        "split": "train",
        "query": [[{"role": "user", "content": text}] for text in _texts(drawn, sentences, rows, 2)],
        "responses": [[{"text": f"{text} {n}", "reward": float(n)} for n in range(4)] for text in texts],
        "n_responses": [4] * rows,
        "best": [3] * rows,
        "label_source": "human",
    }


def measured(root: Path) -> dict[str, float]:
    """Return what the server takes, started anew on the snapshot."""
    command = [sys.executable, "-m", "flows.command.cli", "look", "many", "--root", str(root), "--no-open"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address, token = re.fullmatch(r"(http://\S+/)\?token=(\S+)\n", server.stdout.readline()).groups()  # type: ignore[union-attr]  # else there is no server

            def asked(name: str, **query: Any) -> tuple[Any, float]:
                place = f"{address}api/{name}?{urllib.parse.urlencode({'table': 'trajectories', **query})}"
                request = urllib.request.Request(place, headers={"Authorization": f"Bearer {token}"})
                began = time.perf_counter()
                with urllib.request.urlopen(request) as answer:
                    return json.loads(answer.read()), 1000 * (time.perf_counter() - began)

            asked("opened")
            ready = time.perf_counter() - started
            _, first_rows = asked("rows", limit=100)
            asked("facets", columns="source,mode,outcome,reject_reason,n_responses")
            chosen = [["source", "is", "two"], ["reject_reason", "in", ["too_easy", "tied"]], ["margin", "gt", 2]]
            where = json.dumps(chosen)
            filtered = [asked("rows", where=where, limit=100, offset=offset)[1] for offset in (0, 5_000)]
            facets = asked("facets", where=where, columns="source,mode,outcome,reject_reason,n_responses")[1]
            ordered = asked("rows", sort="margin", desc=1, limit=100)[1]
            asked("count", words="mechanism", **{"in": "text"})  # warms the pages of the files
            found, words = asked("count", words=_RARE, **{"in": "text"})
            first_any = asked("rows", words=f"{_RARE} once", limit=20)[1]
            count_any = asked("count", words=f'"{_RARE}, for"')[1]
            print(f"{found['total']:,} rows hold the word; facets {facets:.0f} ms, sorted {ordered:.0f} ms, any text: "
                  f"first hits {first_any:.0f} ms, count {count_any:.0f} ms")  # fmt: skip
            peak = next(line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if "VmHWM" in line)
            return {
                "ready_s": round(ready, 2),
                "first_rows_ms": round(first_rows),
                "filter_ms": round(max(filtered)),
                "text_search_ms": round(words),
                "peak_mb": round(int(peak.split()[1]) / 1024),
            }
        finally:
            server.terminate()


def main() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="a million trajectories")
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--root", type=Path, help="a folder that keeps the snapshot for a next time")
    given = parser.parse_args()
    count = 1_000_000 if given.full else given.trajectories
    with tempfile.TemporaryDirectory() as folder:
        root = Root.open(str(given.root or folder))
        if not root.exists("snapshots/many/20260101T000000Z-00000000/manifest.json"):
            write_snapshot(root, count)
        print(json.dumps(measured(root.path)))


if __name__ == "__main__":
    main()
