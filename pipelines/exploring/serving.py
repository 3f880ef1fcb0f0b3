"""The explorer's server: one page, and JSON for it, on this machine and for whoever holds the token.

A page of another origin gets nothing: the token's cookie is never sent to it, and requests that name another host or
origin are refused. Nothing is written but reviews.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import logging
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from pipelines.exploring.answers import NAMES, answer_to, load_all
from pipelines.exploring.choosing import Stopped, choice_of
from pipelines.exploring.opening import Explorer, Removed, opened_answer
from pipelines.exploring.page_files import INDEX, page_files
from schemas.errors import DamagedError, ForgeError, RecipeError, SourceError, StorageError
from schemas.secrets import masked

COOKIE = "grmforge_look"
"""With the port behind it: a browser gives a cookie to every port of a machine."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NO_TOKEN = "This page needs its token: open the whole address that `grmforge look` printed, with ?token= at its end."
_WORKERS = 4
_LONGEST_LINE = 1 << 16
"""Of a request: a choice of many values stands in its address."""
_QUIET = logging.getLogger("grmforge.look")
"""What a client sends that is no HTTP is its own matter, and no traceback in the terminal of whoever looks."""
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_LARGEST_REVIEW = 256 << 20
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

Answer = Callable[[threading.Event], Any]


class Server:
    """A running server: its address, and what it gives answers about."""

    def __init__(self, explorer: Explorer, token: str, host: str) -> None:
        self.explorer, self.token, self.host = explorer, token, host
        self.port = 0
        self._pool = ThreadPoolExecutor(_WORKERS, "answering")
        self._page = page_files()
        self.app = self._app()

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guarded], client_max_size=_LARGEST_REVIEW)
        app.router.add_get("/", self._index, allow_head=False)
        app.router.add_get("/page/{name}", self._file, allow_head=False)
        app.router.add_get("/api/export", self._export, allow_head=False)
        app.router.add_get("/api/{name}", self._answer, allow_head=False)
        app.router.add_post("/api/reviews", self._reviews)
        return app

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Let in who may come in, and say of every failure in one sentence what it was."""
        if refusal := self._refusal(request):
            return _failed(403, refusal)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _failed(error.status, f"{request.method} {request.path[:200]}: {error.reason.lower()}; see /")
        except ForgeError as error:
            response = _failed(_status_of(error), masked(str(error)))
        except Stopped:
            response = _failed(503, "the answer was given up; ask again")
        except Exception as error:  # noqa: BLE001 - a bug, too, is one line and no end of the server
            response = _failed(500, f"unexpected {type(error).__name__}: {masked(str(error))[:300]}; please report it")
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: web.Request) -> str | None:
        host = request.headers.get("Host", "")
        if not self._is_own_host(host):
            return f"This is {self.address}, and answers under no other name; ports must be forwarded to the same port."
        if (origin := request.headers.get("Origin")) is not None and origin != f"http://{host}":
            return "Pages of another origin get nothing here."
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = (request.query.get("token", ""), request.cookies.get(f"{COOKIE}_{self.port}", ""), bearer)
        if not any(hmac.compare_digest(one.encode("utf-8", "replace"), self.token.encode()) for one in given):
            return _NO_TOKEN
        return None

    def _is_own_host(self, given: str) -> bool:
        name, _, port = given.rpartition(":")
        if not port.isdigit() and self.port == 80:  # which browsers leave out
            name, port = given, "80"
        name = name.strip("[]")
        if port != str(self.port):
            return False
        if name == self.host or (_is_loopback(self.host) and name == "localhost"):
            return True
        if self.host not in ("0.0.0.0", "::"):
            return False
        return name in ("localhost", socket.gethostname()) or _is_address(name)

    async def _index(self, request: web.Request) -> web.StreamResponse:
        if "token" in request.query:
            response: web.Response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(f"{COOKIE}_{self.port}", self.token, httponly=True, samesite="Strict", path="/")
            return response
        return self._static(INDEX)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._static(request.match_info["name"])

    def _static(self, name: str) -> web.StreamResponse:
        if name not in self._page:
            raise web.HTTPNotFound
        kind = _TYPES[Path(name).suffix]
        return web.Response(text=self._page[name], content_type=kind, charset="utf-8")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name, query = request.match_info["name"], dict(request.query)
        if name == "opened":
            return _json(await self.in_thread(lambda stop: opened_answer(self.explorer, query.get("v"))))
        if name not in NAMES:
            raise web.HTTPNotFound
        return _json(await self.in_thread(lambda stop: self._asked(name, query, stop)))

    def _asked(self, name: str, query: Mapping[str, str], stop: threading.Event) -> Any:
        opened = self.explorer.version(query.get("v"))
        try:
            return answer_to(name, opened, query, stop)
        except StorageError:
            opened.check()
            raise

    async def in_thread(self, answer: Answer) -> Any:
        """Run what takes long in a thread. When the client has gone, it is told to stop."""
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, answer, stop)
        finally:
            stop.set()

    def _load_ahead(self) -> None:
        """Load what a first look needs, so that nobody waits for it. What goes wrong is told to whoever asks for it."""
        with contextlib.suppress(ForgeError):
            if self.explorer.opened is not None:
                self.explorer.version(None).load_ahead()
        load_all()

    async def _export(self, request: web.Request) -> web.StreamResponse:
        from pipelines.exploring.rows import json_lines, write_parquet

        query = dict(request.query)
        table, form = query.get("table", ""), query.get("format", "")
        if form not in ("parquet", "jsonl"):
            raise RecipeError(f"format: must be parquet or jsonl, not {form[:40]!r}")
        opened = await self.in_thread(lambda stop: self.explorer.version(query.get("v")))
        choice = choice_of(opened.columns(table), query)
        disposition = f'attachment; filename="{opened.version.manifest.name}-{table}.{form}"'
        response = web.StreamResponse(
            headers={**_HEADERS, "Content-Disposition": disposition, "Content-Type": "application/octet-stream"}
        )
        gone = threading.Event()
        with contextlib.ExitStack() as held:
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="grmforge-look-"))
            held.callback(gone.set)
            if form == "parquet":
                path = Path(folder) / "rows.parquet"
                await self.in_thread(lambda stop: write_parquet(opened, table, choice, path, stop))
                parts = _chunks(path)
            else:
                parts = json_lines(opened, table, choice, gone)
            first = await self.in_thread(lambda stop: next(parts, None))  # an error is still told as one
            await response.prepare(request)
            while first is not None:
                await response.write(first)
                first = await self.in_thread(lambda stop: next(parts, None))
        await response.write_eof()
        return response

    async def _reviews(self, request: web.Request) -> web.StreamResponse:
        from pipelines.exploring.reviewing import keep_reviews

        if request.content_type != "application/json":
            return _failed(415, "reviews are sent as application/json")
        body, query = await request.read(), dict(request.query)
        return _json(await self.in_thread(lambda stop: keep_reviews(self.explorer.version(query.get("v")), body)))

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator["Server"]:
        """Serve as long as the block; port 0 takes a free one. Raises RecipeError where the address cannot be taken."""
        runner = web.AppRunner(
            self.app, handler_cancellation=True, access_log=None, logger=_QUIET, shutdown_timeout=1.0,
            max_line_size=_LONGEST_LINE, max_field_size=_LONGEST_LINE,
        )  # fmt: skip
        await runner.setup()
        try:
            try:
                site = web.TCPSite(runner, self.host, port)
                await site.start()
            except OSError as error:
                words = f"{self.host}:{port} cannot be served ({error.strerror or error})"
                raise RecipeError(f"{words}; choose another --port, or leave it out") from None
            self.port = runner.addresses[0][1]
            self._pool.submit(self._load_ahead)
            yield self
        finally:
            await runner.cleanup()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self.explorer.close()


def _chunks(path: Path) -> Any:
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            yield part


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _status_of(error: ForgeError) -> int:
    if isinstance(error, RecipeError | SourceError):
        return 400
    return 410 if isinstance(error, Removed) else 500 if isinstance(error, DamagedError) else 404


def _failed(status: int, words: str) -> web.Response:
    return _json({"error": " ".join(words.split())}, status)


def _json(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
