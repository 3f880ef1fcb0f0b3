"""A critique is a sentence, outside headings and verdict, that speaks of a response, in whatever language."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.critiques import DOING, EMPTY, SCALE, has_critique
from pipelines.judging.part_headings import PART_HEADING
from pipelines.judging.parts_wanted import _CERTAIN, TELLING_WORDS

LISTED = """Specific Criteria:
1. Accuracy (weight: 60%): the response must name the right timer
2. Depth (weight: 40%): it goes deep enough

"""
LISTED_ONE = """Specific Criteria:
1. Accuracy (weight: 60%): the response gives the right result
2. Clarity (weight: 40%): is it easy to follow

"""
SPEAK = [
    (2, "Analysis:\nResponse 1 is right; Response 2 errs."),
    (2, LISTED + "Analysis:\nAccuracy: 1 is correct, 2 is not."),
    (2, LISTED + "Analysis:\nA is correct while B is wrong."),
    (2, LISTED + "Analysis:\nThe former is precise, the latter vague."),
    (2, LISTED + "Analysis:\nBoth responses name the timer, but only the second explains it."),
    (2, LISTED + "Analysis:\n### Response 1\n- Strengths: clear and correct\n- Weaknesses: none"),
    (2, LISTED + "Analysis:\n**Response 1**\nCorrect and complete.\n\n**Response 2**\nWrong."),
    (2, LISTED + "Analysis:\nResponse 1: 9/10\nClear and correct, cites the standard.\nResponse 2: 3/10\nWrong."),
    (
        2,
        LISTED + "Analysis:\n| Response | Accuracy | Clarity |\n|---|---|---|\n"
        "| Response 1 | correct | clear |\n| Response 2 | wrong | clear |",
    ),
    (2, "Response 1 names the right timer, Response 2 does not."),
    (2, LISTED + "Response 1 names the right timer, Response 2 does not."),
    (
        2,
        "Specific Criteria:\n1. Accuracy (60%): Response 1 names the right timer; Response 2 does not.\n"
        "2. Depth (40%): both are shallow.",
    ),
    (2, "具体标准：\n1. 准确性（权重：60%）：结论正确\n\n分析：\n回答1正确地指出了定时器，回答2则错了。"),
    (2, "分析：回答1正确。回答2错误。"),
    (2, "分析：\n第一个回答更完整，第二个回答遗漏了关键步骤。"),
    (2, "分析：\n前者准确，后者含糊不清。"),
    (2, "分析：\n**回复1**\n结构清晰，内容完整。"),
    (2, "Analyse:\nAntwort 1 ist korrekt, Antwort 2 enthält einen Fehler."),
    (2, "Analyse :\nLa réponse 1 est exacte, la réponse 2 se trompe."),
    (2, "Análisis:\nLa primera respuesta es correcta; la segunda confunde los términos."),
    (2, "Анализ:\nОтвет 1 верно называет таймер, ответ 2 ошибается."),
    (2, "分析：\n回答1は正しいタイマーを挙げているが、回答2は誤りである。"),
    (2, "분석:\n응답 1은 정확하지만 응답 2는 틀렸습니다."),
    (1, LISTED_ONE + "Analysis:\nIt gives the right result and is easy to follow."),
    (1, LISTED_ONE + "Analysis:\n- Accuracy: the result 42 is right.\n- Clarity: well ordered."),
    (1, LISTED_ONE + "Analysis:\nThe response states 41, which is off by one."),
    (1, LISTED_ONE + "The response states 41, which is off by one."),
    (1, "分析：\n该回答给出了错误的结果。"),
    (1, "回答给出了错误的结果。"),
    (2, "Analysis:\n- Response 1: correct, cites the standard\n- Response 2: misses it"),
    (2, "Analysis:\n**Response 1 is better because it is right.**"),
    (2, "Analysis:\nResponse 1: 9/10. It states the correct formula."),
    (2, "## Comparison of Responses\nThe responses differ in one point: the timer."),
    (2, "So Response 1 wins."),
    (2, "Analysis:\nR1 is right, R2 confuses the timers."),
    (2, "Analysis:\nThe first is right, the second is wrong."),
    (4, "Analysis:\nOnly option C names T310; the others confuse it with T304."),
    (2, "Analysis:\nThe assistant's answer in the first case is right"),
    (2, "Analysis:\nThe question asks for a timer. Response 1 names it."),
    (2, "Analysis:\nAnswer A is correct; Answer B is not supported."),
    (2, "Analysis:\n> Response 2 contradicts itself."),
    (3, "Analysis:\nNeither of the responses is fully right, though Response 3 comes close."),
    (2, "Evaluation:\n\nResponse #1 does not cite its sources."),
    (2, "Analysis: 1. Response 1 uses the wrong unit."),
    (2, "Critique:\nresponse one is fine, response two isn't"),
    (2, LISTED + "Analysis:\nWith regard to accuracy, Response 1 gets it right. Response 2 mixes up T304 and T310."),
    (
        2,
        LISTED
        + "**Analysis**\n\n1. **Accuracy**: Response 1's claim holds. Response 2's doesn't.\n2. **Depth**: Equal.",
    ),
    (2, LISTED + "Analysis:\nOn accuracy: #1 correct, #2 incorrect."),
    (2, LISTED + "Analysis:\n1) Response 1\n   correct timer\n2) Response 2\n   wrong timer"),
    (2, LISTED + "Analysis:\nResponse 1:\n- names T310\nResponse 2:\n- names T304"),
    (2, LISTED + "Analysis:\n* **Response 1:** Names T310, as TS 38.331 has it.\n* **Response 2:** Names T304."),
    (3, LISTED + "Analysis:\nAll three responses are wrong about the timer."),
    (3, LISTED + "Analysis:\nNone of them is right."),
    (2, LISTED + "Analysis:\nThey both miss the point, but one of them at least tries."),
    (2, LISTED + "Analysis:\nResponses 1 and 2 agree on the timer."),
    (2, "[Analysis]\nResponse 1 is concise."),
    (2, "Let me compare. Response A uses integration by parts; Response B guesses."),
    (2, "**Response 1 (8/10):** Accurate, cites the clause.\n**Response 2 (3/10):** Confuses the timers."),
    (2, "The candidate answers differ: one says 15 kHz, the other 30 kHz."),
    (2, "Overall, I prefer Response 1 as it cites the clause."),
    (2, "In terms of accuracy, the second response falls short."),
    (2, "Solution 1 forgets the constant of integration."),
    (2, "分析：\n两个回答都提到了定时器，但只有回答1说明了原因。"),
    (2, "分析：\n从准确性来看，响应1优于响应2。"),
    (2, "分析：\nResponse 1 的回答更准确。"),
    (2, "分析:\n选项A正确，选项B混淆了概念"),
    (2, "分析：\n- 准确性：回答一正确，回答二错误"),
    (2, "分析：\n【回答1】\n优点：结构清楚。\n【回答2】\n缺点：遗漏重点。"),
    (2, "Vergleich:\n\nBeide Antworten nennen den Timer, aber nur die zweite erklärt ihn."),
    (2, "Analyse:\nLes deux réponses citent la norme, mais la seconde se trompe d'unité."),
    (2, "Análise:\nA resposta 1 está correta; a resposta 2 confunde os termos."),
    (2, "Analisi:\nLa risposta 1 è corretta, la risposta 2 sbaglia unità."),
    (1, "Analysis:\nCorrect result, steps shown."),
    (1, "Analysis:\nThe calculation is wrong: 3 * 7 is 21, not 24."),
    (1, "分析：\n计算过程有误，结果不正确。"),
    (1, "The final answer 42 is wrong."),
    (2, "Analysis:\nresponse1 is better written"),
    (2, "Analysis:\n[Response 1] is correct."),
    (2, 'Analysis:\n"Response 1" repeats the question.'),
    (2, "Analysis:\n(1) is correct, (2) is not."),
    (2, "Analysis:\nBetween the two, the former has the stronger argument."),
    (2, "Analysis:\nThe answer given by the first model is right."),
    (2, "Thoughts: Assistant 1 hallucinated a citation."),
    (2, "Analysis:\nWhile Response 1 should have cited the clause, it is right."),
    (2, "Analysis:\n1 > 2, since 1 cites the clause"),
    (2, "Analysis:\nResponse I is right, Response II isn't."),
    (2, "Analysis:\nالإجابة 1 صحيحة والإجابة 2 خاطئة."),
    (2, "Phân tích:\nCâu trả lời 1 chính xác hơn."),
    (2, "Analiza:\nOdpowiedź 1 jest poprawna."),
    (2, "Analiz:\nYanıt 1 doğru, yanıt 2 yanlış."),
    (2, "विश्लेषण:\nउत्तर 1 सही है।"),
    (2, "Accuracy: Response 1 - accurate; Response 2 - inaccurate"),
    (2, "Analysis:\nI find the first answer convincing; the other one is thin."),
    (2, "Looking at the two, Response 2 has the more solid reasoning."),
    (2, "Analysis:\n1. Accuracy - Response 1: yes. Response 2: no."),
    (2, "Analysis:\n- Accuracy: Response 1 is accurate (9/10), Response 2 is not (3/10)."),
    (3, "Critique\n\nResponses 1 and 3 agree; 2 differs."),
    (2, "Analysis:\nAnswer 1 contains a factual error about T310"),
    (2, "Überlegungen:\nDie erste Antwort nennt den Timer."),
    (2, "Critique :\nLa seconde réponse oublie l'unité."),
    (2, "分析：\n1. 回答1：推理完整。\n2. 回答2：推理有误。"),
    (2, "分析：\n兩個回答都正確，但回答1更簡潔。"),
    (2, "答案A引用了标准，答案B没有引用。"),
    (2, "분석:\n첫 번째 응답이 더 정확하다."),
    (1, "Analysis:\nWrong."),
    (1, "Analysis: correct and clear"),
    (2, "<critique>\nResponse 1 is more complete.\n</critique>"),
    (2, "Analysis:\nThe chosen option in Response 2 is 3, yet the standard says 4."),
    (2, "Analysis:\nResponse 1 says 15 kHz; that is right. Response 2 says 30 kHz."),
    (2, "Response 2 falls short."),
    (2, "Response 1: Right. Response 2: Wrong."),
    (2, "Rationale: the reply of assistant B is off topic"),
    (2, "Analysis:\n**Accuracy**: both right\n**Clarity**: Response 2 rambles"),
    (2, "Analysis:\nResponse 1\nThis response names the timer.\n"),
    (2, "Analysis:\nIn Response 1, the user is told to restart."),
]
SAY_NOTHING = [
    (2, ""),
    (2, LISTED),
    (2, LISTED + "Analysis:\n"),
    (2, "Specific Criteria:\n\nAnalysis:\n"),
    (2, LISTED + "Analysis: N/A"),
    (2, LISTED + "Analysis:\nNone."),
    (2, LISTED + "Analysis:\n..."),
    (2, LISTED + "Analysis: a"),
    (2, LISTED + "Analysis:\nNot applicable."),
    (2, LISTED + "Analysis:\nSee above."),
    (2, "Here are my scores"),
    (2, "Here are my scores for the two responses:"),
    (2, "Here are my scores for both responses."),
    (2, "Response 1: 7/10\nResponse 2: 3/10"),
    (2, "Analysis:\nResponse 1: 7\nResponse 2: 3"),
    (2, "Response 1 gets 7 and Response 2 gets 3."),
    (2, "- Response 1: 7 points\n- Response 2: 3 points"),
    (2, "Response 1 (7,8,6), Response 2 (3,4,2)"),
    (2, "| Response | Score |\n|---|---|\n| Response 1 | 7 |\n| Response 2 | 3 |"),
    (2, "After careful consideration of both responses, here are my final scores."),
    (2, "I have carefully evaluated both responses against the criteria above."),
    (2, "### Analysis of Response 1\n### Analysis of Response 2"),
    (2, "**Response 1**\n**Response 2**"),
    (2, LISTED + "Analysis:\nThe question asks about the capital of France."),
    (2, LISTED + "Analysis:\nA good response must be accurate."),
    (2, "Response 1: Excellent (9/10)\nResponse 2: Poor (3/10)"),
    (
        2,
        "Apply the criteria to the responses, one criterion after the other, and compare the responses. "
        "Check facts and steps yourself. Come to an overall view only at the end.",
    ),
    (2, "以下是我的评分："),
    (2, "以下是我对两个回答的评分。"),
    (2, "回答1：7分\n回答2：3分"),
    (2, "回答1得7分，回答2得3分。"),
    (2, "评判标准：\n1. 准确性：回答应当准确\n\n分析：\n无"),
    (2, "分析：\n暂无"),
    (2, "根据上述标准，我对两个回答进行了评分。"),
    (2, "Hier sind meine Bewertungen für beide Antworten."),
    (2, "Antwort 1: 7 Punkte\nAntwort 2: 3 Punkte"),
    (2, "Voici mes notes pour les deux réponses."),
    (2, "Вот мои оценки."),
    (2, "Ответ 1: 7 баллов"),
    (2, "以下は両方の回答の評価です。"),
    (2, "다음은 두 응답에 대한 점수입니다."),
    (2, "응답 1: 7점\n응답 2: 3점"),
    (1, LISTED_ONE + "Analysis:"),
    (1, LISTED_ONE),
    (1, "Score: 1"),
    (1, LISTED_ONE + "Analysis: N/A"),
    (1, LISTED_ONE + "Analysis:\nThe response is scored 1."),
    (1, "The score for this response is 1."),
    (2, "Scores:"),
    (2, "\\boxed{7, 3}"),
    (2, "Final answer:"),
    (2, "The scores are as follows."),
    (2, "Response 1 > Response 2"),
    (2, "Ranking: Response 1, Response 2"),
    (2, LISTED + "The final scores for the responses are below."),
    (2, LISTED + "Analysis:\n-"),
    (2, LISTED + "Analysis: (omitted)"),
    (2, LISTED + "Analysis:\n[Your analysis here]"),
    (2, LISTED + "Analysis:\n<analysis>"),
    (2, "I'll now score the responses."),
    (2, "Let me evaluate both responses carefully."),
    (2, "Let's look at the responses one by one."),
    (2, "Based on the criteria, I assign the following scores to the responses:"),
    (2, "My scores for Response 1 and Response 2 are as follows"),
    (2, "Sure! Here is my evaluation of the two responses."),
    (2, "Response 1 - 7\nResponse 2 - 3"),
    (2, "Response 1 = 7, Response 2 = 3"),
    (2, "Response 1: \\boxed{7}\nResponse 2: \\boxed{3}"),
    (2, "R1: 7, R2: 3"),
    (2, "A: 7\nB: 3"),
    (2, "1. 7\n2. 3"),
    (2, "7, 3"),
    (2, "Response 1 Score: 7/10\nResponse 2 Score: 3/10"),
    (2, "Response 1 (Accuracy: 8, Depth: 7), Response 2 (Accuracy: 3, Depth: 4)"),
    (2, "| | Accuracy | Depth |\n|---|---|---|\n| Response 1 | 8 | 7 |\n| Response 2 | 3 | 4 |"),
    (2, LISTED + "Analysis:\n1. Accuracy: 7, 3\n2. Depth: 6, 4"),
    (2, LISTED + "Analysis:\nAccuracy is the most important criterion here."),
    (2, "This is a question about LTE timers."),
    (2, "Thank you for the responses."),
    (2, "Final verdict below."),
    (2, "Response 1 receives a score of 7. Response 2 receives a score of 3."),
    (2, "I rate Response 1 a 7 and Response 2 a 3."),
    (2, "Response 1 is rated 7 out of 10, and Response 2 is rated 3 out of 10."),
    (2, "我给回答1打7分，给回答2打3分。"),
    (2, "回答1：7/10，回答2：3/10"),
    (2, "评分如下：\n回答1：7\n回答2：3"),
    (2, "分析：略"),
    (2, "分析：见上。"),
    (2, "最终评分"),
    (2, "综合考虑，两个回答的最终得分如下。"),
    (2, "Aquí están mis puntuaciones para las dos respuestas."),
    (2, "Ecco i miei punteggi per le due risposte."),
    (2, "Aqui estão minhas notas para as duas respostas."),
    (2, "Respuesta 1: 7 puntos"),
    (2, "Réponse 1 : 7/10\nRéponse 2 : 3/10"),
    (1, "Score: 1. "),
    (1, "I give it a 1."),
    (1, "The response gets a score of 0."),
    (1, "该回答得1分。"),
    (2, "<answer>"),
    (2, "```\n```"),
    (2, "---"),
    (2, "Analysis complete."),
    (2, "Done."),
    (2, "The analysis is complete, and the scores are final."),
    (2, "Analysis:\nI have read both responses and judged them by the criteria."),
    (2, "Specific Criteria:\n1. Accuracy\n2. Depth\n\nThe weights add up to 100%."),
    (2, "Scores for Response 1 and Response 2"),
    (2, "**Final Scores**\n\nResponse 1: **7**\nResponse 2: **3**"),
    (2, "Score of Response 1: 7; score of Response 2: 3."),
    (2, "I have scored both."),
    (2, "Evaluation done."),
    (2, "Response 1: ★★★★☆\nResponse 2: ★★☆☆☆"),
    (2, "Response 1: A\nResponse 2: C"),
    (2, "Response 1: 7/10 | Response 2: 3/10"),
    (2, "Response 1 -> 7\nResponse 2 -> 3"),
    (2, "Response 1: seven\nResponse 2: three"),
    (2, "[7, 3]"),
    (2, '{"response_1": 7, "response_2": 3}'),
    (2, "Best: Response 1"),
    (2, "The final answer is \\boxed{7, 3}"),
    (2, "得分：回答1为7分，回答2为3分"),
    (2, "最终评分：回答1：7分；回答2：3分"),
    (2, "Los puntajes son los siguientes:"),
    (2, "Response 1: 7 (Good)\nResponse 2: 3 (Poor)"),
    (2, "Specific Criteria:\n1. Accuracy\n2. Clarity\nAnalysis:\nAs above."),
    (2, "Analysis:\nPending"),
    (2, "Analysis: -"),
    (2, "Analysis:\n(no analysis)"),
    (2, "Analysis:\nSkipped."),
    (2, "Specific Criteria:\n- Accuracy: the answers should be right\n- Both responses should be clear\n"),
    (1, "Scores: 1"),
    (1, "Analysis:\nThe question asks for the derivative."),
    (1, "Analysis:\nScore 1."),
    (2, "Response 1: 7 points. Response 2: 3 points. Total: 10 points."),
    (2, "My final evaluation is:"),
    (2, "The scores of the responses are given below, in order."),
    (2, "以上是我对各回答的最终评分。"),
    (2, "Die Bewertungen der beiden Antworten lauten:"),
    (2, "Response 1's score: 7\nResponse 2's score: 3"),
    (2, "Response 1 scores higher than Response 2."),
]


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
    begin = time.process_time()
    for whole in (text, f"Criteria:\n{text}", f"Criteria:\n1. A: b {text}\nx:"):
        has_critique(whole, 2)
    assert time.process_time() - begin < 2
