"""How far surface features alone find TeleQnA's right answers, before and after the filters.

    python -m benchmarks.teleqna_surface PATH        PATH: TeleQnA.zip, or its plain text

A judge trained on options that give themselves away learns to read lengths and phrases in place of content. A
gradient-boosted classifier sees only what needs no reading: lengths, place, phrases, digits, overlap with the question
and among the options. It is cross-validated in five folds by question (repeats fall in one fold). AUC is over single
options; top-1 is the share of questions whose right option gets the highest score. Takes about a minute; needs the
extra `dev`.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from pipelines.sources import teleqna
from pipelines.sources.files import SourceFiles, open_files
from pipelines.sources.option_references import refers
from schemas.preference import PreferenceSet
from schemas.recipe import TeleQnA
from schemas.record import unit_interval

FOLDS = 5
HEDGES = re.compile(
    r"\b(?:may|might|can|could|some|often|usually|typically|generally|various|multiple)\b", re.IGNORECASE
)
ABSOLUTES = re.compile(r"\b(?:only|always|never|all|none|no|not|every|must|any|solely)\b", re.IGNORECASE)
ALL_OF = re.compile(r"^\W*all (?:of )?(?:the )?(?:above|other)", re.IGNORECASE)
NONE_OF = re.compile(r"^\W*none (?:of )?(?:the )?(?:above|other)", re.IGNORECASE)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its options in the order they are shown."""

    question: str
    options: tuple[str, ...]
    right: int


def published(section: TeleQnA, files: SourceFiles) -> list[Choice]:
    """Return the questions in their published form and order."""
    rows = [row for row in teleqna.questions(section, files) if isinstance(row, teleqna.Question)]
    return [
        Choice(row.question, tuple(row.options.values()), list(row.options).index(row.gold))
        for row in rows
        if row.gold is not None
    ]


def kept(section: TeleQnA, files: SourceFiles) -> list[Choice]:
    """Return the sets that the filters keep, shuffled as they are shown to a judge."""
    choices = []
    for row in teleqna.read(section, files):
        if isinstance(row, PreferenceSet) and row.drop_reason is None and row.best is not None:
            order = sorted(range(row.n_responses), key=lambda index: unit_interval(row.set_id, index))
            options = tuple(row.responses[index].text for index in order)
            choices.append(Choice(row.query[0].content, options, order.index(row.best)))
    return choices


def features(choice: Choice) -> list[list[float]]:
    """Return one row of surface features an option."""
    lengths = [len(option) for option in choice.options]
    words = [set(re.findall(r"\w+", option.lower())) for option in choice.options]
    asked = set(re.findall(r"\w+", choice.question.lower()))
    rows = []
    for index, option in enumerate(choice.options):
        others = set().union(*(other for place, other in enumerate(words) if place != index))
        own = words[index] or {""}
        rows.append(
            [
                float(index),
                float(index == len(choice.options) - 1),
                float(len(choice.options)),
                float(lengths[index]),
                lengths[index] / (sum(lengths) / len(lengths) or 1),
                float(sum(length < lengths[index] for length in lengths)),
                float(len(own)),
                len(own & asked) / len(own),
                len(own & others) / len(own),
                float(len(choice.question)),
                float(sum(character.isdigit() for character in option)),
                float(sum(character.isupper() for character in option)) / (lengths[index] or 1),
                float(option.count(",")),
                float(option.count("(")),
                float(" and " in option),
                float(option.endswith(".")),
                float(len(HEDGES.findall(option))),
                float(len(ABSOLUTES.findall(option))),
                float(ALL_OF.match(option) is not None),
                float(NONE_OF.match(option) is not None),
                float(refers(option)),
            ]
        )
    return rows


def surface_scores(choices: Sequence[Choice]) -> tuple[float, float, float]:
    """Return (AUC over options, top-1 over questions, top-1 by chance)."""
    matrix: Matrix = np.array([row for choice in choices for row in features(choice)])
    right = np.array([index == choice.right for choice in choices for index in range(len(choice.options))])
    names = {name: number for number, name in enumerate(sorted({choice.question.casefold() for choice in choices}))}
    groups = np.array([names[choice.question.casefold()] for choice in choices for _ in choice.options])
    scores = np.zeros(len(right))
    for train, test in GroupKFold(FOLDS).split(matrix, right, groups):
        model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, random_state=0)
        model.fit(matrix[train], right[train])
        scores[test] = model.predict_proba(matrix[test])[:, 1]
    start, hits = 0, 0
    for choice in choices:
        end = start + len(choice.options)
        hits += int(np.argmax(scores[start:end])) == choice.right
        start = end
    chance = sum(1 / len(choice.options) for choice in choices) / len(choices)
    return float(roc_auc_score(right, scores)), hits / len(choices), chance


def main() -> None:
    """Print the figures of the file that the command line names."""
    section = TeleQnA(kind="teleqna", path=str(Path(sys.argv[1]).resolve()))
    files = open_files(section, teleqna.HUB, teleqna.PATTERNS, Path())
    for name, choices in (
        ("as published", published(section, files)),
        ("kept sets, shuffled", kept(section, files)),
    ):
        auc, top_1, chance = surface_scores(choices)
        print(f"{name:20} {len(choices):6,} questions   AUC {auc:.3f}   top-1 {top_1:.1%}   chance {chance:.1%}")


if __name__ == "__main__":
    main()
