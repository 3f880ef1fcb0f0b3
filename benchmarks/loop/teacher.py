"""The teacher: an OpenAI-compatible endpoint on loopback that answers a judge's prompts from the task's own labels."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.loop.tasks import gold_judgement


@contextmanager
def teaching(task: Path) -> Iterator[str]:
    """Serve the teacher of a task's folder, and give its base_url."""
    gold = json.loads((task / "gold.json").read_text("utf-8"))

    class Teacher(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = gold_judgement(gold, asked["messages"][-1]["content"])
            usage = {"prompt_tokens": len(json.dumps(asked)) // 4, "completion_tokens": len(text) // 4}
            message = {"role": "assistant", "content": text}
            self._reply(
                {"choices": [{"message": message, "finish_reason": "stop"}], "model": "teacher", "usage": usage}
            )

        def do_GET(self) -> None:
            self._reply({"object": "list", "data": [{"id": "teacher", "object": "model"}]})

        def _reply(self, tree: object) -> None:
            body = json.dumps(tree).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: grmforge shows the progress."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 1024  # of five, as it is elsewhere, most of 256 that come at once would wait a minute
        daemon_threads = False  # the end waits for those that still answer, whose sockets would be left open

    with Server(("127.0.0.1", 0), Teacher) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
