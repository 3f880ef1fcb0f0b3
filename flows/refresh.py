"""Where a deployment of an earlier version finds its flow."""

from flows.deployed.deployments import refresh_datasets

__all__ = ["refresh_datasets"]
