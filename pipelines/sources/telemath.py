"""TeleMath: 500 telecom problems whose answer is a number (arXiv 2506.10674).

    {"question": "A base station transmits 43 dBm .. what is the received power in dBm?", "answer": -61.5,
     "category": "Telecom. Engineering", "tags": ["link budget"], "difficulty": "basic"}

Hub id `netop/TeleMath`, licence MIT, gated: accept its terms on the hub and set HF_TOKEN. JSON (one
list), JSONL and Parquet are read. It is a benchmark. The traps:

* the answer is a bare number, as a number or as text; what unit it has is in the question, if anywhere. So answers are
  compared as numbers, and a unit that a response writes is not held against it;
* a row whose answer is no number is unreadable (`no_answer`);
* answers are rounded somewhere: `tolerance`, relative, says how far off one may be.
"""

from collections.abc import Iterator
from functools import partial

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import RowError, filled_text, number, shown
from schemas.preference import UnreadableRow
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import TeleMath

HUB = "netop/TeleMath"
PATTERNS = ("*.parquet", "*.jsonl", "*.jsonl.gz", "*.json")
LICENSE = "MIT"
DOMAIN = "telecom"


def read(section: TeleMath, files: SourceFiles) -> Iterator[Question | UnreadableRow]:
    """Return a question or an unreadable row for each problem."""
    return records_of(files, partial(_question_of, section, files))


def _question_of(section: TeleMath, files: SourceFiles, location: str, row: Row) -> Question:
    answer = row.get("answer")
    if number(answer) is None:
        raise RowError("no_answer", f"the answer is {shown(answer)}, not a number")
    gold = answer.strip() if isinstance(answer, str) else repr(answer)
    return question(
        query=user(filled_text(row.get("question"), "question").strip()),
        gold=Gold(AnswerForm.NUMBER, gold, tolerance=section.tolerance),
        source=section.kind,
        source_id=location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        reference=gold,
        benchmark=True,
    )
