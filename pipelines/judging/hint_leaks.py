"""Does a hinted answer give away that it was told the result?

A hinted sample is kept only where its text could have been written without the hint, since the training prompt has
none (METHOD section 3). There are two ways to leak:

1. A sentence speaks of the hint. The linear model of `hint_words` decides that.
2. The verdict comes before a first criterion is applied: "Response 2 is the best" among the criteria, or in the first
   sentence of the analysis, before that sentence names a criterion or a reason.

Precise on purpose: telecom texts speak of paging hints and ground truth, problems say "we are told that x = 3", and
users have preferences. A missed leak costs little. A false alarm on honest texts skews the set. The check
`hint_traces` tells what was missed, in any language.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import polars as pl

from pipelines.judging.extraction import read_parts
from pipelines.judging.hint_words import tell
from pipelines.judging.verdicts import answer_of
from schemas.trajectory import Principle

Parts = tuple[Sequence[Principle], str | None]

_OF_A_REFERENCE = "reference|参考|(?:provided|given|supplied) (?:answer|solution)|标准答案"
_ENDS_SENTENCE = r"[.;!?][ \t\r]|[。；！？]"
_BETWEEN = re.compile(rf"{_ENDS_SENTENCE}|\n")
_GOOD = (
    r"(?:(?:clearly|obviously|definitely|undoubtedly|simply|indeed|actually|in fact|certainly)\s+)?"
    r"(?:(?:slightly|much|far|significantly)\s+)?"
    r"(?:the\s+)?(?:(?:clear|overall|only|single)\s+)?(?:best|better|correct|right|superior|preferred|winner|strongest)\b"
)
_ONE = r"(?:response|answer|candidate|assistant)\s*(?:#|no\.?\s*|number\s+)?\d{1,3}"
_JUDGED = rf"\b{_ONE}\s+is\s+{_GOOD}"
_BEST_IS = (
    rf"\b(?:best|better|correct|right|winning)\s+(?:response|answer|option|one|candidate)\s+(?:is|here\s+is)\s+{_ONE}"
)
_CHINESE_VERDICT = (
    r"(?:回答|回复|响应)\s*[0-9]{1,2}\s*(?:显然|明显|无疑|确实|总体)?(?:是|为)?(?:明显|略|要)?"
    r"(?:最好|最佳|更好|最优|更优|优于|好于)"
)
_VERDICT_AT_ALL = f"(?i){_JUDGED}|{_BEST_IS}|{_CHINESE_VERDICT}"
_VERDICT = re.compile(
    rf"(?<!if )(?<!whether )(?<!that ){_JUDGED}(?!\s+(?:about|that|to\s+say|on|in)\b)|{_BEST_IS}|{_CHINESE_VERDICT}"
)
_REASON = re.compile(
    r"\b(?:because|since|as\s+(?:it|its)|for\s+its|due\s+to|in\s+that|given\s+its|thanks\s+to|by\s+\w+ing|:)|因为|由于|因其|在于"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)|[\n。！？]")
_WORD = re.compile(r"[a-z]{4,}|[\u4e00-\u9fff]{2}")
_FIRST_SENTENCE = 400  # as far as an opening sentence is looked for


def hint_leaks(texts: pl.Series, parts_of: Callable[[int], Parts], reference_shown: Sequence[bool]) -> list[bool]:
    """Return which answers to hinted prompts give the hint away; `parts_of` reads principles and critique of one.

    `reference_shown` says of each whether the training prompt holds the reference answer too, so that speaking of it
    is fair.
    """
    leaks = speaks_of_hint(texts, pl.Series(reference_shown, dtype=pl.Boolean)).to_list()
    for row in texts.str.contains(_VERDICT_AT_ALL).arg_true():
        leaks[row] = leaks[row] or gives_verdict_first(texts[row], *parts_of(row))
    return leaks


def leaks_hint(text: str, *, reference_shown: bool = False) -> bool:
    """Return whether one answer, or one sentence of a critique, gives the hint away."""
    answer = answer_of(text)
    return hint_leaks(pl.Series([answer]), lambda _: read_parts(answer), [reference_shown])[0]


def speaks_of_hint(texts: pl.Series, reference_shown: pl.Series) -> pl.Series:
    """Return which texts have a sentence that speaks of a hint. The time is in proportion to their length."""
    sentence = pl.col("sentence")
    sentences = (
        pl.DataFrame({"row": range(len(texts)), "sentence": texts.str.to_lowercase(), "shown": reference_shown})
        .with_columns(sentence.str.replace_all(_ENDS_SENTENCE, "\n").str.split("\n"))
        .explode("sentence")
        .filter(~(pl.col("shown") & sentence.str.contains(_OF_A_REFERENCE)))
    )
    different = sentences["sentence"].unique()  # headings and stock phrases stand in many answers
    rows = sentences.filter(sentence.is_in(different.filter(tell(different)).implode()))["row"]
    return pl.select(pl.int_range(len(texts)).is_in(rows.implode())).to_series()


def hint_sentences(text: str, reference_shown: bool) -> list[tuple[int, int]]:
    """Return where the sentences of one text begin and end that speak of a hint, as `speaks_of_hint` tells them."""
    folded = text.lower()
    ends = [(0, 0), *(found.span() for found in _BETWEEN.finditer(folded)), (len(folded), len(folded))]
    places = [(end, start) for (_, end), (start, _) in pairwise(ends) if start > end]
    sentences = pl.Series([folded[start:end] for start, end in places], dtype=pl.String)
    spoken = tell(sentences) if len(places) else sentences
    if reference_shown:
        spoken = spoken & ~sentences.str.contains(_OF_A_REFERENCE)
    return [place for place, is_spoken in zip(places, spoken, strict=True) if is_spoken]


def gives_verdict_first(answer: str, principles: Sequence[Principle], critique: str | None) -> bool:
    """Return whether a verdict stands before the first criterion is applied."""
    return first_verdict(answer, principles, critique) is not None


def first_verdict(answer: str, principles: Sequence[Principle], critique: str | None) -> tuple[int, int] | None:
    """Return where a verdict begins and ends that stands before the first criterion is applied; None without one."""
    if critique is None:
        return None
    folded, critique = answer.lower(), critique.lower()
    begin = folded.find(critique)
    before = folded[:begin]
    opening = critique[:_FIRST_SENTENCE]
    if end := _SENTENCE_END.search(opening):
        opening = opening[: end.start()]
    named = [opening.find(word) for principle in principles for word in _WORD.findall(principle.name.lower())]
    applied = min((position for position in named if position >= 0), default=len(opening))
    if verdict := _VERDICT.search(before):
        return verdict.span()
    verdict = _VERDICT.search(opening[:applied])
    if verdict is None or _REASON.search(opening, verdict.end()):
        return None
    return begin + verdict.start(), begin + verdict.end()
