"""Many pairs in processes of their own, among them such as hang, explode, or never end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.grading import crew
from pipelines.grading.crew import Limits, grade_all
from pipelines.grading.verification import grade
from schemas.question import AnswerForm, Gold, Grade, Verdict

HALF = Gold(AnswerForm.MATH, r"\frac{1}{2}")
HANGS = r"\boxed{9^{9^{9^9}}}"
SOON = Limits(seconds=1.0)
LITTLE = Limits(memory=300_000_000)
TEXTS = [r"\boxed{0.5}", r"\boxed{1/3}", "no idea", r"\boxed{\frac{2}{4}}", r"\boxed{x}"] * 20

PARENT = """
import sys
from pipelines.grading.crew import Limits, grade_all
from schemas.question import AnswerForm, Gold
half = Gold(AnswerForm.MATH, "1/2")
texts = [r"\\boxed{0.5}"] * 64 + [r"\\boxed{9^{9^{9^9}}}"] * 64
for grade in grade_all(((half, text) for text in texts), workers=2, limits=Limits(seconds=2)):
    print(grade.verdict, flush=True)
"""


def children(pid: int) -> list[int]:
    """The processes that a process started, by its threads; some of these may end meanwhile."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found


def running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process whose two workers are at pairs that hang."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(64):
            assert process.stdout.readline() == "right\n"
        yield process
        process.kill()


def test_the_grades_are_those_of_one_process_in_order_whatever_the_number_of_workers() -> None:
    expected = [grade(HALF, text) for text in TEXTS]
    for workers in (1, 2):
        assert list(grade_all(((HALF, text) for text in TEXTS), workers=workers)) == expected


@pytest.mark.slow
def test_the_next_crew_takes_over_the_workers_that_rest() -> None:
    crew.end_resting()
    before = set(children(os.getpid()))  # servers that other tests share, where this process runs them
    list(grade_all([(HALF, TEXTS[0])], workers=1))
    resting = set(children(os.getpid())) - before
    assert len(resting) == 1
    list(grade_all([(HALF, TEXTS[0])], workers=1))
    assert set(children(os.getpid())) - before == resting
    list(grade_all([(HALF, TEXTS[0])], workers=1, limits=LITTLE))
    assert len(set(children(os.getpid())) - before) == 2, "other limits are another worker's"
    for pid in resting:
        os.kill(pid, signal.SIGKILL)
    wait_until_gone(list(resting), 5)
    assert [one.verdict for one in grade_all([(HALF, TEXTS[0])], workers=1)] == [Verdict.RIGHT]
    list(grade_all(((HALF, text) for text in TEXTS * 4), workers=crew.MOST_RESTING + 2))
    assert len(set(children(os.getpid())) - before) <= crew.MOST_RESTING
    crew.end_resting()
    assert set(children(os.getpid())) <= before


@pytest.mark.slow
def test_pairs_that_hang_are_timed_out_and_the_others_of_their_batch_are_graded() -> None:
    texts = [TEXTS[0], HANGS, TEXTS[1], r"\boxed{" + "(" * 300 + "1" + ")" * 300 + "}", TEXTS[0]]
    verdicts = [one.verdict for one in grade_all(((HALF, text) for text in texts), workers=1, limits=SOON)]
    assert verdicts == [Verdict.RIGHT, Verdict.TIMED_OUT, Verdict.WRONG, Verdict.TIMED_OUT, Verdict.RIGHT]


def test_a_pair_that_takes_too_much_memory_is_timed_out() -> None:
    texts = [TEXTS[0], r"\boxed{0.5}" + " " * 150_000_000, TEXTS[0]]
    verdicts = [one.verdict for one in grade_all(((HALF, text) for text in texts), workers=1, limits=LITTLE)]
    assert verdicts == [Verdict.RIGHT, Verdict.TIMED_OUT, Verdict.RIGHT]


def test_traces_of_200_000_characters_are_graded() -> None:
    long = ["{" * 200_000, "\\boxed{" * 30_000, "blah " * 40_000 + r"\boxed{1/2}", "\\boxed{" + "1+" * 100_000 + "1}"]
    verdicts = [one.verdict for one in grade_all(((HALF, text) for text in long), workers=1)]
    assert verdicts == [Verdict.NO_ANSWER, Verdict.NO_ANSWER, Verdict.RIGHT, Verdict.UNDECIDED]


def test_lone_surrogates_and_line_breaks_of_all_kinds_arrive_as_they_are() -> None:
    texts = ["\ud800 \\boxed{1/2}", "\u2028\x85\r\\boxed{1/2}\x00"]
    assert [one.verdict for one in grade_all((HALF, text) for text in texts)] == [Verdict.RIGHT] * 2


def test_nothing_to_grade_starts_nothing() -> None:
    assert list(grade_all([])) == []


def test_pairs_are_drawn_as_needed_and_workers_end_with_a_reader_that_stops() -> None:
    drawn = []

    def endless() -> Iterator[tuple[Gold, str]]:
        while True:
            drawn.append(1)
            yield HALF, TEXTS[0]

    crew.end_resting()
    before = children(os.getpid())
    grades = grade_all(endless(), workers=1)
    assert next(grades) == Grade(Verdict.RIGHT, "0.5")
    workers = set(children(os.getpid())) - set(before)
    assert workers
    grades.close()  # type: ignore[attr-defined]
    assert len(drawn) < 1_000
    assert not any(running(pid) for pid in workers)


def test_works_beside_threads_and_in_one() -> None:
    found: list[Verdict] = []
    pairs = [(HALF, text) for text in TEXTS]
    threads = [
        threading.Thread(target=lambda: found.extend(one.verdict for one in grade_all(pairs, workers=1)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(Verdict.RIGHT) == 2 * 40


@pytest.mark.slow
def test_a_parent_killed_leaves_no_worker_behind(parent: subprocess.Popen[str]) -> None:
    workers = children(parent.pid)
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    wait_until_gone(workers, 30)


def test_ctrl_c_ends_parent_and_workers_with_one_traceback(parent: subprocess.Popen[str]) -> None:
    workers = children(parent.pid)
    for pid in (*workers, parent.pid):
        os.kill(pid, signal.SIGINT)  # as a terminal does, to the whole group
    _, errors = parent.communicate(timeout=20)
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    wait_until_gone(workers, 5)
