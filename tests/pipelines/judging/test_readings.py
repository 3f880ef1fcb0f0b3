"""Answers read by column say what `read_answer` reads from each, whatever they are."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.simulated import texts as simulated_texts
from pipelines.judging import readings as by_column
from pipelines.judging.extraction import read_answer
from pipelines.judging.readings import READINGS, begin_reading, readings_of
from schemas.trajectory import Outcome, Principle, Reading
from tests.pipelines.judging.verdict_forms import judgement

SCHEMA = {
    "text": pl.String,
    "finish_reason": pl.String,
    "n_responses": pl.Int32,
    "best_position": pl.Int32,
    "label": pl.Int32,
}
Answer = tuple[str | None, str | None, int, int | None, int | None]


def frame(answers: list[Answer]) -> pl.DataFrame:
    return pl.DataFrame(answers, SCHEMA, orient="row")


def one_by_one(answers: list[Answer]) -> list[Reading]:
    return [read_answer(*answer) for answer in answers]


def by_the_column(answers: list[Answer]) -> list[Reading]:
    table = readings_of(*begin_reading(frame(answers)))
    assert table.schema.equals(READINGS)
    found = [Reading(**row) for row in table.to_pylist()]
    return [
        one._replace(
            outcome=Outcome(one.outcome),
            scores=None if one.scores is None else tuple(map(int, one.scores)),
            principles=tuple(Principle(**principle) for principle in one.principles),
        )
        for one in found
    ]


def takes_the_short_way(answer: Answer) -> bool:
    """Say whether nothing but the column's own rules read an answer: without its long way it is read all the same."""
    return frame([answer]).pipe(by_column.laid_out).pipe(by_column.plain_rows).item() is True


HEADINGS = st.sampled_from(
    ["Specific Criteria:", "**Specific Criteria:**", "Specific standards:", "### Principles:", "specific criteria",
     "\n\nCriteria:", "1. Criteria:", "Evaluation Criteria: **", "SPECIFIC CRITERIA:", "So: Criteria:", ""]
)  # fmt: skip
WORDS = st.sampled_from(
    ["Accuracy", "Weight", "eight", " ", "Analysis", "criteria", "(weight: 40%)", ":", "-", "—", "*", "_", "`", "%",
     "\n", "\x1c", "\u00a0", "\u3000", "score", "Scores:", "\\boxed{1, 2}", "精度", ".", "1.", "2)", "a", "<think>",
     "</think>"]
)  # fmt: skip
PHRASES = st.lists(WORDS, max_size=5).map("".join)
NUMBERS = st.sampled_from(["1. ", "2) ", "12. ", "٣. ", "- ", "**1.** ", "123. ", " 1. ", ""])
WEIGHTS = st.sampled_from(
    [" (weight: 40%)", " (Weight: 35%)", " (weight: 0.4)", " (40%)", "(weight: 40%)", " (weight: 140%)", ""]
)
ITEMS = st.builds(
    "{}{}{}: {}".format, NUMBERS, st.just("Clarity") | PHRASES, WEIGHTS, st.just("It is clear.") | PHRASES
)
ANALYSES = st.sampled_from(
    ["\n\nAnalysis:", "\nAnalysis:", "\n\n**Critique:**", "\n\nThe analysis:", "\n\n\nAnalysis:", ""]
)
VERDICTS = st.sampled_from(
    ["\n\nScores: \\boxed{%s}", "\n**Scores:** \\boxed{%s}", "\nScore: $\\boxed{%s}$", " Scores: \\boxed{%s}",
     "\n**Scores: \\boxed{%s}**", "\nFinal scores: \\boxed{%s}", "\nScores: \\boxed{%s}.", "\nScores: %s",
     "\nunscores: \\boxed{%s}",
     "\nScores: \\boxed{%s} Scores:", "\nScores: \\boxed{[%s]}", "\n\n* Scores :\n\\boxed{%s}"]
)  # fmt: skip
SCORES = st.lists(st.integers(-1, 11) | st.sampled_from(["07", "7.5", "x", "100"]), max_size=4).map(
    lambda scores: ", ".join(map(str, scores))
)
PLAIN = (
    "Specific Criteria:",
    ["1. Clarity (weight: 40%): It is clear."],
    "\n\nAnalysis:",
    "\nFine.\n",
    "\n\nScores: \\boxed{%s}",
)
SHORT_VERDICTS = [
    f"\n\n{line}"
    for line in [
        "Scores: \\boxed{7, 3}", "Scores: \\boxed{7, 3}", "Score: \\boxed{7, 3}", "Scores: $\\boxed{7, 3}$",
        "**Scores: \\boxed{7, 3}**", "**Scores:** \\boxed{7, 3}", "**Score:** \\boxed{7, 3}",
    ]
]  # fmt: skip
PARTS = (HEADINGS, st.lists(ITEMS, min_size=1, max_size=3), ANALYSES, PHRASES, VERDICTS)
SCORES = st.lists(st.integers(-1, 11) | st.sampled_from(["07", "7.5", "x", "100"]), max_size=4).map(
    lambda scores: ", ".join(map(str, scores))
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return an answer in the layout of the prompt, but for some of its parts."""
    odd = draw(st.sets(st.integers(0, len(PARTS) - 1), max_size=2))
    parts = [draw(part) if place in odd else PLAIN[place] for place, part in enumerate(PARTS)]
    head, items, analysis, critique, verdict = parts
    scores = draw(st.sampled_from(["7, 3", "8,8", "3, 9", "1", "0", "1, 2, 3"]) | SCORES)
    return str(head) + "".join(f"\n{item}" for item in items) + f"{analysis}{critique}{verdict}".replace("%s", scores)


TRUTHS = st.sampled_from([(2, 0, None), (2, 1, None), (1, None, 0), (1, None, 1), (3, 2, None)])
REASONS = st.sampled_from(["stop", "stop", "length", "refusal", None])
ANSWERS = st.builds(lambda text, reason, truth: (text, reason, *truth), st.none() | texts(), REASONS, TRUTHS)


MUTATIONS = [
    "Scores", ":", "\n", "\\boxed{7, 3}", "评分", "```", "> ", '"', "<think>", "</think>", "Response 2",
    "Final ", "[3, 7]", "Wait,", " ", "{", "}", "0", "10", ", ", "Analysis:", "**", "\u200b", "：", "Score: 3",
    "The End", "rating", "\"\"\"", "<quote>", "<!--", "<response_2>", "~~", "the line would be\n", "Response 2 says\n",
]  # fmt: skip


def test_a_hundred_thousand_mutated_texts_are_read_alike_either_way() -> None:
    """Cuts, swaps and insertions in judgements of many forms: the short way reads none otherwise than the long way."""
    rng = random.Random(7)
    plain = "".join([PLAIN[0], f"\n{PLAIN[1][0]}", *PLAIN[2:-1]])
    short = 0
    for _ in range(20):
        answers: list[Answer] = []
        for _ in range(5_000):
            one = judgement(rng.randrange(10**6)) if rng.random() < 0.3 else None
            text, n = (one.text, one.n_responses) if one else (plain + rng.choice(SHORT_VERDICTS), 2)
            for _ in range(rng.randrange(3)):
                start = rng.randrange(len(text) + 1)
                end = min(len(text), start + rng.choice([0, 0, 1, 2, 8]))
                text = text[:start] + rng.choice([*MUTATIONS, "", ""]) + text[end:]
            answers.append((text, "stop", n, None if n == 1 else 0, 1 if n == 1 else None))
        laid = by_column.plain_rows(by_column.laid_out(frame(answers)))
        some = [answer for answer, is_short in zip(answers, laid, strict=True) if is_short]
        short += len(some)
        assert by_the_column(some) == one_by_one(some)
    assert short > 10_000


@given(st.lists(ANSWERS, max_size=6))
def test_a_column_is_read_as_its_answers_are(answers: list[Answer]) -> None:
    assert by_the_column(answers) == one_by_one(answers)


DRAWS = st.lists(st.floats(0, 1, exclude_max=True), min_size=16, max_size=16)


@given(DRAWS, st.lists(st.integers(1, 10), min_size=2, max_size=5), st.booleans(), st.booleans(), st.integers(0, 1))
def test_simulated_answers_are_read_alike(
    draws: list[float], scores: list[int], boxed: bool, leaks: bool, best: int
) -> None:
    asked = [{"role": "user", "content": "What is it?"}]
    said = simulated_texts.reasons(scores, draws, asked, leaks_hint=leaks, may_quote=True)
    text = simulated_texts.judgement(said, [str(score) for score in scores], draws, boxed=boxed)
    answer = (text, "stop", len(scores), best, None)
    assert not takes_the_short_way(answer) or boxed
    assert takes_the_short_way(answer) or not boxed or leaks
    assert by_the_column([answer]) == one_by_one([answer])


@pytest.mark.parametrize(
    "text",
    ["Specific Criteria:\n1. Accuracy (weight: 60%): right\n\nAnalysis:\nfine\n\nScores: \\boxed{7, 3}",
     "## Criteria:\n1) 精度 (Weight: 5%): 对\n\nCritique: fine\nScores: \\boxed{7, 3}"],
)  # fmt: skip
def test_the_layout_of_the_prompt_takes_the_short_way(text: str) -> None:
    answer = (text, "stop", 2, 0, None)
    assert takes_the_short_way(answer)
    assert by_the_column([answer]) == one_by_one([answer])
