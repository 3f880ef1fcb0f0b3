"""MATH: 12,500 competition problems with worked solutions, 7,500 to train and 5,000 to test (arXiv 2103.03874).

    {"problem": "Find $x$ such that $\\\\lceil x \\\\rceil + x = \\\\dfrac{23}{7}$.", "level": "Level 4",
     "type": "Algebra", "solution": "First, we note that .. is $1+\\\\dfrac{2}{7}=\\\\boxed{\\\\dfrac{9}{7}}$."}

Hub id `EleutherAI/hendrycks_math`, licence MIT, seven folders by subject with one Parquet file for each split. JSONL
with further columns is read too, such as `answer`, and `subject` for `type`. The traps:

* the gold answer is inside the solution: the last `\\boxed{..}`, whose braces nest; `\\boxed 5` and `\\fbox` occur;
* two train rows box nothing at all (`no_answer`);
* seventeen of 8,682 solutions end with "$\\boxed{2}$ and $\\boxed{-3}$": the last alone is no gold (`several_golds`);
* the test split is the benchmark, MATH-500 in it: files whose name says `test` stay test. A row's own `unique_id`
  says nothing: in the published copies of the train rows it begins with test/ as well.

The reference is the gold answer and then the worked solution: a judge who has to name the first wrong step of another
way there needs the steps, and the answer stands first so that a right answer by another way is not marked down for it.
"""

import re
from collections.abc import Iterator
from functools import partial

from pipelines.sources.boxes import boxes_several, last_boxed
from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import RowError, filled_text, optional_text
from schemas.preference import DropReason, Split, UnreadableRow
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import Math
from schemas.record import is_blank

HUB = "EleutherAI/hendrycks_math"
PATTERNS = ("*.parquet", "*.jsonl", "*.jsonl.gz")
LICENSE = "MIT"
DOMAIN = "math"

_TEST = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)


def read(section: Math, files: SourceFiles) -> Iterator[Question | UnreadableRow]:
    """Return a question or an unreadable row for each problem."""
    return records_of(files, partial(_question_of, section, files))


def _question_of(section: Math, files: SourceFiles, location: str, row: Row) -> Question:
    problem = filled_text(row.get("problem"), "problem").strip()
    solution = (optional_text(row.get("solution"), "solution") or "").strip()
    answer = last_boxed(solution) or (optional_text(row.get("answer"), "answer") or "").strip()
    if is_blank(answer):
        raise RowError("no_answer", f"the {'solution boxes' if solution else 'row has'} no answer")
    is_test = _TEST.search(location.rpartition(":")[0]) is not None
    return question(
        query=user(problem),
        gold=Gold(AnswerForm.MATH, answer),
        source=section.kind,
        source_id=location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        reference=f"{answer}\n\n{solution}".rstrip(),
        benchmark=is_test,
        split=Split.TEST if is_test else None,
        drop_reason=DropReason.SEVERAL_GOLDS if boxes_several(solution) else None,
    )
