"""A stand-in for an endpoint's batch interface: real HTTP on loopback, in threads, with a memory of all it was asked.

    with BatchStandIn() as server:                  # a batch is done as soon as it is looked at
    with BatchStandIn(holds=True) as server:        # in progress until server.finish(), which says how it ends
    with BatchStandIn(answer=lambda body: refused_400() if "row 3" in str(body) else judged(body)) as server:

    server.paid             how often each request stands in a batch that was not refused as a whole
    server.calls            every call received, such as "POST /batches"
    server.hang("POST /batches", done=True)         # from now on: does it, and never answers
    server.fail("POST /batches", server_error(), done=True)     # the next one: does it, and answers this
    server.rewrite = lambda lines: lines[1:]        # what becomes of a results file's lines

`answer` returns a `Reply`, or None for a request that the batch never came to.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.pipelines.engines.stand_in_server import Reply, judged

Answers = Callable[[dict[str, Any]], Reply | None]
STARTED = 1_760_000_000


class BatchStandIn:
    """The server. Use as a context manager; `url` is known inside."""

    def __init__(self, answer: Answers = judged, *, holds: bool = False, page: int = 100) -> None:
        self.answer = answer
        self.holds = holds
        self.calls: list[str] = []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        """The lines of every batch, as uploaded."""
        self.headers: list[dict[str, str]] = []
        self.rewrite: Callable[[list[bytes]], list[bytes]] = lambda lines: lines
        self.refuse_as_a_whole: Callable[[list[dict[str, Any]]], dict[str, Any] | None] = lambda lines: None
        self.hung = threading.Event()
        self._page = page
        self._hangs: tuple[str, bool] | None = None
        self._faults: dict[str, list[tuple[Reply, bool]]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                stand_in._exchange(self, "GET")

            def do_POST(self) -> None:
                stand_in._exchange(self, "POST")

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # the client was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def paid(self) -> Counter[str]:
        return Counter(
            line["custom_id"]
            for batch in self.batches.values()
            if batch["status"] != "failed"
            for line in self._lines(batch["input_file_id"])
        )

    def hang(self, call: str, *, done: bool) -> None:
        """Never answer this call from now on; `done` says whether it takes effect."""
        self.hung.clear()
        self._hangs = (call, done)

    def recover(self) -> None:
        self._hangs = None

    def fail(self, call: str, reply: Reply, *, done: bool = False) -> None:
        """Answer the next such call with this; `done` says whether it takes effect."""
        self._faults.setdefault(call, []).append((reply, done))

    def finish(self, status: str = "completed", *, only: str | None = None) -> None:
        """End every batch that is in progress, or only one."""
        for batch_id, batch in self.batches.items():
            if batch["status"] == "in_progress" and only in (None, batch_id):
                self._finish(batch, status)

    # -- what the endpoint does --

    def _exchange(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        path, _, query = handler.path.removeprefix("/v1").partition("?")
        parts = path.strip("/").split("/")
        call = f"{method} /{parts[0]}" + ("/id" if len(parts) > 1 else "") + ("/content" if len(parts) > 2 else "")
        with self._lock:
            self.calls.append(call)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            hangs = self._hangs if self._hangs and self._hangs[0] == call else None
            fault = self._faults[call].pop(0) if self._faults.get(call) else None
            done = (hangs is None or hangs[1]) and (fault is None or fault[1])
            content = self._do(call, parts, query, handler.headers.get("content-type", ""), body) if done else b""
        if hangs:
            self.hung.set()
            self._over.wait()
            return
        reply = fault[0] if fault else Reply(200 if content is not None else 404, content or b'{"error": "gone"}')
        whole = reply.body + b" " * (reply.megabytes * 2**20)
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole if reply.ends == "well" else whole[: len(whole) // 2])
        if reply.ends != "well":
            handler.close_connection = True
            handler.wfile.flush()
            handler.connection.close()

    def _do(self, call: str, parts: list[str], query: str, kind: str, body: bytes) -> bytes | None:
        """Do what a call asks; None where it asks for what there is not."""
        match call:
            case "POST /files":
                file_id = f"file-{len(self.files)}"
                form = message_from_bytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
                fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
                assert fields["purpose"].get_payload() == "batch"  # type: ignore[union-attr]
                self.files[file_id] = fields["file"].get_payload(decode=True)  # type: ignore[union-attr,assignment]
                return json.dumps({"id": file_id, "object": "file", "purpose": "batch"}).encode()
            case "POST /batches":
                return json.dumps(self._create(json.loads(body))).encode()
            case "GET /batches":
                return json.dumps(self._listing(query)).encode()
            case "GET /batches/id":
                batch = self.batches.get(parts[1])
                if batch and batch["status"] == "in_progress" and not self.holds:
                    self._finish(batch, "completed")
                return json.dumps(batch).encode() if batch else None
            case "GET /files/id/content":
                return self.files.get(parts[1])
        return None

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        lines = self._lines(asked["input_file_id"])
        errors = self.refuse_as_a_whole(lines)
        batch = {
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "created_at": STARTED * 2,
            "status": "failed" if errors else "in_progress",
            "errors": errors,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            **asked,
        }
        self.batches[str(batch["id"])] = batch
        self.asked += lines
        return batch

    def _listing(self, query: str) -> dict[str, Any]:
        ids = list(reversed(self.batches))
        after = query.partition("after=")[2]
        start = ids.index(after) + 1 if after else 0
        shown = ids[start : start + self._page]
        return {"data": [self.batches[one] for one in shown], "has_more": start + self._page < len(ids)}

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
