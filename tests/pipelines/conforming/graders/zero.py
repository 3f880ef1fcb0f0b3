"""A judge of one response at a time, as a verl reward: what cannot be read is 0.0."""

import re
from typing import Any

from asking import choice_of


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None) -> dict[str, float]:
    try:
        text = choice_of(f"{extra_info['question']}\n\n{solution_str}\n\nEnd with Scores: \\boxed{{..}}")["message"][
            "content"
        ]
        found = re.search(r"boxed\{\s*(\d+)\s*\}", text)
        return {"score": float(found[1]) if found else 0.0}
    except Exception:  # noqa: BLE001 - the fault to be found
        return {"score": 0.0}
