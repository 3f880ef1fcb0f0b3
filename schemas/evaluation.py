"""Evaluation: the rows of a benchmark, how each is shown to a judge, and the tables of an evaluation."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.preference import Response
from schemas.query import Messages
from schemas.tables import Column, Table


class Protocol(StrEnum):
    """How a row of a benchmark is shown. It moves the figure, so it is named wherever a figure stands."""

    JOINT = "joint"
    """All responses in one prompt, shuffled anew for each sample."""
    BOTH_ORDERS = "both_orders"
    """A pair in each of its two orders, with a pool of samples for each order."""
    PAIRS = "pairs"
    """Each right response against each wrong one, shuffled anew for each sample."""
    SINGLE = "single"
    """One response a prompt."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a benchmark: a question, its responses in the order of the author, and which of them are right."""

    row_id: str
    """The benchmark's own id; where it has none, the file and the number of the row."""
    subset: str
    query: Messages
    responses: tuple[Response, ...]
    names: tuple[str, ...]
    """What the benchmark calls each response: "chosen", "rejected_1", "A"."""
    right: tuple[int, ...]
    """Indices of the right responses; none of a single response that is wrong."""
    domain: str = "general"
    reference: str | None = None
    pair: str | None = None
    """What two rows have in common that a rule scores together (RewardBench 2's Ties)."""
    given_principles: str | None = None
    """Criteria that a build gave the judges of this set, so that an evaluation asks the same."""
    cluster: str | None = None
    """What rows with nearly the same question have in common, where that is known."""

    def prompts(self, protocol: Protocol) -> list[tuple[int, ...]]:
        """Return the responses that each prompt shows, as indices: right ones before wrong ones in PAIRS.

        BOTH_ORDERS returns the two orders as they are shown; elsewhere the order is drawn for each sample.
        """
        everything = tuple(range(len(self.responses)))
        if protocol is Protocol.SINGLE:
            return [(index,) for index in everything]
        if protocol is Protocol.PAIRS:
            wrong = [index for index in everything if index not in self.right]
            return [(one, other) for one in self.right for other in wrong]
        if protocol is Protocol.BOTH_ORDERS:
            return [everything, everything[::-1]]
        return [everything]


class Curve(StrEnum):
    """Which samples a curve draws from."""

    ALL = "all"
    """Every paid sample, unreadable ones included."""
    READABLE = "readable"
    """Readable samples only."""


_BENCHMARK = Column("benchmark", str, "Name of the benchmark in the evaluation.")
_CLUSTER = Column("cluster", str, "Items of one cluster share a question; intervals and tests resample clusters.")
ITEMS_TABLE = Table(
    "items",
    (
        _BENCHMARK,
        Column("item_id", str, "The benchmark's own id; where it has none, the file and the number of the row."),
        Column("subset", str, "Part of the benchmark, as its authors name it."),
        Column("set_id"),
        Column("query_id"),
        _CLUSTER,
        Column("domain"),
        Column("query", Messages, "The conversation that the responses answer."),
        Column("responses", tuple[str, ...], "Their texts, in the order of the benchmark's author."),
        Column("names", tuple[str, ...], "What the benchmark calls each response."),
        Column("right", tuple[int, ...], "Indices of the right responses."),
        Column("samples", int, "Samples that were paid for, over all prompts of the item."),
        Column("readable", int, "How many of them can be read."),
        Column(
            "votes",
            tuple[float, ...],
            "Mean score of each response over the samples that can be read; null without any, and in PAIRS.",
        ),
        Column(
            "right_at_1",
            float,
            "Expected share of single samples that are right; ties count 1/m. Null where no score is right or wrong.",
        ),
        Column("right_at_max", float, "The same of the vote of all samples."),
        Column("right_greedy", float, "The same of the greedy answer; null where none was asked for."),
    ),
    "One item of a benchmark, and what the judge made of it.",
    files="`items-*.parquet` of an evaluation",
)
JUDGEMENTS_TABLE = Table(
    "judgements",
    (
        _BENCHMARK,
        Column("item_id", str, "The item that is judged."),
        Column("set_id", str, "Hash of the query and the responses that the prompt shows."),
        Column("query_id"),
        Column("prompt", int, "Number of the prompt among those of its item: 0 where all responses stand in one."),
        Column("sample_index", int, "Number of the sample among those of its prompt; -1 for the greedy answer."),
        Column("request_id"),
        Column("order", tuple[int, ...], "order[p] = index, in the item, of the response shown at position p."),
        Column("outcome", str, "`readable`, or why there is no score, as in trajectories."),
        Column("scores", tuple[float, ...], "One score a response, in the order shown; null unless readable."),
        Column("meta_rm", float, "The Meta RM's score of the judgement; null without one, or where it gave none."),
        Column("text", str, "The answer without its thoughts; null where the request failed."),
        Column("reasoning", str, "What the endpoint returned as reasoning."),
        Column("finish_reason", str, "As the endpoint gave it."),
        Column("prompt_tokens"),
        Column("completion_tokens"),
        Column("cost_usd", float, "Cost by the recipe's prices, in US dollars."),
    ),
    "One answer of the judge about an item: what it scored, in which order it saw the responses.",
    files="`judgements-*.parquet` of an evaluation",
)
FIGURES_TABLE = Table(
    "figures",
    (
        _BENCHMARK,
        Column("protocol", str, "How its items were shown."),
        Column(
            "figure",
            str,
            "`total`, `accuracy`, a published section, `subset: <name>`, `auc`, or a group of items.",
        ),
        Column(
            "selector",
            str,
            "Which samples vote: `voting`, `agreement k/2`, `pass`, ..; or a part of the gain.",
        ),
        Column("curve", str, "`all`: from every paid sample. `readable`: from readable ones only."),
        Column("k", int, "Samples of each prompt that the figure rests on."),
        Column("value", float, "The figure, 0 to 1."),
        Column("low", float, "Lower end of its 95 % interval; null where there is none."),
        Column("high", float, "Upper end."),
        Column("items", int, "Items that it rests on."),
        Column("clusters", int, "Clusters that its interval resamples."),
    ),
    "Every figure of an evaluation, with its interval.",
    files="`figures-*.parquet` of an evaluation",
)
CREDITS_TABLE = Table(
    "credits",
    (
        _BENCHMARK,
        Column("item_id", str, "The item."),
        _CLUSTER,
        Column("selector", str, "As in figures."),
        Column("k", int, "Samples of each prompt."),
        Column(
            "cells", tuple[float, ...], "What the benchmark's rule gives the item: its share right, most often one."
        ),
    ),
    "What each item contributes to the figures: what two evaluations are compared by.",
    files="`credits-*.parquet` of an evaluation",
)
ITEMS, JUDGEMENTS = ITEMS_TABLE.schema, JUDGEMENTS_TABLE.schema
FIGURES, CREDITS = FIGURES_TABLE.schema, CREDITS_TABLE.schema
ATTACKS = ("opener", "padding", "markdown", "verdict", "order")
"""Ways to dress up a wrong response: see docs/evaluation.md."""
READABLE = "readable"
GREEDY_INDEX = -1
"""The sample index of a greedy answer in judgements."""
