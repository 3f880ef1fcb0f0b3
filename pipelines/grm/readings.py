"""What many answers say, read by column where they keep to the layout that the prompt asks for.

Most answers do. polars reads such a one in a fraction of the time that `read_answer` takes, to the very same result:
the layout is narrow enough that no rule of the long way could find anything else in it. Every other answer takes the
long way, and tests hold the two together.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.grm.extraction import REFUSED_BY, TRUNCATED_BY, read_answer
from pipelines.grm.prompts import score_range
from schemas.columns import struct_lists
from schemas.trajectory import PRINCIPLES, TRAJECTORIES, Outcome, Principle, Reading

READINGS = pa.schema([TRAJECTORIES.field(name) for name in Reading._fields])

_WHITE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())  # what Python strips
_EDGE = r"\s\x1c-\x1f:—–*_\-"  # what would be stripped from a name or a description, or could be mark-up around it
_NAME = rf"[^{_EDGE}(\[`%](?:[^\n:(\[—–*_`%\-]*[^{_EDGE}(\[`%])?"
_DESCRIPTION = rf"[^{_EDGE}](?:[^\n]*[^\s\x1c-\x1f])?"
_ITEM = r"[0-9]{{1,2}}[.)] {}\([Ww]eight: {}%\): {}"
_MARKS = "[#*_ ]{0,8}"
_CRITERIA = (
    rf"\A{_MARKS}(?:[Ss]pecific |[Ee]valuation |[Jj]udging )?(?:[Cc]riteria|[Ss]tandards|[Pp]rinciples)[*_ ]*:[*_]*"
    rf"(?:\n{_ITEM.format(_NAME + ' ', '[0-9]{1,2}', _DESCRIPTION)})+\z"
)
_ANALYSIS = rf"\A{_MARKS}(?:[Aa]nalysis|[Cc]ritique)[*_ ]*:[*_]*"
_VERDICT = rf"\n{_MARKS}[Ss]cores?[*_ ]*:[*_ ]*\$?\\boxed\{{[0-9]{{1,2}}(?:, ?[0-9]{{1,2}})*\}}[$*_]*\z"


def readings(answers: pl.DataFrame) -> pa.Table:
    """Return what `read_answer` reads from each answer, a row of READINGS each; FAILED where there is no text.

    `answers` has text, finish_reason, n_responses, best_position and label, in this order.
    """
    found = laid_out(answers)
    short = found.select(is_plain().fill_null(False)).to_series()
    plain = _plain_readings(found.filter(short))
    if short.all():
        return plain
    others = _long_readings([_read(*row) for row in answers.filter(~short).iter_rows()])
    places = np.argsort(np.argsort(~short.to_numpy(), kind="stable"))
    return pa.concat_tables([plain, others]).take(places)


def laid_out(answers: pl.DataFrame) -> pl.DataFrame:
    """Return the answers with their parts in the layout of the prompt: criteria, rest, analysis, verdict, scores."""
    parts = pl.col("text").str.splitn("\n\n", 2).struct.rename_fields(["criteria", "rest"]).struct.unnest()
    rest = pl.col("rest").str
    return (
        answers.with_columns(parts)
        .with_columns(analysis=rest.extract(_ANALYSIS, 0), verdict=rest.extract(_VERDICT, 0))
        .with_columns(scores=pl.col("verdict").str.extract_all("[0-9]+").cast(pl.List(pl.Int32)))
    )


def is_plain() -> pl.Expr:
    """Say whether an answer has its three parts as the prompt asks for them, and one valid score a response.

    Thinking may hold another verdict, "eight" may begin a weight, and what was cut off or refused has no verdict.
    """
    scores, is_single = pl.col("scores"), pl.col("n_responses") == 1
    (single_low, single_high), (low, high) = score_range(1), score_range(2)
    return (
        (scores.list.len() == pl.col("n_responses"))
        & (scores.list.min() >= pl.when(is_single).then(single_low).otherwise(low))
        & (scores.list.max() <= pl.when(is_single).then(single_high).otherwise(high))
        & (is_single | (pl.col("best_position") < pl.col("n_responses")))
        & ~pl.col("finish_reason").is_in([*TRUNCATED_BY, *REFUSED_BY]).fill_null(False)
        & ~pl.col("text").str.contains("think>", literal=True)
        & pl.col("analysis").is_not_null()
        & pl.col("criteria").str.contains(_CRITERIA)
        & ~pl.col("criteria").str.contains(r"\n[^\n(]*[Ee]ight")
    )


def _plain_readings(plain: pl.DataFrame) -> pa.Table:
    scores = pl.col("scores")
    found = plain.select(
        "n_responses",
        "label",
        "scores",
        best=scores.list.get(pl.col("best_position")),
        highest=scores.list.max(),
        second=scores.list.sort(descending=True).list.get(1, null_on_oob=True),
        critique=pl.col("rest")
        .str.strip_prefix(pl.col("analysis"))
        .str.strip_suffix(pl.col("verdict"))
        .str.strip_chars(_WHITE),
    )
    best, highest, second = pl.col("best"), pl.col("highest"), pl.col("second")
    is_wrong = pl.when(pl.col("n_responses") == 1).then(highest.ne_missing(pl.col("label"))).otherwise(best < highest)
    columns = found.select(
        outcome=pl.when(is_wrong)
        .then(pl.lit(Outcome.INCORRECT.value))
        .when(highest == second)
        .then(pl.lit(Outcome.TIED.value))
        .otherwise(pl.lit(Outcome.CORRECT.value)),
        scores="scores",
        margin=best - pl.when(best < highest).then(highest).otherwise(second),
        critique=pl.when(pl.col("critique") != "").then("critique"),
    ).to_arrow()
    principles = _plain_principles(plain["criteria"])
    return columns.append_column("principles", principles).select(READINGS.names).cast(READINGS)


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


def _read(text: str | None, finish_reason: str | None, n_responses: int, *truth: int | None) -> Reading:
    """Return the reading of one answer."""
    if text is None:
        return Reading(Outcome.FAILED)
    best_position, label = truth
    return read_answer(text, finish_reason, n_responses, best_position, label, *score_range(n_responses))


def _long_readings(found: Sequence[Reading]) -> pa.Table:
    columns = dict(zip(Reading._fields, zip(*found, strict=True), strict=True))
    principles = list(zip(*chain.from_iterable(columns["principles"]), strict=True)) or [()] * len(Principle._fields)
    arrays = [
        struct_lists(PRINCIPLES, [len(one) for one in columns[field.name]], principles)
        if field.name == "principles"
        else pa.array(columns[field.name], field.type)
        for field in READINGS
    ]
    return pa.table(arrays, schema=READINGS)
