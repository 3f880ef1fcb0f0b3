"""The plan of the loop. It is fixed before the test sets are read once: a changed plan takes fresh test sets.

The claim: the judge that learned from accepted judgements (`rft`) is right more often than the judge that learned from
all readable ones (`no_rejection`). Both are asked twice about each test set, an unreadable answer is wrong, and a set
counts by the share of right answers. p < .01 by sign flips over query clusters, in each of two seeds of sampling and
training. Everything else that is measured is shown with its interval and claims nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

ARMS = ("rft", "no_rejection", "verdict_only", "shuffled")
"""What each arm trains on; all of them go on from the warm judge, with the same number of tokens.

rft            the snapshot's rft rows
no_rejection   every readable non-hinted judgement of the same sets
verdict_only   the rft rows without criteria and critique
shuffled       rft as it would be had the labels been dealt out at random before rejection
"""
ALPHA = 0.01
JUDGEMENT = r"Specific Criteria:\n1\. [A-Z][a-z]{2,15} \(weight: 100%\): [^\n]{5,60}\n\nAnalysis:\n[^\n]{20,240}\n\n"


@dataclass(frozen=True)
class Plan:
    """Sizes of everything."""

    rung: str = "category"
    sizes: Mapping[str, int] = field(
        default_factory=lambda: {
            "warm": 400,
            "gold": 900,
            "train": 1200,
            "meta": 400,
            "validation": 200,
            "test": 600,
        }
    )
    """Sets in each file; see tasks.py."""
    warm_tokens: int = 80_000
    warm_errors: float = 0.44
    """With this chance a set of the warm judge's has the wrong label, and its teacher errs alike: in 171 of 400. With a
    teacher that never errs, the judge jumps from a coin's tosses to over 80 % within a few thousand tokens, and lands
    between by luck; with one that errs in 109 it is right in 90 % (docs/loop.md)."""
    arm_tokens: int = 150_000
    """Of prompts and answers, for each arm, the gold judge, the scorer and the Meta RM."""
    lr: float = 1e-4
    batch: int = 8
    n_rft: int = 3
    k_max: int = 8
    k_arms: int = 2
    max_tokens: int = 140
    in_flight: int = 64
    on_gpu: bool = False
    """Whether vLLM has a GPU, and is started with its own settings."""
    elsewhere: bool = True
    """Also judge LLMBar and RM-Bench chat, where their files are at hand. Nothing is trained on them."""


FULL = Plan()
SMALL = Plan(
    sizes={"warm": 60, "gold": 60, "train": 60, "meta": 30, "validation": 30, "test": 40},
    warm_tokens=8_000,
    arm_tokens=6_000,
    n_rft=2,
    k_max=4,
    elsewhere=False,
)
"""It shows that every arrow holds, and no figure to learn from."""
TINY = replace(
    SMALL,
    sizes=dict.fromkeys(FULL.sizes, 8) | {"train": 24},
    warm_tokens=6_000,
    arm_tokens=3_000,
    max_tokens=400,  # of a tokenizer that knows hardly a word
    in_flight=32,
)
"""For a model of random weights: a test of the commands."""
GPU = replace(
    FULL, sizes={**FULL.sizes, "train": 12_000, "meta": 4_000}, arm_tokens=1_500_000, in_flight=256, on_gpu=True
)
"""Ten times the rows."""
