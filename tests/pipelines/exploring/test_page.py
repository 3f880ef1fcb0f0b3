"""The explorer's page in a real Chromium: every view by link and by keyboard, narrow and wide, light and dark."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from storage.reviews import every_review
from storage.root import Root
from storage.snapshots import find_snapshot
from tests.browser import Browser, Tab, chromium, needs_browser
from tests.end_to_end.commands import REPOSITORY, grmforge
from tests.pipelines.exploring.served import Served, served

pytestmark = needs_browser
SNAPSHOT_VIEWS = {
    "": "demo@", "rows/trajectories": "Rows of trajectories", "rows/sets": "Rows of sets", "rows/rft": "Rows of rft",
    "failures": "Failures together", "versions": "Versions", "review": "Review", "all": "Snapshots and evaluations",
}  # fmt: skip
EVALUATION_VIEWS = {
    "": "demo-grm@", "rows/items": "Rows of items", "rows/judgements": "Rows of judgements",
    "failures": "Failures together",
}  # fmt: skip
KEYS = {
    "o": "#/",
    "r": "#/rows/trajectories",
    "s": "#/rows/sets",
    "f": "#/failures",
    "v": "#/versions",
    "w": "#/review",
}
FLAGGED = [["reject_reason", "is", "hint_leak"]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[Served]:
    with served(demo_root, "demo") as running:
        yield running


def went(tab: Tab, route: str) -> None:
    """Go to another view by its link."""
    tab.value(f"location.hash = {json.dumps(route)}")


def settled(tab: Tab, heading: str) -> None:
    tab.until(f"document.querySelector('h1')?.textContent.includes({json.dumps(heading)}) && document.hidden === false")


def counted(tab: Tab) -> int:
    """Return how many rows the page says are chosen, once it knows."""
    tab.until("/^[\\d,]+ of /.test(document.getElementById('count')?.textContent ?? '')")
    return int(tab.shown("#count").partition(" of ")[0].replace(",", ""))


def at_row(tab: Tab, index: int) -> None:
    tab.until(f"document.querySelector('.row[aria-selected=true]')?.id === 'row-{index}'")


def of(where: list[list[object]], **more: str) -> str:
    parts = {"where": json.dumps(where), **more}
    return "&".join(f"{name}={quote(value)}" for name, value in parts.items())


def table(root: Path, name: str) -> pl.DataFrame:
    """Return the rows of a table of the demo, of all its parts together."""
    snapshot = find_snapshot(Root(root), "demo")
    parts = [part for part in snapshot.manifest.tables if part.startswith(name)]
    return pl.concat([pl.read_parquet(snapshot.files(part)) for part in parts])


@pytest.mark.parametrize(("width", "dark"), [(1_400, False), (1_400, True), (400, False), (400, True)])
def test_every_view_by_its_link(browser: Browser, demo_root: Path, width: int, dark: bool) -> None:
    with served(demo_root) as running:
        for version, views in (("demo", SNAPSHOT_VIEWS), ("demo-grm", EVALUATION_VIEWS)):
            with browser.tab(running.address, width, dark=dark) as tab:
                settled(tab, "Snapshots and evaluations")
                for route, heading in views.items():
                    went(tab, f"#/{route}?v={version}")
                    settled(tab, heading)
                    if route.startswith("rows/"):
                        assert counted(tab) > 0
                    assert tab.value("document.querySelectorAll('h1').length") == 1
                    assert tab.value("document.documentElement.scrollWidth") <= width, (
                        f"{route} is wider than the window"
                    )
                back, ink = (
                    sum(map(int, re.findall(r"\d+", tab.value(f"getComputedStyle(document.body).{name}"))[:3]))
                    for name in ("backgroundColor", "color")
                )
                assert (back < ink) is dark
                assert tab.faults == []
                assert {address for address in tab.asked if not address.startswith(running.address[:-40])} == set()


def test_every_view_by_keys_and_the_list_of_keys(browser: Browser, demo: Served) -> None:
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        assert "token" not in tab.value("location.href"), "the token does not stay in the address"
        for key, route in KEYS.items():
            tab.press("g", key)
            tab.until(f"location.hash.split('?')[0] === {json.dumps(route)}")
        settled(tab, "Review")
        tab.press("?")
        assert tab.value("document.getElementById('dialog').open")
        assert {"next set", "tie: no response is better than all others"} <= set(tab.shown("#dialog").split("\n"))
        tab.press("Escape")
        assert not tab.value("document.getElementById('dialog').open")
        tab.press("T")
        assert tab.value("document.documentElement.dataset.theme") == "light"
        tab.press("T")
        assert tab.value("getComputedStyle(document.documentElement).colorScheme") == "dark"
        assert tab.faults == []


def test_rows_are_chosen_walked_and_opened_by_keyboard(browser: Browser, demo: Served, demo_root: Path) -> None:
    leaked = table(demo_root, "trajectories").filter(pl.col("reject_reason") == "hint_leak")
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        went(tab, "#/rows/trajectories")
        assert counted(tab) == table(demo_root, "trajectories").height
        tab.page.click("[data-facet='reject_reason=hint_leak']")
        tab.until(f"document.getElementById('count').textContent.startsWith('{leaked.height} of ')")
        assert tab.shown(".browse > .chips").split() == ["reject", "reason", "is", "hint", "leak", "×"]
        tab.page.select_option(".seek select", "text")  # the prompt warns of these words
        tab.page.focus(".rows")
        tab.press("/")
        tab.page.keyboard.type('"I was told"')
        told = leaked.filter(pl.col("text").str.to_lowercase().str.contains("i was told", literal=True)).height
        tab.until(f"document.getElementById('count').textContent.startsWith('{told} of ')")
        tab.until("document.querySelector('.row mark')?.textContent.toLowerCase() === 'i was told'")
        tab.press("Enter")
        at_row(tab, 0)
        tab.press("j", "j", "k")
        at_row(tab, 1)
        first = tab.value("document.getElementById('row-1').dataset.id")
        tab.press("Enter")
        settled(tab, first[:12])
        assert "Rejected" in tab.shown(".why") and tab.shown("mark.span-leak [data-kind=leak]").lower() == "hint leak"
        tab.press("j")
        tab.until("document.querySelector('.walk')?.textContent.includes('row 3')")
        assert first not in tab.value("location.hash")
        tab.press("k", "n")
        settled(tab, first[:12])
        link = tab.value("location.href")
        tab.press("Escape")
        at_row(tab, 1)
        assert counted(tab) == told, "the choice is still there"
        assert tab.faults == []
        tab.page.goto(link)
        tab.page.reload()
        settled(tab, first[:12])
        assert "row 2" in tab.shown(".walk"), "the link brings its choice along"


def test_words_of_a_prompt_are_found_together_and_marked_in_it(browser: Browser, demo: Served) -> None:
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        went(tab, "#/rows/trajectories")
        counted(tab)
        tab.press("/")
        tab.page.keyboard.type("what is the")
        tab.until("document.querySelector('.phrase') !== null")
        anywhere = demo.api("count", table="trajectories", words="what is the")["total"]
        together = demo.api("count", table="trajectories", words='"what is the"')["total"]
        assert anywhere > together
        tab.page.click(".phrase")
        tab.until(f"document.getElementById('count').textContent.startsWith('{together} of ')")
        assert tab.value("document.querySelector('.phrase')") is None
        tab.until("document.querySelector('.row a') !== null")
        tab.press("/", "Enter", "Enter")
        settled(tab, "Trajectory")
        tab.until("document.querySelector('.turn mark')?.textContent.toLowerCase().endsWith('what is the')")
        tab.press("N")
        tab.until("document.querySelector('.turn mark.flash') !== null")
        assert tab.faults == []


def test_sort_columns_filter_look_beside_and_take_along(
    browser: Browser, demo: Served, demo_root: Path, tmp_path: Path
) -> None:
    rows = table(demo_root, "trajectories")
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        went(tab, f"#/rows/trajectories?{of([['outcome', 'is', 'correct']], sort='completion_tokens', desc='1')}")
        assert counted(tab) == rows.filter(pl.col("outcome") == "correct").height
        tab.press("c")
        tab.page.check("#dialog input[value=completion_tokens]")
        tab.page.click("#dialog button.main")
        most = rows.filter(pl.col("outcome") == "correct")["completion_tokens"].max()
        tab.until(f"document.querySelector('#row-0')?.textContent.includes('{most}')")
        tab.press("f")
        tab.page.select_option("#dialog select[aria-label=column]", "completion_tokens")
        tab.page.select_option("#dialog select[name=op]", "ge")
        tab.page.fill("#dialog input[name=value]", "200")
        tab.page.click("#dialog button.main")
        wanted = rows.filter(pl.col("outcome") == "correct", pl.col("completion_tokens") >= 200).height
        tab.until(f"document.getElementById('count').textContent.startsWith('{wanted:,} of ')")
        tab.press("j", " ")
        tab.until("document.querySelector('.peek .why') !== null")
        tab.press("x")
        assert "pl.scan_parquet" in tab.shown(".expression") and "completion_tokens" in tab.shown(".expression")
        with tab.page.expect_download() as download:
            tab.page.click("#dialog a.main >> text=Parquet")
        download.value.save_as(tmp_path / "rows.parquet")
        taken = pl.read_parquet(tmp_path / "rows.parquet")
        assert taken.height == wanted and taken["completion_tokens"].min() >= 200
        for closed in ("!document.getElementById('dialog').open", "document.querySelector('.peek').hidden"):
            tab.press("Escape")
            tab.until(closed)
        tab.press("j", "u")  # at once: the place in the list is noted a moment later, and is not one in the new choice
        tab.until(f"document.getElementById('count').textContent.startsWith('{rows.height:,} of ')")
        tab.page.wait_for_timeout(300)
        assert "at=" not in tab.value("location.hash")
        assert tab.faults == []


def test_the_funnel_leads_to_its_rows(browser: Browser, demo: Served, demo_root: Path) -> None:
    dropped = table(demo_root, "sets/dropped")
    duplicates = dropped.filter(
        pl.col("source") == "helpsteer2_preference", pl.col("drop_reason") == "duplicate"
    ).height
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        tab.page.focus("a[aria-label^='helpsteer2_preference → duplicate']")
        tab.press("Enter")
        settled(tab, "Rows of sets")
        assert counted(tab) == duplicates > 0
        assert tab.faults == []


def test_a_set_its_matrix_and_its_judgements(browser: Browser, demo: Served) -> None:
    chosen = demo.api("rows", table="sets", where=[["n_responses", "is", 2], ["status", "is", "kept"]], limit=5)[
        "rows"
    ][0]
    found = demo.api("set", id=chosen["set_id"])
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        went(tab, f"#/set/{chosen['set_id']}")
        settled(tab, chosen["set_id"][:12])
        assert tab.value("document.querySelectorAll('.response').length") == 2
        assert tab.value("document.querySelectorAll('tr[data-trajectory]').length") == len(found["samples"]) > 0
        sample = next(one for one in found["samples"] if one["scores"] and one["order"] == [1, 0])
        row = f"tr[data-trajectory='{sample['trajectory_id']}']"
        scores = (
            f"[...document.querySelectorAll(\"{row} .score\")].map((one) => Number(one.textContent.replace('▲', '')))"
        )
        assert tab.value(scores) == sample["scores"], "in the order of the set"
        tab.press("i")
        assert tab.value(scores) == sample["scores"][::-1], "in the order as shown"
        tab.press("d", "Enter")
        tab.until("location.hash.startsWith('#/trajectory/')")
        tab.until("document.querySelector('.why .sentence')?.textContent.length > 10")
        assert tab.faults == []


def test_a_review_by_keyboard_is_stored_under_the_root(browser: Browser, demo_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(demo_root, tmp_path / "data"))
    with served(root, "demo") as running, browser.tab(running.address) as tab:
        settled(tab, "demo@")
        went(tab, "#/review?n=6")
        settled(tab, "Review")
        hidden = tab.value("document.getElementById('item').textContent")
        assert "label" not in hidden and "judge" not in hidden, "it shows only after the choice"
        tab.press("n")
        tab.page.keyboard.type("Ann")
        tab.press("Enter", "Escape")
        for _ in range(6):
            tab.press("1", "j")
        assert "6 answered · all done" in tab.shown("#count") and "After your choice" in tab.shown("#reveal")
        tab.press("s")
        tab.until("document.getElementById('notice').textContent.length > 0")
        assert tab.faults == []
        reviews = every_review(Root(root))
        assert reviews["choice"].count() == 6 and reviews["reviewer"].n_unique() == 1


@pytest.mark.slow
def test_what_changed_between_two_versions_down_to_the_row(browser: Browser, demo_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(demo_root, tmp_path / "data"))
    (tmp_path / "demo").symlink_to(REPOSITORY / "recipes/demo")
    recipe = (REPOSITORY / "recipes/demo.toml").read_text("utf-8") + "\n[rejection]\ndrop_too_easy = false\n"
    (tmp_path / "demo.toml").write_text(recipe, "utf-8")
    assert grmforge("build", "demo.toml", cwd=tmp_path).code == 0
    with served(root, "demo") as running, browser.tab(running.address) as tab:
        settled(tab, "demo@")
        tab.press("g", "v")
        tab.until("document.querySelector('.lines')?.textContent.includes('trajectories/accepted')")
        tab.page.click("a.chip >> text=/^changed/")
        tab.until("document.querySelector('.chip[aria-current]')?.textContent.startsWith('changed')")
        tab.until("document.querySelector('main')?.textContent.includes('too_easy')")
        tab.press("j")
        tab.press("Enter")
        tab.until("location.hash.startsWith('#/trajectory/')")
        settled(tab, "Trajectory")
        assert "accepted" in tab.shown(".why .pills")
        tab.press("g", "v")
        tab.until("document.querySelector('main a.chip') !== null")
        tab.page.click("a.chip >> text=/^removed/")
        tab.until("/^removed/.test(document.querySelector('.chip[aria-current]')?.textContent ?? '')")
        tab.until("document.querySelector('main .part tbody td:nth-child(2)')?.textContent === 'rft'")
        tab.press("j", "Enter")
        settled(tab, "Rows of rft")
        assert counted(tab) == 1, "a row that went is shown in the version that has it"
        shutil.rmtree(min(path for path in (root / "snapshots/demo").iterdir() if path.is_dir()))
        tab.press("g", "h")
        tab.until("document.querySelectorAll('main tbody tr').length === 2")
        assert tab.faults == []


def test_curves_of_an_evaluation_and_the_way_to_its_items(browser: Browser, demo_root: Path) -> None:
    with served(demo_root, "demo-grm") as running, browser.tab(running.address) as tab:
        settled(tab, "demo-grm@")
        tab.until("document.querySelectorAll('.curve polygon').length >= 2")
        assert "voting" in tab.shown(".curves")
        tab.page.click("a.chip >> text=its items")
        settled(tab, "Rows of items")
        assert counted(tab) == 60
        tab.press("j", "Enter")
        tab.until("document.querySelectorAll('.peek .response').length === 2")
        assert "mean score" in tab.shown(".peek")
        tab.page.click("#views >> text=Versions")
        settled(tab, "Versions")
        assert "simulated-grm" in tab.shown("main table")
        tab.page.click("#views >> text=Failures")
        settled(tab, "Failures together")
        tab.until("[...document.querySelectorAll('.group .text')].some((text) => text.scrollTop > 0)")
        assert tab.faults == []


def test_a_million_rows_scroll_and_only_pages_in_sight_are_asked_for(browser: Browser, demo: Served) -> None:
    made = """(() => {
      window.pages = [];
      const nothing = () => {};
      const fetchPage = async (page) => {
        window.pages.push(page);
        return Array.from({ length: 100 }, (_, at) => ({ n: page * 100 + at }));
      };
      const columns = [{ name: "n", title: "n", width: "10rem", cell: (value) => String(value) }];
      const table = virtualTable({ label: "many", columns, fetchPage, rowId: (row) => row.n, sort: {},
        onSort: nothing, onSelect: nothing, onOpen: nothing, failed: nothing });
      table.node.style.height = "500px";
      document.querySelector("main").replaceChildren(table.node);
      table.setTotal(1000000);
      window.many = table;
    })()"""
    shows = "[...document.querySelectorAll('.row')].map((one) => one.textContent).filter(Boolean)"
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        tab.value(made)
        tab.until(f"{shows}.includes('0')")
        tab.value("many.select(999999)")
        tab.until(f"{shows}.includes('999999')")
        tab.value("many.node.scrollTop = many.node.scrollHeight / 2")
        tab.until(f"{shows}.some((one) => Math.abs(Number(one) - 500000) < 2000)")
        before = tab.value(f"Math.min(...{shows}.map(Number))")
        tab.page.mouse.move(100, 300)
        tab.page.mouse.wheel(0, 340)
        tab.until(f"Math.abs(Math.min(...{shows}.map(Number)) - {before} - 10) <= 1")
        assert tab.value("document.querySelectorAll('.row').length") < 30, "only rows in sight are elements"
        assert len(set(tab.value("pages"))) < 12, "only pages in sight are asked for"
        assert tab.faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_words_can_be_read(browser: Browser, demo: Served, theme: str) -> None:
    """Contrast by WCAG 2, AA: 4.5 for words."""
    ratio = """(([ink, paper]) => {
      const probe = document.body.appendChild(document.createElement("i"));
      const light = (name) => {
        probe.style.color = `var(--${name})`;
        const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255);
        const [red, green, blue] = parts.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      };
      const [a, b] = [light(ink), light(paper)].sort((one, other) => other - one);
      probe.remove();
      return (a + 0.05) / (b + 0.05);
    })"""
    words = ("ink", "soft", "link", "good", "bad", "even", "unread", "other")
    pairs = [(ink, paper) for ink in words for paper in ("page", "card", "sunk")]
    pairs += [("warn", "warn-back"), ("on-accent", "accent"), ("soft", "mark"), ("good", "mark")]
    pairs += [("ink", mark) for mark in ("mark", "verdict", "principle", "critique", "leak", "cut", "sought", "added")]
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        tab.value(f"turnTheme('{theme}')")
        ratios = {pair: tab.value(f"{ratio}({json.dumps(pair)})") for pair in pairs}
    assert {pair: round(found, 2) for pair, found in ratios.items() if found < 4.5} == {}


def test_what_cannot_be_shown_is_said_and_can_be_left(browser: Browser, demo: Served) -> None:
    with browser.tab(demo.address) as tab:
        settled(tab, "demo@")
        for route in (
            "rows/nothing",
            "rows/__proto__",
            "set/none",
            "trajectory/none",
            "nowhere",
            "toString",
            "?v=gone",
        ):
            went(tab, f"#/{route}")
            settled(tab, "This cannot be shown")
            assert len(tab.shown(".sorry p")) > 15
            went(tab, "#/versions")
            settled(tab, "Versions")
        went(tab, "#/rows/trajectories?where=%5B%5B%22outcome")
        assert counted(tab) > 0, "an address that was cut off chooses nothing"
        assert tab.shown("#notice").startswith("The filter in this link cannot be read")
        assert not [fault for fault in tab.faults if "Failed to load resource" not in fault]
