"""What can be seen of a text without reading it, in numbers: the features that the leak probe is given.

A frame of candidates has a row for each text that might be the right one, in columns group, cluster, right, text,
query, author, position and places: `query` is what was asked (null where overlap with it means nothing), `position` the
place from 0 of `places`. Every count is made in polars, over whole columns.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

CANDIDATES = pl.Schema(
    {
        "group": pl.String(),
        "cluster": pl.String(),
        "right": pl.Boolean(),
        "text": pl.String(),
        "query": pl.String(),
        "author": pl.String(),
        "position": pl.Int32(),
        "places": pl.Int32(),
    }
)
NGRAMS = "ngrams"
AUTHOR = "author"
NGRAM_COLUMNS = 2**13

_TEXT = pl.col("text")
_CHARACTERS = _TEXT.str.len_chars()
_OVERLAP_CHARACTERS = 600  # of each text, where words are compared


def _count(pattern: str) -> pl.Expr:
    return _TEXT.str.count_matches(pattern)


def _share(pattern: str) -> pl.Expr:
    """Return the share of a text's characters that a pattern of one character matches."""
    return _count(pattern) / (_CHARACTERS + 1)


def _word_share(words: str) -> pl.Expr:
    """Return how many of these words a text has, to each of its words."""
    return _count(rf"(?i)\b(?:{words})\b") / (_count(r"\w+") + 1)


_TOKENS = (
    r"<[|｜]?/?[A-Za-z][A-Za-z_]{0,30}[|｜]?>|#{2,}\s?[A-Z][A-Z_]{1,30}\s?#{2,}|\[/?[A-Z][A-Z_]{2,30}\]"
    r"|\b[a-z]{1,30}(?:_[a-z]{1,30})+\("
)
"""Tokens of chat templates, simulators and graders, and the names of functions that are called."""

FEATURES: dict[str, tuple[pl.Expr, ...]] = {
    "position": (pl.col("position"), pl.col("places") - 1 - pl.col("position")),
    "length": (_CHARACTERS, _count(r"\w+"), _count(r"\n"), _CHARACTERS / (_count(r"\w+") + 1)),
    "markers": (
        _count(_TOKENS),
        _count(r"(?i)\bstep \d"),
        _count(r"\\boxed"),
        _count(r"(?i)\bfinal answer|\bthe answer is"),
        _count(r"(?i)\bas an ai\b|\bi can(?:no|')t\b|\bsorry\b"),
        _count(r"(?i)\ball of the|\bnone of the|\bboth of the|\boptions? \d"),
    ),
    "layout": (
        _count(r"(?m)^\s*[-*•]\s"),
        _count(r"(?m)^\s*\d+[.)]\s"),
        _count(r"(?m)^#+ "),
        _count(r"\*\*"),
        _count(r"```"),
        _count(r"\|"),
        _count(r"\$|\\\(|\\\["),
        _count(r"https?://"),
        _count(r"\n\s*\n"),
        _TEXT.str.contains(r"[.!?。]\s*$"),
        _TEXT.str.contains(r"^\s*\p{Lu}"),
    ),
    # A conversation as a judge is shown it, and as chat templates write it.
    "turns": (
        _count(r"(?mi)^\W*(?:user|assistant|human|system|tool)\b[^\n:]{0,20}:"),
        _count(r"(?mi)^\W*(?:user|assistant) calls:"),
        _count(r"(?i)im_start|start_of_turn|\[INST\]"),
    ),
    "language": (
        _share(r"[^\x00-\x7f]"),
        *(_share(rf"\p{{{script}}}") for script in ("Cyrillic", "Greek", "Han", "Hangul", "Arabic", "Devanagari")),
        _share(r"[\p{Hiragana}\p{Katakana}]"),
        _share(r"\p{Extended_Pictographic}"),
        _word_share("the|and|of|is|to"),
        _word_share("der|die|das|und|ist|nicht"),
        _word_share("le|la|les|et|est|une|des"),
        _word_share("el|los|las|y|es|que|una"),
    ),
    "wording": (
        _share(r"\d"),
        _share(r"\p{Lu}"),
        _count(","),
        _count(r"[()]"),
        _count('["“”]'),
        _count(r"(?i)\b(?:may|might|can|could|some|often|usually|typically|generally|various|multiple)\b"),
        _count(r"(?i)\b(?:only|always|never|all|none|no|not|every|must|any|solely)\b"),
        _count(r"(?i)\band\b"),
    ),
}
"""By the name that the manifest has it by; `overlap`, `author` and `ngrams` are made below."""

MARKERS = "markers"
FEATURE_NAMES = (*FEATURES, "overlap", AUTHOR, NGRAMS)


def surface(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the features of candidates, a row each, in columns `<name>.<number>`; a group must not be cut in two."""
    plain = candidates.select(
        expression.cast(pl.Float64).fill_null(-1).alias(f"{name}.{number}")
        for name, expressions in FEATURES.items()
        for number, expression in enumerate(expressions)
    )
    return plain.hstack(_overlap(candidates))


def tokens(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return (row, token): each special token or called function of a text, once."""
    found = candidates.with_row_index("row").select("row", token=_TEXT.str.extract_all(_TOKENS).list.unique())
    return found.explode("token").drop_nulls()


def _overlap(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return, for each text, the share of its words that the query has, and that another text of its group has."""
    words = candidates.with_row_index("row").select(
        "row",
        "group",
        word=_words(_TEXT),
        query=_words(pl.col("query")).fill_null([]),
        # Whether texts share words means something where one query asked for all of them.
        compared=pl.col("query").is_not_null(),
    )
    in_query = pl.col("word").list.set_intersection("query").list.len() / (pl.col("word").list.len() + 1)
    repeated = (pl.len().over("group", "word") > 1) & pl.col("compared")
    elsewhere = words.explode("word").select("row", repeated=repeated).group_by("row").agg(pl.col("repeated").mean())
    return (
        words.select("row", in_query.alias("overlap.0"))
        .join(elsewhere, on="row", how="left", maintain_order="left")
        .select("overlap.0", pl.col("repeated").fill_null(0.0).alias("overlap.1"))
    )


def _words(texts: pl.Expr) -> pl.Expr:
    return (
        texts.str.head(_OVERLAP_CHARACTERS).str.to_lowercase().str.extract_all(r"\w+").list.unique(maintain_order=True)
    )


def relative(features: pl.DataFrame, groups: pl.Series) -> pl.DataFrame:
    """Return further columns: how far each number is from the mean of its group, and the rank of its length in it."""
    columns = [pl.col(name) for name in features.columns if not name.startswith("position")]
    rank = pl.col("length.0").rank("average").over("group") / pl.len().over("group")
    return features.with_columns(groups.alias("group")).select(
        *((column - column.mean().over("group")).round(9).name.suffix(" less mean") for column in columns),
        rank.alias("length.0 rank"),
    )


def hashed_ngrams(texts: Sequence[str], most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (text number, column) of every pair and triple of characters, folded to lower case.

    Of a text, the first two thirds of `most` characters and the last third are looked at: texts give themselves away
    where they begin and end.
    """
    pieces = [np.frombuffer(_ends(text, most).lower().encode("utf-32-le"), np.uint32) for text in texts]
    codes = np.concatenate([np.empty(0, np.uint32), *pieces]).astype(np.uint64)
    rows = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    pairs = _mixed(_mixed(codes)[:-1] ^ codes[1:])
    triples = _mixed(pairs[:-1] ^ codes[2:])
    within_pair, within_triple = rows[:-1] == rows[1:], rows[:-2] == rows[2:]
    columns = np.concatenate([pairs[within_pair], triples[within_triple]]) % np.uint64(NGRAM_COLUMNS)
    return np.concatenate([rows[:-1][within_pair], rows[:-2][within_triple]]), columns.astype(np.int64)


def _ends(text: str, most: int) -> str:
    """Return a text between two spaces, so that its first and last characters are pairs of their own."""
    return f" {text} " if len(text) <= most else f" {text[: most * 2 // 3]} {text[-(most // 3) :]} "


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)  # wraps, as a hash may
    spread: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(29))
    return spread
