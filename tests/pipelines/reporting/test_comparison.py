"""Comparing versions: what came and went, in a terminal and as Markdown, whatever names say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.reporting.comparing import compare
from pipelines.reporting.comparison import lines_of, markdown_of
from schemas.comparison import Judged, RubricCounts
from storage.snapshots import Snapshot
from tests.pipelines.reporting.small_snapshot import HOSTILE, Small, a_set, an_input, pairs_row, small, trajectory


def published(path: Path, made: Small) -> Snapshot:
    return made.published(path)[0]


def test_equal_versions_differ_in_nothing(tmp_path: Path) -> None:
    one, other = published(tmp_path / "a", small()), published(tmp_path / "b", small())
    found = compare(one, other)
    assert {(table.added, table.gone) for table in found.tables} == {(0, 0)}
    assert {table.table: table.after for table in found.tables} == {
        name: entry.rows for name, entry in other.manifest.tables.items()
    }
    assert found.relabelled == 0
    assert all(change.before == change.after for change in found.inputs)
    assert found.overall.new == Judged()
    assert found.overall.before == found.overall.after == Judged(8, 2, 2)


def test_rows_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    made = small()
    new = a_set("What is a brand new question?")
    made.sets.append(new)
    made.tables["trajectories/accepted"].append(trajectory(new, 0, "correct", None, scores=[2.0, 9.0]))
    made.tables["pairs/train"] += [pairs_row(new), pairs_row(new)]
    del made.tables["meta_rm/train"][0]
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    tables = {one.table: (one.added, one.gone) for one in found.tables}
    assert tables["sets/kept"] == (1, 0)
    assert tables["pairs/train"] == (2, 0)
    assert tables["trajectories/accepted"] == (1, 0)
    assert tables["meta_rm/train"] == (0, 1)
    assert tables["rft/train"] == (0, 0)
    (source,) = found.acceptance
    assert (source.after, source.new) == (Judged(9, 3, 3), Judged(1, 1, 1))
    correct = next(one for one in found.outcomes if one.outcome == "correct")
    assert (correct.before, correct.of_before, correct.after, correct.of_after) == (4, 8, 5, 9)


def test_a_table_that_is_new_or_gone_has_all_its_rows_there(tmp_path: Path) -> None:
    made = small()
    del made.tables["rl/train"]
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    (gone,) = [one for one in found.tables if one.table == "rl/train"]
    assert (gone.before, gone.after, gone.added, gone.gone) == (2, 0, 0, 2)
    back = compare(published(tmp_path / "c", made), published(tmp_path / "d", small()))
    (new,) = [one for one in back.tables if one.table == "rl/train"]
    assert (new.added, new.gone) == (2, 0)


def test_a_set_with_another_best_response_is_counted(tmp_path: Path) -> None:
    made = small()
    made.sets[0] = replace(made.sets[0], best=1 - (made.sets[0].best or 0))
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    assert found.relabelled == 1
    assert "1 kept sets have another best response" in lines_of(found)[-1]


def test_given_criteria_are_counted_among_sets_that_could_have_some(tmp_path: Path) -> None:
    made = small()
    made.sets[0] = replace(made.sets[0], given_ids=("a", "b"), given_principles="- a")
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    (given,) = found.given
    assert (given.before, given.of_before, given.after, given.of_after) == (0, 2, 1, 2)
    assert any("50.0% of 2 sets" in line for line in lines_of(found))
    assert compare(published(tmp_path / "c", small()), published(tmp_path / "d", small())).given == ()


def a_rubric(number: int, hit_rates: list[tuple[float, str | None]], drop_reason: str | None = None) -> dict[str, Any]:
    criteria = [
        {"criterion_id": f"c{at}", "hit_rate": rate, "drop_reason": why} for at, (rate, why) in enumerate(hit_rates)
    ]
    return {"rubric_id": f"r{number}", "source": "telecom", "criteria": criteria, "drop_reason": drop_reason}


def test_rubrics_are_counted_with_what_is_met_of_them(tmp_path: Path) -> None:
    made = small()
    made.tables["rubrics/made"] = [
        a_rubric(0, [(0.5, None), (0.7, None), (1.0, "met_by_all")]),
        a_rubric(1, [(0.9, None)], drop_reason="inconsistent"),
    ]
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    (change,) = found.rubrics
    assert change.before == RubricCounts()
    assert (change.after.made, change.after.kept, change.after.hit_rate) == (2, 1, pytest.approx(0.6))
    assert any("1 kept of 2, criteria met by 60.0%" in line for line in lines_of(found))


def test_sources_that_are_new_or_gone_are_said(tmp_path: Path) -> None:
    made = small()
    made.inputs = [an_input("other", rows=9, kept=8, dropped=1, unreadable=0)]
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    assert [(one.source, one.before is None, one.after is None) for one in found.inputs] == [
        ("other", True, False),
        ("telecom", False, True),
    ]
    said = "\n".join(lines_of(found))
    assert "new: sha256:01234567" in said
    assert "gone: sha256:01234567" in said


def test_what_roles_took_is_summed(tmp_path: Path) -> None:
    made = small()
    grm = made.models[0]
    made.models = [
        grm.model_copy(update={"requests": 8, "cached": 6, "cost_usd": 0.5}),
        grm.model_copy(update={"requests": 4, "cached": 4, "cost_usd": 0.25}),
    ]
    (role, gone) = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made)).models
    assert role.after is not None
    assert (role.after.requests, role.after.asked, role.after.failed, role.after.cost_usd) == (12, 2, 2, 0.75)
    assert (gone.role, gone.after) == ("difficulty", None)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    made = small()
    made.inputs = [an_input(HOSTILE, rows=9, kept=8, dropped=1, unreadable=0)]
    made.models = [one.model_copy(update={"model": HOSTILE + "|`x`[a](b)"}) for one in made.models]
    found = compare(published(tmp_path / "a", small()), published(tmp_path / "b", made))
    said = "\n".join(lines_of(found))
    assert "\x1b" not in said
    assert "\\x1b[31m" in said
    page = markdown_of(found)
    assert "\x1b" not in page
    assert "\\<script\\>" in page
    assert "<script>" not in page
    rows = [line for line in page.splitlines() if "difficulty" in line]
    assert all(line.replace("\\|", "").count("|") == 7 for line in rows), "a bar in a name opens no cell"
    assert rows
