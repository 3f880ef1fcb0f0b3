"""`grmforge conform` as a user runs it: exit codes, JSON, and what cannot be tried."""

import json
import socket
from pathlib import Path

import pytest

from pipelines.judging.rewards_file import rewards_source
from tests.end_to_end.commands import REPOSITORY, grmforge

NAIVE = REPOSITORY / "recipes/naive_grader.py"


def test_rewards_py_conforms_as_a_rule_and_the_naive_grader_does_not(tmp_path: Path) -> None:
    (tmp_path / "rewards.py").write_text(rewards_source(), "utf-8")
    done = grmforge("conform", tmp_path / "rewards.py", "--kind", "rule")
    assert (done.code, done.errors) == (0, [])
    assert "conforms as a rule (verl); passed: 53" in done.out
    done = grmforge("conform", NAIVE, "--kind", "rule", "--door", "judge", "--json")
    assert (done.code, done.errors) == (1, [])
    page = json.loads(done.out)
    assert (page["conforms"], page["kind"], page["door"]) == (False, "rule", "judge")
    assert {case["finding"] for case in page["cases"]} == {"a failure became a number", "no reward where one is due"}
    assert page["cases"][-1]["rewards"] == [0.0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["absent.py"], "absent.py is neither an address (http://..) nor a file"),
        ([NAIVE, "--verdict", "x"], "--verdict 'x' does not say where the scores stand: write {scores} there"),
        ([NAIVE, "--kind", "rule"], "there is no function compute_score in it; say --function NAME, and --door DOOR"),
        ([NAIVE, "--function", "f"], "there is no function f in it"),
        ([NAIVE, "--door", "compare"], "compare is a door of services"),
        ([NAIVE, "--start", "x"], "--start starts a service: give the address"),
        (["http://127.0.0.1:9", "--door", "verl"], "verl calls a function, not an address"),
        (["http://127.0.0.1:9", "--door", "nemo"], "nemo"),
        ([NAIVE, "--patience", "0"], "0"),
    ],
)
def test_what_cannot_be_tried_is_one_line(arguments: list[str | Path], error: str, tmp_path: Path) -> None:
    done = grmforge("conform", *arguments, cwd=tmp_path)
    assert done.code == 2
    assert len(done.errors) == 1 and error in done.errors[0], done.err


def test_a_file_that_cannot_be_loaded_and_a_port_in_use_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import absent_package\n")
    done = grmforge("conform", tmp_path / "broken.py")
    assert done.code == 2 and "cannot be tried: ModuleNotFoundError: No module named 'absent_package'" in done.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = grmforge("conform", "http://127.0.0.1:9", "--judge-port", str(taken.getsockname()[1]))
    assert done.code == 2 and "name another --judge-port" in done.err
