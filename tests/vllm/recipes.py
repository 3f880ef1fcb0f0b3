"""The recipe of `make test-vllm`: every role is one tiny model that writes noise, kept to each role's form by vLLM."""

import json
import random
from pathlib import Path
from typing import Any

from tests.end_to_end.commands import write_recipe
from tests.end_to_end.questions import SYLLABLES, write_teleqna

IN_FLIGHT = 32
SETS = 60
"""Of two responses, and as many of four."""
QUESTIONS = 16
"""Without responses: a responder's answers become sets."""

JUDGEMENT = (
    r"Specific Criteria:\n1\. [A-Za-z]{3,12} \(weight: 100%\): [a-z ]{5,30}\n\n"
    r"Analysis:\nResponse 1 [a-z][a-z ]{10,60}\n\n"
)
ANSWER = r"[a-z][a-z ]{10,60}\nThe answer is option [1-4]"

SERVER: dict[str, Any] = {
    "args": [
        *("--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", str(IN_FLIGHT)),
        # On a processor, vLLM 0.32 dies of a seeded request whose prompt it reads in parts.
        *("--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192"),
    ],
    "start_timeout_s": 500.0,
    "env": {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
}


def served(python: str, args: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    """Return a role's section. `vllm serve` itself does not start on a processor's vLLM, so its module does."""
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", "{model}"]
    server = SERVER | {"command": command, "args": [*SERVER["args"], *args]}
    return {"engine": "vllm", "model": "tiny", "max_concurrency": IN_FLIGHT, "vllm": server} | settings


def write_pairs(path: Path) -> None:
    """Write sets of two responses in the layout of preference_sets, made up from a seed."""
    draw = random.Random(7)

    def words(count: int) -> str:
        return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(count))

    rows = [
        {"query": f"What is {words(8)}?", "responses": [words(6), words(6)], "best": draw.randint(0, 1)}
        for _ in range(SETS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def write(home: Path, python: str, **sections: Any) -> Path:
    """Write the recipe and its sources, and return its path."""
    write_pairs(home / "pairs.jsonl")
    write_teleqna(home / "fours.txt", SETS, seed=1)
    write_teleqna(home / "questions.txt", QUESTIONS, seed=2)
    judge = served(python)
    answering = served(python, extra_body={"structured_outputs": {"regex": ANSWER}})
    usual: dict[str, Any] = {
        "build": {"name": "tiny", "seed": 3, "sets": ["rft", "rl", "meta_rm"]},
        "sources": [
            {"kind": "preference_sets", "name": "twos", "path": "pairs.jsonl", "license": "CC0-1.0"},
            {"kind": "teleqna", "path": "fours.txt"},
            {"kind": "teleqna_traces", "path": "questions.txt"},
        ],
        "models": {
            "grm": judge,
            "difficulty": judge,
            "policy": judge,
            "responder": answering,
            "teacher": answering,
            "rubric": served(python),
        },
        "synthesis": {"samples": 4, "n_responses": 4, "max_tokens": 100, "single_share": 0.0},
        "grm": {
            "max_tokens": 160,
            "structured_output": "regex",
            "structured_text": JUDGEMENT,
            "principles": "rubric",
        },
        "rubrics": {"queries": 8, "panel": 8, "max_tokens": 1500},
        "splits": {"validation": 0.1, "test": 0.1},
    }
    return write_recipe(home / "recipe.toml", **usual | sections)
