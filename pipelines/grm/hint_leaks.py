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
from collections.abc import Callable, Sequence

import polars as pl

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
_RESULT = rf"(?:{_ONE}|which\s+(?:response|answer|one)\b|the\s+(?:best|better|correct|right|expected|known)\b)"

# All of this reads lower-case text. What may not follow a match stands apart, since only Python's `re` can look ahead.
_HINT = r"\b(?:the|this|that|your|my|given|provided|above|according\s+to|as\s+per)\s+hint(?:s|ed)?\b"
_A_FIELD = (  # neither a compound ("paging hint") nor a field ("the hint bit") is the hint
    r"(?!\s+(?:bits?|fields?|flags?|messages?|parameters?|elements?|information|signals?|frames?|cells?"
    r"|indicators?|tables?|values?|at|text|(?:in|of|from|given\s+(?:in|by))\s+(?:response|answer|both|each))\b)"
)
_PHRASES = "|".join(
    [
        r"\bas\s+hinted\b",
        # the result was told
        r"\b(?:i|we)(?:\s+am|\s+are|.m|.re|\s+was|\s+were|\s+have\s+been|.ve\s+been)\s+"
        rf"(?:already\s+)?(?:told|informed|advised|given)\s+(?:that\s+|of\s+|about\s+)?{_RESULT}",
        r"\b(?:prompt|instructions?|task|note|input|user|system)\s+(?:already\s+)?"
        rf"(?:says?|states?|tells?|indicates?|specif(?:y|ies)|notes?)\s+(?:us\s+|me\s+)?(?:that\s+)?{_RESULT}",
        # the result is known
        rf"\b{_ONE}\s+(?:is|was|has\s+been)\s+(?:already\s+)?{_KNOWN}\s+(?:to\s+be\s+|as\s+|that\s+it\s+is\s+)?{_GOOD}",
        rf"\b(?:given|knowing|we\s+know|i\s+know|it\s+is\s+(?:already\s+)?known)\s+that\s+{_ONE}\s+is\s+{_GOOD}",
        r"\bknown\s+(?:(?:to\s+be\s+)?(?:the\s+)?(?:best|better|correct|right)\s+(?:response|answer|one)"
        r"|verdict|result|score|preference|ranking)\b",
        r"\b(?:right|correct|expected)\s+score\s+(?:is|was)\s+(?:known|given|stated|provided)\b",
        r"\bas\s+(?:was\s+)?(?:already\s+)?(?:indicated|stated|specified|noted|given|shown|suggested|told|revealed)\s+"
        r"(?:by|in|to)\s+(?:the\s+)?"
        r"(?:hint|reference\s+(?:answer|label)|label|gold|answer.key|annotat|instructions?\b|me\b|us\b)",
        # by someone's label, key or preference
        r"\b(?:reference|gold(?:en)?|ground.truth|true|provided|given|supplied)\s+"
        r"(?:label|verdict|preference|judge?ment|ranking)\b",
        r"\b(?:by|per|to|with|in|from|on|matches)\s+(?:the\s+)?answer\s+key\b",
        r"\b(?:annotators?|human\s+(?:raters?|judges?|evaluators?))\s+(?:have\s+|had\s+|has\s+)?"
        r"(?:preferred|prefers?|chose|rated|judged|found)\b",
    ]
)
_REFERENCE = (
    r"\b(?:reference|gold(?:en)?|ground.truth)\s+(?:answer|solution|response)\b"
    r"|\b(?:according\s+to|based\s+on|as\s+per|given|matches|with|to)\s+the\s+"
    r"(?:provided|given|known|supplied|official)\s+(?:correct\s+)?(?:answer|solution)\b"
)
_JUDGED = rf"\b{_ONE}\s+is\s+{_GOOD}"
_BEST_IS = (
    rf"\b(?:best|better|correct|right|winning)\s+(?:response|answer|option|one|candidate)\s+(?:is|here\s+is)\s+{_ONE}"
)

_SPEAKS_OF_HINT = re.compile(f"{_HINT}{_A_FIELD}|{_PHRASES}")
_SPEAKS_OF_REFERENCE = re.compile(rf"(?:{_REFERENCE})(?!\s*\d)")
_VERDICT = re.compile(
    rf"(?<!if )(?<!whether )(?<!that ){_JUDGED}(?!\s+(?:about|that|to\s+say|in\s+(?:saying|stating|noting)))|{_BEST_IS}"
)
_ANY_OF_THESE = f"(?i){_HINT}|{_PHRASES}|{_REFERENCE}|{_JUDGED}|{_BEST_IS}"
_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)|\n")
_FIRST_SENTENCE = 400  # as far as an opening sentence is looked for


def may_leak(texts: pl.Series) -> pl.Series:
    """Return which texts hold any of the phrases at all; no other can leak.

    Over a column, polars looks for all of them in 3 us a text, where Python takes 100 for what `leaks_hint` does.
    """
    return texts.str.contains(_ANY_OF_THESE)


def leaks_hint(
    text: str,
    *,
    parts: Callable[[], tuple[Sequence[Principle], str | None]] | None = None,
    reference_shown: bool = False,
) -> bool:
    """Return whether an answer to a hinted prompt gives the hint away.

    `parts` returns the principles and the critique of the text, where it was read already. `reference_shown` says that
    the training prompt holds the reference answer too, so that speaking of it is fair.
    """
    answer = verdicts.after_thinking(text)
    folded = answer.lower()
    if _SPEAKS_OF_HINT.search(folded) or (not reference_shown and _SPEAKS_OF_REFERENCE.search(folded)):
        return True
    principles, critique = parts() if parts else read_parts(answer)
    return critique is not None and _verdict_comes_first(folded, principles, critique.lower())


def _verdict_comes_first(folded: str, principles: Sequence[Principle], critique: str) -> bool:
    """Return whether a verdict stands before the first criterion is applied; both texts are in lower case."""
    before = folded[: folded.find(critique)]
    opening = critique[:_FIRST_SENTENCE]
    if end := _SENTENCE_END.search(opening):
        opening = opening[: end.start()]
    named = [opening.find(principle.name.lower()) for principle in principles]
    applied = min((position for position in named if position >= 0), default=len(opening))
    return any(_VERDICT.search(text) is not None for text in (before, opening[:applied]))
