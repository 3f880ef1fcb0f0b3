"""What gives a tau2 run's reward away on the surface, before and after its ending is taken off.

    python -m benchmarks.tau2_surface PATH        PATH: a directory with simulations/*.json and split_tasks.json

A judge trained on conversations that end in ###STOP### or ###TRANSFER### learns to read the last token. Each row of the
table takes one thing more off the runs. For each, the table says in how many runs single features agree with the
reward; and, leave-one-out, in how many the one feature that does best on all other runs predicts the run left out.
Features: whether a word, call or token stands in the text, or in its last two turns, and who speaks last. With
thousands of features and few runs the best one does well by chance: the last column is what it reaches on shuffled
labels. Takes some ten seconds. The last line is one JSON object.
"""

import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.judging.transcripts import transcript_text
from pipelines.sources import tau2
from pipelines.sources.files import open_files
from pipelines.sources.rows import json_of
from pipelines.sources.tau2_files import SPLIT_FILE
from pipelines.sources.tau2_simulations import TRANSFER_CALL, agents_part, turns_of, without_tokens

Turns = list[dict[str, Any]]
Matrix = NDArray[np.bool_]

SHUFFLES = 200
WORD = re.compile(r"###[A-Z-]+###|\w+ calls: \w+|[A-Za-z']+|\d+(?:\.\d+)?")
NAMED = {
    "###STOP### or ###TRANSFER### at the end": lambda text: "###STOP###" in text,
    "no transfer call": lambda text: TRANSFER_CALL not in text,
    "no word of a human agent": lambda text: "human agent" not in text.lower(),
    "a speed test that is excellent": lambda text: "(Excellent)" in text,
}


def main(path: str) -> None:
    section = tau2.SOURCE.section(kind="tau2", path=path)
    files = open_files(section, tau2.SOURCE.hub, tau2.SOURCE.patterns, Path())
    runs = [
        (turns_of(run["messages"]), run["reward_info"]["reward"] == 1)
        for file in files.paths
        if file.name != SPLIT_FILE
        for run in json_of(file, files.name(file))["simulations"]
    ]
    labels = np.array([passed for _, passed in runs])
    print(f"{len(runs)} runs, {labels.sum()} passed; the more frequent label alone is right in {majority(labels)}\n")
    print(
        "| | "
        + " | ".join(NAMED)
        + " | turns (AUC) | characters (AUC) | best feature, left out | in sample | by chance |"
    )
    print("|---|" + "---:|" * (len(NAMED) + 5))
    found = {}
    for name, stripped in STAGES.items():
        found[name] = row = measured([stripped(turns) for turns, _ in runs], labels)
        print(f"| {name} | " + " | ".join(str(value) for value in row.values()) + " |")
    print(json.dumps(found))


def without_transfer(turns: Turns) -> Turns:
    """Return the turns before the last transfer call, or before the user's closing turn."""
    calls = [[call["name"] for call in turn.get("tool_calls", ())] for turn in turns]
    end = next((index for index in range(len(turns) - 1, -1, -1) if TRANSFER_CALL in calls[index]), len(turns) - 1)
    return turns[:end]


STAGES: dict[str, Callable[[Turns], Turns]] = {
    "as tau2 writes it": lambda turns: turns,
    "without the tokens": lambda turns: [turn | {"content": without_tokens(turn.get("content", ""))} for turn in turns],
    "without the user's last turn": lambda turns: turns[:-1],
    "and without the transfer": without_transfer,
    "to the agent's last word: the source": agents_part,
}


def measured(conversations: Sequence[Turns], labels: Matrix) -> dict[str, float]:
    """Return the figures of one row of the table."""
    texts = [transcript_text(json.dumps(turns)) for turns in conversations]
    row: dict[str, float] = {
        name: agreement(np.array([feature(text) for text in texts]), labels) for name, feature in NAMED.items()
    }
    row["turns (AUC)"] = auc([len(turns) for turns in conversations], labels)
    row["characters (AUC)"] = auc([len(text) for text in texts], labels)
    matrix = features(conversations, texts)
    row["left out"] = left_out(matrix, labels)
    row["in sample"] = int(scores(matrix, labels).max())
    row["by chance"] = by_chance(matrix, labels)
    return row


def features(conversations: Sequence[Turns], texts: Sequence[str]) -> Matrix:
    """Return which run (row) has which feature (column)."""
    sets = [
        {("last", turns[-1]["role"])}
        | {("anywhere", word.lower()) for word in WORD.findall(text)}
        | {("end", word.lower()) for word in WORD.findall(transcript_text(json.dumps(turns[-2:])))}
        for turns, text in zip(conversations, texts, strict=True)
    ]
    names = sorted(set().union(*sets))
    return np.array([[name in one for name in names] for one in sets])


def agreement(feature: Matrix, labels: Matrix) -> int:
    """Return in how many runs a feature, or its absence, is the label."""
    return int(scores(feature[:, None], labels)[0])


def scores(matrix: Matrix, labels: Matrix) -> NDArray[np.int64]:
    """Return, for each feature, in how many runs it or its absence is the label; at least the more frequent label."""
    same = (matrix == labels[:, None]).sum(axis=0)
    scored: NDArray[np.int64] = np.maximum(same, len(labels) - same)
    return scored


def majority(labels: Matrix) -> int:
    return int(max(labels.sum(), (~labels).sum()))


def left_out(matrix: Matrix, labels: Matrix) -> int:
    """Return how many runs are predicted by the feature that does best on all others."""
    right = 0
    for index in range(len(labels)):
        others = np.arange(len(labels)) != index
        same = (matrix[others] == labels[others, None]).sum(axis=0)
        best = int(np.maximum(same, others.sum() - same).argmax())
        predicted = matrix[index, best] == (same[best] * 2 >= others.sum())
        right += bool(predicted == labels[index])
    return right


def by_chance(matrix: Matrix, labels: Matrix) -> int:
    """Return what the best feature reaches on shuffled labels, the median."""
    shuffled, generator, best = labels.tolist(), random.Random(0), []
    for _ in range(SHUFFLES):
        generator.shuffle(shuffled)
        best.append(int(scores(matrix, np.array(shuffled)).max()))
    return sorted(best)[SHUFFLES // 2]


def auc(values: Sequence[float], labels: Matrix) -> float:
    """Return the probability that a run that passed has the greater value."""
    right = [value for value, passed in zip(values, labels, strict=True) if passed]
    wrong = [value for value, passed in zip(values, labels, strict=True) if not passed]
    wins = sum((one > other) + 0.5 * (one == other) for one in right for other in wrong)
    return round(float(wins) / (len(right) * len(wrong)), 2)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
