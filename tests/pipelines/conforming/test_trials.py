"""Whole trials: graders after the ways of published ones are found out, honest ones conform, by every door."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from pipelines.conforming.calls import Door, Kind
from pipelines.conforming.cases import Expects
from pipelines.conforming.findings import Finding, Tried
from pipelines.conforming.report import conforms, json_of, lines_of
from pipelines.conforming.trial import Trial, tried
from pipelines.judging.rewards_file import rewards_source
from schemas.errors import RecipeError
from tests.end_to_end.commands import REPOSITORY

GRADERS = Path(__file__).with_name("graders")
NAIVE = str(REPOSITORY / "recipes/naive_grader.py")
pytestmark = pytest.mark.slow


def try_it(target: str | Path, kind: Kind, door: Door, **settings: object) -> tuple[Trial, list[Tried]]:
    settings.setdefault("patience_s", 60.0)  # the machine may be busy with other tests
    trial = Trial(str(target), kind, door, environment=os.environ, **settings)  # type: ignore[arg-type]  # as the test says
    return trial, asyncio.run(tried(trial, lambda line: None))


def faults(found: list[Tried]) -> list[tuple[str, str, str]]:
    return [(one.case.name, one.finding, one.came) for one in found if one.finding is not Finding.PASSED]


@pytest.mark.parametrize("door", [Door.VERL, Door.TRL, Door.OPENRLHF, Door.SLIME])
def test_rewards_py_conforms_as_a_rule(door: Door, tmp_path: Path) -> None:
    (tmp_path / "rewards.py").write_text(rewards_source(), "utf-8")
    _, found = try_it(tmp_path / "rewards.py", Kind.RULE, door)
    assert faults(found) == []
    assert len(found) > 40


@pytest.mark.parametrize(
    ("name", "door", "function", "number"),
    [("three", Door.JUDGE, "", 3.0), ("zero", Door.VERL, "", 0.0), ("quarter", Door.TRL, "rating", 0.25)],
)
def test_graders_after_the_ways_of_published_ones_are_found_out(
    name: str, door: Door, function: str, number: float
) -> None:
    trial, found = try_it(GRADERS / f"{name}.py", Kind.JUDGE, door, function=function)
    by_name = {one.case.name: one for one in found}
    assert by_name["a plain judgement"].finding is Finding.PASSED, "it works, as long as nothing fails"
    for case in ("no verdict", "429, then 500 for ever", "half of a body", "no reply, ever"):
        assert (by_name[case].finding, by_name[case].numbers) == (Finding.NUMBER, [number, number])
    became = [one for one in found if one.finding is Finding.NUMBER and set(one.numbers) == {number}]
    assert len(became) >= 20
    assert not conforms(found)
    page = "\n".join(lines_of(trial, found))
    assert "does not conform as a judge" in page
    assert f"failures became {number:g} (" in page


def test_the_naive_grader_is_of_neither_kind() -> None:
    trial, found = try_it(NAIVE, Kind.JUDGE, Door.JUDGE, patience_s=15)
    by_name = {one.case.name: one for one in found}
    assert by_name["no reply, ever"].finding is by_name["a byte now and then"].finding is Finding.BLOCKED
    assert by_name["a printed verdict, quoted, and no other"].finding is Finding.ATTACK
    assert sum(one.finding is Finding.NUMBER for one in found) >= 40
    assert json_of(trial, found)["counts"]["blocked too long"] >= 2
    _, found = try_it(NAIVE, Kind.RULE, Door.JUDGE)
    assert {one.finding for one in found} == {Finding.NUMBER, Finding.MISSED}


@pytest.mark.parametrize("door", [Door.JUDGE, Door.OPENRLHF, Door.SLIME, Door.VERL])
def test_an_honest_grader_conforms_by_every_door_of_a_file(door: Door) -> None:
    _, found = try_it(GRADERS / "honest.py", Kind.JUDGE, door)
    assert faults(found) == []
    scored = [one for one in found if one.case.expects is Expects.SCORES]
    assert len(scored) > 10 and all(one.requests >= 1 for one in scored)


@pytest.mark.parametrize("path", ["v1/judge", "openrlhf", "slime", "compare"])
def test_an_honest_service_conforms_by_every_door(path: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"{sys.executable} {GRADERS / 'honest.py'} {port}"
    door = Door(path.rpartition("/")[2])
    _, found = try_it(f"http://127.0.0.1:{port}/{path}", Kind.JUDGE, door, command=command)
    assert faults(found) == []
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", port)) != 0, "the service is stopped at the end"


def test_a_grader_that_dies_or_hangs_takes_nothing_with_it(tmp_path: Path) -> None:
    grader = tmp_path / "dies.py"
    grader.write_text(
        "import os, re\n"
        "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
        "    print('noise on stdout')\n"
        "    if 'sorry' in solution_str: os._exit(7)\n"
        "    if 'NaN' in solution_str: re.match('(a*)*b', 'a' * 40)\n"
        "    if not solution_str: raise KeyError('empty')\n"
        "    return 1.0\n"
    )
    _, found = try_it(grader, Kind.RULE, Door.VERL, patience_s=5)
    by_name = {one.case.name: one for one in found}
    assert by_name["a refusal"].came == "its process ended with exit code 7"
    assert by_name["not a number"].finding is Finding.BLOCKED
    assert by_name["an empty answer"].came == "KeyError: 'empty'"
    assert by_name["both ways"].finding is Finding.ATTACK
    assert by_name["infinity"].numbers == [1.0]


def test_who_never_asks_the_judge_cannot_be_tried(tmp_path: Path) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("def judge(prompt, responses):\n    return [0.5] * len(responses)\n")
    with pytest.raises(RecipeError, match=r"never asked the stand-in judge .* OPENAI_BASE_URL; it gave 0.5, 0.5"):
        try_it(silent, Kind.JUDGE, Door.JUDGE)
    with pytest.raises(RecipeError, match="nobody listens"):
        try_it("http://127.0.0.1:9/v1/judge", Kind.JUDGE, Door.JUDGE, wait_s=0.5)
    with pytest.raises(RecipeError, match="ended with exit code 3: it starts no service"):
        try_it("http://127.0.0.1:9/", Kind.JUDGE, Door.JUDGE, command=f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(RecipeError, match="cannot be run"):
        try_it("http://127.0.0.1:9/", Kind.JUDGE, Door.JUDGE, command=str(tmp_path / "absent"))
