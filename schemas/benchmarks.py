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
    plain = "".join(letter for letter in kind.casefold() if letter.isalnum())
    return next((name for name in REWARD_BENCHMARKS if name.replace("_", "") == plain), None)


def benchmark_of_hub(hub: str) -> str | None:
    """Return the benchmark for reward models that a hub id names, however it is written; None for other data sets.

    Another owner's data set of the same name is a copy: `someone/RM-Bench`.
    """
    return _of_id(hub) or benchmark_called(hub.strip().strip("/").rpartition("/")[2])


def _of_id(hub: str) -> str | None:
    plain = hub.strip().strip("/").casefold()
    patterns = ((name, pattern.casefold()) for name, hubs in REWARD_BENCHMARKS.items() for pattern in hubs)
    return next((name for name, pattern in patterns if fnmatchcase(plain, pattern)), None)


def benchmark_at(path: str) -> str | None:
    """Return the benchmark for reward models that a local copy holds, by the names of its folders and its file.

    `RM-Bench/total_dataset.json`, `judgebench.jsonl`, `allenai/reward-bench` and the hub cache's
    `datasets--allenai--reward-bench` are such names. `rmb` and `ppe` alone are none: anything may be called so.
    """
    parts = PurePosixPath(path).parts
    owned = (f"{owner}/{name}" for owner, name in pairwise(parts))
    cached = (part.removeprefix("datasets--").replace("--", "/", 1) for part in parts if part.startswith("datasets--"))
    named = (benchmark_called(part.partition(".")[0]) for part in parts)
    return next(filter(None, map(_of_id, (*owned, *cached))), None) or next(
        (name for name in named if name is not None and len(name) > len("rmb")), None
    )


def refusal(what: str, benchmark: str) -> str:
    """Return why rows of a benchmark for reward models are no training rows, and what to do with them."""
    return (
        f"{what} is {benchmark}, a benchmark for reward models, which nothing may be trained on: leave it out, and "
        f'evaluate on it with [[evaluate.benchmarks]] kind = "{benchmark}"'
    )
