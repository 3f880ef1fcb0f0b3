"""Trajectories: one sample of the GRM over one shown set, what was read from it, and what became of it."""

from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa

from schemas.query import MESSAGES
from schemas.record import table_schema


class Purpose(StrEnum):
    """What a trajectory was sampled for."""

    RFT = "rft"
    DIFFICULTY = "difficulty"
    """By the difficulty model, to find the sets that are too easy for RL."""
    ON_POLICY = "on_policy"
    """By the trained GRM itself, for Meta RM."""
    PAIRED = "paired"
    """By the GRM, with given criteria where RFT's samples have none, or the other way round: to compare the two."""
    RETAG = "retag"
    """By the teacher, as votes on sets whose ratings are too near; these are published as votes alone."""


class Mode(StrEnum):
    """Whether the prompt said which response is best."""

    NON_HINTED = "non_hinted"
    HINTED = "hinted"


class Outcome(StrEnum):
    """What one answer amounts to. The first three are readable, the others say nothing about the set."""

    CORRECT = "correct"
    """The best response got a strictly higher score than every other (n = 1: the score is the label)."""
    INCORRECT = "incorrect"
    TIED = "tied"
    """The best response shares the highest score."""
    UNPARSED = "unparsed"
    TRUNCATED = "truncated"
    WRONG_COUNT = "wrong_count"
    OUT_OF_RANGE = "out_of_range"
    CONTRADICTORY = "contradictory"
    """Two lists of scores that differ."""
    REFUSED = "refused"
    FAILED = "failed"
    """No answer: the request itself failed."""

    @property
    def readable(self) -> bool:
        return self in READABLE


READABLE = frozenset({Outcome.CORRECT, Outcome.INCORRECT, Outcome.TIED})


class RejectReason(StrEnum):
    """Why a trajectory is not in the RFT set; an outcome other than correct comes before all of these."""

    DRAFT_VERDICT = "draft_verdict"
    """An earlier headed verdict that differs stands before the one that was read."""
    NO_CRITIQUE = "no_critique"
    """No sentence outside headings and verdict speaks of a response; where no analysis was asked for, none is there."""
    NO_PRINCIPLES = "no_principles"
    """The answer names no criteria, where the prompt asks for them and the recipe neither gives nor forbids any."""
    HINT_LEAK = "hint_leak"
    """Hinted only: the text speaks of the hint, or gives its verdict before it applies a criterion."""
    TOO_EASY = "too_easy"
    """Every non-hinted sample of the set is correct."""
    UNDECIDED = "undecided"
    """The set has fewer readable samples than n_rft."""
    LABEL_BALANCE = "label_balance"
    POSITION_BALANCE = "position_balance"
    HINTED_SHARE = "hinted_share"
    MAX_ACCEPTED = "max_accepted"


REJECT_PRECEDENCE: tuple[str, ...] = (
    *(outcome.value for outcome in Outcome if outcome is not Outcome.CORRECT),
    *(reason.value for reason in RejectReason),
)
"""Every reject_reason, first the one that wins."""


class Principle(NamedTuple):
    """A criterion that the judge wrote for itself."""

    name: str
    description: str
    weight: float | None
    """0..1; None where the judge gave none."""


class Reading(NamedTuple):
    """What was read from one answer."""

    outcome: Outcome
    scores: tuple[int, ...] | None = None
    """In the order shown; None unless the outcome is readable."""
    margin: float | None = None
    """Score of the best response less the highest other score; None for n = 1 and unless readable."""
    principles: tuple[Principle, ...] = ()
    critique: str | None = None
    verdict_form: str | None = None
    """"canonical": the answer ends in the one line that is asked for. "forgiven": any other form that was read."""
    draft_verdict: bool = False
    """Whether an earlier verdict that differs was taken back."""


PRINCIPLES = pa.list_(
    pa.struct([pa.field("name", pa.string()), pa.field("description", pa.string()), pa.field("weight", pa.float64())])
)

TRAJECTORIES = table_schema(
    "trajectories",
    [
        pa.field("trajectory_id", pa.string()),
        pa.field("request_id", pa.string()),
        pa.field("set_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("split", pa.string()),
        pa.field("purpose", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("sample_index", pa.int32()),
        pa.field("model", pa.string()),
        pa.field("prompt_template", pa.string()),
        pa.field("temperature", pa.float64()),
        pa.field("order", pa.list_(pa.int32())),
        pa.field("prompt", MESSAGES),
        pa.field("text", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("principles", PRINCIPLES),
        pa.field("critique", pa.string()),
        pa.field("scores", pa.list_(pa.float64())),
        pa.field("margin", pa.float64()),
        pa.field("outcome", pa.string()),
        pa.field("accepted", pa.bool_()),
        pa.field("reject_reason", pa.string()),
        pa.field("has_reference", pa.bool_()),
        pa.field("finish_reason", pa.string()),
        pa.field("prompt_tokens", pa.int64()),
        pa.field("completion_tokens", pa.int64()),
        pa.field("verdict_form", pa.string()),
    ],
)

JUDGED = table_schema(
    "judged",
    [
        *(field for field in TRAJECTORIES if field.name not in ("accepted", "reject_reason")),
        pa.field("draft_verdict", pa.bool_()),
        pa.field("no_critique", pa.bool_()),
        pa.field("no_principles", pa.bool_()),
        pa.field("hint_leak", pa.bool_()),
        pa.field("n_responses", pa.int32()),
        pa.field("best_position", pa.int32()),
        pa.field("label", pa.int32()),
    ],
)
"""Trajectories before rejection, with what rejection needs; a stage's table, not published as it is."""
