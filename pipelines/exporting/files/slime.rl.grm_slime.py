"""The rule of rewards.py as slime calls it: `--custom-rm-path grm_slime.reward`. What cannot be read earns -1."""

import rewards


async def reward(args, sample, **kwargs):
    """Return the reward of a sample, or those of a list of samples; the label is the ground truth of `rl`."""
    if isinstance(sample, list):
        return [rewards.reward(one.response, one.label) for one in sample]
    return rewards.reward(sample.response, sample.label)
