"""The rule of rewards.py as SkyRL calls it: an environment of one step. What cannot be read earns -1."""

import rewards
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput


class JudgingEnv(BaseTextEnv):
    """Scores one judgement against the row's `reward_spec`."""

    def __init__(self, env_config=None, extras=None):
        super().__init__()
        self.ground_truth = extras["reward_spec"]["ground_truth"]

    def step(self, action):
        scored = rewards.reward(action, self.ground_truth)
        return BaseTextEnvStepOutput(observations=[], reward=scored, done=True, metadata={})
