"""Benchmarks for reward models: known by name and hub id, and refused wherever training rows are read."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import PurePosixPath
from types import MappingProxyType

REWARD_BENCHMARKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rewardbench": ("allenai/reward-bench",),
        "rewardbench2": ("allenai/reward-bench-2",),
        "rm_bench": ("THU-KEG/RM-Bench",),
        "judgebench": ("ScalerLab/JudgeBench",),
        "rmb": (),
        "ppe": ("lmarena-ai/PPE-*",),
        "llmbar": (),
    }
)
"""By the kind that `[[evaluate.benchmarks]]` calls each, their hub ids; `*` stands for anything. Two are on no hub."""


def benchmark_called(kind: str) -> str | None:
    """Return the benchmark for reward models that a kind names, however it is written; None for anything else."""
    plain = kind.casefold().replace("-", "").replace("_", "")
    return next((name for name in REWARD_BENCHMARKS if name.replace("_", "") == plain), None)


def benchmark_of_hub(hub: str) -> str | None:
    """Return the benchmark for reward models that a hub id names, in any letter case; None for other data sets."""
    plain = hub.strip().strip("/").casefold()
    patterns = ((name, pattern.casefold()) for name, hubs in REWARD_BENCHMARKS.items() for pattern in hubs)
    return next((name for name, pattern in patterns if fnmatchcase(plain, pattern)), None)


def benchmark_at(path: str) -> str | None:
    """Return the benchmark for reward models that a copy of a hub data set holds, by its folders' names.

    `allenai/reward-bench` and the hub cache's `datasets--allenai--reward-bench` are such names.
    """
    parts = PurePosixPath(path).parts
    owned = (f"{owner}/{name}" for owner, name in pairwise(parts))
    cached = (part.removeprefix("datasets--").replace("--", "/", 1) for part in parts if part.startswith("datasets--"))
    return next(filter(None, map(benchmark_of_hub, (*owned, *cached))), None)


def refusal(what: str, benchmark: str) -> str:
    """Return why rows of a benchmark for reward models are no training rows, and what to do with them."""
    return (
        f"{what} is {benchmark}, a benchmark for reward models, which nothing may be trained on: leave it out, and "
        f'evaluate on it with [[evaluate.benchmarks]] kind = "{benchmark}"'
    )
