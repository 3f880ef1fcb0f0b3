"""The report: whole, self-contained, the same each time, and never the data's puppet."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.reporting.report import report_of
from tests.pipelines.reporting.small_snapshot import HOSTILE, a_set, an_input, small, trajectory

VOID = {"meta", "br", "hr", "img", "input", "link"}
OUR_TAGS = {
    "a", "b", "body", "details", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "head", "header", "html",
    "li", "line", "main", "meta", "nav", "p", "pre", "rect", "section", "span", "style", "summary", "svg", "table",
    "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would see: tags in balance, attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_says_what_became_of_every_row(tmp_path: Path) -> None:
    snapshot, stage = small().published(tmp_path)
    page = Page(report_of(snapshot.manifest, stage))
    assert page.open == []
    for said in (
        "small", snapshot.manifest.version, "4 rows", "2 sets", "−1 tie", "−1 unreadable: bad_json", "8 answers",
        "2 (25%)", "−2 incorrect", "−2 truncated", "sets.jsonl:7: no JSON", "p = 1.0e-05", "p = 1.000", "restricted",
        "0.900 → 0.500", "90.0% vs 50.0%", "$1.00", "telecom: leaky",
        "its length (0.70)", "0.71 ± 0.10", "fewer than 40", "1 of 8 requests failed", "the best",
        "too_easy",
        "every sample of the set is correct",
    ):  # fmt: skip
        assert said in page.text, said


def test_is_self_contained(tmp_path: Path) -> None:
    snapshot, stage = small().published(tmp_path)
    html = report_of(snapshot.manifest, stage)
    page = Page(html)
    assert page.tags <= OUR_TAGS
    assert all(link.removeprefix("#") in page.ids for link in page.links)
    assert html.startswith("<!doctype html>\n") and html.endswith("</html>\n")
    assert "default-src 'none'; style-src 'sha256-" in html
    assert "http://" not in html and "https://" not in html and "url(" not in html and "@import" not in html
    assert not {name for name in page.attributes if name.startswith("on")} and "style" not in page.attributes


def test_same_snapshot_same_bytes(tmp_path: Path) -> None:
    snapshot, stage = small().published(tmp_path)
    assert report_of(snapshot.manifest, stage) == report_of(snapshot.manifest, stage)


def test_data_stays_data(tmp_path: Path) -> None:
    made = small(question=HOSTILE, response=HOSTILE)
    made.name = "small"
    made.inputs = [
        an_input(HOSTILE, rows=1, kept=0, dropped=0, unreadable=1, detail=HOSTILE).model_copy(
            update={
                "origin": HOSTILE,
                "license": HOSTILE,
                "revision": HOSTILE,
                "unit": HOSTILE,
                "redistribution": HOSTILE,
            }
        )
    ]
    made.funnel = [(HOSTILE, stage, HOSTILE, 3) for stage in ("dropped", "kept", "rft hinted", "rl")]
    made.checks = {
        "positions": {f"{HOSTILE}/2": {"before": [1, 2], "p_before": 0.5, "after": [1, 2], "p_after": 0.001}},
        "lengths": {HOSTILE: {"best_is_longest": 0.9, "chance": 0.5}},
        HOSTILE: HOSTILE,
    }
    made.recipe = {"build": {"name": HOSTILE, "sets": [HOSTILE]}, HOSTILE: HOSTILE}
    one = a_set(HOSTILE, HOSTILE)
    made.sets.append(one)
    hostile = trajectory(one, 0, "unparsed", HOSTILE, scores=None, text=HOSTILE) | {"model": HOSTILE, "mode": HOSTILE}
    made.tables["trajectories/rejected"] = [hostile]
    made.tables["trajectories/accepted"] = [hostile | {"mode": "hinted", "domain": HOSTILE}]
    snapshot, stage = made.published(tmp_path)
    manifest = snapshot.manifest.model_copy(update={"name": HOSTILE, "version": HOSTILE, "content_hash": HOSTILE})
    html = report_of(manifest, stage)
    page = Page(html)
    assert page.open == [] and page.tags <= OUR_TAGS
    assert "<script" not in html and "&lt;script&gt;" in html
    assert not set(html) & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066"}
    assert "\\x1b[31mred" in page.text and "\\u202eevil" in page.text
    html.encode()


def test_very_long_texts_are_cut_and_say_so(tmp_path: Path) -> None:
    snapshot, stage = small(response="word " * 100_000).published(tmp_path)
    html = report_of(snapshot.manifest, stage)
    assert len(html) < 100_000
    assert "[cut: 500,000 characters in all]" in html


@pytest.mark.parametrize("gone", ["trajectories/accepted", "trajectories/rejected", "sets/kept", "everything"])
def test_missing_tables_and_checks_are_no_error(tmp_path: Path, gone: str) -> None:
    made = small()
    if gone == "everything":
        made.sets, made.tables, made.checks, made.funnel, made.inputs = [], {}, {}, [], []
    elif gone == "sets/kept":
        made.sets = []
    else:
        del made.tables[gone]
    snapshot, stage = made.published(tmp_path)
    assert Page(report_of(snapshot.manifest, stage)).open == []


def test_general_rows_are_mixed_in_not_judged(tmp_path: Path) -> None:
    made = small()
    made.inputs.append(an_input("general", rows=9, kept=9, dropped=0, unreadable=0))
    made.funnel += [("general", "kept", "train", 9), ("general", "rft general", "accepted", 4)]
    made.funnel += [("general", "rft general", "surplus", 5)]
    snapshot, stage = made.published(tmp_path)
    text = Page(report_of(snapshot.manifest, stage)).text
    assert all(said in text for said in ("mixed into rft", "4 rows", "−5 surplus"))


def test_meta_rm_is_spoken_of_where_it_was_asked_for(tmp_path: Path) -> None:
    made = small()
    for sets, spoken_of in ((["rft", "meta_rm"], True), (["rft"], False)):
        made.recipe = {"build": {"sets": sets}}
        snapshot, stage = made.published(tmp_path / str(spoken_of))
        assert ("Meta RM" in Page(report_of(snapshot.manifest, stage)).text) is spoken_of
