"""The views: an overview whose counts are those of its rows, sets, trajectories, failures, changes, reviews."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.reviews.drawing import Wanted, drawn
from pipelines.reviews.exporting import page_data
from schemas.trajectory import READABLE, Outcome
from storage.reviews import every_review
from storage.root import Root
from storage.snapshots import Snapshot, find_snapshot
from tests.pipelines.exploring.hostile import MANY, hostile_sets
from tests.pipelines.exploring.served import Served, served
from tests.pipelines.reporting.small_snapshot import a_set, small, trajectory


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[Served]:
    with served(demo_root, "demo") as running:
        yield running


@pytest.fixture(scope="module")
def hostile(hostile_root: Path) -> Iterator[Served]:
    with served(hostile_root, "small") as running:
        yield running


@pytest.fixture(scope="module")
def snapshot(demo_root: Path) -> Snapshot:
    return find_snapshot(Root(demo_root), "demo")


def test_every_count_of_the_overview_is_that_of_the_rows_it_leads_to(demo: Served) -> None:
    overview = demo.api("overview")
    links = [link for band in overview["funnel"] for link in band["links"]]
    with_rows = [*(link for link in links if link["table"]), *overview["published"], *overview["reasons"]]
    assert len(with_rows) > 40
    for link in with_rows:
        if link.get("to") not in ("too_easy", "label_balance", "label_suspect") or link["table"] != "trajectories":
            found = demo.api("count", table=link["table"], where=link["where"])["total"]
            assert found == link["count"], link
    assert any(link["table"] is None and link["to"] == "unreadable: bad_json" for link in links)


def test_the_overview_holds_what_the_report_shows(demo: Served, snapshot: Snapshot) -> None:
    overview = demo.api("overview")
    report = (snapshot.path / "report.html").read_text("utf-8")
    assert overview["attention"] and all(sentence.split(".")[0][:40] in report for sentence in overview["attention"])
    assert {words for _, words in overview["tiles"]} >= {"rft rows, and 39 for validation"}
    judged = pl.read_parquet([*snapshot.files("trajectories/accepted"), *snapshot.files("trajectories/rejected")])
    assert sum(one["count"] for one in overview["outcomes"]) == judged.height
    by_size: Counter[int] = Counter()
    for one in overview["outcomes"]:
        by_size[one["n_responses"]] += one["count"]
    assert by_size == Counter(judged["order"].list.len().to_list())
    assert {one["outcome"] for one in overview["outcomes"]} == {
        "accepted",
        "left out",
        "incorrect",
        "tied",
        "unreadable",
    }
    tens = sum(one["count"] for one in overview["scores"] if one["score"] == 10 and one["outcome"] == "correct")
    every = pl.concat([judged, pl.read_parquet(snapshot.files("trajectories/difficulty"))])
    assert tens == every.filter(outcome="correct")["scores"].explode().eq(10).sum()
    assert overview["positions"] and overview["lengths"] and overview["cost"]["rows"] and overview["glossary"]
    titles = [part["title"] for part in (*overview["tables"], *overview["sentences"])]
    assert "Sources" in titles and len(set(titles)) == len(titles), "a link says where it leads"
    shown = [name for name in snapshot.manifest.tables if not name.startswith("rft_messages/")]  # rft says the same
    assert [one["name"] for one in overview["published"]] == shown


def test_a_set_stands_with_all_its_samples_in_its_own_order(demo: Served, snapshot: Snapshot) -> None:
    judged = pl.concat(
        [pl.read_parquet(snapshot.files(f"trajectories/{part}")) for part in ("accepted", "rejected", "difficulty")]
    )
    set_id = judged.filter(pl.col("scores").is_not_null())["set_id"][0]
    answer = demo.api("set", id=set_id)
    of_set = judged.filter(set_id=set_id)
    assert [one["trajectory_id"] for one in answer["samples"]] == of_set["trajectory_id"].to_list()
    for sample, row in zip(answer["samples"], of_set.iter_rows(named=True), strict=True):
        if row["scores"]:
            assert [sample["scores"][index] for index in row["order"]] == row["scores"]
    assert [one["best"] for one in answer["responses"]].index(True) == answer["set"]["best"]
    assert answer["query"][-1]["text"] == answer["set"]["query"][-1]["content"]


def test_every_trajectory_says_why_and_its_marks_cover_what_they_say(demo: Served) -> None:
    rows = demo.api("rows", table="trajectories", limit=500, sort="reject_reason", columns="reject_reason")["rows"]
    by_reason = {row["reject_reason"]: row["trajectory_id"] for row in rows}
    for reason, trajectory_id in by_reason.items():
        found = demo.api("trajectory", id=trajectory_id)
        row = found["row"]
        if row["purpose"] != "rft":
            assert found["why"].startswith("Not judged for RFT")
        elif reason is None:
            assert (found["why"][:9], found["else"]) == ("Accepted:", [])
        else:
            assert found["why"].startswith(f"Rejected, {reason}: "), found["why"]
        units = row["text"].encode("utf-16-le") if row["text"] else b""
        for span in found["spans"]:
            words = units[2 * span["start"] : 2 * span["end"]].decode("utf-16-le")
            assert words and words in row["text"]
            if span["kind"] == "critique":
                assert words == row["critique"]
    accepted = next(one["trajectory_id"] for one in demo.api("rows", table="trajectories")["rows"])
    kinds = {span["kind"] for span in demo.api("trajectory", id=accepted)["spans"]}
    assert kinds >= {"verdict", "principle", "critique"}


def test_a_rejected_one_says_what_else_would_have_had_to_hold(tmp_path: Path) -> None:
    one, made = a_set("What carries voice?"), small()
    made.sets, made.recipe = [one], made.recipe | {"grm": {"n_rft": 2}, "rejection": {"drop_too_easy": True}}
    text = "Analysis:\nResponse 2 is right.\n\nScores: \\boxed{1, 4}"
    made.tables = {
        "trajectories/rejected": [
            trajectory(one, 0, "correct", "too_easy", scores=[1.0, 4.0], text=text),
            trajectory(one, 1, "correct", "too_easy", scores=[1.0, 4.0], text=text),
            trajectory(one, 2, "incorrect", "incorrect", scores=[4.0, 1.0], text=text)
            | {"mode": "hinted", "text": f"As the hint says, Response 2 is right. {text}"},
        ]
    }
    made.published(tmp_path)
    with served(tmp_path, "small") as running:
        easy = running.api("trajectory", id=f"{one.set_id}-0")
        assert "too easy" in easy["why"] or "every sample of the set is correct" in easy["why"]
        assert easy["else"][0] == "2 readable samples of the set without a hint (there are 2): this holds"
        wrong = running.api("trajectory", id=f"{one.set_id}-2")
        assert "It gives response 2 as shown, the best, 1, and the highest other 4." in wrong["why"]
        words = {said.split(" (")[0].split(":")[0]: said for said in wrong["else"]}
        assert words["no word of the hint that it was given"].endswith("this would not have held either")
        assert words["a critique that says something of a response"].endswith("this holds")
        assert "too easy (2 of its 2" in " ".join(wrong["else"])
        assert "depends on all rows together" in wrong["else"][-1]


def test_hostile_rows_arrive_as_they_are(hostile: Served) -> None:
    sets = {one.query[0].content: one for one in hostile_sets()}
    rows = hostile.api("rows", table="sets", columns="query,n_responses")["rows"]
    assert len(rows) == len(sets)
    for row in rows:
        found = hostile.api("set", id=row["set_id"])
        assert found["query"][0]["text"] in sets
        assert len(found["responses"]) == row["n_responses"] and len(found["samples"]) == 2
        for sample in found["samples"]:
            whole = hostile.api("trajectory", id=sample["trajectory_id"])
            assert whole["why"].startswith("Rejected, ")
    assert max(row["n_responses"] for row in rows) == MANY


def test_a_conversation_is_told_turn_by_turn(hostile: Served) -> None:
    [row] = hostile.api("rows", table="sets", words="Talk?", in_="query")["rows"]
    talk, broken = sorted(
        (one["conversation"] for one in hostile.api("set", id=row["set_id"])["responses"]), key=len, reverse=True
    )
    assert [turn["role"] for turn in talk] == ["user", "assistant", "tool", "assistant", "?critic"]
    assert (talk[4]["reasoning"], talk[4]["calls"][0]["name"]) == ("?", "?"), "half of a character is none"
    assert talk[1]["calls"] == [{"name": "weather", "arguments": '{"city": "Oslo ?"}'}]
    assert (talk[2]["name"], talk[2]["text"]) == ("weather", "<b>rain</b> ?")
    assert broken == [{"role": "", "text": "[{"}]


def test_failures_stand_together_and_none_is_lost(demo: Served, snapshot: Snapshot) -> None:
    found = demo.api("failures")
    paths = [path for part in ("accepted", "rejected", "difficulty") for path in snapshot.files(f"trajectories/{part}")]
    outcomes = Counter(pl.read_parquet(paths)["outcome"].to_list())
    unreadable = {outcome: count for outcome, count in outcomes.items() if outcome in set(Outcome) - READABLE}
    counted: Counter[str] = Counter()
    for group in found["groups"]:
        counted[group["outcome"]] += group["count"]
        assert len(group["examples"]) == min(20, group["count"])
    assert counted == Counter(unreadable) and found["total"] == sum(unreadable.values())
    assert [group["count"] for group in found["groups"]] == sorted((g["count"] for g in found["groups"]), reverse=True)
    assert found["by"] in ("n-grams", "embedding") and sum(
        group["share"] for group in found["groups"]
    ) == pytest.approx(1)
    one = demo.api("failures", outcome="refused")
    assert {group["outcome"] for group in one["groups"]} == {"refused"}


def test_a_group_says_which_change_would_read_it(tmp_path: Path) -> None:
    made, sets = small(), [a_set(f"What carries voice? ({number})") for number in range(8)]
    made.sets = sets
    hundreds = [f"Analysis:\nResponse 2 is right.\n\nScores: \\boxed{{{20 + n}, {80 + n}}}" for n in range(8)]
    out = {"scores": None, "critique": None}
    points = [f"Analysis:\nResponse 2 is right.\n\nI give {n}, {n + 1} points" for n in range(1, 6)]
    made.tables["trajectories/rejected"] = [
        trajectory(one, sample, outcome, outcome, text=text, **out)
        for sample, (outcome, texts) in enumerate((("out_of_range", hundreds), ("unparsed", points)))
        for one, text in zip(sets, texts, strict=False)
    ]
    made.published(tmp_path)
    with served(tmp_path, "small") as running:
        first, second = running.api("failures")["groups"]
        assert (first["outcome"], first["count"]) == ("out_of_range", 8)
        assert first["advice"].startswith("100% of them would be read with a scale up to 100")
        assert (second["outcome"], second["count"]) == ("unparsed", 5)
        assert second["advice"].startswith("100% of them would be read with a heading `Scores:` before the last line")


def test_a_snapshot_that_nobody_judged_has_no_failures(tmp_path: Path) -> None:
    made = small()
    made.tables = {}
    made.published(tmp_path)
    with served(tmp_path, "small") as running:
        found = running.api("failures")
        assert (found["groups"], found["total"]) == ([], 0)


def test_scores_with_gaps_and_no_numbers_are_told_as_unread(tmp_path: Path) -> None:
    made, one = small(), a_set("What carries voice?")
    made.sets, nan = [one], float("nan")
    odd = [[None, 9.0], [nan, nan], [], [1e300, float("-inf")]]
    made.tables = {
        "trajectories/rejected": [
            trajectory(one, sample, "unparsed", "unparsed", scores=scores)
            for sample, scores in enumerate(odd)  # type: ignore[arg-type]  # odd
        ]
    }
    made.published(tmp_path)
    with served(tmp_path, "small") as running:
        said = [running.api("trajectory", id=f"{one.set_id}-{sample}")["why"] for sample in range(len(odd))]
        assert "No score could be read of it (unparsed)." in said[0] and "No score" in said[2]
        assert len(running.api("set", id=one.set_id)["samples"]) == len(odd)
        assert running.api("overview")["scores"]


def test_what_changed_is_told_down_to_the_row(tmp_path: Path) -> None:
    one, two, three = (a_set(f"question {number}") for number in range(3))
    before, after = small(), small()
    before.name = after.name = "small"
    before.sets, after.sets = [one, two], [one, three]
    before.tables = {"trajectories/rejected": [trajectory(one, 0, "incorrect", "incorrect", scores=[9.0, 1.0])]}
    after.tables = {"trajectories/accepted": [trajectory(one, 0, "correct", None, scores=[1.0, 9.0])]}
    old, _ = before.published(tmp_path / "old")
    new, _ = after.published(tmp_path / "new")
    newer = new.path.with_name("20260102T000000Z-00000001")
    manifest = json.loads((new.path / "manifest.json").read_text()) | {"version": newer.name}
    manifest["recipe"] = manifest["recipe"] | {"rejection": {"drop_too_easy": False}}
    target = old.path.with_name(newer.name)
    new.path.rename(target)
    (target / "manifest.json").write_text(json.dumps(manifest))
    with served(tmp_path / "old", f"small@{newer.name}") as running:
        versions = running.api("versions")["versions"]
        assert [one["version"] for one in versions] == [newer.name, old.manifest.version]
        names = {"old": f"small@{old.manifest.version}", "new": f"small@{newer.name}"}
        found = running.api("changes", **names)
        assert found["counts"] == {"changed": 1, "added": 1, "removed": 1}
        [changed] = running.api("changes", kind="changed", **names)["rows"]
        assert (changed["id"], changed["what"]) == (f"{one.set_id}-0", "outcome, reject_reason, accepted")
        assert (changed["old"], changed["new"]) == ("incorrect, incorrect, false", "correct, –, true")
        added = running.api("changes", kind="added", **names)["rows"]
        assert [(row["table"], row["id"]) for row in added] == [("sets", three.set_id)]
        assert found["summary"][0] == f"{names['old']} -> {names['new']}"
        assert "  rejection.drop_too_easy: (not there) -> false" in found["summary"]
        said = "outcome, reject_reason, accepted: incorrect, incorrect, false -> correct, –, true"
        assert f"  1 of trajectories, {said}" in found["summary"]
        answer = running.asked(f"/api/changes?old=../x&new={names['new']}")
        assert (answer.status, "no version of what is opened" in answer.json["error"]) == (404, True)


def test_an_evaluation_gives_every_figure_with_its_interval(demo_root: Path) -> None:
    with served(demo_root, "demo-grm") as running:
        opened, found = running.api("opened"), running.api("evaluation")
        assert (opened["kind"], set(opened["tables"])) == ("evaluation", {"items", "judgements"})
        assert found["claims"] and found["attention"] and found["tiles"]
        [benchmark, *_] = found["benchmarks"]
        curve = [
            one
            for one in found["figures"]
            if (one["figure"], one["selector"], one["curve"]) == (benchmark["headline"], "voting", "all")
        ]
        assert all(one["low"] <= one["value"] <= one["high"] for one in curve) and len(curve) > 4
        items = running.api("rows", table="items", sort="right_at_max", limit=5)
        assert items["total"] == sum(one["items"] for one in found["benchmarks"])
        assert running.api("failures")["total"] > 0
        [judged] = running.api("rows", table="judgements", where=[["outcome", "is", "readable"]], limit=1)["rows"]
        one = running.api("trajectory", id=judged["_row"])
        assert one["row"]["item_id"] == one["item"]["item_id"] and "highest score; right: response" in one["why"]
        assert {span["kind"] for span in one["spans"]} >= {"verdict", "critique"}
        assert running.asked("/api/review").status == 400
    with served(demo_root, "demo") as running:
        assert running.asked("/api/evaluation").json["error"].endswith("is a snapshot; an evaluation has figures")


def test_a_review_draws_as_the_export_does_and_is_kept_as_by_the_import(tmp_path: Path) -> None:
    made = small()
    made.sets = [a_set(f"question {number}") for number in range(6)]
    made.tables = {}
    snapshot, _ = made.published(tmp_path)
    with served(tmp_path, "small") as running:
        draw = running.api("review", n=4, seed=3)["draw"]
        assert draw == json.loads(json.dumps(page_data(drawn(snapshot, Wanted(4, seed=3)), 1)))
        answers: list[dict[str, Any]] = [
            {name: item[name] for name in ("set_id", "order", "stratum", "stratum_size", "weight")}
            | {"choice": 1, "at": "2026-01-01T00:00:00.000Z", "after_label": False}
            for item in draw["items"]
        ]
        file = {name: draw[name] for name in ("format", "kind", "draw_id", "snapshot", "page", "pages")}
        file |= {"reviewer": "Ann", "browser": "b", "saved_at": "2026-01-01T00:00:00.000Z", "answers": answers}
        body = json.dumps(file).encode()
        for new in (4, 0):
            kept = running.asked("/api/reviews", method="POST", body=body, Content_Type="application/json")
            assert (kept.status, kept.json["reviews"], kept.json["known"]) == (200, new, 4 - new), kept.body
        assert every_review(Root(tmp_path)).height == 4
