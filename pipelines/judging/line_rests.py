"""What the rest of a line says of the list of scores before it: whose they are, on which scale, or that it is quoted.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re

from pipelines.judging.score_headings import labels_in
from pipelines.judging.score_lists import ScoreList

_MENTIONED = re.compile(
    r"[\s`*_\"”“'’]*(?:is|was|are|were|would|could|might|should|may|cannot|can|must|isn['’]t|does|has|had|will|says?|said"
    r"|stands?|steht|appears?)\b",
    re.IGNORECASE,
)
"""A sentence that goes on behind its list speaks of scores."""
_MORE_NUMBERS = re.compile(r"\s*(?:[,;:|&]|->|=>|→)\s*(?:\\+boxed\s*)?[\[({]*\s*[+-]?[0-9]|\s*[0-9]+\s*\Z")
_REVERSED = re.compile(r"[^\w\n]*(?:in\s+)?revers", re.IGNORECASE)
_SCALE_BEHIND = re.compile(
    r"\s*[(\[]?\s*(?:(?:/|\bout\s+of\b|\b(?:of|von|sur|de)\b)\s*(?P<top>[0-9]+)|(?:(?:on\s+)?(?:a\s+)?scale\b[^0-9\n]{0,20})?"
    r"(?P<low>[0-9]+)\s*(?:-|–|to|~)\s*(?P<high>[0-9]+)|(?P<percent>[%％]|per\s?cent\b))",
    re.IGNORECASE,
)
_WHOSE = re.compile(
    r"\s*[(\[]?\s*(?:for|of)?\s*((?:the\s+)?(?:responses?|answers?|candidates?|assistants?)\b[^.;:)\]\n]*)", re.I
)


def with_rest_of_line(found: ScoreList, rest: str) -> ScoreList | None:
    """Return a list in a box or brackets with what the rest of its line adds; None where a sentence speaks of it.

    Further numbers, and an order that is turned round, leave it without a reading (`is_whole` is false).
    """
    if _MENTIONED.match(rest):
        return None
    if _MORE_NUMBERS.match(rest) or _REVERSED.match(rest):
        return found._replace(is_whole=False)
    scale = _SCALE_BEHIND.match(rest)
    if scale is not None:
        top = "%" if scale["percent"] else scale["top"] or scale["high"]
        return found._replace(items=tuple(item._replace(top=item.top or top) for item in found.items))
    whose = _WHOSE.match(rest)
    labels = labels_in(whose[1]) if whose else ()
    if len(labels) == len(found.items) and all(item.label is None for item in found.items):
        items = zip(found.items, labels, strict=True)
        return found._replace(items=tuple(item._replace(label=label) for item, label in items))
    return found
