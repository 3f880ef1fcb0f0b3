"""Figures of one GPU, on a machine without a network: docs/gpu.md."""
