"""Rows that try something, in a real Chromium: they are text, however long and however many, and nothing else."""

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from pipelines.exploring.bundle import write_bundle
from pipelines.exploring.opening import Explorer
from storage.root import Root
from storage.versions import find_version
from tests.browser import Browser, Tab, chromium, needs_browser
from tests.pipelines.exploring.hostile import HOSTILE_SET, LONG_SET, MANY, MANY_SET, TALK_SET, hostile_sets
from tests.pipelines.exploring.served import Served, served

pytestmark = needs_browser
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def hostile(hostile_root: Path) -> Iterator[Served]:
    with served(hostile_root, "small") as running:
        yield running


def set_id(place: int) -> str:
    return hostile_sets()[place].set_id


def went(tab: Tab, route: str, until: str) -> None:
    """Go to a view by its link, and wait until something is true of it."""
    tab.value(f"location.hash = {json.dumps(route)}")
    tab.until(until)


def is_unharmed(tab: Tab, scripts: int, own: str) -> None:
    """No row became an element, ran, or asked anyone for anything."""
    assert tab.value("document.scripts.length") == scripts
    assert (
        tab.value("document.querySelectorAll('main img, main i:not([aria-hidden]):not([style]), main iframe').length")
        == 0
    )
    assert all(address.startswith(own) for address in tab.asked), tab.asked
    assert tab.faults == [], "not even a dialog"


def bundled(root: Path, opened: str, folder: Path, n: int = 300) -> Path:
    """Write the copy of a version, and return its page."""
    explorer = Explorer(Root(root), find_version(Root(root), opened))
    try:
        write_bundle(explorer, folder, n, 0)
    finally:
        explorer.close()
    return folder / "index.html"


@contextmanager
def plain_server(folder: Path) -> Iterator[str]:
    """Serve a folder as any web server would."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_markup_and_characters_that_hide_are_text_in_every_view(browser: Browser, hostile: Served) -> None:
    sample = hostile.api("set", id=set_id(HOSTILE_SET))["samples"][0]["trajectory_id"]
    views = {
        "#/": "'<i>hostile</i>'", "#/rows/trajectories": f"'{SCRIPT}'", "#/rows/sets": f"'{SCRIPT}'",
        f"#/set/{set_id(HOSTILE_SET)}": "'</script><img src=x'", f"#/trajectory/{sample}": f"'{SCRIPT}'",
        "#/failures": f"'{SCRIPT}'", "#/review": f"'{SCRIPT}'",
    }  # fmt: skip
    with browser.tab(hostile.address) as tab:
        tab.page.on("dialog", lambda dialog: (tab.faults.append(dialog.message), dialog.dismiss()))
        scripts = tab.value("document.scripts.length")
        for route, text in views.items():
            went(tab, route, f"document.querySelector('main').textContent.includes({text})")
            shown = tab.shown("main")
            assert not set("\x1b\x07\x9b\u202e\u2066") & set(shown), f"{route} obeys a character that hides"
            if text != "'<i>hostile</i>'":
                assert "\\x1b" in shown and "\\u202e" in shown, f"{route} says what does not show"
        is_unharmed(tab, scripts, hostile.address[:-30])


def test_a_line_of_a_megabyte_comes_in_parts(browser: Browser, hostile: Served) -> None:
    sample = hostile.api("set", id=set_id(LONG_SET))["samples"][0]["trajectory_id"]
    with browser.tab(hostile.address) as tab:
        went(tab, f"#/trajectory/{sample}", "document.querySelector('.judged')?.textContent.length > 10000")
        assert tab.value("document.querySelector('.judged').textContent.length") < 40_000
        tab.page.click(".judged > button")
        tab.until("document.querySelector('.judged').textContent.length > 100000")
        assert "are left" in tab.shown(".judged > button")
        assert tab.value("document.documentElement.scrollWidth") <= 1_400
        went(tab, f"#/set/{set_id(LONG_SET)}", "document.querySelectorAll('.response').length === 2")
        assert "too long to compare" in tab.shown("main")
        assert tab.faults == []


def test_two_thousand_responses_are_shown_a_few_at_a_time(browser: Browser, hostile: Served) -> None:
    with browser.tab(hostile.address) as tab:
        went(tab, f"#/set/{set_id(MANY_SET)}", "document.querySelectorAll('.response').length > 0")
        assert tab.value("document.querySelectorAll('.response').length") == 9, "the first eight, and the best"
        assert tab.value("document.querySelectorAll('.response.best').length") == 1
        tab.page.click("main button >> text=/^show 50 more of 1,991 responses/")
        assert tab.value("document.querySelectorAll('.response').length") == 59
        columns = "document.querySelectorAll('.matrix thead th.score-head').length"
        assert tab.value(columns) == 40
        tab.page.click(f"main button >> text=/200 more of {MANY:,}/")
        assert tab.value(columns) == 240
        went(tab, "#/review?n=10", "document.querySelector('#count')?.textContent.startsWith('set 1 of')")
        assert tab.faults == []


def test_tool_calls_can_be_read(browser: Browser, hostile: Served) -> None:
    with browser.tab(hostile.address) as tab:
        went(tab, f"#/set/{set_id(TALK_SET)}", "document.querySelectorAll('.response').length === 2")
        said = tab.shown("main")
        assert "calls weather" in said and '"city": "Oslo' in said and "<b>rain</b>" in said
        assert tab.value("document.querySelectorAll('.turn.tool').length") == 1
        assert tab.faults == []


@pytest.mark.parametrize("is_served", [False, True])
def test_a_copy_of_hostile_rows_by_file_and_by_any_server(
    browser: Browser, hostile_root: Path, tmp_path: Path, is_served: bool
) -> None:
    page = bundled(hostile_root, "small", tmp_path / "copy")
    with plain_server(page.parent) as address:
        place = address if is_served else page.as_uri()
        with browser.tab(place) as tab:
            tab.until("document.querySelector('h1')?.textContent.includes('small@')")
            assert tab.shown("#copy").startswith("This is a copy: 8 of 8 trajectories of small@")
            scripts = tab.value("document.scripts.length")
            went(tab, "#/rows/trajectories", f"document.querySelector('main').textContent.includes('{SCRIPT}')")
            went(tab, f"#/set/{set_id(MANY_SET)}", "document.querySelectorAll('.response').length === 9")
            is_unharmed(tab, scripts, place)


SOUGHT: list[tuple[str, list[list[object]]]] = [
    *((words, []) for words in ("scores response", '"response 1"', '"response 1" critique', "teleqna user", "(2")),
    *(
        ("response", [where])
        for where in (
            ["status", "in", ["accepted", "difficulty"]], ["source", "not", ["own", "teleqna"]],
            ["reject_reason", "in", [None, "too_easy"]], ["reject_reason", "not", "too_easy"],
            ["prompt", "contains", "What is"], ["text", "contains", "scores response"], ["order", "has", 3],
            ["n_responses", "ge", 4], ["margin", "null", None], ["accepted", "is", True],
        )
    ),
]  # fmt: skip


def finds_as_served(
    tab: Tab, running: Served, root: Path, words: str, where: list[list[object]], held: list[str]
) -> None:
    """A copy of these sets finds as many trajectories as the server among the same, and so does its expression."""
    choice = {"table": "trajectories", "where": where, "words": words, "in": "any", "sort": "", "desc": False}
    found = tab.value(f"source.rows({json.dumps(choice)}, null, 0, 1)")
    among = running.api("count", table="trajectories", words=words, where=[*where, ["set_id", "in", held]])
    assert found["total"] == among["total"], (words, where)
    expression = found["expression"].replace('"data/', f'"{root}/')
    rows = eval(expression, {"pl": pl}).filter(pl.col("set_id").is_in(held)).collect()
    assert rows.height == among["total"], expression


def test_a_copy_answers_as_the_server_does(browser: Browser, demo_root: Path, tmp_path: Path) -> None:
    page = bundled(demo_root, "demo", tmp_path / "copy")
    ids = json.loads((page.parent / "ids.json").read_text("utf-8"))
    with browser.tab(page) as tab:
        tab.until("document.querySelector('h1')?.textContent.includes('demo@')")
        held = int(re.search(r"copy: (\d+) of", tab.shown("#copy"))[1])
        tab.press("g", "r")
        tab.until(f"document.getElementById('count')?.textContent.startsWith('{held} of ')")
        tab.page.click("[data-facet='outcome=incorrect']")
        tab.until("document.querySelector('.browse > .chips')?.textContent.includes('incorrect')")
        tab.press("/")
        tab.page.keyboard.type("response 1")
        tab.until("document.querySelector('.row mark') !== null")
        assert 0 < int(tab.shown("#count").partition(" of ")[0]) < held
        tab.press("Enter", "Enter")
        tab.until("document.querySelector('.why .sentence')?.textContent.length > 10")
        assert tab.value("document.querySelectorAll('.judged mark').length") > 0, "marked as on the server"
        tab.press("Enter")
        tab.until("document.querySelectorAll('tr[data-trajectory]').length > 0")
        link = tab.value("location.href")
        for key, heading in (("f", "Failures"), ("v", "Versions"), ("o", "demo@")):
            tab.press("g", key)
            tab.until(f"document.querySelector('h1')?.textContent.includes('{heading}')")
        tab.page.goto(link)
        tab.page.reload()
        tab.until("document.querySelector('h1')?.textContent.startsWith('Set ')")
        went(tab, "#/rows/trajectories", "document.querySelector('.row a') !== null")
        tab.press("x")
        assert "pl.scan_parquet" in tab.shown(".expression")
        taken = tab.saved(tmp_path / "taken", "Tab", "Enter")
        rows = [json.loads(line)["trajectory_id"] for line in taken.read_text("utf-8").splitlines()]
        assert len(rows) == held and set(rows) <= set(ids["trajectory_ids"]), "each row that it holds can be forgotten"
        with served(demo_root, "demo") as running:
            for words, where in SOUGHT:
                finds_as_served(tab, running, demo_root, words, where, ids["set_ids"])
        assert tab.asked == {page.as_uri()} and tab.faults == []
