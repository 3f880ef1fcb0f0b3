"""The funnel: every row of every source, from first to last."""

from collections import Counter
from pathlib import Path

from pipelines.reporting.accounts import funnel_of, inputs_of
from schemas.preference import Response
from storage.root import Root
from tests.examples import a_recipe, a_set, curate, general_stage, source_stage


def test_rows_are_kept_dropped_or_unreadable_per_source(tmp_path: Path) -> None:
    root = Root(tmp_path)
    names = ("one", "two")
    recipe = a_recipe(sources=[{"kind": "preference_sets", "name": name, "path": "x"} for name in names])
    tied = [Response("a", 1.0), Response("b", 1.0)]
    stages = [
        source_stage(root, [a_set(1, source="one"), a_set(2, source="one", responses=tied)], "one", unreadable=3),
        source_stage(root, [a_set(1, source="two"), a_set(3, source="two")], "two"),
    ]
    general = general_stage(root, [("Hello?", "Hi."), ("Hello?", "Again."), ("Bye?", "Bye.")])
    curated = curate(recipe, root, stages, general)
    inputs = inputs_of(stages, curated)
    assert [(one.source, one.rows, one.kept, one.dropped, one.unreadable) for one in inputs] == [
        ("one", 5, 1, 1, 3),
        ("two", 2, 1, 1, 0),
        ("general", 3, 2, 1, 0),
    ]
    rows = funnel_of(inputs, stages, curated, [{"source": "one", "stage": "rl", "outcome": "kept", "rows": 1}])
    counts = {(row.source, row.stage, row.outcome): row.rows for row in rows}
    assert counts["one", "read", "rows"] == 5
    assert counts["one", "read", "unreadable: broken"] == 3
    assert counts["one", "dropped", "tie"] == counts["two", "dropped", "duplicate"] == 1
    assert counts["general", "dropped", "duplicate"] == 1
    assert counts["one", "rl", "kept"] == 1
    totals = Counter[str]()
    for row in rows:
        totals[row.source] += row.rows if row.stage in ("kept", "dropped") else 0
    assert totals == {one.source: one.kept + one.dropped for one in inputs}
    assert next(row.stage for row in rows) == "read"


def test_without_general_rows_there_is_no_such_input(tmp_path: Path) -> None:
    root = Root(tmp_path)
    stage = source_stage(root, [a_set(1)])
    curated = curate(a_recipe(), root, [stage], None)
    assert [one.source for one in inputs_of([stage], curated)] == ["own"]
