"""Benchmark queries as they turn up in training data: copied, reformatted, wrapped, cut, edited, in another order.

Every change takes a query, words that may replace others, and a generator of random numbers, and returns the messages
of a training row. None means that this query cannot be changed so.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from pipelines.curation.contamination.normalising import words_of
from schemas.query import Message, Messages, user

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_PUNCTUATION = re.compile(r"[,;:!?\"'()]|\.(?!\d)")
WRAPPED = (
    "You are a careful assistant. Read the task below and solve it step by step.\n\n### Task\n{}\n\n### Rules\n"
    "Show your reasoning, and put the final answer in \\boxed{{}}.",
    "Question: {}\nLet's think step by step.\nAnswer:",
    "Below is an instruction that describes a task. Write a response that completes the request.\n\n"
    "### Instruction:\n{}\n\n### Response:",
)
LAYOUTS = ("({letter}) {text}", "{letter}. {text}", "option {number}: {text}", "- {text}")

Change = Callable[[str, Sequence[str], np.random.Generator], Messages | None]


def as_it_is(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages:
    return user(query)


def in_other_case(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages:
    """Return the query in capitals or small letters, without its punctuation, its spaces doubled."""
    cased = query.upper() if chance.random() < 0.5 else query.lower()
    return user("  ".join(_PUNCTUATION.sub(" ", cased).split()))


def wrapped(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages:
    return user(WRAPPED[chance.integers(len(WRAPPED))].format(query))


def cut(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages:
    """Return the first or the second half of the query, by words as the comparison counts them."""
    own = query.split()
    if chance.random() < 0.5:
        return user(" ".join(own[: _half(own)]))
    return user(" ".join(own[len(own) - _half(own[::-1]) :]))


def _half(pieces: Sequence[str]) -> int:
    """Return how many of the pieces, from the first one on, it takes to have half of the words."""
    counts = words_of(pl.Series(pieces, dtype=pl.String)).counts.cumsum()
    return int(np.searchsorted(counts, (counts[-1] + 1) // 2)) + 1


def edited(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages | None:
    """Return the query with one word in ten replaced by a word of another query, at random places."""
    own = query.split()
    count = max(1, round(len(own) / 10))
    if len(own) < 3:
        return None
    for place in chance.choice(len(own), count, replace=False):
        own[place] = words[chance.integers(len(words))]
    return user(" ".join(own))


def reordered(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages | None:
    """Return the query with its sentences in another order; a single sentence has none."""
    sentences = [sentence for sentence in _SENTENCE.split(query) if sentence.strip()]
    if len(sentences) < 2:
        return None
    order = chance.permutation(len(sentences))
    if (order == np.arange(len(sentences))).all():
        order = order[::-1]
    return user(" ".join(sentences[place] for place in order))


def in_a_conversation(query: str, words: Sequence[str], chance: np.random.Generator) -> Messages:
    """Return a conversation whose middle asks the query."""
    return (
        Message("user", "Hi, I would like to practise a little before my exam next week."),
        Message("assistant", "Of course. Send me what you would like to work on, and we take it step by step."),
        Message("user", query),
        Message("assistant", "Let us look at what is known first. What would you try?"),
        Message("user", "I am not sure. Please show me how you would begin."),
    )


def with_options(question: str, options: Sequence[str], chance: np.random.Generator) -> Messages:
    """Return a question with its options in another order and another layout."""
    layout = LAYOUTS[chance.integers(len(LAYOUTS))]
    shuffled = [options[place] for place in chance.permutation(len(options))]
    lines = [
        layout.format(letter="ABCDEFGHIJ"[place % 10], number=place + 1, text=text)
        for place, text in enumerate(shuffled)
    ]
    return user("\n".join([question, *lines]))


CHANGES: dict[str, Change] = {
    "exact": as_it_is,
    "other_case": in_other_case,
    "wrapped": wrapped,
    "cut": cut,
    "edited": edited,
    "reordered": reordered,
    "conversation": in_a_conversation,
}
"""The changes by name, but for options, which few benchmarks have."""
