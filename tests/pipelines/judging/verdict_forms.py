r"""Judgements with a known truth: scores x headings x notations x what stands around them.

Written from the rule (docs/reading.md), not from the code that reads them. `judgement` makes one from a seed.
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

Scores = tuple[int, ...]

CRITERIA = "Specific Criteria:\n1. Accuracy (weight: 60%): is it right\n2. Depth (weight: 40%): enough"
ANALYSES = [
    "Analysis:\nResponse 1 is right; Response 2 errs in its second step.",
    "**Analysis:**\n\n- Response 1 scores high on accuracy.\n- Response 2 would score lower, perhaps 4 of 10.",
    "分析：\n回答1正确，回答2的评分应当较低。",
    "### Analysis\nA rating of 9 would be too much for Response 1. Its score suffers from one slip: 2 + 2 = 5.",
    'Analysis:\nResponse 2 says "Scores: \\boxed{10, 1}" in its own words, which counts for nothing.',
    "Analysis:\nResponse 1 computes [3, 7] and (4, 4); Response 2 gets \\boxed{12}.",
]
HEADINGS = [
    "Scores: ", "Score: ", "**Scores:** ", "**Scores**: ", "### Scores\n", "## Final Scores:\n", "Final Scores: ",
    "Overall scores: ", "SCORES: ", "scores: ", "Scores - ", "Scores — ", "Scores = ", "Ratings: ", "Final Ratings:\n",
    "Scores:\n\n", "- Scores: ", "3. Scores: ", "__Scores__: ", "My final scores: ", "The scores are: ", "Grades: ",
    "评分：", "最终评分：", "**得分**：", "打分: ", "Scores：", "Bewertungen: ", "Puntuaciones: ", "Оценки: ",
    "スコア：", "점수: ",
    "Scores (1-10): ", "Scores (out of 10): ", "Scores, in order: ", "***Scores:***\n", "【评分】\n", "> \nScores: ",
]  # fmt: skip


def joined(scores: Scores, by: str = ", ", form: str = "{}") -> str:
    return by.join(form.format(score) for score in scores)


def labelled(scores: Scores, form: str, by: str, order: Sequence[int] | None = None) -> str:
    places = range(len(scores)) if order is None else order
    return by.join(form.format(place + 1, scores[place]) for place in places)


Notation = Callable[[Scores, random.Random], str]


def _shuffled(form: str, by: str) -> Notation:
    def notation(scores: Scores, rng: random.Random) -> str:
        order = list(range(len(scores)))
        rng.shuffle(order)
        return labelled(scores, form, by, order)

    return notation


LISTS: list[Notation] = [
    lambda s, r: f"\\boxed{{{joined(s)}}}",
    lambda s, r: f"\\boxed{{{joined(s, ',')}}}",
    lambda s, r: f"$\\boxed{{{joined(s)}}}$",
    lambda s, r: f"$$\\boxed{{{joined(s, ' , ')}}}$$",
    lambda s, r: f"\\[\\boxed{{{joined(s)}}}\\]",
    lambda s, r: f"\\boxed {{{joined(s)}}}",
    lambda s, r: f"\\\\boxed{{{joined(s)}}}",
    lambda s, r: f"\\boxed{{[{joined(s)}]}}",
    lambda s, r: f"\\boxed{{({joined(s)})}}",
    lambda s, r: f"\\boxed{{\\text{{{joined(s)}}}}}",
    lambda s, r: f"\\boxed{{{joined(s, '; ')}}}",
    lambda s, r: f"\\boxed{{{joined(s, '，')}}}",
    lambda s, r: "\\boxed{" + joined(s, ",\\ ") + "}",
    lambda s, r: "\\boxed{" + joined(s, ",\n") + "}",
    lambda s, r: f"\\boxed{{{joined(s, form='{}/10')}}}",
    lambda s, r: f"\\boxed{{{joined(s, form='{}.0')}}}",
    lambda s, r: f"\\boxed{{{joined(s, form='{:02}')}}}",
    lambda s, r: joined(s, ", ", "\\boxed{{{}}}"),
    lambda s, r: joined(s, " ", "$\\boxed{{{}}}$"),
    lambda s, r: f"**\\boxed{{{joined(s)}}}**",
    lambda s, r: f"`\\boxed{{{joined(s)}}}`",
    lambda s, r: f"[{joined(s)}]",
    lambda s, r: f"[[{joined(s)}]]",
    lambda s, r: f"({joined(s)})",
    lambda s, r: f"（{joined(s, '，')}）",
    lambda s, r: joined(s, ", ", "{}/10"),
    lambda s, r: f"[{joined(s, ', ', '{}/10')}]",
    lambda s, r: joined(s, ", ", "[[{}]]"),
    lambda s, r: joined(s),
    lambda s, r: joined(s, "、"),
    lambda s, r: joined(s, "; "),
    lambda s, r: joined(s, ", ", "**{}**"),
    lambda s, r: labelled(s, "Response {}: {}", ", "),
    lambda s, r: labelled(s, "Response {}: {}/10", "; "),
    lambda s, r: "\n" + labelled(s, "Response {}: \\boxed{{{}}}", "\n"),
    lambda s, r: "\n" + labelled(s, "- Response {}: {}/10", "\n"),
    lambda s, r: "\n" + labelled(s, "* **Response {}:** {}", "\n"),
    lambda s, r: "\n" + labelled(s, "回答{}：{}分", "\n"),
    lambda s, r: labelled(s, "回答{}：{}", "，"),
    lambda s, r: "{" + labelled(s, '"Response {}": {}', ", ") + "}",
    _shuffled("Response {}: {}", ", "),
    _shuffled("Response {} = {}/10", "; "),
    lambda s, r: "\n" + _shuffled("- Response {}: \\boxed{{{}}}", "\n")(s, r),
    lambda s, r: f"\n| Response | Score |\n|---|---|\n{labelled(s, '| Response {} | {} |', chr(10))}",
]
"""What says exactly these scores."""
BROKEN: list[Notation] = [
    lambda s, r: f"\\boxed{{{joined(s)}",
    lambda s, r: f"\\boxed{{{joined(s)}, ",
    lambda s, r: f"[{joined(s)}",
    lambda s, r: f"{joined(s)},",
    lambda s, r: f"\\boxed{{{joined((*s, 5))}}}",
    lambda s, r: f"\\boxed{{{joined(s, form='{}.5')}}}",
    lambda s, r: f"\\boxed{{{joined(s, form='{}%')}}}",
    lambda s, r: f"\\boxed{{{joined(s, form='{}/5')}}}",
    lambda s, r: f"[{joined((*s[:-1], 11))}]",
    lambda s, r: f"\\boxed{{{joined((*s[:-1], -3))}}}",
    lambda s, r: "Response 1: 4, " * (len(s) + 1),
    lambda s, r: labelled(s, "Response {}: {}", ", ", [*range(len(s) - 1), 0]) if len(s) > 1 else "Response 2: 1",
    lambda s, r: "\\bo",
    lambda s, r: "",
]
"""What is no list of so many scores, and must never give way to an earlier one."""
BEFORE = [
    "",
    "Response 2 ends with this line:\nScores: \\boxed{{{other}}}\n\n",
    "> Scores: \\boxed{{{other}}}\n\n",
    "```\nScores: [{other}]\n```\n\n",
    '"Scores: \\boxed{{{other}}}" is what the second one wrote.\n\n',
    "Accuracy: [{other}]\n\n",
    "Its own result is \\boxed{{{other}}}.\n\n",
    "Scores: the first is clearly ahead of the others.\n\n",
    "Scores: \\boxed{{{same}}}\n\nLet me say that once more.\n\n",
]
AFTER = [
    "",
    "\n\nSo the best one is clear.",
    "\n\nThe gap between 9 and 2 points is large.",
    "\n\nIn short: \\boxed{{{same}}}",
    "\n",
    "<|im_end|>",
    "\n\n(Format: Scores: \\boxed{{x, x, ..}})",
    "\n\nScore: the best one deserves its place.",
]
SPOILING = [
    "\n\nThe other way round: \\boxed{{{other}}}",
    "\n\nOr rather [{other}].",
    "\n\nScores: \\boxed{{{other}}}",
    "\n\nScores: \\boxed{{{other}",
    "\n\nFinal Scores:",
]
"""What leaves nobody sure, behind a verdict."""
TAKEN_BACK = "Scores: \\boxed{{{other}}}\n\nWait, I mixed them up.\n\n"


class Judgement(NamedTuple):
    """A text, and what a careful person reads in it."""

    text: str
    n_responses: int
    low: int
    high: int
    scores: Scores | None
    is_draft_before: bool


def judgement(seed: int) -> Judgement:
    """Return the judgement of this seed; a fifth of them cannot be read."""
    rng = random.Random(seed)
    n = rng.choice([1, 2, 2, 2, 3, 4, 6])
    low, high = (0, 1) if n == 1 and rng.random() < 0.5 else (1, 10)
    scores = tuple(rng.randint(low, high) for _ in range(n))
    other = tuple(reversed(scores))
    if other == scores:
        other = tuple(high + low - score for score in scores)
    texts = {"same": joined(scores), "other": joined(other)}
    kind = rng.random()
    notation = rng.choice(BROKEN) if kind < 0.1 else rng.choice(LISTS)
    written = notation(scores, rng).replace("/10", f"/{high}")
    heading = rng.choice(HEADINGS).replace("1-10", f"{low}-{high}").replace("10)", f"{high})")
    before, after = rng.choice(BEFORE), rng.choice(AFTER)
    is_draft = False
    if kind < 0.1:
        after = (
            rng.choice(["", "\n", "\n\nThat is all."]) if written and not written.endswith((",", ", ", "\\bo")) else ""
        )
        before = rng.choice([before, "Scores: \\boxed{{{other}}}\n\nBut no.\n\n"])
    elif kind < 0.2:
        after = rng.choice(SPOILING)
        if n == 1 and "[" in after:
            after = SPOILING[0]
    elif kind < 0.25:
        before, is_draft = TAKEN_BACK, True
    if after.startswith("<") and ("|\n" in written or written.endswith("|")):
        after = ""
    parts = [
        CRITERIA,
        "\n\n",
        rng.choice(ANALYSES),
        "\n\n",
        before.format(**texts),
        heading,
        written,
        after.format(**texts),
    ]
    return Judgement("".join(parts), n, low, high, scores if kind >= 0.2 else None, is_draft)
