"""A server before an S3 server on loopback, which passes everything on until it is in another mood."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSALS = {
    "denied": (403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
    "broken": (500, b"<Error><Code>InternalError</Code><Message>oops</Message></Error>"),
    "busy": (503, b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"),
}


@dataclass
class Mood:
    """How the server meets what is put into the journal: "fine", "slow", "down", or a key of REFUSALS."""

    endpoint: str = ""
    now: str = "fine"
    puts: int = 0
    closing: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def moody(behind: str) -> Iterator[Mood]:
    """Serve what stands behind an endpoint as long as the block."""
    mood = Mood()

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.command == "PUT" and "generations/journal" in self.path:
                mood.puts += 1
                if mood.now == "down":
                    self.close_connection = True
                    return
                if mood.now in REFUSALS:
                    self._answer(*REFUSALS[mood.now], {})
                    return
                if mood.now == "slow":
                    mood.closing.wait(3)
            request = urllib.request.Request(f"{behind}{self.path}", body or None, method=self.command)
            request.add_header("content-type", "application/octet-stream")
            for name, value in self.headers.items():
                if name.lower() not in ("host", "connection", "content-length"):
                    request.add_header(name, value)
            try:
                with urllib.request.urlopen(request) as found:
                    self._answer(found.status, found.read(), dict(found.headers))
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read(), dict(error.headers))

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            length = headers.get("Content-Length") if self.command == "HEAD" else None
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("content-length", length or str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mood.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mood
        finally:
            mood.closing.set()
            server.shutdown()
            thread.join()
