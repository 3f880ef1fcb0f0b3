"""Benchmarks of reward models, one module a benchmark."""
