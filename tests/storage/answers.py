"""Requests, answers and journals for the tests of storage."""

from collections.abc import Sequence
from pathlib import Path

from schemas.generation import Completion, FaultKind, Request, request
from schemas.record import content_id
from storage.journal import JournalWriter
from storage.root import Root


def a_request(number: int, bucket: int | None = None) -> Request:
    query_id = content_id("query", number)
    return request(
        role="grm",
        identity={"model": "m"},
        query_id=query_id if bucket is None else f"{bucket:02x}{query_id[2:]}",
        body={"model": "m", "messages": [{"role": "user", "content": f"row {number}"}]},
        sample_index=0,
    )


def an_answer(asked: Request, text: str = "fine") -> Completion:
    return Completion(asked.request_id, text, finish_reason="stop", prompt_tokens=3, completion_tokens=2)


def a_refusal(asked: Request) -> Completion:
    return Completion(asked.request_id, error="HTTP 400", fault=FaultKind.REQUEST)


def journal(root: Root, answers: Sequence[tuple[Request, Completion]], batch: int = 1_000_000) -> None:
    """Write answers with a writer of their own, `batch` to a batch."""
    with JournalWriter(root, "run") as writer:
        for number, (asked, answered) in enumerate(answers, 1):
            writer.append(asked, answered)
            if number % batch == 0:
                writer.flush()


def files(root: Root, pattern: str) -> list[Path]:
    return sorted((root.path / "generations").rglob(pattern))
