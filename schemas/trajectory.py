"""Trajectories: one sample of the GRM over one shown set, what was read from it, and what became of it."""

from enum import StrEnum
from typing import Annotated, NamedTuple

import pyarrow as pa

from schemas.explained import Explained
from schemas.query import Messages
from schemas.tables import Column, Table, quoted


class Purpose(Explained):
    """What a trajectory was sampled for."""

    RFT = "rft", "by the GRM, to be trained on"
    DIFFICULTY = "difficulty", "by the difficulty model, to find the sets that are too easy for RL"
    ON_POLICY = "on_policy", "by the trained GRM itself, for Meta RM"
    PAIRED = (
        "paired",
        "by the GRM, with given criteria where RFT's samples have none, or the other way round: to compare the two",
    )
    RETAG = "retag", "by the teacher, as votes on sets whose ratings are too near; published as votes alone"


class Mode(StrEnum):
    """Whether the prompt said which response is best."""

    NON_HINTED = "non_hinted"
    HINTED = "hinted"


_ANOTHER_FORM = (
    "the judge does not keep the format: choose another model or [grm] template, or have the server keep it to the "
    "format: [grm] structured_output"
)


class Outcome(Explained):
    """What one answer amounts to. The first three are readable, the others say nothing about the set."""

    # Strictly the highest: a tie is not correct.
    CORRECT = "correct", "the judge gave the best response the highest score, or a single response the right label"
    INCORRECT = (
        "incorrect",
        "the judge gave another response a higher score than the best one, or a single response the wrong label",
        "the judge is too weak for these sets: take a stronger model, give it the reference answer ([grm] reference = "
        '"prompt") or add hinted samples (hinted = true in the source)',
    )
    TIED = (
        "tied",
        "the best response shares the highest score with another one",
        "the judge cannot tell them apart: take a stronger model, or a template that asks for distinct scores",
    )
    UNPARSED = (
        "unparsed",
        "the answer has no line `Scores: \\boxed{..}` that could be read",
        "the judge does not keep the format: look at one with inspect, then choose another model or [grm] template, or "
        "have the server keep it to the format: [grm] structured_output",
    )
    TRUNCATED = (
        "truncated",
        "the answer ended at the token limit, before its verdict",
        "raise [grm] max_tokens: judges that reason aloud need 8,000 and more; one that never comes to an end can be "
        "kept to a shorter form: [grm] structured_output, with structured_text",
    )
    WRONG_COUNT = "wrong_count", "the answer has more or fewer scores than responses", _ANOTHER_FORM
    OUT_OF_RANGE = "out_of_range", "a score is no integer of the range that the prompt asks for", _ANOTHER_FORM
    CONTRADICTORY = (
        "contradictory",
        "the answer gives two lists of scores that differ",
        "look at some of them with grmforge inspect; a judge that drafts its verdict is helped by [grm] "
        "structured_output",
    )
    REFUSED = (
        "refused",
        "the model declined to judge",
        "choose a model that judges this material, or leave the source out",
    )
    FAILED = (
        "failed",
        "the request got no answer: refused for good, or failed however often it was tried",
        "run grmforge doctor on the recipe; prompts may be too long ([grm] max_prompt_tokens); then build with "
        "--retry-failed",
    )

    @property
    def readable(self) -> bool:
        return self in READABLE


READABLE = frozenset({Outcome.CORRECT, Outcome.INCORRECT, Outcome.TIED})
_UNREADABLE = [outcome for outcome in Outcome if not outcome.readable]


class RejectReason(Explained):
    """Why a trajectory is not in the RFT set; an outcome other than correct comes before all of these."""

    DRAFT_VERDICT = (
        "draft_verdict",
        "correct, but an earlier verdict that differs stands before the one that counts",
        "the judge writes drafts into its answer: let it think apart from it, or have the server keep it to the "
        "format: [grm] structured_output",
    )
    NO_CRITIQUE = (  # where no analysis was asked for, none can be missing
        "no_critique",
        "correct, but no sentence outside headings and verdict speaks of a response: scores alone teach nothing",
        "a judge that thinks elsewhere leaves a bare line of scores: turn its thinking off (extra_body), or have the "
        "server keep it to the format: [grm] structured_output",
    )
    NO_PRINCIPLES = (  # only where the recipe neither gives nor forbids criteria
        "no_principles",
        "correct, but the answer names no criteria, which the prompt asks for",
        "have the server keep the judge to the format ([grm] structured_output), or, where none are wanted, say "
        '[grm] principles = "none"',
    )
    HINT_LEAK = (  # of hinted answers only
        "hint_leak",
        "the answer speaks of the hint that it was given, or gives its verdict before it weighs anything",
        "hinted answers of this model betray the hint: another model, or hinted = false in the source",
    )
    TOO_EASY = (  # of the samples, those without a hint count
        "too_easy",
        "every sample of the set is correct, so there is nothing to learn from it",
        "the sets are too easy for this judge: add harder sources, raise [grm] n_rft, or keep them with [rejection] "
        "drop_too_easy = false",
    )
    UNDECIDED = (  # fewer readable samples than n_rft
        "undecided",
        "too many of the set's answers could not be read to say how difficult it is",
        "see which unreadable outcome is commonest and mend that first; [grm] resample_unreadable asks more often",
    )
    LABEL_SUSPECT = (  # of any answer, hinted or not
        "label_suspect",
        "correct by a label that other judgements speak against, by more than the recipe allows",
        "look at some of these sets (docs/labels.md); raise [rejection] max_label_suspicion to keep more",
    )
    HINT_UNCONFIRMED = (  # of hinted answers only
        "hint_unconfirmed",
        "correct with the hint, but too few of the set's answers without one are",
        "lower [rejection] min_pass_for_hinted, which takes the very sets that hints are for",
    )
    TOO_LONG = (  # off unless the recipe gives a limit
        "row_too_long",
        "correct, but longer than the recipe lets a training row be",
        "raise [training] max_tokens, if what is trained can read more",
    )
    LABEL_BALANCE = (
        "label_balance",
        "correct, but left out so that right and wrong single responses stay in balance",
        "add single responses with the rarer label",
    )
    POSITION_BALANCE = (
        "position_balance",
        "correct, but left out so that the best response stands at every position equally often",
        "the judge prefers a position, or there are too few sets to balance: a less biased judge or more sets; "
        "[rejection] balance_positions = false keeps the bias",
    )
    HINTED_SHARE = (
        "hinted_share",
        "correct, but left out since hinted rows would exceed their share",
        "raise [rejection] max_hinted_share, or sample more without hints",
    )
    MAX_ACCEPTED = (
        "max_accepted",
        "correct, but the set already gave as many rows as the recipe allows",
        "raise [rejection] max_accepted_per_set",
    )


REJECT_PRECEDENCE: tuple[str, ...] = (
    *(outcome.value for outcome in Outcome if outcome is not Outcome.CORRECT),
    *(reason.value for reason in RejectReason),
)
"""Every reject_reason, first the one that wins."""


class Principle(NamedTuple):
    """A criterion that the judge wrote for itself."""

    name: Annotated[str, "Name of the criterion."]
    description: Annotated[str, "What it asks for."]
    weight: Annotated[float | None, "Its weight, 0 to 1; null where the judge gave none."]


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


SIGNALS = (
    Column(
        "agreement",
        float,
        "Share of the set's readable samples, of this purpose and mode, that find the same response best; of m best "
        "ones each counts 1/m. Null unless readable, and for one response.",
    ),
    Column(
        "vote_margin",
        float,
        "How far the best mean score of these samples stands above the second best; null as `agreement`.",
    ),
    Column("score_spread", float, "Standard deviation of the sample's own scores; null as `agreement`."),
)
"""What samples say about each other without a label."""

TRAJECTORIES_TABLE = Table(
    "trajectories",
    (
        Column("trajectory_id"),
        Column("request_id"),
        Column("set_id"),
        Column("query_id"),
        Column("source"),
        Column("domain"),
        Column("split", str, "Split of the set: `train` or `validation`."),
        Column("purpose", str, "What the sample was drawn for: `rft`, `difficulty`, `on_policy` or `paired`."),
        Column("mode", str, "`hinted` where the prompt said which response is best, else `non_hinted`."),
        Column("sample_index"),
        Column("model"),
        Column("prompt_template"),
        Column("temperature", float, "Sampling temperature."),
        Column("order", tuple[int, ...], "order[p] = index, in the set, of the response shown at position p."),
        Column("prompt", Messages, "The prompt as sent, hint included."),
        Column("text", str, "The answer without its thoughts; null where the request failed."),
        Column("reasoning", str, "What the endpoint returned as reasoning, and the thoughts that stood in the text."),
        Column("principles", tuple[Principle, ...], "The criteria that the judge wrote for itself."),
        Column("critique", str, "The analysis between criteria and scores; where nothing is headed as one, the prose."),
        Column("scores", tuple[float, ...], "One score a response, in the order shown; null unless readable."),
        Column(
            "margin", float, "Score of the best less the highest other; null unless readable, and for one response."
        ),
        Column("outcome", str, f"`correct`, `incorrect`, `tied`; or, unreadable: {quoted(_UNREADABLE)}."),
        Column("accepted", bool, "Whether the trajectory is in the RFT set."),
        Column("reject_reason", str, f"Why it is not: the outcome unless correct, then {quoted(RejectReason)}."),
        Column("has_reference"),
        Column("finish_reason", str, "As the endpoint gave it; `length` is always `truncated`."),
        Column("prompt_tokens"),
        Column("completion_tokens"),
        Column(
            "verdict_form",
            str,
            "`canonical` if the answer ends in the line asked for, else `forgiven`; null unless readable.",
        ),
        *SIGNALS,
    ),
    "One sample of a judge over one shown set: what was asked, what came back, what was read from it, what became of "
    "it.",
    {
        "accepted": "judgements that are in rft",
        "rejected": "judgements that are not, each with its reject_reason",
        "difficulty": "the difficulty model's samples",
        "on_policy": "the trained GRM's own samples",
        "paired": "samples with given criteria where RFT's have none, or the other way round",
    },
)
TRAJECTORIES = TRAJECTORIES_TABLE.schema
PRINCIPLES: pa.DataType = TRAJECTORIES.field("principles").type

JUDGED = Table(
    "judged",
    (
        *(
            column
            for column in TRAJECTORIES_TABLE.columns
            if column.name not in ("accepted", "reject_reason") and column not in SIGNALS
        ),
        Column("draft_verdict", bool),
        Column("no_critique", bool),
        Column("no_principles", bool),
        Column("hint_leak", bool),
        Column("n_responses", int),
        Column("best_position", int),
        Column("label", int),
    ),
).schema
"""Trajectories before rejection, with what rejection needs; a stage's table, not published as it is."""
