"""Files of a small invented benchmark, in every form that is read."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

QUESTIONS = [
    "A lighthouse keeper lights 14 lamps every evening and puts out 5 of them at midnight. How many lamps still burn "
    "at dawn after three nights, if none of them is ever lit twice?",
    "Which of the harbour's two pilots steered the grey ferry through the fog on the morning of the great regatta?",
    "Explain in your own words why the tide table of the northern islands is printed on yellow paper.",
    "Name the tallest mast.",
]


def rows_of(field: str = "question", questions: list[str] = QUESTIONS) -> list[dict[str, Any]]:
    return [{"id": number, field: text, "answer": "42"} for number, text in enumerate(questions)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as the ending of the path says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        lines = [",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n", "utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path
