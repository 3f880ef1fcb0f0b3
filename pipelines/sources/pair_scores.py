"""What scores beside a pair say of it: how much better the chosen answer is, or that it is not.

{"prompt": .., "chosen": .., "rejected": .., "score_chosen": 8.0, "score_rejected": 2.0}
{"prompt": .., "chosen": .., "rejected": .., "chosen-rating": 3, "rejected-rating": 5}     contradicts the pair
{"prompt": .., "chosen": .., "rejected": .., "margin": 1.5}
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from pipelines.sources.rows import Row
from pipelines.sources.text import number

MARGINS = ("margin", "score_margin", "score_diff", "score_difference")

_WHOSE = "avg|average|mean|overall|total|final|rm|reward_model|model|judge|llm|gpt4?|human"
_SCORE = rf"(?:(?:{_WHOSE})_)*(?:score|rating|reward|grade)s?"
_OWN = re.compile(_SCORE)
_NAME = re.compile(rf"(?P<side>chosen|rejected)_{_SCORE}|{_SCORE}_(?:of_)?(?P<last>chosen|rejected)")


def pair_rewards(row: Row, answers: Mapping[str, Row]) -> tuple[tuple[float, float], bool]:
    """Return (the rewards of chosen and rejected, whether a score contradicts the pair).

    `answers` are those that are objects, which may hold a score themselves. Rewards are the first scores that both
    have, else `margin` and 0, else 1 and 0. Scores that are no numbers count as missing.
    """
    found: dict[str, dict[str, float]] = {}
    for key, value in row.items():
        side, kind = _score_of(key)
        score = number(value) if side else None
        if score is not None:
            found.setdefault(kind, {})[side] = score
    for side, answer in answers.items():
        for key, value in answer.items():
            if _OWN.fullmatch(_plain(key)) and (score := number(value)) is not None:
                found.setdefault(_plain(key), {})[side] = score
    scored = [(sides["chosen"], sides["rejected"]) for sides in found.values() if len(sides) == 2]
    margin = next((read for key in MARGINS if (read := number(row.get(key))) is not None), None)
    contradicted = any(chosen <= rejected for chosen, rejected in scored) or (margin is not None and margin <= 0)
    return (scored or [(margin, 0.0) if margin is not None else (1.0, 0.0)])[0], contradicted


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", key[:100].casefold()).strip("_")


@lru_cache(maxsize=1024)
def _score_of(key: str) -> tuple[str, str]:
    """Return (chosen or rejected, the key without it) of a score's key; empty texts of any other."""
    plain = _plain(key)
    match = _NAME.fullmatch(plain)
    if match is None:
        return "", ""
    side = match["side"] or match["last"]
    return side, plain.replace(side, "")
