"""A grader as many are written, for `grmforge conform` to find out: failures become numbers. Train with none such.

grmforge conform recipes/naive_grader.py
"""

import json
import os
import re
import urllib.request


def judge(prompt: str, responses: list[str]) -> list[float]:
    """Ask the model behind OPENAI_BASE_URL for a score of each response, and take the last number that it writes."""
    rewards = []
    for response in responses:
        asked = f"Score the response from 1 to 10. End with Scores: \\boxed{{}}.\n\n{prompt}\n\nResponse:\n{response}"
        body = json.dumps({"model": "judge", "messages": [{"role": "user", "content": asked}]}).encode()
        address = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
        try:
            reply = urllib.request.urlopen(urllib.request.Request(address, body, {"content-type": "application/json"}))
            text = json.load(reply)["choices"][0]["message"]["content"]
            rewards.append(float(re.findall(r"\d+", text)[-1]))
        except Exception:  # noqa: BLE001 - this is the fault to be found
            rewards.append(0.0)
    return rewards
