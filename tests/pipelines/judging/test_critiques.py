"""A critique is a sentence, outside headings and verdict, that speaks of a response, in whatever language."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.critiques import DOING, EMPTY, SCALE, has_critique
from pipelines.judging.part_headings import PART_HEADING
from pipelines.judging.parts_wanted import _CERTAIN, TELLING_WORDS
from tests.pipelines.judging.critique_forms import LISTED, SAY_NOTHING, SPEAK
from tests.timing import least_seconds


@pytest.mark.parametrize(("n", "text"), SPEAK)
def test_a_sentence_that_speaks_of_a_response_is_a_critique(n: int, text: str) -> None:
    assert has_critique(text, n)


@pytest.mark.parametrize(("n", "text"), SAY_NOTHING)
def test_headings_criteria_scores_and_announcements_are_none(n: int, text: str) -> None:
    assert not has_critique(text, n)


@pytest.mark.parametrize(
    "text", ["The spacing is fixed in LTE.", "So.\nThe second option contradicts the standard.", LISTED]
)
def test_where_no_analysis_is_asked_for_any_prose_is_the_critique(text: str) -> None:
    assert has_critique(text, 2, analysis_wanted=False)


@pytest.mark.parametrize("text", ["", "Here are my scores:", "Response 1: 7/10", "以下是我的评分：", "## Analysis"])
def test_yet_scores_and_headings_are_no_prose(text: str) -> None:
    assert not has_critique(text, 2, analysis_wanted=False)


CRITERIA_HEADINGS = [
    "Specific Criteria:", "**Specific Standards:**", "### 1. PRINCIPLES:", "- Principles :", "## Criteria",
    "评判标准：",
    "【具体标准】", "一、评分标准", "**Bewertungskriterien:**", "Critères d'évaluation :",
    "Criterios específicos:",
    "Critérios de avaliação:", "Criteri specifici:", "Критерии оценки:", "評価基準：", "평가 기준:",
    "Part 1: Specific Criteria", "具体的评判标准：", "#### Specific Criteria ####", "採点基準", "[Specific Criteria]",
]  # fmt: skip
ANALYSIS_HEADINGS = [
    "Analysis:", "**Analysis**", "## 2. Critique", "分析：", "二、分析", "【分析】", "**详细分析：**", "Analyse:",
    "Análisis comparativo:", "Análise:", "Analisi:", "Анализ:", "分析", "분석:", "Evaluation:", "### Evaluation",
    "Comparison of Responses:", "Analysis of the responses:", "Comparative Analysis:", "评估：", "Bewertung:",
    "Part 2: Analysis", "### 2. Evaluation",
]  # fmt: skip
NO_HEADINGS = [
    "1. Analysis (weight: 30%): deep", "2. Reasoning: each step follows",
    "Evaluation: Response 1 is right", "2. Comparison:",
    "The analysis shows that it is right", "Reasoning (30%)", "Accuracy: right", "Scores: \\boxed{7}", "评分：7, 3",
]  # fmt: skip


def test_headings_are_read_in_every_language_and_nothing_else_is_one() -> None:
    found = {line: PART_HEADING.match("\n" + line) for line in CRITERIA_HEADINGS + ANALYSIS_HEADINGS + NO_HEADINGS}
    kinds = {line: heading and ("criteria" if heading[1] else "analysis") for line, heading in found.items()}
    assert kinds == (
        dict.fromkeys(CRITERIA_HEADINGS, "criteria")
        | dict.fromkeys(ANALYSIS_HEADINGS, "analysis")
        | dict.fromkeys(NO_HEADINGS)
    )


def test_no_telling_word_is_one_that_says_nothing() -> None:
    assert not set(TELLING_WORDS) & (EMPTY | DOING | SCALE)


PIECES = st.sampled_from(
    [*TELLING_WORDS[::9], "Response 1", "Response 2", " ", " ",
     " ", "\n", "\n\n", ".", ". ", ", ", ":", "- ", "* ", "**",
     "#", "1. ", "Analysis:\n", "Specific Criteria:\n", "Critique:\n", "should",
     "whether", "the question is", "7/10", "good",
     "is", "|", "scores", "Here are", "回答1", "分析："]
)  # fmt: skip


@given(st.lists(PIECES, max_size=20).map("".join))
def test_what_is_certain_by_column_is_a_critique(text: str) -> None:
    """The column's own rule looks at what stands behind the heading of the analysis, and may only say yes."""
    if re.search(_CERTAIN, text):
        assert has_critique(f"{LISTED}Analysis:\n{text}", 2)
        assert has_critique(f"{LISTED}Analysis:\n{text}", 2, analysis_wanted=False)


@given(st.text(max_size=300), st.integers(1, 4))
def test_any_text_is_read(text: str, n: int) -> None:
    assert has_critique(f"{text}\nResponse 1 contradicts the standard.", n) or "\n" in text or text
    assert isinstance(has_critique(text, n), bool)


@pytest.mark.parametrize(
    "unit", ["\n- a", "\n1. ", "\n**", "*", " ", "Response 1", "A is ", "\n#", "。", "|", "a: 7, ", "\nA:"]
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    texts = (text, f"Criteria:\n{text}", f"Criteria:\n1. A: b {text}\nx:")
    assert least_seconds(lambda: [has_critique(whole, 2) for whole in texts], 2) < 2
