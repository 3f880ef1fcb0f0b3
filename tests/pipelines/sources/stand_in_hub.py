"""A stand-in for the Hugging Face hub on loopback: the four routes that `snapshot_download` asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class StandInHub:
    """Data sets by id, each a mapping of file names to contents, all at one commit with the branch `main`.

    Whoever changes contents changes the commit.
    """

    datasets: dict[str, dict[str, bytes]]
    gated: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    endpoint: str = ""
    commit: str = COMMIT
    asked: list[str] = field(default_factory=list)


@contextmanager
def stand_in_hub(hub: StandInHub) -> Iterator[StandInHub]:
    """Serve the hub on a free port until the block ends; its `endpoint` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(path)
            status, headers, body = _response(hub, path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "X-Request-Id": "stand-in", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _response(hub: StandInHub, path: str) -> tuple[int, dict[str, str], bytes]:
    parts = path.strip("/").removeprefix("api/").split("/")
    name, rest = "/".join(parts[1:3]), "/".join(parts[5:])
    route, revision, *_ = [*parts[3:5], "", ""]
    if name in hub.failing:
        return 500, {}, b"{}"
    if name in hub.gated:
        return 403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"}, b"{}"
    if parts[0] != "datasets" or name not in hub.datasets:
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
    if revision not in ("main", hub.commit):
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
    files = hub.datasets[name]
    as_json = {"Content-Type": "application/json"}
    if route == "revision":
        siblings = [{"rfilename": file} for file in files]
        return 200, as_json, json.dumps({"id": name, "sha": hub.commit, "siblings": siblings}).encode()
    if route == "tree":
        tree = [
            {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for file, content in files.items()
        ]
        return 200, as_json, json.dumps(tree).encode()
    if route == "resolve" and rest in files:
        etag = f'"{hashlib.sha1(files[rest]).hexdigest()}"'
        return 200, {"X-Repo-Commit": hub.commit, "ETag": etag, "Content-Type": "application/octet-stream"}, files[rest]
    return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
