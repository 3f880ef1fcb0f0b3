"""What synthesis holds at a time does not grow with how many questions a source has, nor with what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.question import AnswerForm, Gold, Question
from schemas.record import content_id
from tests.pipelines.synthesis.own_questions import WORDS, a_question, asked, given

FEW, MANY = 9_000, 18_000
"""Questions with an answer of 8 kB each; with fewer, the row groups that are held anyway are not full."""
MOST_MB = 110
"""Held as records, what 9,000 questions say took 270."""

MAKE = """
import sys
from pathlib import Path
from storage.root import Root
from tests.pipelines.synthesis.own_questions import questions_stage
from tests.pipelines.synthesis.test_memory import a_long_one
questions_stage(Root(Path(sys.argv[1])), map(a_long_one, range(int(sys.argv[2]))))
"""
PEAK = """
import resource, sys
from pathlib import Path
from pipelines.synthesis.synthesis import synthesis_job, synthesize
from storage.root import Root
from storage.stages import every_stage
from tests.examples import a_run, simulated
from tests.pipelines.synthesis.own_questions import recipe
root, made = Root(Path(sys.argv[1])), recipe(None, simulated(seed=3), rewrites=1, teacher_samples=1, n_responses=2)
((_, stage),) = every_stage(root, "source-own")
composition = synthesize(synthesis_job(made), root, a_run(made)[0], stage).stage.facts["synthesis"]["composition"]
assert composition["taught"] > 0.05 * stage.rows("questions")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def a_long_one(number: int) -> Question:
    """Return a question with a long answer: one in eight leans on its options, as many need the teacher."""
    right = number + 100 * (number % 8 > 1)
    answers = given((f"{content_id('long', number) * 250}\nThe answer is: \\boxed{{{right}}}", None))
    if number % 8:
        return a_question(number, given=answers)
    gold = Gold(AnswerForm.TEXT, WORDS[0], WORDS)
    return asked(f"Which statement is true about timer {content_id('lean', number)}?", gold, f"{number}", given=answers)


def peak_mb(root: Path, count: int) -> int:
    """Return the peak of a process that neither made the questions nor was forked by one that holds them."""
    subprocess.run([sys.executable, "-c", MAKE, str(root), str(count)], check=True, timeout=600)
    command = [sys.executable, "-c", PEAK, str(root)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600).stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_questions(tmp_path: Path) -> None:
    few, many = peak_mb(tmp_path / "few", FEW), peak_mb(tmp_path / "many", MANY)
    assert many - few < MOST_MB, (few, many)
