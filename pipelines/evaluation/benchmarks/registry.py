"""Every kind of benchmark that a recipe can name."""

from importlib import import_module

from pipelines.evaluation.benchmarks.benchmark import Benchmark

MODULES = (
    "rewardbench",
    "rewardbench2",
    "rm_bench",
    "judgebench",
    "rmb",
    "ppe",
    "llmbar",
    "realmistake",
    "preference_sets",
)
"""Modules of this room that have a `BENCHMARK`, in the order in which messages and docs list them."""

_BENCHMARKS: list[Benchmark] = [
    import_module(f"pipelines.evaluation.benchmarks.{module}").BENCHMARK for module in MODULES
]

BENCHMARKS = {benchmark.kind: benchmark for benchmark in _BENCHMARKS}
"""The benchmarks by the `kind` of their `[[evaluate.benchmarks]]` section."""
