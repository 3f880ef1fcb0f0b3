"""The judge as the reward of a training run: a service that scores groups of responses, and its doors."""
