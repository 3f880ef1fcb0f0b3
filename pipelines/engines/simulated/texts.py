"""What the simulated engine writes: judgements in the published layout (METHOD section 1), rubrics, short answers.

Every function takes `draws`, sixteen numbers in [0, 1) that belong to the request; those from the seventh on vary the
wording. No text speaks of a hint unless `leaks_hint` says so.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from schemas.question import AnswerForm, Gold

PHRASES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))
WEIGHTS = ((40, 30, 30), (50, 30, 20), (40, 30, 20, 10), (35, 25, 25, 15), (60, 40))
MULTIPLE_CHOICE = frozenset(
    {"statement", "statements", "mentioned", "discussed", "listed", "stated", "least", "except"}
)
"""Words that a question without options has no use for."""
SUBJECT_WORDS = 4
QUOTE_CHARACTERS = 60
RATES = ((0.85, 0.25), (0.85, 0.25), (0.85, 0.25), (0.8, 0.4), (0.8, 0.4), (0.99, 0.99), (0.01, 0.01), (0.3, 0.7))
"""How often a good and a bad answer meet a criterion: most tell them apart, one is met by all, one by none, and one
prefers the worse."""
T = TypeVar("T")

_OPTION = re.compile(r"^\s*(?:option\s+)?(\d{1,2})\s*[:.)]\s*(\S.*)$", re.I | re.M)
_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_TOPIC = re.compile(r"[A-Za-z][A-Za-z-]{4,}")
_QUESTION = re.compile(r"#### Question ####\n(.*?)\n\n####", re.S)
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
    weights = _pick(WEIGHTS, draws[7])
    named = zip(_in_turn("criteria", draws[8], len(weights)), weights, strict=True)
    criteria = [(criterion["name"], criterion["description"], weight) for criterion, weight in named]
    lines = []
    top = max(scores)
    if leaks_hint:
        lines.append(_phrase("leaks", draws[10]).format(i=scores.index(top) + 1))
    variant = int(draws[11] * 3)
    for position, score in enumerate(scores):
        rank = "strong" if score == top else "middling" if 2 * score > top else "weak"
        lines.append(PHRASES[rank][(variant + position) % 3].format(i=position + 1))
    if may_quote and draws[12] < 0.3:
        lines.append(f'The prompt says "{_quote(messages, draws[13])}", which matters for the first criterion.')
    return Reasons(criteria, [*lines, _phrase("closings", draws[14])])


def judgement(reasons: Reasons, shown: Sequence[str], draws: Sequence[float], *, boxed: bool) -> str:
    """Return criteria, analysis and verdict, about 1 kB; `shown` is what stands in the verdict."""
    lines = [_phrase("heads", draws[9])]
    lines += [
        f"{number}. {name} (Weight: {weight}%): {description}"
        for number, (name, description, weight) in enumerate(reasons.criteria, 1)
    ]
    lines += ["\nAnalysis:", *reasons.analysis]
    verdict = _phrase("verdicts" if boxed else "unboxed_verdicts", draws[15])
    return "\n".join([*lines, "\n" + (verdict % ", ".join(shown) if "%s" in verdict else verdict)])


def judgement_in_form(body: Mapping[str, Any], reasons: Reasons, scores: Sequence[int]) -> str | None:
    """Return the judgement in the form that a request's body wants; None where it wants none that is known here.

    Of a regex, only the headings that it names are read: what it wants beyond them is not written.
    """
    properties = _member(body, "response_format", "json_schema", "schema", "properties")
    if _member(properties, "scores", "properties"):
        return _as_json(properties, reasons, scores)
    regex = _member(body, "structured_outputs", "regex") or body.get("grammar")
    return _as_text(regex, reasons, scores) if isinstance(regex, str) else None


def rubric(messages: Sequence[dict[str, Any]], draws: Sequence[float]) -> str:
    """Return a rubric of six to nine criteria that speak of words of the question."""
    question = _QUESTION.search(str(messages[-1].get("content", "")))
    words = list(dict.fromkeys(_TOPIC.findall(question[1] if question else ""))) or ["the question"]
    criteria = []
    for number, criterion in enumerate(_in_turn("rubric", draws[8], 6 + int(draws[7] * 4))):
        topic = words[int(draws[9] * len(words) + number) % len(words)]
        criteria.append(criterion | {"text": criterion["text"].format(topic=topic), "tags": ["simulated"]})
    return orjson.dumps({"criteria": criteria}).decode()


def judgement_by_rubric(criteria: Sequence[tuple[str, bool]], is_best: bool, noise: Sequence[float]) -> str:
    """Return which of these, (text, whether it is a pitfall) each, an answer meets: by the worth of the text."""
    met = []
    for (text, is_pitfall), draw in zip(criteria, noise, strict=True):
        good, bad = RATES[blake2b(text.encode("utf-8", "replace"), digest_size=1).digest()[0] % len(RATES)]
        met.append(draw < (good if is_best != is_pitfall else bad))
    return orjson.dumps({"met": {str(number): is_met for number, is_met in enumerate(met, 1)}}).decode()


def refusal(draws: Sequence[float]) -> str:
    return _phrase("refusals", draws[7])


def thoughts(draws: Sequence[float]) -> str:
    """Return the `<think>` part that stands in front of an answer."""
    return f"<think>\n{_phrase('thoughts', draws[12])}\n</think>\n\n"


def short_answer(messages: Sequence[dict[str, Any]], draws: Sequence[float]) -> str:
    """Return a short answer to a question, with its thoughts; one of its options, where the question lists some."""
    options = _OPTION.findall(_last_turn(messages))
    if options:
        number, text = _pick(options, draws[7])
        return f"{thoughts(draws)}The answer is option {number}: {text.strip()}"
    return f"{thoughts(draws)}{_phrase('answers', draws[7])}"


def solution(answer: str, form: str, draws: Sequence[float]) -> str:
    """Return a text that reasons for two to eight steps and ends in this answer, in the form of its question."""
    steps = _in_turn("steps", draws[8], 2 + int(draws[9] * (len(PHRASES["steps"]) - 1)))
    return thoughts(draws) + "\n\n".join([*steps, PHRASES["final_answers"][form] % answer])


def rephrased(question: str, gives_away: str | None, draws: Sequence[float]) -> str:
    """Return a text that ends in another question, of the longest words of this one, and of what it gives away."""
    words = dict.fromkeys(word for word in _WORD.findall(question) if word.casefold() not in MULTIPLE_CHOICE)
    subject = ", ".join(sorted(words, key=len, reverse=True)[:SUBJECT_WORDS]) or "the subject at hand"
    asked = f"{_phrase('questions', draws[7]) % subject}{f', and is it {gives_away}' if gives_away else ''}?"
    return f"{thoughts(draws)}{_phrase('steps', draws[8])}\n\nQuestion: {asked}"


def final_answer(gold: Gold, right: bool, draws: Sequence[float]) -> str:
    """Return the right answer to a question, or a wrong one of the same kind."""
    if gold.form == AnswerForm.OPTION:
        numbers = [number for number in range(1, len(gold.options) + 1) if right == (str(number) == gold.answer)]
        number = _pick(numbers or [1], draws[10])
        return f"option {number}: {gold.options[number - 1]}" if gold.options else f"option {number}"
    if right:
        return gold.answer
    if gold.form == AnswerForm.TEXT:
        return str(_pick([text for text in gold.options if text != gold.answer] or PHRASES["answers"], draws[10]))
    digits = list(_DIGIT.finditer(gold.answer))
    if not digits:
        return str(_pick([text for text in PHRASES["wrong_expressions"] if text != gold.answer], draws[10]))
    digit = _pick(digits, draws[12]).start()
    # Another digit in the place of one: the form of an answer says nothing of its worth.
    wrong = (int(gold.answer[digit]) + 1 + int(9 * draws[10])) % 10
    return f"{gold.answer[:digit]}{wrong}{gold.answer[digit + 1 :]}"


def _phrase(kind: str, draw: float) -> str:
    return str(_pick(PHRASES[kind], draw))


def _in_turn(kind: str, draw: float, count: int) -> list[Any]:
    """Return so many phrases of a kind that follow one another, the first after the last."""
    phrases = PHRASES[kind]
    first = int(draw * len(phrases))
    return [phrases[(first + number) % len(phrases)] for number in range(count)]


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


def _member(tree: Any, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _as_json(properties: Mapping[str, Any], reasons: Reasons, scores: Sequence[int]) -> str:
    names = ("name", "description", "weight")
    written = {
        "principles": [dict(zip(names, criterion, strict=True)) for criterion in reasons.criteria],
        "critique": "\n".join(reasons.analysis),
        "scores": dict(zip(properties["scores"]["properties"], scores, strict=True)),
    }
    return orjson.dumps({name: written[name] for name in properties}).decode()


def _as_text(regex: str, reasons: Reasons, scores: Sequence[int]) -> str:
    lines = []
    if "Specific Criteria:" in regex:
        lines.append("Specific Criteria:")
        lines += [
            f"{number}. {name} (weight: {weight}%): {description}"
            for number, (name, description, weight) in enumerate(reasons.criteria, 1)
        ]
        lines.append("")
    lines += ["Analysis:", *reasons.analysis, "", f"Scores: \\boxed{{{', '.join(map(str, scores))}}}"]
    return "\n".join(lines)
