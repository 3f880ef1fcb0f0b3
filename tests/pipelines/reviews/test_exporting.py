"""What people are given: a seeded draw, pages that share sets, and files that show no label."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.reviews.drawing import Wanted, drawn
from pipelines.reviews.exporting import page_of, write_files
from schemas.errors import RecipeError, StorageError
from schemas.query import Message
from schemas.suspicion import SuspicionReason
from tests.pipelines.reviews.small_reviews import a_draw, pair, published, single

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> & \u2028 \u202eevil"
SECRETS = ("secret-source", "secret-model", "secret reference", "judge")


def ids(draw, page: int = 0) -> list[str]:
    return [item.preference.set_id for item in draw.pages[page]]


def test_a_draw_is_seeded_and_its_order_says_nothing_of_strata(tmp_path: Path) -> None:
    sets = [pair(number, source="big" if number % 10 else "small") for number in range(200)]
    snapshot = published(tmp_path, sets)
    first, again, other = (a_draw(snapshot, 60, seed=seed) for seed in (1, 1, 2))
    assert ids(first) == ids(again) and first.draw_id == again.draw_id
    assert set(ids(first)) != set(ids(other)) and first.draw_id != other.draw_id
    assert first.sets == 60 and first.kept == 200
    items = first.pages[0]
    weights = {item.preference.source: item.weight for item in items}
    assert sum(item.weight for item in items) == pytest.approx(200) and set(weights) == {"big", "small"}
    halves = [sum(item.preference.source == "small" for item in part) for part in (items[:30], items[30:])]
    assert min(halves) > 0
    shown = {item.preference.set_id: item.order for item in items}
    assert all(item.order == shown.get(item.preference.set_id, item.order) for item in other.pages[0])
    assert len(set(shown.values())) == 2, "the best response stands at either position"


def test_people_share_the_overlap_and_nothing_else(tmp_path: Path) -> None:
    snapshot = published(tmp_path, [pair(number) for number in range(120)])
    draw = a_draw(snapshot, 100, reviewers=2)
    pages = [set(ids(draw, page)) for page in (0, 1)]
    assert draw.shared == 50 and len(pages[0] & pages[1]) == 50 and len(pages[0] | pages[1]) == 100
    assert ids(draw, 0)[:50] == ids(draw, 1)[:50], "what all share comes first"
    assert a_draw(snapshot, 20, reviewers=3).shared == 20
    assert a_draw(snapshot, 100, reviewers=2, overlap=60).shared == 60
    assert a_draw(snapshot, 1_000).sets == 120
    for wrong in ({"overlap": 60}, {"reviewers": 2, "overlap": 101}):
        with pytest.raises(RecipeError, match="--overlap"):
            a_draw(snapshot, 100, **wrong)


def test_sets_are_drawn_by_what_is_known(tmp_path: Path) -> None:
    snapshot = published(tmp_path / "some", [pair(number) for number in range(5)])
    with pytest.raises(RecipeError, match="--by author: sets are drawn by source, reason, suspicion"):
        drawn(snapshot, Wanted(5, ("author",)))
    assert drawn(snapshot, Wanted(5, ("source", "reason", "suspicion"))).sets == 5
    with pytest.raises(StorageError, match="nothing to review"):
        a_draw(published(tmp_path / "none", []))


def test_suspicious_sets_are_drawn_oftener_and_say_so_after_the_choice(tmp_path: Path) -> None:
    reasons = (SuspicionReason.NONE_RIGHT, SuspicionReason.JUDGES_AGREE)
    sets = [replace(pair(number), label_suspicion=0.01, suspicion_reasons=()) for number in range(180)]
    sets += [replace(pair(number), label_suspicion=0.9, suspicion_reasons=reasons) for number in range(180, 200)]
    draw = drawn(published(tmp_path, sets), Wanted(60))
    suspects = [item for item in draw.pages[0] if item.preference.label_suspicion == 0.9]
    assert len(suspects) > 2 * 60 * 20 / 200
    assert sum(item.weight for item in suspects) == pytest.approx(20)
    assert dict(suspects[0].facts)["suspicion"] == "0.90: judges agree on other and none right"
    assert drawn(draw.snapshot, Wanted(60, ("reason",))).sets == 60


def test_no_file_shows_what_is_hidden(tmp_path: Path) -> None:
    sets = [
        pair(number, source="secret-source", model="secret-model", reference="secret reference") for number in range(6)
    ]
    snapshot = published(tmp_path, [*sets, single(1, 1)], judge_is_right=lambda number: True)
    draw = a_draw(snapshot)
    files = {path.name: path.read_text("utf-8") for path in write_files(draw, tmp_path / "out")}
    assert set(files) == {"review-1.html", "review-1.csv", "review-1.tasks.json", "label_studio.xml"}
    for name in ("review-1.csv", "review-1.tasks.json", "label_studio.xml"):
        assert not [word for word in SECRETS if word in files[name]], name
    seen = re.sub(r"<script.*?</script>", "", files["review-1.html"], flags=re.DOTALL)
    assert not [word for word in SECRETS[:3] if word in seen]
    (item,) = (item for item in draw.pages[0] if item.preference.n_responses == 1)
    facts = dict(item.facts)
    assert facts["label"] == "right (said by a human)" and item.label_position is None
    facts = dict(next(item for item in draw.pages[0] if item.preference.n_responses == 2).facts)
    assert facts["source"] == "secret-source" and facts["reference"] == "secret reference"
    assert facts["label"].startswith("response ") and facts["judge grm, judge"].endswith("; readable judgements: 1")
    assert facts["wrote response 1"] == "secret-model"


def test_hostile_texts_stay_texts_everywhere(tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path, [pair(1, texts=(HOSTILE, "=HYPERLINK(1)"), query=(Message("user", HOSTILE),))]))
    files = {path.name: path.read_text("utf-8-sig") for path in write_files(draw, tmp_path / "out")}
    html = files["review-1.html"]
    assert html.count("<script") == 2 and "<img" not in html and "<!--" not in html
    data = re.search(r'<script id="draw" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert data is not None and HOSTILE in json.loads(data[1])["items"][0]["responses"]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None and policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1] and "http" not in html.replace("http-equiv", "")
    rows = list(csv.DictReader(io.StringIO(files["review-1.csv"], newline="")))
    assert rows[0]["question"] == HOSTILE
    assert {rows[0]["response_1"], rows[0]["response_2"]} == {HOSTILE, "'=HYPERLINK(1)"}, "no formula for a spreadsheet"
    (task,) = json.loads(files["review-1.tasks.json"])
    assert task["data"]["question"] == HOSTILE


def test_a_label_studio_project_fits_its_tasks(tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path, [pair(1), single(1, 0)]))
    files = {path.name: path.read_text("utf-8") for path in write_files(draw, tmp_path / "out")}
    config = ElementTree.fromstring(files["label_studio.xml"])
    asked = {element.get("value", "")[1:] for element in config if element.tag != "Header"}
    for task in json.loads(files["review-1.tasks.json"]):
        assert asked <= set(task["data"])
        values = [choice["value"] for choice in task["data"]["choices"]]
        assert values in (["right", "wrong", "cannot tell"], ["response 1", "response 2", "tie", "cannot tell"])


def test_a_conversation_is_shown_turn_by_turn(tmp_path: Path) -> None:
    query = (Message("system", "Be brief."), Message("user", "Which line?"))
    draw = a_draw(published(tmp_path, [pair(1, query=query)]))
    assert draw.pages[0][0].question == (("System", "Be brief."), ("User", "Which line?"))
    assert "Which line?" in page_of(draw, 1)


def test_answers_in_a_spreadsheet_are_not_written_over(tmp_path: Path) -> None:
    draw = a_draw(published(tmp_path, [pair(1)]))
    write_files(draw, tmp_path / "out")
    write_files(draw, tmp_path / "out")
    (tmp_path / "out/review-1.csv").write_text("choice\n1\n", "utf-8")
    with pytest.raises(RecipeError, match=r"review-1\.csv holds something else, perhaps answers"):
        write_files(draw, tmp_path / "out")
    assert (tmp_path / "out/review-1.csv").read_text("utf-8") == "choice\n1\n"


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "out/review-1.csv").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"review-1\.csv: Is a directory"):
        write_files(a_draw(published(tmp_path, [pair(1)])), tmp_path / "out")
