"""Does a hinted answer give away that it was told the result?

A hinted sample is kept only where its text could have been written without the hint, since the training prompt has
none (METHOD section 3). Two ways to leak:

1. It speaks of the hint: words become letters, and rules over these letters say so (`hint_phrases` and its Chinese
   counterpart), or the words together do, as a model has learned (`hint_words`).
2. It gives its verdict before it applies a first criterion: "Response 2 is the best" among the criteria, or in the
   first sentence of the analysis, before that sentence names a criterion or a reason.

Precise on purpose: telecom texts speak of paging hints and ground truth, problems say "we are told that x = 3", and
users have preferences. A leak that these phrases miss costs little, a rule that fires on honest texts skews the set;
the check `hint_traces` says what they miss, in any language.
"""

import re
from collections.abc import Callable, Sequence

import polars as pl

from pipelines.grm import hint_phrases as english
from pipelines.grm import hint_phrases_chinese as chinese
from pipelines.grm.extraction import read_parts
from pipelines.grm.hint_words import tells
from pipelines.grm.verdicts import answer_of
from schemas.trajectory import Principle

Parts = tuple[Sequence[Principle], str | None]

Letters = Sequence[tuple[str, str]]

_ASCII = re.compile(r"\\[bd]")
_SENTENCE_ENDS = [*(end + blank for end in ".;!?" for blank in " \t\r"), *"。；！？"]
_CHINESE = "[\u4e00-\u9fff]"
_LOTS = 9  # all rules in one, they outgrow what the matcher keeps of its work
_OF_A_REFERENCE = "reference|参考"
_TAKEN_OUT = "_"  # no rule reaches over it


def _pattern(alternatives: Sequence[str]) -> str:
    """Return the alternatives as one pattern; its word ends are those of ASCII, which is ten times as quick."""
    return _ASCII.sub(lambda found: f"(?-u:{found[0]})", "|".join(alternatives))


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


_LANGUAGES = (english, chinese)
_TELLING = [_pattern([one.TELLING]) for one in _LANGUAGES]
_RESULT = [_pattern([one.RESULT]) for one in _LANGUAGES]
_RULES = [[_pattern(one.RULES[lot::_LOTS]) for lot in range(_LOTS)] for one in _LANGUAGES]
_REFERENCE = [_pattern(one.REFERENCE) for one in _LANGUAGES]
_LETTERS: list[Letters] = [
    [(letter, _pattern([pattern])) for letter, pattern in (*one.FIRST, (_TAKEN_OUT, "|".join(one.HONEST)), *one.WORDS)]
    for one in _LANGUAGES
]


def hint_leaks(texts: pl.Series, parts_of: Callable[[int], Parts], reference_shown: Sequence[bool]) -> list[bool]:
    """Return which answers to hinted prompts give the hint away; `parts_of` reads principles and critique of one.

    `reference_shown` says of each whether the training prompt holds the reference answer too, so that speaking of it
    is fair.
    """
    texts = pl.Series([answer_of(text) for text in texts], dtype=pl.String)
    leaks = speaks_of_hint(texts, pl.Series(reference_shown, dtype=pl.Boolean)).to_list()
    for row in texts.str.contains(_VERDICT_AT_ALL).arg_true():
        leaks[row] = leaks[row] or gives_verdict_first(texts[row], *parts_of(row))
    return leaks


def leaks_hint(text: str, *, reference_shown: bool = False) -> bool:
    """Return whether one answer, or one sentence of a critique, gives the hint away."""
    return hint_leaks(pl.Series([text]), lambda _: read_parts(answer_of(text)), [reference_shown])[0]


def speaks_of_hint(texts: pl.Series, reference_shown: pl.Series) -> pl.Series:
    """Return which texts speak of a hint, column by column, in time in proportion to their length."""
    lowered = texts.str.to_lowercase()
    rows = (lowered.str.contains(_TELLING[0]) | lowered.str.contains(_TELLING[1])).arg_true()
    sentence = pl.col("sentence").str
    sentences = (
        pl.DataFrame({"row": rows, "sentence": lowered.gather(rows), "shown": reference_shown.gather(rows)})
        .with_columns(sentence.replace_many(_SENTENCE_ENDS, ["\n"]).str.split("\n"))
        .explode("sentence")
        .filter(sentence.contains(_TELLING[0]) | sentence.contains(_TELLING[1]))
    )
    is_chinese = sentences["sentence"].str.contains(_CHINESE)
    said = [
        row
        for language, part in ((0, sentences.filter(~is_chinese)), (1, sentences.filter(is_chinese)))
        for row in _telling_rows(language, part)
    ]
    return pl.Series(range(len(texts)), dtype=pl.UInt32).is_in(said)


def _telling_rows(language: int, sentences: pl.DataFrame) -> list[int]:
    """Return the rows of which a sentence tells that the result was known."""
    letters = pl.col("sentence").str
    sentences = sentences.filter(letters.contains(_TELLING[language])).filter(letters.contains(_RESULT[language]))
    if sentences.is_empty():
        return []
    sentences = sentences.with_columns(letters.strip_chars_end(" .!?;"), whole="sentence")
    for letter, pattern in _LETTERS[language]:
        sentences = sentences.with_columns(letters.replace_all(pattern, letter))
    told = pl.any_horizontal(letters.contains(lot) for lot in _RULES[language]) | (
        ~pl.col("shown") & letters.contains(_REFERENCE[language])
    )
    said = sentences.with_columns(told=told)
    others = said.filter(~pl.col("told") & ~(pl.col("shown") & pl.col("whole").str.contains(_OF_A_REFERENCE)))
    learned = [row for row, text in zip(others["row"], others["whole"], strict=True) if tells(text)]
    return [*said.filter("told")["row"], *learned]


def gives_verdict_first(answer: str, principles: Sequence[Principle], critique: str | None) -> bool:
    """Return whether a verdict stands before the first criterion is applied."""
    if critique is None:
        return False
    folded, critique = answer.lower(), critique.lower()
    before = folded[: folded.find(critique)]
    opening = critique[:_FIRST_SENTENCE]
    if end := _SENTENCE_END.search(opening):
        opening = opening[: end.start()]
    named = [opening.find(word) for one in principles for word in _WORD.findall(one.name.lower())]
    applied = min((position for position in named if position >= 0), default=len(opening))
    if _VERDICT.search(before):
        return True
    found = _VERDICT.search(opening[:applied])
    return found is not None and not _REASON.search(opening, found.end())
