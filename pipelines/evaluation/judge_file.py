"""Scores for sets of people's own, with or without labels: `grmforge judge RECIPE FILE`.

{"id": "q1", "query": "Name a prime.", "responses": ["7", "9"]}
    -> {"id": "q1", "best": 0, "scores": [8.5, 2.0], "agreement": 1.0, "readable": 8, "samples": 8,
        "principles": [..], "critique": "..", "text": "..", "order": [1, 0]}
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engines.answering import Run
from pipelines.evaluation.asking import ask
from pipelines.evaluation.judgements import read_judgements
from pipelines.evaluation.prompts import prompts_of
from pipelines.judging.extraction import read_parts
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import answer_of
from pipelines.sources.preference_sets import identifier, unlabelled
from pipelines.sources.rows import rows_of
from pipelines.sources.text import RowError
from schemas.errors import RecipeError, SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import Response, UnreadableRow
from schemas.query import Messages
from schemas.tables import Column, Table
from schemas.trajectory import Principle
from storage.files import storage_errors
from storage.root import Root

JUDGED = Table(
    "judged_file",
    (
        Column("id", str),
        Column("error", str),
        Column("best", int),
        Column("scores", tuple[float, ...]),
        Column("agreement", float),
        Column("readable", int),
        Column("samples", int),
        Column("principles", tuple[Principle, ...]),
        Column("critique", str),
        Column("text", str),
        Column("order", tuple[int, ...]),
    ),
).schema
SOURCE = "judged"
"""What the prompts' sets call where they come from."""


@dataclass(frozen=True, slots=True)
class FileJudgement:
    """What became of one row of the file."""

    id: str
    fault: str | None = None
    """Why there are no scores: what is wrong with the row, or that no sample can be read."""
    best: int | None = None
    """Index of the response with the highest mean score; None where several share it, and for a single one."""
    scores: tuple[float, ...] | None = None
    """Mean score of each response over the readable samples."""
    agreement: float | None = None
    """Share of the readable samples that by themselves find the same response best; None where `best` is."""
    readable: int = 0
    samples: int = 0
    text: str | None = None
    """The deciding sample: of those that agree with the vote, the one with the widest margin."""
    order: tuple[int, ...] | None = None
    """How that sample saw the responses: order[p] is the index of the one shown at position p."""

    def as_json(self) -> dict[str, Any]:
        if self.fault is not None:
            return {"id": self.id, "error": self.fault, "samples": self.samples}
        principles, critique = read_parts(answer_of(self.text or ""))
        return {
            "id": self.id,
            "best": self.best,
            "scores": self.scores,
            "agreement": self.agreement,
            "readable": self.readable,
            "samples": self.samples,
            "principles": [principle._asdict() for principle in principles],
            "critique": critique,
            "text": self.text,
            "order": self.order,
        }


def judge_file(root: Root, run: Run, judge: SamplingJob, file: Path) -> list[FileJudgement]:
    """Return a judgement for each row of a file, in its order.

    A row that cannot be read, or has no readable sample, ends in a judgement with its fault. Raises ForgeError, and so
    it does before anything is asked where no row can be read.
    """
    located = list(_rows_in(file))
    read = [one for _, one in located]
    rows = [row for row in read if isinstance(row, Row)]
    if not rows:
        location, fault = next((where, one.fault) for where, one in located if isinstance(one, FileJudgement))
        raise SourceError(
            f"{location}: {fault}; no row of the file can be judged: each needs a query (or prompt) and responses"
        )
    prompts = prompts_of(rows, Protocol.JOINT, SOURCE)
    answers = ask(root, run, judge, prompts, file.name)
    judged: dict[str, FileJudgement] = {}

    def write(table: pa.Table) -> None:
        for start in range(0, table.num_rows, judge.n):
            one = _judgement(table.slice(start, judge.n).to_pylist())
            judged[one.id] = one

    made = read_judgements(root, judge, rows, prompts, Protocol.JOINT, write)
    answers.recall(made.facts)
    answers.check(run, f"{judge.role} on {file.name}", len(rows))
    return [judged[one.row_id] if isinstance(one, Row) else one for one in read]


def check_out(out: Path | None) -> None:
    """Raise RecipeError for a file that judgements cannot be written to, before anything is asked."""
    if out is None:
        return
    if out.suffix not in (".jsonl", ".parquet"):
        raise RecipeError(f"{out}: judgements are written as .jsonl or .parquet; give the file one of these endings")
    if out.is_dir() or not out.parent.is_dir():
        why = "is a directory" if out.is_dir() else f"there is no directory {out.parent}"
        raise RecipeError(f"{out}: {why}; name a file in a directory that exists")


def write_judgements(judged: Sequence[FileJudgement], out: Path | None, echo: Callable[[str], None]) -> None:
    """Write judgements as JSONL or Parquet, by the file's ending, or as lines to `echo`. Raises StorageError."""
    rows = [one.as_json() for one in judged]
    if out is None:
        for row in rows:
            echo(orjson.dumps(row).decode())
        return
    with storage_errors(str(out)):
        if out.suffix == ".jsonl":
            out.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist([dict.fromkeys(JUDGED.names) | row for row in rows], JUDGED), out)


def _rows_in(file: Path) -> Iterator[tuple[str, Row | FileJudgement]]:
    """Yield where each row stands, and it; what cannot be judged as a judgement with its fault."""
    known: set[str] = set()
    for location, item in rows_of(file):
        if isinstance(item, UnreadableRow):
            yield location, FileJudgement(location, item.detail)
            continue
        name = location
        try:
            own_id = identifier(item.get("id"), location)
            name = location if own_id in known else own_id  # an id that stands there twice names nothing
            known.add(name)
            query, responses = unlabelled(item)
            _check(responses)
        except RowError as error:
            yield location, FileJudgement(name, error.row(location).detail)
            continue
        yield location, _row_of(name, query, responses)


def _check(responses: Sequence[Response]) -> None:
    if not responses:
        raise RowError("no_response", "no response to judge")
    if len({tuple(response.content) for response in responses}) < len(responses):
        raise RowError("duplicate_responses", "two responses are the same text")


def _row_of(name: str, query: Messages, responses: Iterable[Response]) -> Row:
    texts = tuple(responses)
    names = tuple(f"response {number}" for number in range(1, len(texts) + 1))
    return Row(name, "", query, texts, names, right=())


def _judgement(samples: Sequence[dict[str, Any]]) -> FileJudgement:
    """Return what the samples of one row say together."""
    item_id, n = samples[0]["item_id"], len(samples[0]["order"])
    readable = [sample for sample in samples if sample["scores"] is not None]
    if not readable:
        reasons = sorted({sample["outcome"] for sample in samples})
        return FileJudgement(item_id, f"no sample can be read: {', '.join(reasons)}", samples=len(samples))
    scores = np.empty((len(readable), n))
    for place, sample in enumerate(readable):
        scores[place, sample["order"]] = sample["scores"]
    total = scores.sum(axis=0)
    top = np.flatnonzero(total == total.max())
    best = int(top[0]) if n > 1 and len(top) == 1 else None
    agrees, deciding = _agreement(scores, best)
    return FileJudgement(
        item_id,
        best=best,
        scores=tuple(float(score) for score in total / len(readable)),
        agreement=agrees,
        readable=len(readable),
        samples=len(samples),
        text=readable[deciding]["text"],
        order=tuple(readable[deciding]["order"]),
    )


def _agreement(scores: np.ndarray, best: int | None) -> tuple[float | None, int]:
    """Return (share of samples that find the same one best, which of these has the widest margin)."""
    if best is None:
        return None, 0
    others = np.delete(scores, best, axis=1).max(axis=1)
    margins = scores[:, best] - others
    return float((margins > 0).mean()), int(margins.argmax())
