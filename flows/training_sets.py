"""Where a deployment of an earlier version finds its flow."""

from flows.deployed.deployments import build_meta_rm_set, build_rft_set, build_rl_set

__all__ = ["build_meta_rm_set", "build_rft_set", "build_rl_set"]
