"""What is read from answers: outcomes by the verdict alone, principles and critique wherever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging import extraction
from pipelines.judging.extraction import read_answer, read_parts
from schemas.trajectory import Outcome, Principle, Reading
from tests.timing import least_seconds

ANSWER = """Specific Criteria:
1. Accuracy (weight: 60%): the option named is right.
   It agrees with the standard.
2. **Clarity** (Weight: 0.4): easy to follow

Analysis:
Accuracy: Response 1 names the right timer.
Response 2 does not.

Scores: \\boxed{8, 3}"""


def read(text: str, finish_reason: str | None = "stop", n: int = 2, best: int | None = 0) -> Reading:
    reading = read_answer(text, finish_reason, n, best, None, 1, 10)
    assert read_answer(text, finish_reason, n, best, None, 1, 10, with_parts=False).outcome is reading.outcome
    return reading


def test_reads_a_whole_answer() -> None:
    reading = read(ANSWER)
    assert reading.outcome is Outcome.CORRECT
    assert (reading.scores, reading.margin) == ((8, 3), 5.0)
    assert reading.principles == (
        Principle("Accuracy", "the option named is right.\n   It agrees with the standard.", 0.6),
        Principle("Clarity", "easy to follow", 0.4),
    )
    assert reading.critique == "Accuracy: Response 1 names the right timer.\nResponse 2 does not."


@pytest.mark.parametrize(
    ("scores", "best", "outcome", "margin"),
    [("8, 3", 1, Outcome.INCORRECT, -5.0), ("8, 8", 1, Outcome.TIED, 0.0), ("8, 3", 0, Outcome.CORRECT, 5.0)],
)
def test_margin_is_the_best_responses_lead(scores: str, best: int, outcome: Outcome, margin: float) -> None:
    reading = read(f"Scores: \\boxed{{{scores}}}", best=best)
    assert (reading.outcome, reading.margin) == (outcome, margin)


def test_a_single_response_is_scored_by_its_label() -> None:
    reading = read_answer("Scores: \\boxed{0}", "stop", 1, None, 0, 0, 1)
    assert (reading.outcome, reading.scores, reading.margin) == (Outcome.CORRECT, (0,), None)
    assert read_answer("Scores: \\boxed{9}", "stop", 1, None, 1, 0, 1).outcome is Outcome.OUT_OF_RANGE


def test_length_is_always_truncated() -> None:
    reading = read(ANSWER, "length")
    assert (reading.outcome, reading.scores, reading.margin) == (Outcome.TRUNCATED, None, None)
    assert len(reading.principles) == 2


@pytest.mark.parametrize("finish_reason", ["content_filter", "refusal"])
def test_the_endpoint_may_say_that_it_refused(finish_reason: str) -> None:
    assert read(ANSWER, finish_reason).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I can't help with that.", "I cannot assist.", "Sorry, I can’t.",
     "As an AI, I ..", "I apologize, but no.", "Unfortunately, I am unable to do this.", "I'm not able to.",
     "抱歉，我不能。"],
)  # fmt: skip
def test_a_refusal_has_no_verdict(text: str) -> None:
    assert read(text).outcome is Outcome.REFUSED
    assert read(text + "\nScores: \\boxed{8, 3}").outcome is Outcome.CORRECT
    assert read(text + "\nScores: \\boxed{8}").outcome is Outcome.WRONG_COUNT


def test_no_verdict_is_unparsed_and_keeps_what_was_written() -> None:
    reading = read(ANSWER.partition("Scores:")[0] + "Response 1 wins.")
    assert reading.outcome is Outcome.UNPARSED
    assert reading.critique is not None and reading.critique.endswith("Response 1 wins.")
    assert read("").outcome is Outcome.UNPARSED


def test_thinking_is_not_read() -> None:
    assert read(f"<think>{ANSWER.replace('8, 3', '1, 9')}</think>\n{ANSWER}") == read(ANSWER)
    assert read(f"<think>{ANSWER}") == Reading(Outcome.UNPARSED)


@pytest.mark.parametrize(
    ("section", "principles"),
    [
        ("1. Accuracy (weight: 40%): right", [("Accuracy", "right", 0.4)]),
        ("1) Accuracy (Weight: 0.4): right", [("Accuracy", "right", 0.4)]),
        ("**Accuracy** (40%)\nright", [("Accuracy", "right", 0.4)]),
        ("- **Accuracy (40%)**: right", [("Accuracy", "right", 0.4)]),
        ("- Clarity — 30%: easy", [("Clarity", "easy", 0.3)]),
        ("- Well-formedness - 20%: parses", [("Well-formedness", "parses", 0.2)]),
        ("* Tone: kind (weight: 12.5%)", [("Tone", "kind", 0.125)]),
        ("1. Accuracy, weight 40%: right", [("Accuracy", "right", 0.4)]),
        ("1. Accuracy [weight = 40\\%]: right", [("Accuracy", "right", 0.4)]),
        ("1. 3GPP terms: right (as in 38.331)", [("3GPP terms", "right (as in 38.331)", None)]),
        ("1. Accuracy (weight: 7): right", [("Accuracy", "right", None)]),
        ("1. Accuracy (140%): right", [("Accuracy", "right", None)]),
        ("Accuracy: right\nClarity (30%): easy", [("Accuracy", "right", None), ("Clarity", "easy", 0.3)]),
        ("1. Accuracy: right\n   - facts\n   - steps\n2. Tone: kind",
         [("Accuracy", "right\n   - facts\n   - steps", None), ("Tone", "kind", None)]),
        ("1. Accuracy: right\n- facts\n\n2. Tone: kind",
         [("Accuracy", "right\n- facts", None), ("Tone", "kind", None)]),
        ("none", [("none", "", None)]),
        ("", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "heading", ["Specific Criteria:", "**Specific Standards:**", "### 1. PRINCIPLES:", "- Principles :", "## Criteria"]
)
def test_reads_principles_as_judges_list_them(
    heading: str, section: str, principles: list[tuple[str, str, float | None]]
) -> None:
    read_principles, critique = read_parts(f"{heading}\n{section}\n\n**Critique:** fine\n\nScores: \\boxed{{7, 3}}")
    assert list(read_principles) == [Principle(*principle) for principle in principles]
    assert critique == "fine"


@pytest.mark.parametrize(
    "ending",
    [
        "\n\nScores: \\boxed{7, 3}",
        "\n**Final Scores:** \\boxed{7, 3}",
        "\n### Scores:\n\\boxed{7, 3}",
    ],
)
def test_the_critique_ends_where_the_verdict_begins(ending: str) -> None:
    assert read_parts("Analysis: Its score is high: it wins." + ending) == ((), "Its score is high: it wins.")


def test_an_answer_without_parts_has_none() -> None:
    assert read_parts("Scores: \\boxed{7, 3}") == ((), None)


LISTED = "Specific Criteria:\n1. Accuracy (weight: 60%): right\n2. Depth (weight: 40%): enough\n"
END = "\n\nScores: \\boxed{7, 3}"


@pytest.mark.parametrize(
    ("text", "names", "critique"),
    [
        (f"{LISTED}\nResponse 1 is right.{END}", ["Accuracy", "Depth"], "Response 1 is right."),
        (f"{LISTED}\n- Response 1: right.\n- Response 2: wrong.{END}", ["Accuracy", "Depth"],
         "- Response 1: right.\n- Response 2: wrong."),
        (f"{LISTED}\nReasoning:\nThe second errs.{END}", ["Accuracy", "Depth"], "The second errs."),
        (f"{LISTED}{END}", ["Accuracy", "Depth"], None),
        (f"The first is right.{END}", [], "The first is right."),
        (f"Here are my scores.{END}", [], None),
        (f"评判标准：\n1. 准确性（权重：60%）：结论正确\n\n分析：\n回答1正确。{END}", ["准确性"], "回答1正确。"),
        (f"Kriterien:\n1. Genauigkeit: stimmt es\n\nAnalyse:\nAntwort 1 stimmt.{END}", ["Genauigkeit"],
         "Antwort 1 stimmt."),
        (f"評価基準：\n1. 正確さ：正しいか\n\n分析：\n回答1は正しい。{END}", ["正確さ"], "回答1は正しい。"),
    ],
)  # fmt: skip
def test_parts_are_read_under_headings_of_any_language_and_without_one(
    text: str, names: list[str], critique: str | None
) -> None:
    principles, found = read_parts(text)
    assert [principle.name for principle in principles] == names
    assert principles[-1].description == "enough" if "Depth" in names else True
    assert found == critique


@given(st.text(st.sampled_from("Specific Criteria:\nAnalysis 1.*-()%40") | st.characters(), max_size=300), st.text())
def test_any_text_is_read(text: str, more: str) -> None:
    for answer in (
        text,
        f"Specific Criteria:\n{text}",
        f"Criteria:\n1. {text}\nAnalysis:\n{more}\nScores: \\boxed{{1}}",
    ):
        for finish_reason in ("stop", "length", None):
            reading = read(answer, finish_reason)
            assert (reading.scores is None) == (not reading.outcome.readable)
            assert reading.scores is None or len(reading.scores) == 2


@given(st.integers(0, len(ANSWER) - 1))
def test_a_prefix_has_no_scores(end: int) -> None:
    assert read(ANSWER[:end]).scores is None
    earlier = "Scores: \\boxed{1, 9}\n\n" + ANSWER
    cut = len(earlier) - len(ANSWER) + end
    assert read(earlier[:cut], "length").scores is None
    if end > ANSWER.index("Scores:") + 6:
        assert read(earlier[:cut]).scores is None


@pytest.mark.parametrize(
    "unit",
    [
        "#",
        "*",
        " ",
        "\n",
        "- ",
        "\n- a",
        "\n1. ",
        "1. a (",
        "weight ",
        "weight:",
        "\n**",
        "a - ",
        "Criteria:\n",
        "_:",
        "\t*",
    ],
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    run = unit * (200_000 // len(unit))
    texts = (run, f"Criteria:\n{run}", f"Criteria:\n1. A{run}", f"Analysis:{run}", f"Criteria:\n1. A: b {run}\nx:")
    assert least_seconds(lambda: [read(text) for text in texts], 2) < 2


NAMES = st.text(alphabet="abcXYZ 3G/&'.,weight", min_size=1, max_size=20)
RESTS = st.text(alphabet="abc :-(weight: 40%) .*_", min_size=1, max_size=40)


@given(st.lists(st.tuples(NAMES, st.integers(0, 99), RESTS), min_size=1, max_size=5))
def test_the_short_way_through_a_plain_list_finds_what_the_long_way_finds(items: list[tuple[str, int, str]]) -> None:
    lines = [f"{number}. {name} (Weight: {weight}%): {rest}" for number, (name, weight, rest) in enumerate(items, 1)]
    section = "\n\n" + "\n".join(lines) + "\n\n"
    assert extraction._principles(section) == extraction._listed_principles(section)
