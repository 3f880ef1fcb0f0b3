"""Preference sets: a query, its responses, and which of them is known to be best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import isfinite
from typing import Annotated, ClassVar, NotRequired, TypedDict, Unpack

import pyarrow as pa

from schemas.drop_reason import DropReason as DropReason  # a part of every set: whoever knows sets finds it here
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
    ANNOTATORS = "annotators"
    """Several, each with a ranking of its own: rewards are the shares of them that find a response best."""


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
    label_source: Annotated[
        LabelSource,
        "Who said which response is best: `human`, `model` or `verifier`; `annotators` are several rankings, and the "
        "rewards the shares of them that agree.",
    ]
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
    contaminated_by: Annotated[
        str | None,
        "The benchmark of which the set holds a query; null where it holds none. A set with it is dropped as "
        "`contaminated`, or only marked: see docs/decontamination.md.",
    ] = None
    contaminated_row: Annotated[str | None, "Hash of that query's words, in hex: the row of the signature."] = None
    overlap: Annotated[float | None, "Share of that query that the set holds: 1 for an exact copy."] = None
    label_suspicion: Annotated[float | None, SUSPICION_MEANING] = None
    suspicion_reasons: Annotated[tuple[SuspicionReason, ...] | None, REASONS_MEANING] = None

    COLUMNS: ClassVar = (
        "set_id", "query_id", "cluster", "split", "benchmark", "source", "source_id", "source_revision", "license",
        "domain", "query", "reference", "responses", "n_responses", "best", "label", "margin", "label_source",
        "drop_reason", "retagged_best", "votes", "given_principles", "given_ids", "own_rubric", "contaminated_by",
        "contaminated_row", "overlap", "label_suspicion", "suspicion_reasons",
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
    ordered = tuple(sorted(responses, key=_order))
    contents = [response.content for response in ordered]
    best, margin, reason = _best_response(ordered, contents, label, min_margin)
    facts["drop_reason"] = facts.get("drop_reason") or reason
    return PreferenceSet(
        set_id=content_id("set", wire(query), contents),
        query_id=query_id(query),
        query=query,
        responses=ordered,
        label_source=label_source,
        best=best,
        label=label if len(ordered) == 1 else None,
        margin=margin,
        **facts,
    )


def _order(response: Response) -> tuple[str, str, str]:
    return response.text or "", response.reasoning or "", response.turns or ""


def _best_response(
    responses: tuple[Response, ...], contents: list[list[str | None]], label: int | None, min_margin: float
) -> tuple[int | None, float | None, DropReason | None]:
    """Return (best, margin, reason for having none), METHOD section 2: one maximum or no label."""
    if any(is_blank(response.text) and not response.turns for response in responses):
        return None, None, DropReason.EMPTY_RESPONSE
    if len(responses) < 2:
        return None, None, None if responses and label in (0, 1) else DropReason.TOO_FEW_RESPONSES
    if len(set(map(tuple, contents))) < len(responses):
        return None, None, DropReason.DUPLICATE_RESPONSES
    rewards = [response.reward for response in responses]
    ranked = sorted([reward for reward in rewards if reward is not None and isfinite(reward)], reverse=True)
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

CONTAMINATION = ("contaminated_by", "contaminated_row", "overlap")
"""Columns that curation fills for sets that hold a query of a benchmark."""

sets_table = partial(table_of, SETS)
"""Return the sets, in the order given, as a table of SETS."""


def sets_of(table: pa.Table) -> list[PreferenceSet]:
    """Return the records of a table of SETS, in its order, with what has joined it of what is published beside it."""
    for field in map(SETS_TABLE.schema.field, _PUBLISHED):
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return records_of(PreferenceSet, table)
