"""The rule of rewards.py as OpenRLHF calls it: `--reward.remote_url grm_reward.py`. What cannot be read earns -1."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rewards


def reward_func(queries, prompts, labels, **kwargs):
    """Return the rewards of whole texts, prompt and answer; the label is the ground truth of `rl`."""
    scored = [
        rewards.reward(query[len(prompt) :] if query.startswith(prompt) else query, label)
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    found = torch.tensor(scored)
    return {"rewards": found, "scores": found, "extra_logs": {"right": (found > 0).float()}}
