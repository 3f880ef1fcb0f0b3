"""How much the words of a sentence say that its writer had been told the result: a linear model over short phrases.

The model has learned from sentences that were written for it, leaks and honest critiques: the corpus that stands in
tests/pipelines/judging/hint_leaks. `python -m benchmarks.hint_leaks` measures it and, with `--write`, trains it. A
phrase is up to `LONGEST` words: stems of Latin words, single characters of other scripts. The weight of a sentence is
that of all its phrases together. All sentences are weighed at once, column by column.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, reduce
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

WEIGHTS = "hint_weights.json"
LONGEST = 4
THRESHOLD = 0.6
"""A sentence that weighs more speaks of the hint."""
OTHER = "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
"""A letter of a script that sets no blanks between words."""
_RESPONSE = (
    r"(?-u:\b)(?:responses?|answers?|assistants?|candidates?|options?|models?|solutions?|repl(?:y|ies)) ?#? ?"
    r"(?:[0-9]+|[a-e](?-u:\b))"
    r"|(?-u:\b)(?:the )?(?:first|second|third|fourth|1st|2nd|3rd|other|latter|former)(?-u:\b)(?: (?:response|answer"
    r"|candidate|one|option|reply|solution|story|code|draft|essay|version|assistant|model)(?-u:\b))?|(?-u:\b)b(?-u:\b)"
    r"|(?:回答|回复|响应|答案|选项|候选|模型|助手)[ \t]*[0-9一二三四ab]"
    r"|第[一二三四12]个?(?:回答|回复|响应|答案|个|条|段|篇|则|份)"
    r"|[前后]者"
)
_WORD = rf"~|[0-9]+|[a-z]+(?:'[a-z]+)?|{OTHER}"
_ENDING = re.compile(r"(?:ing|edly|ed|es|s|ly|'s)$")


class _Model(NamedTuple):
    start: float  # what every sentence weighs before its phrases are added
    number_of: Mapping[str, int]  # the number of each word that a phrase has, from 1
    # For each length, the phrases as numbers in ascending order (see `_packed`), and the weight of each.
    phrases: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def words_of(sentences: pl.Series) -> pl.Series:
    """Return the words of sentences in small letters, a list each; responses go by one name, and so do numbers."""
    return sentences.str.replace_all("’", "'", literal=True).str.replace_all(_RESPONSE, " ~ ").str.extract_all(_WORD)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return what of a word is compared."""
    if word[0].isdigit():
        return "0"
    return _ENDING.sub("", word) if len(word) > 4 else word


def tell(sentences: pl.Series) -> pl.Series:
    """Return which sentences in small letters speak of the hint."""
    return pl.Series(weights_of(sentences, learned()) > THRESHOLD, dtype=pl.Boolean)


def weights_of(sentences: pl.Series, model: _Model) -> npt.NDArray[np.float64]:
    """Return what each sentence weighs."""
    words = words_of(sentences)
    sentence = np.repeat(np.arange(len(words)), words.list.len().to_numpy())
    flat = words.explode().drop_nulls()
    different = flat.unique()
    numbers = pl.Series([model.number_of.get(stem(word), 0) for word in different], dtype=pl.Int64)
    number = flat.replace_strict(different, numbers, return_dtype=pl.Int64).to_numpy()
    total = np.full(len(words), model.start)
    for length, (phrases, weights) in enumerate(model.phrases, 1):
        starts = len(number) - length + 1
        if starts <= 0 or not len(phrases):
            break
        parts = [number[place : place + starts] for place in range(length)]
        is_phrase = (sentence[:starts] == sentence[length - 1 :]) & np.logical_and.reduce([part > 0 for part in parts])
        packed = _packed([part[is_phrase] for part in parts], len(model.number_of))
        nearest = np.searchsorted(phrases, packed).clip(max=len(phrases) - 1)
        is_known = phrases[nearest] == packed
        total += np.bincount(sentence[:starts][is_phrase][is_known], weights[nearest[is_known]], len(words))
    return total


def _packed(parts: Sequence[npt.NDArray[np.int64]], words: int) -> npt.NDArray[np.int64]:
    """Return phrases as one number each: their words' numbers as the digits of a number to the base of words + 1.

    Four words of 55,000 different ones fit into 63 bits; the model knows some 4,000.
    """
    return reduce(lambda packed, part: packed * (words + 1) + part, parts)


def model_of(weights: Mapping[str, float]) -> _Model:
    """Return the model of phrases, words apart by a blank; under the empty one what every sentence starts from."""
    known = [(phrase.split(" "), weight) for phrase, weight in weights.items() if phrase]
    words = sorted({word for phrase, _ in known for word in phrase})
    number_of = {word: number for number, word in enumerate(words, 1)}
    phrases = []
    for length in range(1, LONGEST + 1):
        numbers = [[number_of[word] for word in phrase] for phrase, _ in known if len(phrase) == length]
        packed = _packed(list(np.array(numbers, np.int64).reshape(-1, length).T), len(number_of))
        order = np.argsort(packed)
        phrases.append((packed[order], np.array([weight for phrase, weight in known if len(phrase) == length])[order]))
    return _Model(weights[""], number_of, phrases)


@cache
def learned() -> _Model:
    """Return the model that ships, which is read once a process: a fifth of a second."""
    return model_of(json.loads((resources.files("pipelines.judging") / WEIGHTS).read_text("utf-8")))
