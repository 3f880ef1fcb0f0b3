"""What the simulated engine writes about rubrics: criteria of known worth, and judgements by them."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import orjson

CRITERIA = (
    ("Names the mechanism that decides the matter: {topic}.", 9, "rule"),
    ("Contradicts nothing that the question takes as given about {topic}.", 8, "rule"),
    ("Keeps {topic} apart from the terms next to it.", 6, "principle"),
    ("Gives the condition under which what it says of {topic} holds.", 5, "principle"),
    ("States its conclusion about {topic} in one sentence.", 4, "principle"),
    ("Supports the claim about {topic} with a step that can be checked.", 5, "principle"),
    ("Answers a neighbouring question in place of the one about {topic}.", -7, "pitfall"),
    ("Asserts its last step about {topic} without a reason.", -5, "pitfall"),
    ("Mixes up cause and effect where it speaks of {topic}.", -6, "pitfall"),
)
RATES = ((0.85, 0.25), (0.85, 0.25), (0.85, 0.25), (0.8, 0.4), (0.8, 0.4), (0.99, 0.99), (0.01, 0.01), (0.3, 0.7))
"""How often a good and a bad answer meet a criterion: most tell them apart, one is met by all, one by none, and one
prefers the worse."""
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{4,}")
_QUESTION = re.compile(r"#### Question ####\n(.*?)\n\n####", re.S)


def rubric(messages: Sequence[dict[str, Any]], draws: Sequence[float]) -> str:
    """Return a rubric of six to nine criteria that speak of words of the question."""
    found = _QUESTION.search(str(messages[-1].get("content", "")))
    words = list(dict.fromkeys(_WORD.findall(found[1] if found else ""))) or ["the question"]
    count = 6 + int(draws[7] * 4)
    first = int(draws[8] * len(CRITERIA))
    criteria = []
    for number in range(count):
        text, points, kind = CRITERIA[(first + number) % len(CRITERIA)]
        topic = words[int(draws[9] * len(words) + number) % len(words)]
        criteria.append({"text": text.format(topic=topic), "points": points, "kind": kind, "tags": ["simulated"]})
    return orjson.dumps({"criteria": criteria}).decode()


def judgement(criteria: Sequence[tuple[str, bool]], is_best: bool, noise: Sequence[float]) -> str:
    """Return which of these, (text, whether it is a pitfall) each, an answer meets: by the worth of the text."""
    met = []
    for (text, is_pitfall), draw in zip(criteria, noise, strict=True):
        good, bad = RATES[blake2b(text.encode("utf-8", "replace"), digest_size=1).digest()[0] % len(RATES)]
        met.append(draw < (good if is_best != is_pitfall else bad))
    return orjson.dumps({"met": {str(number): one for number, one in enumerate(met, 1)}}).decode()
