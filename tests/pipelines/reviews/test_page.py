"""The page in a real Chromium, by keyboard alone: what shows, what stays hidden, and what is saved."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.reviews.drawing import Draw
from pipelines.reviews.exporting import write_files
from pipelines.reviews.importing import import_reviews
from schemas.preference import Response
from schemas.query import Message
from tests.browser import Browser, Tab, chromium, needs_browser
from tests.pipelines.reviews.small_reviews import a_draw, pair, published, saved, single

pytestmark = needs_browser
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> <!-- &amp;"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def pages(draw: Draw, folder: Path) -> list[Path]:
    return [path for path in write_files(draw, folder) if path.suffix == ".html"]


def answered(tab: Tab) -> str:
    return tab.shown("#count").partition(" · ")[2]


def test_twenty_sets_by_keyboard_alone_saved_imported_and_kappa_by_hand(browser: Browser, tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path / "root", [pair(number) for number in range(20)]), 20, reviewers=2)
    keys = ("11111111112222222222", "11111111221112222222")  # 15 of 20 the same
    files = []
    for page, choices in zip(pages(draw, tmp_path / "out"), keys, strict=True):
        with browser.tab(page) as tab:
            for key in choices:
                tab.press(key, "j")
            assert "20 answered · all done" in tab.shown("#count")
            files.append(tab.saved(tmp_path / "saved", "s"))
            assert tab.faults == []
    done = import_reviews(draw.snapshot.root, files)
    assert done.reviews == 40 and done.agreement["people"]["reviewers"] == 2
    (both,) = done.agreement["people"]["pairs"]
    same, by_chance = 15 / 20, 10 / 20 * 11 / 20 + 10 / 20 * 9 / 20
    assert sum(first == second for first, second in zip(*keys, strict=True)) == 15 and Counter(keys[1])["1"] == 11
    assert both["raw"]["same"] == same
    assert both["raw"]["kappa"] == round((same - by_chance) / (1 - by_chance), 4) == 0.5


def test_what_is_hidden_shows_after_the_choice(browser: Browser, tmp_path: Path) -> None:
    secret = {"source": "secretsource", "model": "secretmodel", "reference": "secretreference"}
    sets = [pair(number, **secret) for number in range(3)]
    draw = a_draw(published(tmp_path / "root", sets, judge_is_right=lambda number: True))
    (page,) = pages(draw, tmp_path / "out")
    with browser.tab(page) as tab:
        hidden = ("secretsource", "secretmodel", "secretreference", "the label", "judge")
        outside_data = "[...document.querySelectorAll('header, main, footer')].map((one) => one.outerHTML).join(' ')"
        assert not [word for word in hidden if word in tab.value(outside_data).lower()]
        tab.press("2")
        shown = tab.shown().lower()
        assert not [word for word in hidden if word not in shown]
        tab.press("u")
        assert not [word for word in hidden if word in tab.value(outside_data).lower()], "taken back: hidden again"
        tab.press("1", "j")
        assert not [word for word in hidden if word in tab.value(outside_data).lower()], "the next set hides its own"
        assert answered(tab) == "1 answered"


def test_every_choice_and_every_key(browser: Browser, tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path / "root", [*(pair(number) for number in range(4)), single(1, 1), single(2, 0)]))
    (page,) = pages(draw, tmp_path / "out")
    with browser.tab(page) as tab:
        for item in draw.pages[0]:
            if item.preference.n_responses == 1:
                assert tab.shown("#choices").split() == ["1", "right", "2", "wrong", "c", "cannot", "tell"]
                tab.press("t", "3")
                assert tab.value("document.querySelectorAll('[aria-pressed=true]').length") == 0
                tab.press("2", "j")
            else:
                tab.press("t", "j")
        assert "6 answered" in answered(tab)
        tab.press("u", "u")
        assert answered(tab) == "4 answered"
        tab.press("f", "c", "?")
        assert tab.value("document.getElementById('keys').open") and "Esc closes it" in tab.shown("#keys")
        tab.press("1", "Escape", "n", "A", "n", "n", "1", "Enter", "k", "k", "k", "k", "k")
        assert tab.shown("#count").startswith("set 1 of 6") and answered(tab) == "5 answered"
        assert tab.value("document.getElementById('name').value") == "Ann1"
        saved_file = json.loads(tab.saved(tmp_path / "saved", "s").read_text("utf-8"))
        assert saved_file["reviewer"] == "Ann1" and saved_file["draw_id"] == draw.draw_id
        counts = Counter(answer["choice"] for answer in saved_file["answers"])
        assert sum(counts.values()) == 6 and counts[None] == 1 and counts["cannot_tell"] == 1
        assert [answer["after_label"] for answer in saved_file["answers"]].count(True) == 1, "of the set chosen anew"
        assert tab.asked == {page.as_uri()}, "no request to any host"
        assert tab.faults == []


def test_two_tabs_never_overwrite_each_other(browser: Browser, tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path / "root", [pair(number) for number in range(5)]))
    (page,) = pages(draw, tmp_path / "out")
    for _ in range(10):
        with browser.context() as context:
            first, second = Tab(context, page.as_uri()), Tab(context, page.as_uri())
            first.press("1", "j", "1")
            second.press("j", "j", "2", "j", "2")
            if not share_a_storage(first, second):
                continue
            for tab in (first, second):
                tab.until("document.getElementById('count').textContent.endsWith(' · 4 answered')")
            second.press("k", "k", "2")
            first.until("document.querySelector('[aria-pressed=true]')?.textContent.includes('response 2')")
            first.close()
            third = Tab(context, page.as_uri())
            assert answered(third) == "4 answered", "the first one left"
            assert third.shown("#count").startswith("set 5 of 5")
            assert second.faults == third.faults == []
            return
    pytest.fail("in ten new contexts the browser never gave two tabs one storage")


def share_a_storage(first: Tab, second: Tab) -> bool:
    """Say whether two tabs see the same keys. A busy Chromium gives the tabs of a new context a storage each, now and
    then, and forgets one of them: no page can mend that.
    """
    until = time.monotonic() + 10
    while time.monotonic() < until:
        keys = [tab.value("Object.keys(localStorage).sort().join()") for tab in (first, second)]
        if keys[0] == keys[1]:
            return True
        time.sleep(0.05)
    return False


def test_a_saved_file_is_opened_again_and_another_draws_is_refused(browser: Browser, tmp_path: Path) -> None:
    snapshot = published(tmp_path / "root", [pair(number) for number in range(5)])
    draw, other = a_draw(snapshot, 5), a_draw(snapshot, 4)
    (page,) = pages(draw, tmp_path / "out")
    with browser.tab(page) as tab:

        def opened(name: str, text: str) -> str:
            """Give the page a file, as the browser's own dialog would; return what it says."""
            (tmp_path / name).write_text(text, "utf-8")
            tab.page.set_input_files("#file", tmp_path / name)
            tab.until(f"document.getElementById('notice').textContent.includes({json.dumps(name)})")
            return tab.shown("#notice")

        assert "of another draw" in opened("a.json", json.dumps(saved(other, lambda item: 1)))
        assert "no saved answers can be read" in opened("b.json", "{")
        assert "not a file of saved answers" in opened("c.json", "[1]")
        assert answered(tab) == "0 answered"
        tree = saved(draw, lambda item: 2)
        tree["answers"][0]["choice"] = "<b>"
        assert "opened; 1 answers are of no set of this page" in opened("d.json", json.dumps(tree))
        assert answered(tab) == "4 answered" and tab.value("document.getElementById('name').value") == "Ann Smith"
        others = json.dumps(saved(draw, lambda item: 1, reviewer="Bob"))
        assert "these answers are of Bob, not of Ann Smith" in opened("e.json", others)
        assert answered(tab) == "4 answered"


def test_hostile_texts_and_tool_turns_are_text(browser: Browser, tmp_path: Path) -> None:
    turns = [
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "look_up", "arguments": '{"line": 7}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": HOSTILE},
        {"role": "assistant", "content": "Restart it."},
    ]
    query = (Message("system", HOSTILE), Message("user", "Why is the line down?"))
    run = Response("", 1.0, turns=json.dumps(turns), model=HOSTILE)
    one = pair(1, query=query, reference=HOSTILE, responses=[run, Response(HOSTILE, 0.0, model=HOSTILE)])
    (page,) = pages(a_draw(published(tmp_path / "root", [one])), tmp_path / "out")
    with browser.tab(page) as tab:
        tab.press("1")
        text = tab.shown()
        assert text.count("document.title='taken'") >= 8, "each text is there as it is"
        assert "Assistant calls: look_up" in text and "Tool (look_up): </script>" in text
        assert "taken" not in tab.value("document.title") and tab.value("document.images.length") == 0
        assert tab.value("document.scripts.length") == 2 and tab.asked == {page.as_uri()} and tab.faults == []


@pytest.mark.parametrize(("width", "dark"), [(1_400, False), (380, True)])
def test_it_fits_narrow_and_wide_light_and_dark(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    long = pair(1, texts=("word " * 20_000, "x" * 3_000))
    (page,) = pages(a_draw(published(tmp_path / "root", [long])), tmp_path / "out")
    with browser.tab(page, width, 800, dark=dark) as tab:
        assert tab.value("document.documentElement.scrollWidth") <= width, "nothing reaches beyond the window"
        heights = tab.value("[...document.querySelectorAll('.text')].map((one) => one.clientHeight)")
        assert max(heights) <= 0.6 * 800, "a long text scrolls by itself"
        brightness = "getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).reduce((sum, one) => sum + +one, 0)"
        back, ink = (tab.value(brightness.format(name)) for name in ("backgroundColor", "color"))
        assert (back < ink) is dark
        columns = tab.value(
            "new Set([...document.querySelectorAll('.responses > *')].map((one) => one.offsetLeft)).size"
        )
        assert columns == (1 if width < 500 else 2)
