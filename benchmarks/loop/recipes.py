"""The recipes of the loop: what a person would write for each arrow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.loop.plan import JUDGEMENT, Plan

PROMPT = Path(__file__).with_name("prompt.txt")
Tree = Mapping[str, Any]


def write(path: Path, tree: Tree) -> Path:
    """Write a recipe: tables of keys, `[[a.b]]` for lists of tables."""
    lines: list[str] = []
    _add(lines, "", tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).strip() + "\n", "utf-8")
    return path


def _add(lines: list[str], name: str, tree: Tree) -> None:
    # A JSON value is a TOML value, but for tables, which are written as tables.
    lines += [f"{key} = {json.dumps(value)}" for key, value in tree.items() if not _has_tables(value)]
    for key, value in tree.items():
        below = f"{name}.{key}" if name else key
        if isinstance(value, Mapping):
            lines += ["", f"[{below}]"]
            _add(lines, below, value)
        elif _has_tables(value):
            for entry in value:
                lines += ["", f"[[{below}]]"]
                _add(lines, below, entry)


def _has_tables(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def served(model: Path, plan: Plan, python: Path, *flags: str) -> dict[str, Any]:
    """Return the section of a model that vLLM serves on this machine's processor or GPU."""
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", "{model}"]
    args = ["--max-model-len", "2048", "--max-num-seqs", str(plan.in_flight)]
    env = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    if not plan.on_gpu:
        # On a processor, vLLM 0.32 dies of a seeded request whose prompt it reads in parts.
        args = ["--dtype", _precision(), "--enforce-eager", *args, "--no-enable-chunked-prefill"]
        args += ["--max-num-batched-tokens", "8192"]
        env = {"VLLM_CPU_KVCACHE_SPACE": "2", **env}
    args += flags
    server = {"command": command, "args": args, "env": env}
    return {"engine": "vllm", "model": str(model), "max_concurrency": plan.in_flight, "vllm": server}


def _precision() -> str:
    """Return bfloat16 where this machine's processor multiplies halves itself; elsewhere they are ten times slower."""
    about = Path("/proc/cpuinfo")
    flags = about.read_text("utf-8", "replace") if about.exists() else ""
    return "bfloat16" if "amx_bf16" in flags or "avx512_bf16" in flags else "float32"


def judging(plan: Plan, *, free: bool = False) -> dict[str, Any]:
    """Return `[grm]`: the short prompt, and the form that a regex keeps; `free` leaves the form to the model."""
    form = {} if free else {"structured_output": "regex", "structured_text": JUDGEMENT}
    return {"template": str(PROMPT), "max_tokens": plan.max_tokens, "n_rft": plan.n_rft, **form}


def building(
    name: str, sets: list[str], file: Path, judge: Tree, plan: Plan, seed: int, **sections: Any
) -> dict[str, Any]:
    """Return a recipe that makes training sets of one file."""
    return {
        "build": {"name": name, "seed": seed, "sets": sets},
        "sources": [{"kind": "preference_sets", "name": file.stem, "path": str(file), "license": "CC0-1.0"}],
        "models": {"grm": judge},
        "grm": judging(plan),
        "splits": {"validation": 0.1, "test": 0.0},
        **sections,
    }


def evaluating(name: str, judge: Tree, plan: Plan, benchmarks: list[Tree], k: int, **sections: Any) -> dict[str, Any]:
    """Return a recipe that evaluates a judge."""
    return {
        "build": {"name": name},
        "models": {"grm": judge, **sections.pop("models", {})},
        "grm": sections.pop("grm", judging(plan)),
        "evaluate": {"name": name, "k_max": k, "benchmarks": benchmarks, **sections},
    }
