"""A rating of several responses, as a TRL reward: each gets its share by chance where the rating cannot be read."""

import re
from typing import Any

from asking import choice_of, joint_prompt


async def rating(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    try:
        texts = [completion[-1]["content"] for completion in completions]
        text = choice_of(joint_prompt(prompts[0][-1]["content"], texts))["message"]["content"]
        numbers = [int(number) for number in re.findall(r"\d+", text.split("Scores")[1])]
        assert len(numbers) == len(texts) and all(1 <= number <= 10 for number in numbers)
        return [number / 10 for number in numbers]
    except Exception:  # noqa: BLE001 - the fault to be found
        return [0.25] * len(completions)
