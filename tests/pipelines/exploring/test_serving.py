"""Who is let in, and what is said where something is not as it should be."""

import asyncio
import contextlib
import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from benchmarks.loopback_s3 import serving_s3
from pipelines.exploring.choosing import Choice, Stopped
from pipelines.exploring.opening import Explorer
from pipelines.exploring.serving import Server
from schemas.errors import RecipeError
from storage.root import Root
from storage.snapshots import find_snapshot
from storage.versions import find_version
from tests.end_to_end.commands import grmforge, start
from tests.pipelines.exploring.hostile import write_hostile
from tests.pipelines.exploring.served import TOKEN, Served, served
from tests.pipelines.reporting.small_snapshot import small


@pytest.fixture(scope="module")
def running(hostile_root: Path) -> Iterator[Served]:
    with served(hostile_root, "small") as one:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root of the test's own, with the snapshot `small`."""
    small().published(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", ["/", "/page/look.css", "/api/opened", "/api/rows?table=sets", "/api/nothing", "/x"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": None},
        {"Authorization": "Bearer wrong"},
        {"Authorization": None, "Cookie": "grmforge_look=wr\u00f6ng".encode().decode("latin-1")},
    ],
    ids=["without", "wrong", "wrong cookie"],
)
def test_without_the_token_nothing_is_said_of_anything(
    running: Served, path: str, headers: dict[str, str | None]
) -> None:
    answer = running.asked(path, **headers)
    assert (answer.status, answer.json["error"][:26]) == (403, "This page needs its token:")
    assert running.asked(f"{path}{'&' if '?' in path else '?'}token=wrong", **headers).status == 403


def test_the_printed_address_gives_a_cookie_that_opens_the_page(running: Served) -> None:
    first = running.asked(f"/?token={TOKEN}", Authorization=None)
    assert (first.status, first.headers["Location"]) == (303, "/")
    assert first.headers["Set-Cookie"] == f"grmforge_look_{running.port}={TOKEN}; HttpOnly; Path=/; SameSite=Strict"
    page = running.asked("/", Authorization=None, Cookie=f"grmforge_look_{running.port}={TOKEN}")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert TOKEN.encode() not in page.body


def test_every_answer_forbids_what_a_page_might_be_made_to_do(running: Served) -> None:
    for path in ("/", "/page/look.css", "/api/opened", "/api/nothing"):
        headers = running.asked(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["Cache-Control"] == "no-store" and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_pages_of_another_origin_get_nothing(running: Served, origin: str) -> None:
    answer = running.asked("/api/opened", Origin=origin.format(port=running.port))
    assert (answer.status, answer.json) == (403, {"error": "Pages of another origin get nothing here."})
    assert running.asked("/api/opened", Origin=f"http://127.0.0.1:{running.port}").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "", "127.0.0.1.evil.example:{port}"]
)
def test_a_name_that_was_bound_to_this_machine_gets_nothing(running: Served, host: str) -> None:
    answer = running.asked("/api/opened", Host=host.format(port=running.port))
    assert (answer.status, "answers under no other name" in answer.json["error"]) == (403, True)
    assert running.asked("/api/opened", Host=f"localhost:{running.port}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/../serving.py", "/page/..%2fserving.py", "/page/%2e%2e/%2e%2e/rows.py", "/../../etc/passwd",
        "/page/__init__.py", "/page//etc/passwd", "/api/../page/look.css", "/api/nothing", "/page/",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere_else(running: Served, path: str) -> None:
    answer = running.asked(path)
    assert answer.status == 404 and "not found" in answer.json["error"], answer.body


@pytest.mark.parametrize("name", ["../small", "snapshots/small", "/etc", "small@..", "small\0", "nothing"])
def test_no_name_of_a_version_leads_anywhere_else(running: Served, name: str) -> None:
    answer = running.asked(f"/api/overview?v={name.replace(chr(0), '%00')}")
    assert answer.status == 404 and "error" in answer.json


def test_a_long_choice_is_answered_and_no_http_leaves_no_traceback(
    running: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    assert running.asked(f"/api/rows?table=sets&words={'x' * 20_000}").status == 200
    assert running.asked("/" + "x" * 100_000).status == 400
    assert capfd.readouterr().err == ""


def test_an_evaluation_has_no_overview(demo_root: Path) -> None:
    with served(demo_root, "demo-grm") as evaluation:
        answer = evaluation.asked("/api/overview")
    assert answer.status == 400 and "is an evaluation, and has no overview" in answer.json["error"]


def test_only_reviews_are_written_and_only_as_json(running: Served) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = running.asked("/api/rows?table=sets", method=method, body=b"{}", Content_Type="application/json")
        assert answer.status == 405
    answer = running.asked("/api/reviews", method="POST", body=b"{}", Content_Type="text/plain")
    assert (answer.status, answer.json) == (415, {"error": "reviews are sent as application/json"})
    answer = running.asked("/api/reviews", method="POST", body=b"{}", Content_Type="application/json")
    assert answer.status == 400 and "holds no reviews" in answer.json["error"]


def test_a_version_that_is_removed_while_it_is_open_is_said_to_be(root: Path) -> None:
    with served(root, "small") as running:
        version = running.api("opened")["opened"]
        running.api("rows", table="sets")
        shutil.rmtree(find_snapshot(Root(root), "small").path)
        for path in (
            "rows?table=sets",
            "rows?table=trajectories&words=x",
            "overview",
            "set?id=1",
            "export?table=sets&format=jsonl",
        ):
            answer = running.asked(f"/api/{path}")
            assert (answer.status, "was removed while it was open" in answer.json["error"]) == (410, True), path
        assert running.asked(f"/api/overview?v={version}").status == 410
        left = running.api("opened")
        assert (left["opened"], left["snapshots"]) == (None, []) and "was removed" in left["fault"]


def test_one_that_is_still_being_written_is_refused_in_words(root: Path) -> None:
    snapshot = find_snapshot(Root(root), "small")
    unfinished = snapshot.path.with_name("20260102T000000Z-11111111")
    shutil.copytree(snapshot.path, unfinished)
    (unfinished / "manifest.json").unlink()
    with served(root) as running:
        listed = running.api("opened")["snapshots"]
        assert [one.get("fault", "whole")[:24] for one in listed] == ["whole", "it has no manifest.json:"]
        answer = running.asked(f"/api/rows?table=sets&v=small@{unfinished.name}")
        assert answer.status == 404 and "has no version" in answer.json["error"]


def test_a_damaged_file_is_named(root: Path) -> None:
    snapshot = find_snapshot(Root(root), "small")
    [file] = snapshot.files("trajectories/rejected")
    whole = file.read_bytes()
    file.unlink()  # it is a link to the stage's file
    file.write_bytes(whole[: len(whole) // 2] + b"\xff" * 40 + whole[len(whole) // 2 + 40 :])
    with served(root, "small") as running:
        for _ in range(2):  # nobody is told of half a search later
            answer = running.asked("/api/count?table=trajectories&words=answer")
            assert (answer.status, str(file) in answer.json["error"]) == (500, True), answer.body
        file.write_bytes(b"PAR1")
        answer = running.asked("/api/row?table=trajectories&id=x")
        assert (answer.status, str(file) in answer.json["error"]) == (500, True), answer.body
        assert running.api("rows", table="sets")["total"] == 3, "other tables are as before"
        pq.write_table(pa.table({"outcome": ["tied"]}), file)  # another file in its place
        for path in ("overview?v=small", "rows?table=trajectories", "count?table=trajectories&words=answer"):
            answer = running.asked(f"/api/{path}")
            assert (answer.status, f"{file}: damaged (1 rows, where" in answer.json["error"]) == (500, True), (
                answer.body
            )
        file.unlink()
        answer = running.asked("/api/rows?table=trajectories&columns=text")
        assert answer.status in (404, 500) and str(file) in answer.json["error"]


def test_a_damaged_manifest_is_said_in_the_list(root: Path) -> None:
    (find_snapshot(Root(root), "small").path / "manifest.json").write_text("{")
    with served(root) as running:
        [one] = running.api("opened")["snapshots"]
        assert "not a manifest" in one["fault"]
        assert running.asked("/api/overview?v=small").status == 404


def test_a_root_without_anything_and_no_version(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        opened = running.api("opened")
        assert (opened["snapshots"], opened["evaluations"], opened["opened"], opened["tables"]) == ([], [], None, {})
        answer = running.asked("/api/overview")
        assert answer.status == 404 and answer.json["error"].startswith("no version is opened; add v=")


def test_a_taken_port_is_said(hostile_root: Path) -> None:
    with served(hostile_root) as running:

        async def serve() -> None:
            explorer = Explorer(Root(hostile_root), None)
            async with Server(explorer, TOKEN, "127.0.0.1").running(running.port):
                pass

        with pytest.raises(RecipeError, match=r"cannot be served .*; choose another --port"):
            asyncio.run(serve())


def test_nobody_waits_for_a_search_whose_client_has_gone(demo_root: Path) -> None:
    """A search stops between two pieces where nobody wants it, and goes on from there when somebody does."""
    explorer = Explorer(Root(demo_root), find_version(Root(demo_root), "demo"))
    opened = explorer.version(None)
    chosen = opened.chosen("trajectories", Choice(words="accuracy"))
    gone, here = threading.Event(), threading.Event()
    gone.set()
    with pytest.raises(Stopped):
        chosen.all(gone)
    assert not chosen.is_whole
    assert len(chosen.all(here)) == opened.views["trajectories"].rows
    explorer.close()


def test_a_client_that_goes_away_stops_what_it_asked_for(demo_root: Path) -> None:
    stopped, began = threading.Event(), threading.Event()

    def endless(stop: threading.Event) -> None:
        began.set()
        if stop.wait(30):
            stopped.set()

    async def slow(request: web.Request) -> web.Response:
        await server.in_thread(endless)
        return web.Response()

    async def asked() -> None:
        async with server.running(0):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"Host: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}"
            writer.write(f"GET /slow HTTP/1.1\r\n{head}\r\n\r\n".encode())
            assert await asyncio.to_thread(began.wait, 30)
            writer.close()
            await writer.wait_closed()
            assert await asyncio.to_thread(stopped.wait, 20)

    server = Server(Explorer(Root(demo_root), None), TOKEN, "127.0.0.1")
    server.app.router.add_get("/slow", slow)
    asyncio.run(asked())


@pytest.mark.slow
def test_a_root_in_a_bucket_is_looked_at_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_s3(tmp_path / "s3") as s3:
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        local, remote = tmp_path / "local", Root.open("s3://forge/looked-at")
        made = write_hostile(local)
        for key in Root(made).every("snapshots"):
            remote.write(key, Root(made).read(key))
        with served(Root(made), "small") as one, served(Root.open("s3://forge/looked-at"), "small") as other:
            for path in (
                "rows?table=trajectories&words=alert",
                "overview",
                "failures",
                "facets?table=sets&columns=source",
            ):
                here, there = one.asked(f"/api/{path}").json, other.asked(f"/api/{path}").json
                here.pop("expression", None), there.pop("expression", None)
                assert here == there and "error" not in here, path
            remote.remove_folder("snapshots/small")
            assert other.asked("/api/rows?table=sets").status == 410


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(2, 0), (15, 143)], ids=["ctrl-c", "sigterm"])
def test_the_command_prints_an_address_and_ends_in_silence(demo_root: Path, number: int, code: int) -> None:
    with start("look", "demo", "--root", demo_root, "--no-open", cold=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port, token = address.removeprefix("http://127.0.0.1:").split("/?token=")
        assert len(token) >= 40
        connection = http.client.HTTPConnection("127.0.0.1", int(port))
        with contextlib.closing(connection):
            connection.request("GET", "/api/opened", headers={"Authorization": f"Bearer {token}"})
            assert json.loads(connection.getresponse().read())["kind"] == "snapshot"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["look", "nothing"], 1, "no snapshot 'nothing'"),
        (["look", "--root", "nowhere"], 2, "nowhere: no root is there"),
        (["look", "--bundle", "copy"], 2, "--bundle: name the snapshot or the evaluation"),
        (["look", "--host", "no.such.host.invalid", "--no-open"], 2, "cannot be served"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(
    root: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    extra = [] if "--root" in arguments else ["--root", str(root)]
    done = grmforge(*arguments, *extra, cwd=tmp_path)
    assert (done.code, len(done.errors), words in done.err) == (code, 1, True), done.err
