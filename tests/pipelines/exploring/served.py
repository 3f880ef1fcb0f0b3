"""A running explorer, as its tests and those of its page ask it."""

import asyncio
import contextlib
import http.client
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.exploring.opening import Explorer
from pipelines.exploring.serving import Server
from storage.root import Root
from storage.versions import find_version

TOKEN = "the-token-of-a-test"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int

    @property
    def address(self) -> str:
        """What the command prints, for a browser."""
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def asked(self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str | None) -> Answer:
        """Return the answer to a request as it is written here; a header of None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}", **headers}
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def api(self, name: str, **query: Any) -> Any:
        """Return the JSON that answers a question, which must be answered well. `in_` stands for `in`."""
        named = {key.rstrip("_"): json.dumps(value) if key == "where" else value for key, value in query.items()}
        answer = self.asked(f"/api/{name}?{urllib.parse.urlencode(named)}")
        assert answer.status == 200, answer.body
        return answer.json


@contextlib.contextmanager
def served(root: Root | Path, opened: str | None = None) -> Iterator[Served]:
    """Serve a root, or a version under it, as long as the block."""
    place = root if isinstance(root, Root) else Root(root)
    explorer = Explorer(place, find_version(place, opened) if opened else None)
    started, port = threading.Event(), list[int]()
    loop, ends = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with Server(explorer, TOKEN, "127.0.0.1").running(0) as server:
            port.append(server.port)
            started.set()
            await ends.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert started.wait(60)
        yield Served(port[0])
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()
        loop.close()
