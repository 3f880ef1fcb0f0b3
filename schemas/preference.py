"""Preference sets: a query, its responses, and which of them is known to be best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import isfinite
from typing import Annotated, ClassVar, NotRequired, TypedDict, Unpack

import pyarrow as pa

from schemas.explained import Explained
from schemas.query import Messages, query_id, wire
from schemas.record import content_id, is_blank
from schemas.response import Response as Response  # most who need sets need it, too
from schemas.suspicion import REASONS_MEANING, SUSPICION_MEANING, SuspicionReason
from schemas.tables import Table, members_of, records_of, table_of


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


class DropReason(Explained):
    """Why a readable set is set aside."""

    TIE = "tie", "two responses share the highest reward, so none is known to be best"
    UNCERTAIN = "uncertain", "the two highest rewards are nearer to each other than their noise"
    SCORES_CONTRADICT = "scores_contradict", "the source scores the chosen response no higher than the rejected one"
    NO_PREFERENCE = "no_preference", "the annotators preferred neither response"
    TOO_FEW_RESPONSES = "too_few_responses", "fewer than two rated responses, and no label of 0 or 1"
    DUPLICATE_RESPONSES = "duplicate_responses", "two responses are the same text"
    EMPTY_RESPONSE = "empty_response", "a response has no text"
    ANSWER_NOT_AMONG_OPTIONS = "answer_not_among_options", "the gold answer names none of the question's options"
    ALL_OF_OPTIONS = (
        "all_of_options",
        'an option is "all of the above" or "none of the above": it gives itself away, and means nothing when shuffled',
        "the source's section can keep them; see docs/sources.md",
    )
    UNRESOLVED_REFERENCE = (
        "unresolved_reference",
        "an option refers to other options in a way that no text can stand for",
    )
    NO_QUESTION = "no_question", "the question asks nothing"
    CONFLICTING_GOLD = "conflicting_gold", "the same question stands in the source with another gold answer"
    SEVERAL_GOLDS = "several_golds", "the source marks several answers as right, and not whether all are due"
    CONTAMINATED = "contaminated", "the row comes from a public benchmark"
    OVERLAP = (
        "overlap",
        "the row comes from another data set that is a source of its own",
        "keep_overlap = true in the source keeps it, where that source is not built",
    )
    LABEL_LEAK = "label_leak", "rejected responses of this part of the source carry a mark that others do not"
    NEEDS_OPTIONS = "needs_options", "the question makes no sense without its options"
    GOLD_NOT_GRADABLE = (
        "gold_not_gradable",
        "the verifier does not find the question's own gold answer right",
        "look at the reference: where it is right all the same, the verifier should learn its notation",
    )
    NO_RESPONSE = (
        "no_response",
        "no answer to the question could be graded as right or wrong",
        "look at the funnel's synthesis rows: raise [synthesis] max_tokens where answers are truncated",
    )
    NO_RIGHT_RESPONSE = (
        "no_right_response",
        "every answer to the question is wrong",
        "add a [models.teacher], or raise [synthesis] samples",
    )
    NO_WRONG_RESPONSE = (
        "no_wrong_response",
        "every answer to the question is right",
        "raise [synthesis] samples or temperature, or take a weaker responder",
    )
    RETAG_DISAGREEMENT = "retag_disagreement", "judged again, the set got another best response, or none"
    LENGTH_BALANCE = (
        "length_balance",
        "in too many sets of the source the right response is longer, or shorter, than the wrong ones",
        "raise [synthesis] samples, or give more solutions where questions bring them: with more answers to choose "
        "from fewer sets are dropped",
    )
    AUTHOR_BALANCE = (
        "author_balance",
        "in too many sets of the same authors this author is the right one",
        "questions that bring solutions are never sent to the responder: give several solutions of each model to a "
        "question, or leave the solutions out, and the responder answers it [synthesis] samples times",
    )
    SINGLE_BALANCE = (
        "single_balance",
        "left out so that single responses are as often right as wrong",
        "raise [synthesis] samples, or give more solutions where questions bring them: more questions then have "
        "answers of both kinds",
    )
    LICENSE = "license", "its licence is not among those that the recipe allows", "see [build] licenses"
    DUPLICATE = "duplicate", "an equal set with the same best response stands earlier"
    LABEL_CONFLICT = "label_conflict", "an equal set names another response as best"
    MAX_SHARE = "max_share", "the source would exceed its share of all sets", "raise max_share in the source"
    LEAKY = (
        "leaky",
        "the best response gives itself away by its surface, and the source as a whole leaked",
        '[leaks] over = "mark" keeps such sets, and marks the source; see docs/leaks.md',
    )
    REVIEW_DISAGREEMENT = (
        "review_disagreement",
        "most people who reviewed it find another response best, or none",
        '[reviews] use = "labels" keeps such sets, with the label that these people gave; see docs/labels.md',
    )
    TOO_LONG = (
        "too_long",
        "the prompt exceeds the limit even with one wrong response left",
        "raise [grm] max_prompt_tokens, if the judge's context allows it",
    )


@dataclass(frozen=True, slots=True)
class PreferenceSet:
    """A query with its responses. Make one with `preference_set`, which orders, checks and identifies it."""

    set_id: str
    query_id: str
    query: Annotated[Messages, "The conversation that the responses answer."]
    responses: Annotated[tuple[Response, ...], "Sorted by content, so that the order says nothing about labels."]
    source: str
    source_id: Annotated[str, "Where the row stands in its source."]
    source_revision: Annotated[str, "Commit of the source on the hub, or what stands for it for a local file."]
    license: str
    domain: str
    label_source: Annotated[LabelSource, "Who said which response is best: `human`, `model` or `verifier`."]
    best: Annotated[int | None, "Index in `responses` of the one best; null for one response, or without one best."]
    label: int | None
    margin: Annotated[float | None, "Distance between the two highest rewards, in the source's own units."]
    reference: Annotated[str | None, "Reference answer or explanation, where the source has one."] = None
    benchmark: Annotated[bool, "Whether the source is a benchmark; those always keep a test share."] = False
    split: Annotated[Split | None, "`train`, `validation` or `test`. Test sets are here and nowhere else."] = None
    """As the source publishes it, until curation decides."""
    cluster: Annotated[str | None, "Group of equal and nearly equal queries; no split divides it."] = None
    """As the source knows it, where texts cannot tell which queries belong together; else curation finds it."""
    drop_reason: Annotated[DropReason | None, "Why the set is set aside; null for kept sets."] = None
    retagged_best: Annotated[
        int | None,
        "Index of the response that most votes (`retag_votes`) find best; `best` stays the source's own. Null where no "
        "response has most votes, and for sets that were not judged again.",
    ] = None
    votes: Annotated[
        tuple[int, ...] | None,
        "Votes of each response, in the order of `responses`; null for sets that were not judged again.",
    ] = None
    given_principles: Annotated[str | None, "Criteria of other questions' rubrics, as its judges are given them."] = (
        None
    )
    given_ids: Annotated[tuple[str, ...] | None, "Their criterion_ids."] = None
    own_rubric: Annotated[str | None, "Criteria made of its own question, as text; only hinted prompts show them."] = (
        None
    )
    label_suspicion: Annotated[float | None, SUSPICION_MEANING] = None
    suspicion_reasons: Annotated[tuple[SuspicionReason, ...] | None, REASONS_MEANING] = None

    COLUMNS: ClassVar = (
        "set_id", "query_id", "cluster", "split", "benchmark", "source", "source_id", "source_revision", "license",
        "domain", "query", "reference", "responses", "n_responses", "best", "label", "margin", "label_source",
        "drop_reason", "retagged_best", "votes", "given_principles", "given_ids", "own_rubric", "label_suspicion",
        "suspicion_reasons",
    )  # fmt: skip

    @property
    def n_responses(self) -> int:
        return len(self.responses)

    def dropped(self, reason: DropReason) -> "PreferenceSet":
        """Return the set with its first reason for being set aside."""
        return self if self.drop_reason else replace(self, drop_reason=reason)


class RowOrigin(TypedDict):
    """Where a row comes from."""

    source: str
    source_id: str
    source_revision: str
    license: str
    domain: str


class RowFacts(RowOrigin):
    """What a source says of a row, whatever the row becomes."""

    reference: NotRequired[str | None]
    benchmark: NotRequired[bool]
    split: NotRequired[Split | None]
    drop_reason: NotRequired[DropReason | None]


def preference_set(
    *,
    query: Messages,
    responses: Sequence[Response],
    label_source: LabelSource,
    label: int | None = None,
    min_margin: float = 0.0,
    **facts: Unpack[RowFacts],
) -> PreferenceSet:
    """Return the set of these responses, its one best response found by reward.

    A set without exactly one best response (or a 0/1 label, for a single response) gets a `drop_reason`; a
    reason that the source already has comes first. `min_margin` is the distance under which the two highest
    rewards are `uncertain`.
    """
    ordered = tuple(sorted(responses, key=lambda response: [part or "" for part in response.content]))
    best, margin, reason = _best_response(ordered, label, min_margin)
    facts["drop_reason"] = facts.get("drop_reason") or reason
    return PreferenceSet(
        set_id=content_id("set", wire(query), [response.content for response in ordered]),
        query_id=query_id(query),
        query=query,
        responses=ordered,
        label_source=label_source,
        best=best,
        label=label if len(ordered) == 1 else None,
        margin=margin,
        **facts,
    )


def _best_response(
    responses: tuple[Response, ...], label: int | None, min_margin: float
) -> tuple[int | None, float | None, DropReason | None]:
    """Return (best, margin, reason for having none), METHOD section 2: one maximum or no label."""
    if any(is_blank(response.text) and not response.turns for response in responses):
        return None, None, DropReason.EMPTY_RESPONSE
    if len(responses) < 2:
        return None, None, None if responses and label in (0, 1) else DropReason.TOO_FEW_RESPONSES
    if len({tuple(response.content) for response in responses}) < len(responses):
        return None, None, DropReason.DUPLICATE_RESPONSES
    rewards = [response.reward for response in responses]
    ranked = sorted((reward for reward in rewards if reward is not None and isfinite(reward)), reverse=True)
    if len(ranked) < len(responses):
        return None, None, DropReason.TOO_FEW_RESPONSES
    margin = ranked[0] - ranked[1]
    if margin == 0 or margin < min_margin:
        return None, margin, DropReason.UNCERTAIN if margin else DropReason.TIE
    return rewards.index(ranked[0]), margin, None


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a source that no set can be made of. Counted by reason, with examples, in the manifest."""

    source_id: str  # where it stands, as a reader of the source would look for it: "question 12", "train.jsonl:17"
    reason: str  # one of a source's few reasons, snake_case: it is counted by
    detail: str  # one line on this row


FORGOTTEN = "forgotten"  # the reason of rows that could be read, and that `grmforge forget` keeps out
SETS_TABLE = Table(
    "sets",
    members_of(PreferenceSet),
    "A query with its responses and what is known of them. Every readable row is in one of the two.",
    {
        "kept": "preference sets that were kept, test sets included",
        "dropped": "preference sets that were not, each with its drop_reason",
    },
)
_CRITERIA = ("query_id", "given_principles", "given_ids", "own_rubric")
CRITERIA = Table("criteria", tuple(column for column in SETS_TABLE.columns if column.name in _CRITERIA)).schema
"""What judges are shown beside a question's sets, a row a question, sorted by query_id."""
_PUBLISHED = (*_CRITERIA[1:], "label_suspicion", "suspicion_reasons")
SETS = Table("sets", tuple(column for column in SETS_TABLE.columns if column.name not in _PUBLISHED)).schema
"""The sets as they pass between stages: criteria join them where they are shown, suspicion where they are published."""

sets_table = partial(table_of, SETS)
"""Return the sets, in the order given, as a table of SETS."""


def sets_of(table: pa.Table) -> list[PreferenceSet]:
    """Return the records of a table of SETS, in its order, with what has joined it of what is published beside it."""
    for field in map(SETS_TABLE.schema.field, _PUBLISHED):
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return records_of(PreferenceSet, table)
