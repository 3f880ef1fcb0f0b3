"""Questions in TeleQnA's layout, made up from a seed: as many as a test needs, no two of them alike."""

import json
import random
from pathlib import Path

SYLLABLES = [first + vowel + last for first in "bdfgklmnprstvz" for vowel in "aeiou" for last in ("", "n", "r", "s")]


def write_teleqna(path: Path, count: int, seed: int = 0) -> Path:
    """Write `count` questions with four options each, and return the path."""
    draw = random.Random(seed)

    def words(least: int, most: int) -> str:
        """Return made-up words: real ones would make near-duplicates of questions that have few."""
        return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(draw.randint(least, most)))

    rows = {}
    for number in range(count):
        options = [words(3, 7) for _ in range(4)]
        right = draw.randint(1, 4)
        rows[f"question {number}"] = {
            "question": f"Which {words(8, 14)}?",
            **{f"option {position}": option for position, option in enumerate(options, 1)},
            "answer": f"option {right}: {options[right - 1]}",
            "explanation": f"Because {words(3, 9)}.",
            "category": "Lexicon",
        }
    path.write_text(json.dumps(rows), "utf-8")
    return path
