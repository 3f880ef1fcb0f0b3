"""How much the words of a sentence say that its writer had been told the result: a linear model over short phrases.

Rules know what somebody thought of. The model has learned from sentences that were written as leaks and as honest
critiques, the corpus in tests/pipelines/grm/hint_leaks; `python -m benchmarks.hint_leaks --write` trains it. Its
weights are by phrase: up to three words of a Latin script, or up to four characters of another.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

WEIGHTS = "hint_weights.json"
THRESHOLD = 2.0
"""Above this a sentence speaks of the hint."""
_NAMED = re.compile(
    r"\b(?:responses?|answers?|assistants?|candidates?|options?)\s*#?\s*(?:[0-9]+|[ab]\b)"
    r"|\bthe (?:first|second|third|fourth|1st|2nd|other|latter|former) (?:response|answer|candidate|one|option)"
    r"|(?:回答|回复|响应|答案|选项)\s*[0-9一二三四ab]|第[一二三四]个?(?:回答|回复|响应|答案)"
)
_WORD = re.compile(r"RESP|[a-z']+")
_LATIN = re.compile(r"[a-z' ]+")
_NUMBER = re.compile("[0-9]+")


def phrases(sentence: str) -> set[str]:
    """Return the phrases of a sentence in small letters; responses go by one name, and so do numbers."""
    text = _NUMBER.sub("0", _NAMED.sub("RESP", sentence))
    words = _WORD.findall(text)
    found = {" ".join(words[start : start + size]) for size in (1, 2, 3) for start in range(len(words) - size + 1)}
    other = _LATIN.sub(" ", text.replace("RESP", "R"))
    return found | {
        f"#{other[start : start + size]}" for size in (1, 2, 3, 4) for start in range(len(other) - size + 1)
    }


def tells(sentence: str) -> bool:
    """Return whether a sentence in small letters speaks of the hint."""
    weights = _weights()
    return weights[""] + sum(weights.get(phrase, 0.0) for phrase in phrases(sentence)) > THRESHOLD


@cache
def _weights() -> Mapping[str, float]:
    """Return the weight of each phrase, and under the empty one what every sentence starts from."""
    found: dict[str, float] = json.loads((resources.files("pipelines.grm") / WEIGHTS).read_text("utf-8"))
    return found
