"""The event log: whole lines as they happen, readable after a kill, and never a reason for a run to end."""

import json
from pathlib import Path

from storage.root import Root
from storage.run_events import RunEvents, read_events, run_ids


def test_an_event_is_a_line_with_its_time_and_is_there_at_once(tmp_path: Path) -> None:
    events = RunEvents(Root(tmp_path), "20260101T000000-aa")
    events.write("stage_began", stage="curating", wanted=None)
    (line,) = (tmp_path / "runs/20260101T000000-aa.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert event.pop("at").endswith("Z")
    assert event == {"event": "stage_began", "stage": "curating", "wanted": None}
    events.close()
    events.write("late")  # a closed log takes nothing, and says nothing
    assert len(list(read_events(Root(tmp_path), "20260101T000000-aa"))) == 1


def test_a_line_that_a_kill_left_half_is_passed_over(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("runs/r.jsonl", b'{"event":"a"}\n[1]\n{"event":"b","x')
    assert list(read_events(root, "r")) == [{"event": "a"}]


def test_runs_are_listed_latest_first(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert run_ids(root) == []
    for name in ("20260102T000000-aa", "20260101T000000-bb"):
        root.write(f"runs/{name}.jsonl", b"")
    assert run_ids(root) == ["20260102T000000-aa", "20260101T000000-bb"]


def test_a_disk_that_refuses_ends_the_log_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/r.jsonl").symlink_to("/dev/full")
    events = RunEvents(Root(tmp_path), "r")
    events.write("first")
    events.write("second")
    events.close()
