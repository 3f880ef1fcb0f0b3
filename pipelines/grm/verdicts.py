r"""The rule that scores a judge's answer: +1 if its highest score went to the best response alone, -1 if not.

This file is published with every snapshot as `rewards.py`, exactly as it is, so that data and the rule that judges
them travel together. It needs nothing but Python 3.10 or newer.

With TRL, whose GRPO trainer hands every column of the data set to the reward function:

    import datasets, rewards
    rl = datasets.load_dataset("<snapshot>", "rl", split="train")
    trainer = GRPOTrainer(model=.., reward_funcs=rewards.grm_reward, train_dataset=rl, ..)

With verl:

    data.train_files=<snapshot>/rl/train-*.parquet
    custom_reward_function.path=<snapshot>/rewards.py custom_reward_function.name=compute_score
    (under `reward.custom_reward_function` in newer versions)

A judge's answer ends in `Scores: \boxed{7, 3}`, an integer for each response in the order shown. Its scores are read
after the last `Score:` or `Scores:`, and nowhere else: an answer that breaks off, counts wrongly or leaves the range
earns -1, never the score of some earlier list. There is no reward for the format.
"""

import json
import re
from typing import Any

UNPARSED = "unparsed"
WRONG_COUNT = "wrong_count"
OUT_OF_RANGE = "out_of_range"

_ANCHOR = re.compile(rb"(?<![a-z])scores?[\s*_]*:")
_DECORATION = " \t\r\n\f\v\u00a0*_$["
_BOX = "\\boxed{"
_NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_MAX_DIGITS = 9  # Python refuses to read very long numbers; no score is that long


def read_scores(text: str, n_responses: int, low: int = 1, high: int = 10) -> tuple[int, ...] | str:
    """Return the scores of an answer in the order shown, or the name of the outcome that stands in their place.

    "unparsed": no verdict, or one that breaks off or holds something other than numbers. "wrong_count": not
    exactly `n_responses` of them. "out_of_range": a number outside `low`..`high`, or not an integer.
    Never raises; takes time in proportion to the text.
    """
    answer = after_thinking(text)
    return scores_after(answer, verdict_span(answer), n_responses, low, high)


def scores_after(
    answer: str, span: tuple[int, int] | None, n_responses: int, low: int, high: int
) -> tuple[int, ...] | str:
    """Return what `read_scores` does, for an answer without its thinking and the place of its last `Scores:`."""
    content = None if span is None else _box_content(answer, span[1])
    if content is None:
        return UNPARSED
    numbers = [_NUMBER.fullmatch(part.strip()) for part in content.split(",")]
    if None in numbers:
        return UNPARSED
    if len(numbers) != n_responses:
        return WRONG_COUNT
    scores = []
    for number in numbers:
        score = _integer(number) if number else None
        if score is None or not low <= score <= high:
            return OUT_OF_RANGE
        scores.append(score)
    return tuple(scores)


def after_thinking(text: str) -> str:
    """Return what follows the last `</think>`; nothing where a `<think>` is never closed."""
    end = text.rfind("</think>")
    answer = text if end < 0 else text[end + 8 :]
    return "" if "<think>" in answer else answer


def verdict_span(text: str) -> tuple[int, int] | None:
    """Return where the last `Score:` or `Scores:` begins and ends, in any case, bold or not; None without one."""
    folded = text.encode("ascii", "replace").lower()  # a byte a character, so positions stay those of the text
    end = len(folded)
    while (start := folded.rfind(b"score", 0, end)) >= 0:
        if match := _ANCHOR.match(folded, start):
            return match.span()
        end = start
    return None


def _box_content(text: str, start: int) -> str | None:
    """Return what stands in the `\\boxed{..}` at `start`, decoration aside; None without a whole box there."""
    box = text.find(_BOX, start)
    if box < 0:
        return None
    between = text[start:box]
    if between != " " and between.replace("\\[", " ").replace("\\(", " ").strip(_DECORATION):
        return None
    end = text.find("}", box)
    if end < 0:
        return None
    content = text[box + len(_BOX) : end].strip()
    return content[1:-1] if content[:1] == "[" and content[-1:] == "]" else content


def _integer(number: re.Match[str]) -> int | None:
    """Return the number if its value is an integer of sane length."""
    sign, whole, fraction = number.groups()
    whole = whole.lstrip("0")
    if len(whole) > _MAX_DIGITS or (fraction and fraction.strip("0")):
        return None
    return int(sign + (whole or "0"))


def outcome_of(scores: tuple[int, ...], best_position: int | None, label: int | None) -> str:
    """Return "correct", "incorrect" or "tied".

    Correct means that the best response scored strictly higher than every other; `best_position` is 0-based, as
    shown. A single response is correct when its score is the label.
    """
    if len(scores) == 1:
        return "correct" if scores[0] == label else "incorrect"
    if best_position is None or not 0 <= best_position < len(scores):
        raise ValueError(f"best position {best_position} is none of {len(scores)} responses")
    best = scores[best_position]
    highest = max(scores)
    if best < highest:
        return "incorrect"
    return "tied" if scores.count(highest) > 1 else "correct"


def reward(text: str, ground_truth: str) -> float:
    """Return +1.0 for a correct answer, -1.0 for any other.

    The ground truth is JSON: {"n": 4, "best": 2}, the best response's position counted from 0 as shown, or
    {"n": 1, "label": 0} for a single response, which is scored 0 or 1. Raises ValueError where it is neither.
    """
    n_responses, best, label = _ground_truth(ground_truth)
    low, high = (0, 1) if n_responses == 1 else (1, 10)
    scores = read_scores(text, n_responses, low, high)
    if isinstance(scores, str):
        return -1.0
    return 1.0 if outcome_of(scores, best, label) == "correct" else -1.0


def _ground_truth(ground_truth: str) -> tuple[int, int | None, int | None]:
    """Return (number of responses, best position, label)."""
    try:
        truth = json.loads(ground_truth)
        n_responses, best, label = truth["n"], truth.get("best"), truth.get("label")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        n_responses, best, label = None, None, None
    if type(n_responses) is int:
        if n_responses == 1 and type(label) is int and label in (0, 1):
            return 1, None, label
        if n_responses > 1 and type(best) is int and 0 <= best < n_responses:
            return n_responses, best, None
    shown = repr(ground_truth)[:200]
    raise ValueError(f'ground truth {shown} is neither {{"n": 4, "best": 2}} nor {{"n": 1, "label": 0}}')


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **settings: Any
) -> float:
    """Return the reward as verl asks for it; what else verl hands over (a reward model's address) is not needed."""
    return reward(solution_str, ground_truth)


def grm_reward(completions: list[Any], reward_model: list[dict[str, str]] | None = None, **columns: Any) -> list[float]:
    """Return a reward for each completion as TRL's GRPO asks for it.

    Completions are texts, or lists of messages of which the last one is read; `reward_model` is the column of that
    name, with the ground truths. Raises ValueError where the column is missing or broken.
    """
    if reward_model is None:
        raise ValueError("the data set has no reward_model column: train on the snapshot's rl set")
    if len(reward_model) != len(completions):
        raise ValueError(f"{len(completions)} completions came with {len(reward_model)} reward_model rows")
    return [
        reward(_completion_text(completion), row.get("ground_truth") or "")
        for completion, row in zip(completions, reward_model, strict=True)
    ]


def _completion_text(completion: Any) -> str:
    """Return the text of a completion: itself, or that of its last message."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, list):  # content blocks
        return "".join(block.get("text") or "" for block in content if isinstance(block, dict))
    return content if isinstance(content, str) else ""
