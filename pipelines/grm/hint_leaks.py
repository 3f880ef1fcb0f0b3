"""Does a hinted answer give away that it was told the result?

A hinted sample is kept only where its text could have been written without the hint, since the training prompt has
none (METHOD section 3). Two ways to leak:

1. It speaks of the hint. The phrases below name the hint itself, say that the result was told, known, labelled or
   preferred by someone, or lean on a reference or provided answer.
2. It gives its verdict before it applies a first criterion: "Response 2 is the best" among the criteria, or in the
   first sentence of the analysis, before that sentence names a criterion.

Precise on purpose: telecom texts speak of paging hints, "hint bits" and ground truth, and problems say "we are told
that x = 3". A leak that these phrases miss costs little, a rule that fires on honest texts skews the set.
"""

import re
from collections.abc import Sequence

from pipelines.grm import verdicts
from pipelines.grm.extraction import read_parts
from schemas.trajectory import Principle

_ONE = r"(?:response|answer|option|candidate|assistant)\s*(?:#|no\.?\s*|number\s+)?\d{1,3}"
_GOOD = (
    r"(?:(?:clearly|obviously|definitely|undoubtedly|simply|indeed|actually|in fact|certainly)\s+)?"
    r"(?:(?:slightly|much|far|significantly)\s+)?"
    r"(?:the\s+)?(?:(?:clear|overall|only|single)\s+)?(?:best|better|correct|right|superior|preferred|winner|strongest)\b"
)
_KNOWN = r"(?:known|said|stated|given|indicated|labell?ed|marked|designated|specified|noted|confirmed)"
_TOLD = ("was", "already", "indicat", "stat", "specif", "noted", "given", "shown", "suggest", "told", "reveal")
_RESULT = rf"(?:{_ONE}|which\s+(?:response|answer|one)\b|the\s+(?:best|better|correct|right|expected|known)\b)"

# All of this reads lower-case text. A pattern is tried only where one of its words occurs: that makes a clean answer
# cost a tenth of what the patterns alone would.
_Phrases = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
_PHRASES: _Phrases = tuple(
    (words, re.compile(pattern))
    for words, pattern in [
        # the hint by name, but neither a compound ("paging hint") nor a field ("the hint bit")
        (
            ("hint",),
            r"\b(?:the|this|that|your|my|given|provided|above|according\s+to|as\s+per)\s+hint(?:s|ed)?\b"
            r"(?!\s+(?:bits?|fields?|flags?|messages?|parameters?|elements?|information|signals?|frames?|cells?"
            r"|indicators?|tables?|values?|at|text|(?:in|of|from|given\s+(?:in|by))\s+(?:response|answer|both|each))\b)"
            r"|\bas\s+hinted\b",
        ),
        # the result was told
        (
            (
                "told",
                "informed",
                "advised",
                *(f"{word} given" for word in ("am", "are", "was", "were", "been", "'m", "'re")),
            ),
            r"\b(?:i|we)(?:\s+am|\s+are|.m|.re|\s+was|\s+were|\s+have\s+been|.ve\s+been)\s+"
            rf"(?:already\s+)?(?:told|informed|advised|given)\s+(?:that\s+|of\s+|about\s+)?{_RESULT}",
        ),
        (
            ("prompt", "instruction", "task", "note", "input", "user", "system"),
            r"\b(?:prompt|instructions?|task|note|input|user|system)\s+(?:already\s+)?"
            rf"(?:says?|states?|tells?|indicates?|specif(?:y|ies)|notes?)\s+(?:us\s+|me\s+)?(?:that\s+)?{_RESULT}",
        ),
        # the result is known
        (
            (
                "known",
                "said",
                "stated",
                "given",
                "indicated",
                "label",
                "marked",
                "designated",
                "specif",
                "noted",
                "conf",
            ),
            rf"\b{_ONE}\s+(?:is|was|has\s+been)\s+(?:already\s+)?{_KNOWN}\s+(?:to\s+be\s+|as\s+|that\s+it\s+is\s+)?{_GOOD}",
        ),
        (
            ("given that", "knowing that", "know that", "known that"),
            rf"\b(?:given|knowing|we\s+know|i\s+know|it\s+is\s+(?:already\s+)?known)\s+that\s+{_ONE}\s+is\s+{_GOOD}",
        ),
        (
            ("known",),
            r"\bknown\s+(?:(?:to\s+be\s+)?(?:the\s+)?(?:best|better|correct|right)\s+(?:response|answer|one)"
            r"|verdict|result|score|preference|ranking)\b",
        ),
        (
            ("score is", "score was"),
            r"\b(?:right|correct|expected)\s+score\s+(?:is|was)\s+(?:known|given|stated|provided)\b",
        ),
        (
            tuple(f"as {word}" for word in _TOLD),
            r"\bas\s+(?:was\s+)?(?:already\s+)?(?:indicated|stated|specified|noted|given|shown|suggested|told|revealed)\s+"
            r"(?:by|in|to)\s+(?:the\s+)?"
            r"(?:hint|reference\s+(?:answer|label)|label|gold|answer.key|annotat|instructions?\b|me\b|us\b)",
        ),
        # by someone's label, key or preference
        (
            ("label", "verdict", "preference", "judgment", "judgement", "ranking"),
            r"\b(?:reference|gold(?:en)?|ground.truth|true|provided|given|supplied)\s+"
            r"(?:label|verdict|preference|judge?ment|ranking)\b",
        ),
        (("answer key",), r"\b(?:by|per|to|with|in|from|on|matches)\s+(?:the\s+)?answer\s+key\b"),
        (
            ("annotator", "human "),
            r"\b(?:annotators?|human\s+(?:raters?|judges?|evaluators?))\s+(?:have\s+|had\s+|has\s+)?"
            r"(?:preferred|prefers?|chose|rated|judged|found)\b",
        ),
    ]
)
_REFERENCE: _Phrases = (
    (
        (
            "reference",
            "gold",
            "ground",
            *(f"the {word}" for word in ("provided", "given", "known", "supplied", "offic")),
        ),
        re.compile(
            r"\b(?:reference|gold(?:en)?|ground.truth)\s+(?:answer|solution|response)\b"
            r"|\b(?:according\s+to|based\s+on|as\s+per|given|matches|with|to)\s+the\s+"
            r"(?:provided|given|known|supplied|official)\s+(?:correct\s+)?(?:answer|solution)\b(?!\s*\d)"
        ),
    ),
)
_PRAISE = ("best", "better", "correct", "right", "superior", "preferred", "winner", "strongest", "winning")
_VERDICT = re.compile(
    rf"(?<!if )(?<!whether )(?<!that )\b{_ONE}\s+is\s+{_GOOD}"
    r"(?!\s+(?:about|that|to\s+say|in\s+(?:saying|stating|noting)))"
    rf"|\b(?:best|better|correct|right|winning)\s+(?:response|answer|option|one|candidate)\s+(?:is|here\s+is)\s+{_ONE}"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)|\n")
_FIRST_SENTENCE = 400  # as far as an opening sentence is looked for


def leaks_hint(
    text: str,
    *,
    principles: Sequence[Principle] | None = None,
    critique: str | None = None,
    reference_shown: bool = False,
) -> bool:
    """Return whether an answer to a hinted prompt gives the hint away.

    `principles` and `critique` are those of the text, where it was read already. `reference_shown` says that the
    training prompt holds the reference answer too, so that speaking of it is fair.
    """
    answer = verdicts.after_thinking(text)
    folded = answer.lower()
    if _speaks_of(folded, _PHRASES) or (not reference_shown and _speaks_of(folded, _REFERENCE)):
        return True
    if principles is None:
        principles, critique = read_parts(answer)
    return critique is not None and _verdict_comes_first(folded, principles, critique.lower())


def _speaks_of(folded: str, phrases: _Phrases) -> bool:
    """Return whether a phrase occurs in a lower-case text."""
    return any(pattern.search(folded) for words, pattern in phrases if any(word in folded for word in words))


def _verdict_comes_first(folded: str, principles: Sequence[Principle], critique: str) -> bool:
    """Return whether a verdict stands before the first criterion is applied; both texts are in lower case."""
    before = folded[: folded.find(critique)]
    opening = critique[:_FIRST_SENTENCE]
    if end := _SENTENCE_END.search(opening):
        opening = opening[: end.start()]
    named = [opening.find(principle.name.lower()) for principle in principles]
    applied = min((position for position in named if position >= 0), default=len(opening))
    return any(
        _VERDICT.search(text) is not None
        for text in (before, opening[:applied])
        if any(word in text for word in _PRAISE)
    )
