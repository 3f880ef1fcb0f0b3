"""The published rewards.py, called as each trainer calls it."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from pipelines.judging.rewards_file import rewards_source


def published_rewards(folder: Path) -> ModuleType:
    """Return rewards.py as a snapshot has it, written into a folder and loaded from there."""
    path = folder / "rewards.py"
    path.write_text(rewards_source(), "utf-8")
    return module_at(path)


def module_at(path: Path) -> ModuleType:
    """Return the module of a file."""
    spec = importlib.util.spec_from_file_location("rewards", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rewards_by_door(rewards: ModuleType, texts: list[str], rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the rewards of answers to rows of an rl table, by the door that gave them.

    The rows need `data_source` and `reward_model`. Words and types are those that the trainers use: numpy arrays where
    verl's batch manager has them, one query a call in OpenRLHF.
    """
    truths = [row["reward_model"]["ground_truth"] for row in rows]
    sources = [row["data_source"] for row in rows]
    labels = [row["reward_model"] for row in rows]
    samples = [
        SimpleNamespace(prompt="p", response=text, label=label, metadata={})
        for text, label in zip(texts, labels, strict=True)
    ]
    prompts = ["<s><|user|>Judge.\n\nScores: \\boxed{1, 2}<|assistant|>\n"] * len(rows)
    openrlhf = [
        rewards.reward_func([prompt + text + "<|im_end|>"], [prompt], [label])
        for prompt, text, label in zip(prompts, texts, labels, strict=True)
    ]
    return {
        "verl": [
            rewards.compute_score(data_source=source, solution_str=text, ground_truth=truth, extra_info={"index": 1})
            for source, text, truth in zip(sources, texts, truths, strict=True)
        ],
        "verl in a batch": rewards.compute_score(
            data_sources=np.array(sources, dtype=object),
            solution_strs=texts,
            ground_truths=truths,
            extra_infos=np.array([{"index": 1}] * len(rows), dtype=object),
        ),
        "verl, with the form": [
            found["score"] for found in rewards.compute_score_and_form(solution_strs=texts, ground_truths=truths)
        ],
        "TRL": rewards.grm_reward(
            prompts=[[{"role": "user", "content": "Judge."}]] * len(rows),
            completions=[[{"role": "assistant", "content": text}] for text in texts],
            completion_ids=[[1]] * len(rows),
            reward_model=labels,
            data_source=sources,
        ),
        "OpenRLHF": [one for found in openrlhf for one in found["rewards"]],
        "slime": [asyncio.run(rewards.slime_reward(None, sample)) for sample in samples],
        "slime, a group": asyncio.run(rewards.slime_reward(None, samples)),
    }
