"""Preference sets: a query, its responses, and which of them is known to be best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite

import pyarrow as pa

from schemas.query import MESSAGES, Messages, query_id, wire
from schemas.record import content_id, is_blank, table_schema


class Split(StrEnum):
    """Where a set may be used: `test` sets are published in `sets` and nowhere else."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class LabelSource(StrEnum):
    """Who said which response is best."""

    HUMAN = "human"
    MODEL = "model"
    VERIFIER = "verifier"


class DropReason(StrEnum):
    """Why a readable set is set aside."""

    TIE = "tie"
    """Two responses share the highest reward."""
    UNCERTAIN = "uncertain"
    """The two highest rewards are nearer to each other than their noise."""
    NO_PREFERENCE = "no_preference"
    """The annotators preferred neither response."""
    SCORES_CONTRADICT = "scores_contradict"
    """The source's own scores do not put the chosen response above the rejected one."""
    TOO_FEW_RESPONSES = "too_few_responses"
    """Fewer than two rated responses are left, and there is no 0/1 label."""
    DUPLICATE_RESPONSES = "duplicate_responses"
    """Two responses are the same text."""
    EMPTY_RESPONSE = "empty_response"
    """A response has no text."""
    ANSWER_NOT_AMONG_OPTIONS = "answer_not_among_options"
    """The gold answer names none of the question's options."""
    ALL_OF_OPTIONS = "all_of_options"
    """An option is "all of the above" or "none of the above": it gives itself away and means nothing when shuffled."""
    UNRESOLVED_REFERENCE = "unresolved_reference"
    """An option refers to other options in a way that no text can stand in for."""
    NO_QUESTION = "no_question"
    """The question asks nothing."""
    CONFLICTING_GOLD = "conflicting_gold"
    """The same question stands in the source with another gold answer."""
    SEVERAL_GOLDS = "several_golds"
    """The source marks several answers as the right one, and no rule tells whether all or one of them is meant."""
    CONTAMINATED = "contaminated"
    """The row comes from a public benchmark."""
    OVERLAP = "overlap"
    """The row comes from another data set that is a source of its own."""
    LABEL_LEAK = "label_leak"
    """Something that only rejected responses have in this part of the source gives the label away."""
    NEEDS_OPTIONS = "needs_options"
    """The question makes no sense without its options."""
    GOLD_NOT_GRADABLE = "gold_not_gradable"
    """The verifier does not find the question's own gold answer right."""
    NO_RESPONSE = "no_response"
    """No answer to the question could be judged right or wrong."""
    NO_RIGHT_RESPONSE = "no_right_response"
    """Every answer to the question is wrong, and no teacher found the right one."""
    NO_WRONG_RESPONSE = "no_wrong_response"
    """Every answer to the question is right."""
    RETAG_DISAGREEMENT = "retag_disagreement"
    """Judged again, the set got another best response, or none."""
    LENGTH_BALANCE = "length_balance"
    """Right answers of one rank by length would stand for too many sets, and length would tell which one is right."""
    AUTHOR_BALANCE = "author_balance"
    """Among sets of the same authors this one would be best too often, and the author would tell which one is right."""
    SINGLE_BALANCE = "single_balance"
    """Single responses of one label would stand for too many sets."""
    LICENSE = "license"
    """The licence is not among those that the recipe allows."""
    DUPLICATE = "duplicate"
    """An equal set with the same best response stands earlier."""
    LABEL_CONFLICT = "label_conflict"
    """An equal set names another response as best."""
    MAX_SHARE = "max_share"
    """The source would exceed the recipe's `max_share` of all sets."""
    LEAKY = "leaky"
    """The leak probe finds the best response without reading, and the recipe downsamples such sets."""
    TOO_LONG = "too_long"
    """The prompt exceeds `max_prompt_tokens` even with one wrong response left."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer to a query, with what is known of it."""

    text: str
    reward: float | None = None
    reasoning: str | None = None
    turns: str | None = None
    """JSON of a whole conversation, where the response is one; with an empty `text` it is all that the response is."""
    model: str | None = None
    origin: str | None = None
    tokens: int | None = None

    @property
    def content(self) -> list[str | None]:
        """What makes the response this response: never its reward, model or origin."""
        return [self.text, self.reasoning, self.turns]


@dataclass(frozen=True, slots=True)
class PreferenceSet:
    """A query with its responses. Make one with `preference_set`, which orders, checks and identifies it."""

    set_id: str
    query_id: str
    query: Messages
    responses: tuple[Response, ...]
    """In the order of their content, so that neither an id nor an index tells anything about the source's order."""
    source: str
    source_id: str
    source_revision: str
    license: str
    domain: str
    label_source: LabelSource
    best: int | None
    """Index in the set of the one best response; None for n = 1, and where a drop_reason stands in its place."""
    label: int | None
    """0 or 1 for n = 1."""
    margin: float | None
    """Distance between the two highest rewards, in the source's own units."""
    reference: str | None = None
    benchmark: bool = False
    split: Split | None = None
    """As the source publishes it, until curation decides."""
    cluster: str | None = None
    """As the source knows it, where texts cannot tell which queries belong together; else curation finds it."""
    drop_reason: DropReason | None = None
    retagged_best: int | None = None
    """Index of the response that most votes of models.teacher found best; None without votes, or without most."""
    votes: tuple[int, ...] | None = None
    """Those votes, by index in the set; None for sets that were not judged again."""
    given_principles: str | None = None
    """Criteria of other questions' rubrics that a judge of this set is given, as text, a line each."""
    given_ids: tuple[str, ...] | None = None
    """Their criterion_ids."""
    own_rubric: str | None = None
    """The criteria that were made of this set's own question, as text: a hint about its responses, never more."""

    @property
    def n_responses(self) -> int:
        return len(self.responses)

    def dropped(self, reason: DropReason) -> "PreferenceSet":
        """Return the set with its first reason for being set aside."""
        return self if self.drop_reason else replace(self, drop_reason=reason)


def preference_set(
    *,
    query: Messages,
    responses: Sequence[Response],
    source: str,
    source_id: str,
    source_revision: str,
    license: str,
    domain: str,
    label_source: LabelSource,
    label: int | None = None,
    min_margin: float = 0.0,
    reference: str | None = None,
    benchmark: bool = False,
    split: Split | None = None,
    drop_reason: DropReason | None = None,
) -> PreferenceSet:
    """Return the set of these responses, its one best response found by reward.

    A set without exactly one best response (or a 0/1 label, for a single response) gets a `drop_reason`; a
    reason that the source already has comes first. `min_margin` is the distance under which the two highest
    rewards are `uncertain`.
    """
    ordered = tuple(sorted(responses, key=lambda response: [part or "" for part in response.content]))
    set_query_id = query_id(query)
    best, margin, reason = _best_response(ordered, label, min_margin)
    return PreferenceSet(
        set_id=content_id("set", wire(query), [response.content for response in ordered]),
        query_id=set_query_id,
        query=query,
        responses=ordered,
        source=source,
        source_id=source_id,
        source_revision=source_revision,
        license=license,
        domain=domain,
        label_source=label_source,
        best=best,
        label=label if len(ordered) == 1 else None,
        margin=margin,
        reference=reference,
        benchmark=benchmark,
        split=split,
        drop_reason=drop_reason or reason,
    )


def _best_response(
    responses: tuple[Response, ...], label: int | None, min_margin: float
) -> tuple[int | None, float | None, DropReason | None]:
    """Return (best, margin, reason for having none), METHOD section 2: one maximum or no label."""
    if any(is_blank(response.text) and not response.turns for response in responses):
        return None, None, DropReason.EMPTY_RESPONSE
    if len(responses) == 1 and label in (0, 1):
        return None, None, None
    if len(responses) < 2:
        return None, None, DropReason.TOO_FEW_RESPONSES
    if len({tuple(response.content) for response in responses}) < len(responses):
        return None, None, DropReason.DUPLICATE_RESPONSES
    rewards = [response.reward for response in responses]
    ranked = sorted((reward for reward in rewards if reward is not None and isfinite(reward)), reverse=True)
    if len(ranked) < len(responses):
        return None, None, DropReason.TOO_FEW_RESPONSES
    margin = ranked[0] - ranked[1]
    if margin == 0:
        return None, margin, DropReason.TIE
    if margin < min_margin:
        return None, margin, DropReason.UNCERTAIN
    return rewards.index(ranked[0]), margin, None


FORGOTTEN = "forgotten"
"""The reason of rows that could be read, and that `grmforge forget` keeps out."""


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a source that no set can be made of. Counted by reason, with examples, in the manifest."""

    source_id: str
    """Where it stands, as a reader of the source would look for it: "question 12", "train.jsonl:17"."""
    reason: str
    """One of a source's few reasons, snake_case: it is counted by."""
    detail: str
    """One line on this row."""


RESPONSES = pa.list_(
    pa.struct(
        [
            pa.field("text", pa.string()),
            pa.field("reasoning", pa.string()),
            pa.field("turns", pa.string()),
            pa.field("model", pa.string()),
            pa.field("origin", pa.string()),
            pa.field("reward", pa.float64()),
            pa.field("tokens", pa.int32()),
        ]
    )
)

SETS = table_schema(
    "sets",
    [
        pa.field("set_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("cluster", pa.string()),
        pa.field("split", pa.string()),
        pa.field("benchmark", pa.bool_()),
        pa.field("source", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("source_revision", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("query", MESSAGES),
        pa.field("reference", pa.string()),
        pa.field("responses", RESPONSES),
        pa.field("n_responses", pa.int32()),
        pa.field("best", pa.int32()),
        pa.field("label", pa.int32()),
        pa.field("margin", pa.float64()),
        pa.field("label_source", pa.string()),
        pa.field("drop_reason", pa.string()),
        pa.field("retagged_best", pa.int32()),
        pa.field("votes", pa.list_(pa.int32())),
        pa.field("given_principles", pa.string()),
        pa.field("given_ids", pa.list_(pa.string())),
        pa.field("own_rubric", pa.string()),
    ],
)
