"""An evaluation whose answers are all stored: ten thousand rows of four responses, 32 samples of each.

    python -m benchmarks.evaluated_items FOLDER

evaluates what `store` left in a folder, in a process of its own, and prints a JSON object: seconds, and the most memory
that the process took. It runs on two cores. The answers have about 0.8 kB, and their words compress as prose does.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

import flows  # noqa: F401 - it sets how polars keeps its memory, as the commands do, before polars is imported
from benchmarks.clients import Silent
from benchmarks.judging import some_words
from pipelines.evaluation.evaluate import Asked, asked_of, evaluate
from pipelines.orders import new_run
from schemas.generation import Completion, Request
from schemas.recipe import Recipe, recipe_of
from schemas.record import content_id
from storage.generations import Generations
from storage.journal import JournalWriter, new_run_id
from storage.root import Root

RESPONSES = 4
RESPONSE_WORDS = 12
REMARK_WORDS = 80
REMARKS = 1_000
"""Remarks that answers are made of."""
UNREADABLE = 0.03
CRITERIA = (
    "Specific Criteria:\n"
    "1. Accuracy (Weight: 60%): Each claim must be correct, and must not contradict the question.\n"
    "2. Relevance (Weight: 40%): The response must address what was asked, and not another question."
)


def recipe_for(place: Path, samples: int) -> Recipe:
    whole = (resources.files("pipelines.judging.templates") / "grm.txt").read_text("utf-8")
    (place / "short.txt").write_text(re.sub("#### General Criteria ####.*?(?=#### Scale)", "", whole, flags=re.DOTALL))
    return recipe_of(
        {
            "build": {"name": "evaluated", "sets": ["rft"], "root": str(place / "root")},
            "models": {"grm": {"engine": "simulated"}},
            "grm": {"template": "short.txt"},
            "evaluate": {
                "k_max": samples,
                "benchmarks": [{"kind": "preference_sets", "path": str(place / "rows.jsonl")}],
            },
        },
        place,
    )


def store(place: Path, rows: int, samples: int) -> None:
    """Write the rows, and an answer to each request of their evaluation."""
    with (place / "rows.jsonl").open("w") as file:
        for number in range(rows):
            texts = [f"{some_words(f'{number}.{n}', RESPONSE_WORDS)} ({number}.{n})" for n in range(RESPONSES)]
            query = f"Question {content_id('question', number)}: which of these is right?"
            file.write(json.dumps({"query": query, "responses": texts, "best": number % RESPONSES}) + "\n")
    recipe = recipe_for(place, samples)
    root = Root.open(recipe.build.root)
    [asked] = asked_of(recipe, root)
    with JournalWriter(root, new_run_id()) as journal:
        for request, completion in _answers(asked):
            journal.append(request, completion)
    Generations(root)  # folds the journal, as asking does at its end


def _answers(asked: Asked) -> Iterator[tuple[Request, Completion]]:
    drawn = np.random.default_rng(0)
    remarks = [some_words(f"remark {number}", REMARK_WORDS) for number in range(REMARKS)]
    quality = 6 + drawn.normal(0, 1, (len(asked.read.rows), RESPONSES))
    for place, row in enumerate(asked.read.rows):
        quality[place, list(row.right)] += 1
    for judge, prompts in asked.orders:
        for prompt in prompts:
            draws, of_set = prompt.draws(judge), quality[prompt.row, list(prompt.indices)]
            for draw in draws.drawn(range(judge.n)):
                scores = np.clip(np.rint(of_set + drawn.normal(0, 1.5, len(of_set))), 1, 10).astype(int)
                shown = ", ".join(str(scores[index]) for index in draw.order)
                verdict = "I cannot say." if drawn.random() < UNREADABLE else f"Scores: \\boxed{{{shown}}}"
                text = f"{CRITERIA}\n\nAnalysis:\n{remarks[drawn.integers(REMARKS)]}.\n\n{verdict}"
                request = draws.request(draw)
                yield request, Completion(request.request_id, text, finish_reason="stop", completion_tokens=250)


def measured(rows: int, samples: int) -> tuple[float, float]:
    """Return how many rows a second are evaluated from stored answers, and the most memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder), rows, samples)
        command = [sys.executable, "-m", "benchmarks.evaluated_items", folder, str(samples)]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(finished.stdout.splitlines()[-1])
        return rows / found["seconds"], found["peak_mb"]


def main() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    recipe = recipe_for(Path(sys.argv[1]), int(sys.argv[2]))
    run = new_run(recipe, {}, Silent())
    started = time.perf_counter()
    evaluated = evaluate(recipe, Root.open(recipe.build.root), run)
    seconds = time.perf_counter() - started
    manifest = evaluated.evaluation.manifest
    if manifest.judge is None or manifest.judge.cached != manifest.judge.requests:
        raise SystemExit("answers were missing: this measures asking, too")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
