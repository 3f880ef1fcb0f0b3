"""GSM8K-style problems with solutions that models wrote, each marked right or wrong (arXiv 2110.14168).

    {"question": "Natalia sold clips to ..", "ground_truth": "She sold 48/2 = <<48/2=24>>24 clips in May.\\n..\\nA: 72",
     "6b_finetuning": {"is_correct": false, "solution": "48/2 = <<48/2=24>>24 clips\\nA: 24"},
     "175b_verification": {"is_correct": true, "solution": "..\\nA: 72"}}
    {"question": "What is $1+1$?", "gt": "2", "solution": "It is $\\\\boxed{2}$.",
     "code": ["So it is $\\\\boxed{2}$.", "As I see it, $\\\\boxed{3}$."], "score": [true, false]}

The first layout is `example_model_solutions.jsonl` of openai/grade-school-math (MIT; 1,319 problems; its four models
are right 21.7, 39.0, 34.7 and 56.3 % of the time). Every key whose value has a `solution` is a model. The second is the
output of Qwen2.5-Math's evaluation, with `gt` or `answer`: `code` are samples of one model, which no key names. Each
solution is a response that the question already has. The traps:

* the gold answer is the number after the last `A:` of the ground truth, or after `####`, without its commas ("2,125");
  none is `no_answer`;
* calculations are annotated, `<<48/2=24>>24`: a calculator of these models wrote them, and no reader is meant to see
  them. They are taken out: no other responder writes them, so in a set they would tell who wrote a response;
* a solution may break off inside an annotation: its `<<` goes too, since only wrong solutions have it left;
* a label may be null: then a verifier says. One that is neither true, false nor null is `bad_label`, and another number
  of scores than samples `lengths_differ`;
* GSM8K's test problems are a benchmark: these 1,319 are all of them, so a share is always test. To train on the rest is
  still to train on GSM8K's test problems: do not measure on it then.
"""

import re
from typing import Any

from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, list_of, optional_text, shown, text_of
from schemas.preference import Response
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import Label, Name, SourceSection
from schemas.record import is_blank

GIVEN = "given"
"""Origin of a response that came with the source."""

_ANNOTATION = re.compile(r"<<[^<>\n]{0,300}>>|<<")
_ANSWER = re.compile(r"(?:^A:|####)[ \t]*(?P<answer>[^\n]+)$", re.MULTILINE)
_COMMAS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class Gsm8kSolutions(SourceSection):
    """Keys of a `gsm8k_solutions` section."""

    name: Name = "gsm8k_solutions"
    """What the source is called in tables and reports."""
    license: Label = "MIT"
    """Licence of the rows."""


def _question_of(section: Gsm8kSolutions, row: Row, origin: Origin) -> Question:
    problem = filled_text(row.get("question"), "question").strip()
    answer, solution, given = _sampled(row) if "code" in row else _by_model(row)
    return question(
        query=user(problem),
        gold=Gold(AnswerForm.MATH, answer),
        reference=f"{answer}\n\n{solution}".rstrip(),
        given=given,
        **origin,
    )


def _by_model(row: Row) -> tuple[str, str, tuple[Response, ...]]:
    """Return (gold answer, worked solution, responses) of a row with one key for each model."""
    truth = filled_text(row.get("ground_truth"), "ground_truth")
    marked = list(_ANSWER.finditer(truth))
    answer = _COMMAS.sub("", marked[-1]["answer"]).strip() if marked else ""
    if is_blank(answer):
        raise RowError("no_answer", "ground_truth has no line that begins with 'A:' and none with '####'")
    given = tuple(
        Response(
            text=_ANNOTATION.sub("", text_of(value["solution"], f"{name}.solution")),
            reward=_reward(value.get("is_correct"), f"{name}.is_correct"),
            model=text_of(name, "model"),
            origin=GIVEN,
        )
        for name, value in row.items()
        if isinstance(value, dict) and "solution" in value
    )
    return answer, _ANNOTATION.sub("", truth[: marked[-1].start()]).strip(), given


def _sampled(row: Row) -> tuple[str, str, tuple[Response, ...]]:
    """Return (gold answer, worked solution, responses) of a row with lists of samples and of their scores."""
    answer = (optional_text(row.get("gt"), "gt") or optional_text(row.get("answer"), "answer") or "").strip()
    if is_blank(answer):
        raise RowError("no_answer", "the row has neither gt nor answer")
    texts = list_of(row["code"], "code")
    scores = list_of(row["score"], "score") if row.get("score") is not None else [None] * len(texts)
    if len(scores) != len(texts):
        raise RowError("lengths_differ", f"{len(scores)} scores for {len(texts)} samples")
    given = tuple(
        Response(text_of(text, f"code[{index}]"), reward=_reward(score, f"score[{index}]"), origin=GIVEN)
        for index, (text, score) in enumerate(zip(texts, scores, strict=True))
    )
    return answer, (optional_text(row.get("solution"), "solution") or "").strip(), given


def _reward(value: Any, name: str) -> float | None:
    """Return 1 or 0 of a label that is true or false, and None of one that is missing."""
    if value is None or isinstance(value, bool):
        return None if value is None else float(value)
    raise RowError("bad_label", f"{name} is {shown(value)}, not true, false or null")


SOURCE = Source(
    kind="gsm8k_solutions",
    section=Gsm8kSolutions,
    patterns=("*.jsonl", "*.jsonl.gz"),
    domain="math",
    benchmark=True,
    signature="gsm8k",
    unit="problem",
    gives="questions",
    make=_question_of,
)
