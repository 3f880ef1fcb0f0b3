"""The rule of rewards.py as ms-swift calls it: `--external_plugins grm_plugin.py --reward_funcs grm`."""

import sys
from pathlib import Path

from swift.rewards import ORM, orms

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rewards


class GrmReward(ORM):
    """+1 for the best response, -1 for any other answer and for what cannot be read."""

    def __call__(self, completions, solution, **kwargs):
        return [rewards.reward(text, truth) for text, truth in zip(completions, solution, strict=True)]


orms["grm"] = GrmReward
