"""Where a deployment of an earlier version finds its flow."""

from flows.deployed.deployments import build_rubric_index

__all__ = ["build_rubric_index"]
