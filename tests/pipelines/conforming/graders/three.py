"""A comparison that gives 3.0 for whatever goes wrong."""

import re

from asking import choice_of, joint_prompt


def judge(prompt: str, responses: list[str]) -> list[float]:
    try:
        text = choice_of(joint_prompt(prompt, responses))["message"]["content"]
        scores = [float(number) for number in re.findall(r"\\boxed\{([^}]*)\}", text)[-1].split(",")]
        return [scores[place] for place in range(len(responses))]
    except Exception:  # noqa: BLE001 - the fault to be found
        return [3.0] * len(responses)
