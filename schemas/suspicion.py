"""What speaks against the label of a set: how likely it is wrong, and why it is suspected."""

from schemas.explained import Explained
from schemas.tables import quoted

PRIOR_NOISE = 0.05
"""The share of wrong labels that is assumed before anything is known of a set."""


class SuspicionReason(Explained):
    """What the evidence against a label is."""

    NONE_RIGHT = "none_right", "no readable judgement of the set, of two or more, agrees with the label"
    JUDGES_AGREE = "judges_agree_on_other", "two judges or more each prefer the same other response"
    TEACHER = "teacher_disagrees", "the teacher's votes go to another response"
    VERIFIER = "verifier_disagrees", "the verifier finds another response right, by the reference, and the best one not"


SUSPICION_MEANING = (
    f"How likely the label is wrong, 0 to 1, by all readable judgements, assuming {PRIOR_NOISE:.0%} wrong labels: a "
    "ranking for people to look at, not a verdict (docs/labels.md). Null where nothing speaks."
)
REASONS_MEANING = (
    f"What speaks against the label: {quoted(SuspicionReason)}; empty where nothing stands out, null where nothing "
    "speaks."
)
