"""Thoughts go, whatever marks them; what an answer says of their tags stays, and nothing is lost."""

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.columns import may_hold_thoughts
from schemas.thoughts import split_thoughts, with_thoughts
from tests.timing import least_seconds

DRAFT = "Specific Criteria:\n1. Draft (weight: 100%): a draft.\n\nAnalysis:\na first look\n\nScores: \\boxed{2, 9}"
ANSWER = (
    "Specific Criteria:\n1. Accuracy (weight: 70%): facts hold.\n2. Clarity (weight: 30%): plain words.\n\n"
    "Analysis:\nResponse 1 keeps to the facts. Response 2 misses the unit.\n\nScores: \\boxed{8, 4}"
)
NO_VERDICT = "I give no verdict."

NAMES = [
    *("think", "thinking", "thought", "thoughts", "Think", "THINKING", "seed:think", "antml:thinking", "mm:think"),
    *("reasoning", "reason", "reflection", "scratchpad", "inner_monologue", "internal_thoughts", "chain_of_thought"),
    *("cot", "thinking_process", "思考", "analysis"),
]
PAIRS = [
    *((f"<{name}>", f"</{name}>") for name in NAMES),
    ('<thinking effort="high" budget=512>', "</thinking>"),
    ('<analysis type="private">', "</analysis>"),
    ("<think>\n", "\n</think>"),
    ("< think >", "< / think >"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
    ("[THINK]", "[/THINK]"),
    ("[reasoning]", "[/reasoning]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|thinking_start|>", "<|thinking_end|>"),
    ("<|think|>", "<|/think|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("[unused16]", "[unused17]"),
    ("<longcat_think>\n", "\n</longcat_think>"),
    ("＜think＞", "＜/think＞"),
    ("【思考】", "【/思考】"),
    ("<|im_start|>think\n", "<|im_end|>\n<|im_start|>answer\n"),
    ("Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]\n"),
    ("### Response:\n<think>", "</think>"),
    ("Assistant: <think>", "</think>"),
    ("Sure, here's what I'd say.\n<think>", "</think>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<ctrl94>thought\n", "<ctrl95>"),
    ("<pad><pad><think>\n", "</think>"),
    ("\\<think\\>", "\\</think\\>\n"),
    ("<rumination>\n", "\n</rumination>\n"),
    ("<private_notes>\n", "\n</private_notes>\n"),
    ("[THINKING]\n", "\n[Answer]\n"),
    ("【思考】\n", "\n【思考结束】\n"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|start|>assistant<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|>"),
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>commentary to=functions.look <|constrain|>json<|message|>{}<|call|>"
        "<|start|>assistant<|channel|>analysis<|message|>more<|end|>"
        "<|start|>assistant<|channel|>final <|constrain|>text<|message|>",
    ),
    ("analysis", "assistantfinal"),
    ("analysis", "assistantcommentary to=functions.look {}assistantanalysisMore of it.assistantfinal"),
    ("Here is my thought process:\n", "\nHere is my response:\n"),
    ("```thinking\n", "\n```\n"),
    ('<details type="reasoning" done="true">\n<summary>Thought for 5 seconds</summary>\n', "</details>"),
    ("\ufeff \n<think>", "</think>"),
    ("<|im_start|>assistant\n<think>", "</think>"),
    ("<｜Assistant｜><think>\n", "</think>"),
    ("Okay, let me think this through.\n\n<think>", "</think>"),
    ("<think>\n\n</think>\n\n<thinking>", "</thinking>"),
    ("<think>first</think>\n<reflection>second</reflection>\n<think>", "</think>"),
    ("<think><think>", "</think></think>"),
    ("<thinking>\n<reflection>is it so?</reflection>\n", "\n</thinking>"),
    ("<think>It has no <think> tag, lacks </think> too, and `</think>` is quoted.\n", "\n</think>"),
    ("<think>", "</think>\n</think>"),
]
ENDS = [*PAIRS[:2], ("", "\n</think>\n"), ("", "\n</thinking>"), ("", "</seed:think>"), ("", "[/THINK]"),
        ("", "\n◁/think▷"), ("", "\n<|end_of_thought|>"), ("", "<|END_THINKING|>"), ("", "<unused95>"),
        ("", "<|end|><|start|>assistant<|channel|>final<|message|>"), ("", "\n</reasoning>\n")]  # fmt: skip
"""The last ones: a template began the thoughts in the prompt."""
NEEDS_AN_END = ("[reasoning]", "【", "Here ", "```", "<details")


@pytest.mark.parametrize("space", ["", "\n", "\n\n"])
@pytest.mark.parametrize(("begin", "end"), PAIRS + ENDS)
def test_thoughts_are_told_from_the_answer(begin: str, end: str, space: str) -> None:
    for answer in (ANSWER, NO_VERDICT, ANSWER.replace("Specific Criteria:", "**Specific Criteria**\n")):
        found, thoughts = split_thoughts(f"{begin}{DRAFT}{end}{space}{answer}")
        assert found == answer
        assert thoughts is not None and DRAFT in thoughts
        assert split_thoughts(found) == (found, None)


@pytest.mark.parametrize("begin", ["<quiet-hour>\n", "first, "])
def test_a_tag_that_nobody_knows_holds_thoughts_where_criteria_follow_it(begin: str) -> None:
    found, thoughts = split_thoughts(f"{begin}{DRAFT}\n</quiet-hour>\n\n{ANSWER}")
    assert found == ANSWER and thoughts is not None and DRAFT in thoughts
    assert is_seen(f"{begin}{DRAFT}\n</quiet-hour>\n\n{ANSWER}")


@pytest.mark.parametrize(("begin", "end"), PAIRS + ENDS)
def test_what_wraps_the_answer_after_thoughts_goes_too(begin: str, end: str) -> None:
    for wrapped in (
        f"<answer>{ANSWER}</answer>",
        f"\n<answer>\n{ANSWER}\n</answer>\n",
        f"<output>{ANSWER}</output><|im_end|>",
        f"<|begin_of_solution|>\n{ANSWER}\n<|end_of_solution|>",
        f"{ANSWER}<|return|>",
    ):
        assert split_thoughts(f"{begin}{DRAFT}{end}{wrapped}")[0] == ANSWER
    more = split_thoughts(f"{begin}{DRAFT}{end}\n<answer>{ANSWER}</answer>\nI hope this helps.")[0]
    assert more == f"{ANSWER}\n\nI hope this helps."


@pytest.mark.parametrize("begin", [begin for begin, _ in PAIRS if not begin.startswith(NEEDS_AN_END)] + ["【思考】\n"])
def test_thoughts_that_never_end_leave_no_answer(begin: str) -> None:
    answer, thoughts = split_thoughts(begin + DRAFT)
    assert answer == ""
    assert thoughts is not None and DRAFT in thoughts


TAGS = ["<think>", "</think>", "<thinking>", "</thinking>", "<reasoning>", "</reasoning>", "</seed:think>", "[THINK]",
        "[/THINK]", "◁/think▷", "<|end_of_thought|>", "<|channel|>final<|message|>", "assistantfinal"]  # fmt: skip
MENTIONS = [
    "Response 2 has no {} block.",
    "Response 2 never closes its {} tag.",
    "Response 2 lacks {}, so it fails.",
    "Response 2 should end with {}.",
    'Response 2 says `{0}` and "{0}" ({0}).',
    "Response 2 ends with:\n{}\nThat is a fault.",
    "Response 2 ends with\n{}\nwhich is a fault.",
    "It says\n```\nfoo\n{}\nbar\n```\nand no more.",
    "> {}\n",
    "It lacks **{}** at its end.",
    "It goes\n\nfoo bar\n{}\n\nAnd so on, which leaks.",
    "Both use {} and stop.",
    "It writes one {} two, which is odd.",
    "回答2缺少{}标签。",
    "回答2没有{}，因此较差。",
    "回答2以{}结尾。",
]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("mention", MENTIONS)
def test_an_answer_that_speaks_of_a_tag_keeps_its_text(tag: str, mention: str) -> None:
    answer = ANSWER.replace("misses the unit.", f"misses the unit. {mention.format(tag)}")
    assert split_thoughts(answer) == (answer, None)
    assert split_thoughts(f"<think>{DRAFT}</think>\n{answer}") == (answer, DRAFT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ANSWER,
        "<think> tags are missing in Response 2.\n" + ANSWER,
        "<think>...</think> tags are what Response 1 writes.\n" + ANSWER,
        "<think> and </think> are tags of Response 1.\n" + ANSWER,
        "<think>-style tags stand in Response 1, and </think> is not closed.\n" + ANSWER,
        "[THINK] is Mistral's token, and Response 1 writes it.\n" + ANSWER,
        "<thinking> is the tag of Response 2.\n" + ANSWER,
        "<principles>\n1. facts\n</principles>\n" + ANSWER,
        "<critique>Response 1 is right.</critique>\n\nScores: \\boxed{8, 4}",
        "[Thinking]\nResponse 1 is right.\n[Scores]\n\\boxed{8, 4}",
        "Response 1 says <think>x</think> aloud",
        ANSWER.replace("misses", "writes <think>a</think>b, then\n<think>\nc\n</think>\nand misses"),
        '{"critique": "it ends in </think>so", "scores": [8, 4]}',
        "analysis: the first one is better",
        "<think />" + ANSWER,
        "<analysis>Response 1 is right; Response 2 errs.</analysis>\nFine.",
        "[Reasoning]\nResponse 1 is right.\n\nScores: \\boxed{8, 4}",
        "x < y and y > z, as &lt;b&gt; shows",
        "<details>\n<summary>More</summary>\n</details>",
    ],
)
def test_a_text_without_thoughts_stays_as_it_is(text: str) -> None:
    assert split_thoughts(text) == (text, None)


def test_reasoning_of_the_endpoint_and_thoughts_of_the_text_are_kept_once() -> None:
    assert with_thoughts(None, None) is None
    assert with_thoughts("first", "second") == "first\nsecond"
    assert with_thoughts("the same", " the same ") == "the same"
    assert with_thoughts("a part", "more than a part") == "more than a part"
    assert with_thoughts(None, "found") == with_thoughts("found", None) == "found"


WORDS = [f"word{number}x" for number in range(30)]
MARKS = [*(mark for pair in PAIRS + ENDS for mark in pair), *TAGS, "<answer>", "</answer>", "<|im_end|>", "</s>", "`",
         '"', "```", " ", "\n", "\n\n", ". ", ": ", "Specific Criteria:\n", "Scores: \\boxed{8, 4}", "{", "}", "\ufeff",
         "İ", "标签", "tags", "is", "analysis", "assistant", "final"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(MARKS) | st.sampled_from(WORDS), max_size=24).map("".join)


@given(TEXTS | st.text())
@example("</think>\ufeff</think>\ufeff")
def test_what_was_split_once_is_not_split_again(text: str) -> None:
    answer, thoughts = split_thoughts(text)
    assert thoughts is not None or answer == text or len(answer) < len(text)
    assert split_thoughts(answer) == (answer, None)


@given(st.lists(st.sampled_from(MARKS), min_size=31, max_size=31))
def test_every_word_is_in_the_answer_or_in_the_thoughts(marks: list[str]) -> None:
    text = "".join(f"{mark} {word} " for mark, word in zip(marks, [*WORDS, ""], strict=True))
    answer, thoughts = split_thoughts(text)
    found = f"{thoughts or ''} {answer}".split()
    assert [word for word in WORDS if sum(word in one for one in found) != 1] == []


def is_seen(text: str) -> bool:
    texts = pl.Series([text])
    return len(may_hold_thoughts(texts)) == 1


@given(TEXTS | st.text())
def test_no_text_with_thoughts_passes_the_quick_look(text: str) -> None:
    if split_thoughts(text) != (text, None):
        assert is_seen(text)


@pytest.mark.parametrize("text", [begin + DRAFT + end + ANSWER for begin, end in PAIRS + ENDS])
def test_every_form_is_seen_by_the_quick_look(text: str) -> None:
    assert is_seen(text)


HOSTILE = ["<think>", "</think>", "<think></think>", "<think>\n<think></think>\n", "x</think>", "<", "[", " ", "\u200b",
           "`</think>`", "x.assistantfinalA\n", "```think\n</think>\n", "<|channel|>analysis<|message|>", "<|start|>",
           "<think ", "<answer>", "<|im_end|>", "İ", "<analysis></analysis>", "</think> tag ",
           "\n</abc>\nCriteria:\n", "<abc>", "<abc></abc>Criteria:\n"]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("begin", ["", "<think>", "<think>a</think>"])
def test_hostile_texts_take_time_in_proportion(unit: str, begin: str) -> None:
    def seconds(size: int) -> float:
        text = begin + unit * (size // len(unit))
        return least_seconds(lambda: split_thoughts(text), 0.0)

    assert seconds(160_000) < 10 * seconds(40_000) + 0.5  # four times as much; sixteen times would be quadratic
