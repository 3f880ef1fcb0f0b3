"""MATH: 12,500 competition problems with worked solutions, 7,500 to train and 5,000 to test (arXiv 2103.03874).

    {"problem": "Find $x$ such that $\\\\lceil x \\\\rceil + x = \\\\dfrac{23}{7}$.", "level": "Level 4",
     "type": "Algebra", "solution": "First, we note that .. is $1+\\\\dfrac{2}{7}=\\\\boxed{\\\\dfrac{9}{7}}$."}

The hub has seven folders by subject with one Parquet file for each split. JSONL with further columns is read too, such
as `answer`. The traps:

* the gold answer is inside the solution: the last `\\boxed{..}`, whose braces nest; `\\boxed 5` and `\\fbox` occur;
* two of the 7,500 train rows box nothing at all: `answer` then, where the row has one, else `no_answer`;
* solutions that end with "$\\boxed{2}$ and $\\boxed{-3}$": the last box alone is no gold answer (`several_golds`: 10 of
  the 5,000 test rows, 7 of the first 3,682 train rows);
* the test split is the benchmark, MATH-500 in it: files whose name says `test` stay test. A row's own `unique_id`
  says nothing: in the published copies of the train rows it begins with test/ as well.

The reference is the gold answer and then the worked solution: a judge who has to name the first wrong step of another
way there needs the steps, and the answer stands first so that a right answer by another way is not marked down for it.
"""

import re

from pipelines.sources.boxes import boxes_several, last_boxed
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, optional_text
from schemas.preference import DropReason, Split
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import SourceSection
from schemas.record import is_blank

_TEST = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)


def _question_of(section: SourceSection, row: Row, origin: Origin) -> Question:
    problem = filled_text(row.get("problem"), "problem").strip()
    solution = (optional_text(row.get("solution"), "solution") or "").strip()
    answer = last_boxed(solution) or (optional_text(row.get("answer"), "answer") or "").strip()
    if is_blank(answer):
        raise RowError("no_answer", f"the {'solution boxes' if solution else 'row has'} no answer")
    is_test = _TEST.search(origin["source_id"].rpartition(":")[0]) is not None
    origin["benchmark"] = is_test
    return question(
        query=user(problem),
        gold=Gold(AnswerForm.MATH, answer),
        reference=f"{answer}\n\n{solution}".rstrip(),
        split=Split.TEST if is_test else None,
        drop_reason=DropReason.SEVERAL_GOLDS if boxes_several(solution) else None,
        **origin,
    )


SOURCE = Source(
    kind="math",
    hub="EleutherAI/hendrycks_math",
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz"),
    license="MIT",
    domain="math",
    benchmark=True,
    signature="math",
    unit="problem",
    rows=12_500,
    gives="questions",
    needs_answers=True,
    make=_question_of,
)
