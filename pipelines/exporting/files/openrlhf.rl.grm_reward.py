"""The rule of rewards.py as OpenRLHF calls it: `--reward.remote_url grm_reward.py`. What cannot be read earns -1."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rewards

TAIL = 200


def answer_of(query, prompt):
    """Return what follows the prompt. Decoded, it may begin otherwise than it was sent, so its end counts.

    Raises ValueError where it is not found: the prompt shows a line of scores as an example, which must not be read.
    """
    place = query.rfind(prompt[-TAIL:])
    if place < 0:
        raise ValueError("the prompt is not in the query, so nothing tells where the answer begins")
    return query[place + len(prompt[-TAIL:]) :]


def reward_func(queries, prompts, labels, **kwargs):
    """Return the rewards of whole texts, prompt and answer; the label is the ground truth of `rl`."""
    scored = [
        rewards.reward(answer_of(query, prompt), label)
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    found = torch.tensor(scored)
    return {"rewards": found, "scores": found, "extra_logs": {"right": (found > 0).float()}}
