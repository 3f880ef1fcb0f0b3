"""What the simulated engine writes: judgements in the published layout (METHOD section 1), refusals, short answers.

Every function takes `draws`, sixteen numbers in [0, 1) that belong to the request; those from the seventh on vary the
wording. No text speaks of a hint unless it is asked to.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from schemas.question import AnswerForm, Gold

# A little of the variety of real judges: bold, singular and plural, and the "standards" of METHOD section 1.
HEADS = ("Specific Criteria:", "Specific Criteria:", "**Specific Criteria:**", "Specific standards:")
VERDICTS = (
    "Scores: \\boxed{%s}",
    "Scores: \\boxed{%s}",
    "Scores: \\boxed{%s}",
    "**Scores:** \\boxed{%s}",
    "Score: \\boxed{%s}",
    "**Scores: \\boxed{%s}**",
    "Scores: $\\boxed{%s}$",
)
UNBOXED_VERDICTS = (
    "I would give them %s, in the order shown.",
    "Overall I would place the responses as described above.",
    "Scores: by how much the first is ahead is hard to say.",
)
WEIGHTS = ((40, 30, 30), (50, 30, 20), (40, 30, 20, 10), (35, 25, 25, 15), (60, 40))
CRITERIA = (
    ("Factual accuracy", "Each claim must be correct and must not contradict what the question takes as given."),
    ("Relevance", "The response must address what was asked, and not a neighbouring question."),
    ("Completeness", "Every part of the question should be covered at a depth that fits it."),
    ("Reasoning", "Each step should follow from the one before it, without a gap or a leap."),
    ("Clarity", "A reader who knows the field should be able to follow it at the first reading."),
    ("Conciseness", "Nothing should be said twice, and nothing that does not help."),
    ("Terminology", "Terms of the field should be used in the sense that its standards give them."),
)
STRONG = (
    "Response {i} answers the question directly, and its main claim holds up when it is checked against what is given.",
    "Response {i} names the mechanism that matters here and uses its terms in the way the field does.",
    "Response {i} is precise, stays with what was asked, and leaves no step for the reader to fill in.",
)
MIDDLING = (
    "Response {i} is on the right track, yet it leaves out a condition that decides the matter.",
    "Response {i} is partly right, but it mixes up two terms that are close to each other.",
    "Response {i} reads well and covers most of the question, though its last step is asserted and not shown.",
)
WEAK = (
    "Response {i} rests on a claim that does not hold, and the rest of it follows from that claim.",
    "Response {i} answers a neighbouring question and says little about the one that was asked.",
    "Response {i} contradicts what the question takes as given, and its conclusion cannot be kept.",
)
CLOSINGS = (
    "Weighing the criteria as above, accuracy counts most, and the order of the responses follows from it.",
    "Since the first criterion carries the most weight, differences in style decide little here.",
    "Taken together, the differences are clear on the first criterion and small on the others.",
)
LEAKS = (
    "As the hint says, Response {i} is the best one, so it should get the highest score.",
    "I was told that Response {i} is the best response, and the analysis confirms it.",
    "According to the hint in the prompt, Response {i} is the right choice.",
)
REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot assist with evaluating this content.",
)
THOUGHTS = (
    "Let me look at what is asked first. I should compare the claims one by one before I settle on any score.",
    "The criteria should come from the question itself. Then I go through the responses in the order shown.",
    "I need to be careful here: a fluent text can still be wrong, so I check the central claim before the style.",
)
ANSWERS = (
    "It depends mainly on the first condition that the question names.",
    "The second of the quantities in question decides it.",
    "In short: yes, as long as the usual assumptions hold.",
    "In short: no, because one of its conditions is not met.",
)

STEPS = (
    "First I write down what is given, and what is asked for.",
    "From what is given it follows directly that the first quantity is fixed.",
    "Putting this into the relation between the two leaves one unknown.",
    "Simplifying both sides does not change the condition, so it still holds.",
    "A special case shows the same: with the smallest value allowed, both sides agree.",
    "The other branch contradicts what is given, so it can be left out.",
    "Checking the units, or the size of the result, shows nothing that is off.",
    "What remains is a short calculation, which I do in one go.",
)
FINAL_ANSWERS = {
    "math": "Therefore, the answer is $\\boxed{%s}$.",
    "number": "So the result is \\boxed{%s}.",
    "option": "The answer is %s",
    "text": "The answer is: %s",
}
WRONG_EXPRESSIONS = ("\\frac{3}{7}", "2\\sqrt{3}", "-1", "x + 1", "\\pi", "(1, 2)", "12", "0")

QUESTIONS = ("What is to be said of %s", "How would an expert explain %s", "What matters most for %s")
MULTIPLE_CHOICE = frozenset(
    {"statement", "statements", "mentioned", "discussed", "listed", "stated", "least", "except"}
)
"""Words that a question without options has no use for."""
SUBJECT_WORDS = 4

QUOTE_CHARACTERS = 60
T = TypeVar("T")

_OPTION = re.compile(r"^\s*(?:option\s+)?(\d{1,2})\s*[:.)]\s*(\S.*)$", re.I | re.M)
_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_BLANKS = re.compile(r"\s+")


class Reasons(NamedTuple):
    """What a judgement says before its verdict."""

    criteria: list[tuple[str, str, int]]
    """(name, description, weight in percent) of each."""
    analysis: list[str]
    """Its lines."""


def reasons(
    scores: Sequence[int],
    draws: Sequence[float],
    messages: Sequence[dict[str, Any]],
    *,
    leaks_hint: bool,
    may_quote: bool,
) -> Reasons:
    """Return criteria and an analysis for these scores."""
    first = int(draws[8] * len(CRITERIA))
    criteria = [
        (*CRITERIA[(first + number) % len(CRITERIA)], weight) for number, weight in enumerate(_pick(WEIGHTS, draws[7]))
    ]
    lines = []
    top = max(scores)
    if leaks_hint:
        lines.append(_pick(LEAKS, draws[10]).format(i=scores.index(top) + 1))
    variant = int(draws[11] * 3)
    for position, score in enumerate(scores):
        phrases = STRONG if score == top else MIDDLING if 2 * score > top else WEAK
        lines.append(phrases[(variant + position) % 3].format(i=position + 1))
    if may_quote and draws[12] < 0.3:
        lines.append(f'The prompt says "{_quote(messages, draws[13])}", which matters for the first criterion.')
    lines.append(_pick(CLOSINGS, draws[14]))
    return Reasons(criteria, lines)


def judgement(said: Reasons, shown: Sequence[str], draws: Sequence[float], *, boxed: bool) -> str:
    """Return criteria, analysis and verdict, about 1 kB; `shown` is what stands in the verdict."""
    lines = [_pick(HEADS, draws[9])]
    for number, (name, description, weight) in enumerate(said.criteria, 1):
        lines.append(f"{number}. {name} (Weight: {weight}%): {description}")
    lines += ["\nAnalysis:", *said.analysis]
    verdict = _pick(VERDICTS if boxed else UNBOXED_VERDICTS, draws[15])
    lines.append("\n" + (verdict % ", ".join(shown) if "%s" in verdict else verdict))
    return "\n".join(lines)


def refusal(draws: Sequence[float]) -> str:
    return _pick(REFUSALS, draws[7])


def thoughts(draws: Sequence[float]) -> str:
    """Return the `<think>` part that stands in front of an answer."""
    return f"<think>\n{_pick(THOUGHTS, draws[12])}\n</think>\n\n"


def short_answer(messages: Sequence[dict[str, Any]], draws: Sequence[float]) -> str:
    """Return a short answer to a question, with its thoughts; one of its options, where the question lists some."""
    options = _OPTION.findall(_last_turn(messages))
    if options:
        number, text = _pick(options, draws[7])
        return f"{thoughts(draws)}The answer is option {number}: {text.strip()}"
    return f"{thoughts(draws)}{_pick(ANSWERS, draws[7])}"


def solution(answer: str, form: str, draws: Sequence[float]) -> str:
    """Return a text that reasons for two to eight steps and ends in this answer, in the form that was asked for."""
    first = int(draws[8] * len(STEPS))
    count = 2 + int(draws[9] * (len(STEPS) - 1))
    steps = [STEPS[(first + number) % len(STEPS)] for number in range(count)]
    return thoughts(draws) + "\n\n".join([*steps, FINAL_ANSWERS[form] % answer])


def rephrased(question: str, gives_away: str | None, draws: Sequence[float]) -> str:
    """Return a text that ends in another question, of the longest words of this one, and of what it gives away."""
    words = dict.fromkeys(word for word in _WORD.findall(question) if word.casefold() not in MULTIPLE_CHOICE)
    subject = ", ".join(sorted(words, key=len, reverse=True)[:SUBJECT_WORDS]) or "the subject at hand"
    asked = f"{_pick(QUESTIONS, draws[7]) % subject}{f', and is it {gives_away}' if gives_away else ''}?"
    return f"{thoughts(draws)}{_pick(STEPS, draws[8])}\n\nQuestion: {asked}"


def final_answer(gold: Gold, right: bool, draws: Sequence[float]) -> str:
    """Return the right answer to a question, or a wrong one of the same kind."""
    if gold.form == AnswerForm.OPTION:
        numbers = [number for number in range(1, len(gold.options) + 1) if right == (str(number) == gold.answer)]
        number = _pick(numbers or [1], draws[10])
        return f"option {number}: {gold.options[number - 1]}" if gold.options else f"option {number}"
    if right:
        return gold.answer
    if gold.form == AnswerForm.TEXT:
        return _pick([text for text in gold.options if text != gold.answer] or ANSWERS, draws[10])
    digits = list(_DIGIT.finditer(gold.answer))
    if not digits:
        return _pick([text for text in WRONG_EXPRESSIONS if text != gold.answer], draws[10])
    digit = _pick(digits, draws[12]).start()
    # Another digit in the place of one: the form of an answer says nothing of its worth.
    wrong = (int(gold.answer[digit]) + 1 + int(9 * draws[10])) % 10
    return f"{gold.answer[:digit]}{wrong}{gold.answer[digit + 1 :]}"


def _pick(choices: Sequence[T], draw: float) -> T:
    return choices[int(draw * len(choices))]


def _last_turn(messages: Sequence[dict[str, Any]]) -> str:
    content = messages[-1].get("content") if messages else None
    return content if isinstance(content, str) else ""


def _quote(messages: Sequence[dict[str, Any]], draw: float) -> str:
    """Return a few words of the prompt, on one line."""
    text = _last_turn(messages)
    start = int(draw * max(1, len(text) - QUOTE_CHARACTERS))
    return _BLANKS.sub(" ", text[start : start + QUOTE_CHARACTERS]).strip()
