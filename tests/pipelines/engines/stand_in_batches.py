"""A stand-in for an endpoint's batch interface: what it did, and what every request in it cost.

    with BatchStandIn() as server:                  # a batch is done as soon as it is looked at
    with BatchStandIn(holds=True) as server:        # in progress until server.finish(), which says how it ends
    with BatchStandIn(answer=lambda body: refused_400() if "row 3" in str(body) else judged(body)) as server:

    server.paid             how often each request stands in a batch that was not refused as a whole
    server.rewrite = lambda lines: lines[1:]        # what becomes of a results file's lines

Calls are named "POST /files", "POST /batches", "GET /batches", "GET /batches/id" and "GET /files/id/content". `answer`
returns a `Reply`, or None for a request that the batch never came to.
"""

import json
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.pipelines.engines.stand_in_server import Received, Reply, Server, error, judged

Answers = Callable[[dict[str, Any]], Reply | None]
STARTED = 1_760_000_000


class BatchStandIn(Server):
    """The server. Use as a context manager; `url` is known inside."""

    def __init__(self, answer: Answers = judged, *, holds: bool = False, page: int = 100) -> None:
        super().__init__()
        self.answer = answer
        self.holds = holds
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lines: list[dict[str, Any]] = []
        """The lines of every batch, as uploaded."""
        self.rewrite: Callable[[list[bytes]], list[bytes]] = lambda lines: lines
        self.refuse_as_a_whole: Callable[[list[dict[str, Any]]], dict[str, Any] | None] = lambda lines: None
        self._page = page

    @property
    def paid(self) -> Counter[str]:
        return Counter(
            line["custom_id"]
            for batch in self.batches.values()
            if batch["status"] != "failed"
            for line in self._lines(batch["input_file_id"])
        )

    def finish(self, status: str = "completed", *, only: str | None = None) -> None:
        """End every batch that is in progress, or only one."""
        for batch_id, batch in self.batches.items():
            if batch["status"] == "in_progress" and only in (None, batch_id):
                self._finish(batch, status)

    def call_of(self, received: Received) -> str:
        _, kind, *rest = received.call.split("/")
        return f"{received.method} /{kind}" + ("/id" if rest else "") + ("/content" if len(rest) > 1 else "")

    def reply(self, received: Received) -> Reply:
        """Do what a call wants; 404 for what there is not."""
        _, _, *rest = received.call.split("/")
        match self.call_of(received):
            case "POST /files":
                return _json(self._upload(received))
            case "POST /batches":
                return _json(self.create(received.body))
            case "GET /batches":
                return _json(self._listing(parse_qs(urlsplit(received.path).query)))
            case "GET /batches/id" if batch := self.batches.get(rest[0]):
                if batch["status"] == "in_progress" and not self.holds:
                    self._finish(batch, "completed")
                return _json(batch)
            case "GET /files/id/content" if rest[0] in self.files:
                return Reply(body=self.files[rest[0]])
        return error(404, "gone")

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Create a batch."""
        lines = self._lines(wanted["input_file_id"])
        errors = self.refuse_as_a_whole(lines)
        batch = {
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "created_at": STARTED * 2,
            "status": "failed" if errors else "in_progress",
            "errors": errors,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            **wanted,
        }
        self.batches[str(batch["id"])] = batch
        self.lines += lines
        return batch

    def _upload(self, received: Received) -> dict[str, Any]:
        form = message_from_bytes(
            b"content-type: " + received.headers["content-type"].encode() + b"\r\n\r\n" + received.raw
        )
        fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
        assert fields["purpose"].get_payload() == "batch"  # type: ignore[union-attr]
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = fields["file"].get_payload(decode=True)  # type: ignore[union-attr,assignment]
        return {"id": file_id, "object": "file", "purpose": "batch"}

    def _listing(self, query: dict[str, list[str]]) -> dict[str, Any]:
        ids = list(reversed(self.batches))
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        shown = ids[start : start + self._page]
        return {"data": [self.batches[batch_id] for batch_id in shown], "has_more": start + self._page < len(ids)}

    def _lines(self, file_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[file_id].splitlines()]

    def _finish(self, batch: dict[str, Any], status: str) -> None:
        """Answer a batch's lines, last first, into a file of answers and one of errors."""
        answers, errors = [], []
        for line in reversed(self._lines(batch["input_file_id"])):
            reply = self.answer(line["body"])
            if reply is None:
                error = {"code": "batch_expired", "message": "not run in time"}
                errors.append({"custom_id": line["custom_id"], "response": None, "error": error})
                continue
            response = {"status_code": reply.status, "body": json.loads(reply.body)}
            one = {"id": "batch_req", "custom_id": line["custom_id"], "response": response, "error": None}
            (answers if reply.status == 200 else errors).append(one)
        for key, results in (("output_file_id", answers), ("error_file_id", errors)):
            if results:
                name = f"file-{len(self.files)}"
                lines = self.rewrite([json.dumps(one).encode() for one in results])
                self.files[name] = b"".join(line + b"\n" for line in lines)
                batch[key] = name
        batch["request_counts"] |= {"completed": len(answers), "failed": len(errors)}
        batch["status"] = status


def _json(tree: dict[str, Any]) -> Reply:
    return Reply(body=json.dumps(tree).encode())
