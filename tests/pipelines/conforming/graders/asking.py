"""How the graders of these tests ask their judge: standard library, two seconds."""

import json
import os
import urllib.request
from typing import Any


def choice_of(text: str) -> dict[str, Any]:
    """Return the first choice of a completion; raises whatever goes wrong."""
    body = json.dumps({"model": "judge", "messages": [{"role": "user", "content": text}]}).encode()
    address = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    asked = urllib.request.Request(address, body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=2) as reply:
        choice: dict[str, Any] = json.loads(reply.read(4_000_000))["choices"][0]
    return choice


def joint_prompt(prompt: str, responses: list[str]) -> str:
    """Return all responses in one prompt, in the layout of ours."""
    shown = [
        f"[The Begin of Response {number}]\n{text}\n[The End of Response {number}]"
        for number, text in enumerate(responses, 1)
    ]
    return "\n".join([prompt, *shown, "End with Scores: \\boxed{..}"])
