"""What many answers say, read by column where they keep to the layout that the prompt asks for.

Most answers do. polars reads such a one in a fraction of the time that `read_answer` takes, to the very same result:
the layout is narrow enough that no rule of the long way could find anything else in it. Every other answer takes the
long way, and tests hold the two together.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.judging.extraction import REFUSED_BY, TRUNCATED_BY, read_answer
from pipelines.judging.prompts import score_range
from pipelines.judging.score_headings import HEADING_WORD
from pipelines.judging.verdicts import CANONICAL, CANONICAL_SCORES, FORGIVEN
from schemas.columns import may_hold_thoughts
from schemas.trajectory import JUDGED, PRINCIPLES, Outcome, Reading

READINGS = pa.schema([JUDGED.field(name) for name in Reading._fields])

_WHITE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())  # what Python strips
_EDGE = r"\s\x1c-\x1f:：—–*_\-"  # what would be stripped from a name or a description, or could be mark-up around it
_NAME = rf"[^{_EDGE}(（\[【`%％](?:[^\n:：(（\[【—–*_`%％\-]*[^{_EDGE}(（\[【`%％])?"
_DESCRIPTION = rf"[^{_EDGE}](?:[^\n]*[^\s\x1c-\x1f])?"
_ITEM = r"[0-9]{{1,2}}[.)] {}\([Ww]eight: {}%\): {}"
_MARKS = "[#*_ ]{0,8}"
_CRITERIA = (
    rf"\A{_MARKS}(?:[Ss]pecific |[Ee]valuation |[Jj]udging )?(?:[Cc]riteria|[Ss]tandards|[Pp]rinciples)[*_ ]*:[*_]*"
    rf"(?:\n{_ITEM.format(_NAME + ' ', '[0-9]{1,2}', _DESCRIPTION)})+\z"
)
_ANALYSIS = rf"\A{_MARKS}(?:[Aa]nalysis|[Cc]ritique)[*_ ]*:[*_]*"
_BOX = CANONICAL_SCORES.removeprefix("Scores: ")
# The line that is asked for, and the forms of it that models write most often, which are read as it is.
_VERDICT = rf"[^\s:：*_`#]\n+(Scores?: {_BOX}|Scores?: \${_BOX}\$|\*\*Scores?: {_BOX}\*\*|\*\*Scores?:\*\* {_BOX})\z"
_MAY_GIVE_EXAMPLE = r"(?i)(?:be|read|reads|output|answer|response|line|says|said|wrote|writes)\z"
_LONGEST_EXAMPLE = 8  # how a line may end that shows somebody else's words below it
# A heading has a number, a macro and four words at most before its word for scores. Behind it, its line goes on to a
# sign that opens a list, or ends.
_GOES_ON = r"(?:[^a-z\n][^\n]*)?(?:[:=(\-\\\[>]|boxed|[^\x00-\x7f])"
_ENDS = r"(?:[^\w\n]|_|list|line|are|is|as|follows|finales|finais|finali|" + HEADING_WORD + r")*(?:\n|\z)"
_MAY_OPEN_WITH_SCORES = rf"(?im)^[^\w\n]*(?:\w+[^\w\n]+){{0,6}}\w*{HEADING_WORD}(?:{_GOES_ON}|{_ENDS})"
_SCORE_WORD = f"{HEADING_WORD}(?:[^a-z]|\\z)"
# A text with one of these may hold a fence, words in tags, or a response said again.
_DOUBTS = ["```", "~~~", '"""', "'''", "<", "\n[The Begin of Response"]


def begin_reading(answers: pl.DataFrame, *, with_parts: bool = True) -> tuple[pl.DataFrame, list[Reading | None]]:
    """Return the plain answers laid out, with outcome, margin and form of the verdict, and the readings of the others.

    A plain answer has None among the readings.

    `answers` has text, finish_reason, n_responses, best_position and label, in this order. The rows of both are its
    rows. They may be put in another order before `readings_of` goes on. `with_parts=False` leaves principles and
    critiques out.
    """
    laid = laid_out(answers)
    plain = plain_rows(laid)
    others: list[Reading | None] = [None] * len(plain)
    places = (~plain).arg_true()
    for place, answer in zip(places, answers[places].iter_rows(), strict=True):
        others[place] = read_answer(*answer, with_parts=with_parts)
    return laid.select("criteria", "rest", "analysis", "verdict", "scores", *_verdicts()), others


def readings_of(laid: pl.DataFrame, others: Sequence[Reading | None]) -> pa.Table:
    """Return what `read_answer` reads from answers that were begun, a row of READINGS each; FAILED without a text."""
    long = [reading for reading in others if reading is not None]
    if not long:
        return _plain_readings(laid)
    columns = zip(zip(*long, strict=True), READINGS, strict=True)
    read = pa.table([pa.array(column, field.type) for column, field in columns], READINGS)
    is_plain = np.array([reading is None for reading in others])
    places = np.argsort(np.argsort(~is_plain, kind="stable"))  # of each answer in the plain ones and the long ones
    return pa.concat_tables([_plain_readings(laid.filter(is_plain)), read]).take(places)


def laid_out(answers: pl.DataFrame) -> pl.DataFrame:
    """Return the answers with their parts in the layout of the prompt: criteria, rest, analysis, verdict, scores."""
    parts = pl.col("text").str.splitn("\n\n", 2).struct.rename_fields(["criteria", "rest"]).struct.unnest()
    rest = pl.col("rest").str
    return (
        answers.with_columns(parts)
        .with_columns(analysis=rest.extract(_ANALYSIS, 0), verdict=rest.extract(_VERDICT, 1))
        .with_columns(scores=pl.col("verdict").str.extract_all("[0-9]+").cast(pl.List(pl.Int32)))
    )


def plain_rows(laid: pl.DataFrame) -> pl.Series:
    """Say which answers have their three parts as the prompt asks for them, and one valid score a response.

    Thinking may hold another verdict, "eight" may begin a weight, and what was cut off or refused has no verdict.
    """
    is_plain = laid.select(_is_plain().fill_null(False)).to_series()
    return is_plain.scatter(pl.concat([may_hold_thoughts(laid["text"]), _may_open_with_scores(laid)]), False)


def _may_open_with_scores(laid: pl.DataFrame) -> pl.Series:
    """Return the numbers of the answers that may have another line that opens with a heading of scores."""
    before = laid.select(pl.col("text").str.strip_suffix(pl.col("verdict"))).to_series()
    # In small letters the word is found in a fraction of the time.
    places = before.str.to_lowercase().str.contains(_SCORE_WORD).arg_true()
    return places.filter(before.gather(places).str.contains(_MAY_OPEN_WITH_SCORES))


def _is_plain() -> pl.Expr:
    """Say the same of an answer, but for what is rare and slow to look for."""
    scores, is_single = pl.col("scores"), pl.col("n_responses") == 1
    (single_low, single_high), (low, high) = score_range(1), score_range(2)
    return (
        (scores.list.len() == pl.col("n_responses"))
        & (scores.list.min() >= pl.when(is_single).then(single_low).otherwise(low))
        & (scores.list.max() <= pl.when(is_single).then(single_high).otherwise(high))
        & (is_single | (pl.col("best_position") < pl.col("n_responses")))
        & ~pl.col("finish_reason").is_in([*TRUNCATED_BY, *REFUSED_BY]).fill_null(False)
        & pl.col("analysis").is_not_null()
        & ~pl.any_horizontal(pl.col("text").str.contains(doubt, literal=True) for doubt in _DOUBTS)
        & ~pl.col("text")
        .str.strip_suffix(pl.col("verdict"))
        .str.strip_chars_end("\n")
        .str.tail(_LONGEST_EXAMPLE)
        .str.contains(_MAY_GIVE_EXAMPLE)
        & pl.col("criteria").str.contains(_CRITERIA)
        & ~pl.col("criteria").str.contains(r"\n[^\n(]*[Ee]ight")
    )


def _verdicts() -> list[pl.Expr]:
    """Return the outcome, the margin and the form of the verdict of plain answers."""
    is_canonical = pl.col("verdict").str.contains(rf"\A{CANONICAL_SCORES}\z")
    form = pl.when(is_canonical).then(pl.lit(CANONICAL)).otherwise(pl.lit(FORGIVEN)).alias("verdict_form")
    scores = pl.col("scores")
    best, highest = scores.list.get(pl.col("best_position"), null_on_oob=True), scores.list.max()
    second = scores.list.sort(descending=True).list.get(1, null_on_oob=True)
    is_wrong = pl.when(pl.col("n_responses") == 1).then(highest.ne_missing(pl.col("label"))).otherwise(best < highest)
    wrong = pl.when(is_wrong).then(pl.lit(Outcome.INCORRECT.value))
    tied = wrong.when(highest == second).then(pl.lit(Outcome.TIED.value))
    margin = best - pl.when(best < highest).then(highest).otherwise(second)
    return [tied.otherwise(pl.lit(Outcome.CORRECT.value)).alias("outcome"), margin.alias("margin"), form]


def _plain_readings(laid: pl.DataFrame) -> pa.Table:
    critique = pl.col("rest").str.strip_prefix(pl.col("analysis")).str.strip_suffix(pl.col("verdict"))
    critique = critique.str.strip_chars(_WHITE).replace("", None).alias("critique")
    readings = laid.select(
        *("outcome", "scores", "margin", "verdict_form", critique),
        draft_verdict=pl.lit(False),
    )
    table = readings.to_arrow().append_column("principles", _plain_principles(laid["criteria"]))
    return table.select(READINGS.names).cast(READINGS)


def _plain_principles(criteria: pl.Series) -> pa.ListArray:
    """Return the principles of plain lists of criteria: a heading, then an item a line.

    An item is "1. Name (Weight: 30%): Description", and a name holds no parenthesis.
    """
    lines = criteria.str.split("\n").list.slice(1)
    name, rest = _cut(_cut(lines.explode(), " ")[1], " (")
    weight, description = _cut(rest.str.slice(len("Weight: ")), "%): ")
    share = pl.Series(weight.cast(pl.Float64).to_numpy() / 100)  # polars would multiply by 0.01
    fields = list(PRINCIPLES.value_type)
    structs = pa.StructArray.from_arrays(
        [value.to_arrow().cast(of.type) for value, of in zip((name, description, share), fields, strict=True)],
        fields=fields,
    )
    offsets = np.concatenate([[0], lines.list.len().to_numpy().cumsum()])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=PRINCIPLES)


def _cut(texts: pl.Series, at: str) -> list[pl.Series]:
    """Return what stands before and behind the first `at` of each text."""
    return texts.str.splitn(at, 2).struct.unnest().get_columns()
