"""How the graders of these tests ask their judge: standard library, eight seconds in all."""

import http.client
import json
import os
import time
from typing import Any

LONGEST_S = 8.0


def choice_of(text: str) -> dict[str, Any]:
    """Return the first choice of a completion; raises whatever goes wrong."""
    body = json.dumps({"model": "judge", "messages": [{"role": "user", "content": text}]})
    until = time.monotonic() + LONGEST_S
    connection = http.client.HTTPConnection(os.environ["OPENAI_BASE_URL"].split("/")[2], timeout=LONGEST_S)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        reply, parts = connection.getresponse(), []
        while part := reply.read1(
            1_000_000
        ):  # the time-out is that of one read: a judge that drips needs one of its own
            parts.append(part)
            if time.monotonic() > until:
                raise TimeoutError(f"no answer in {LONGEST_S} s")
        if reply.status != 200:
            raise RuntimeError(f"HTTP {reply.status}")
    finally:
        connection.close()
    choice: dict[str, Any] = json.loads(b"".join(parts))["choices"][0]
    return choice


def joint_prompt(prompt: str, responses: list[str]) -> str:
    """Return all responses in one prompt, in the layout of ours."""
    shown = [
        f"[The Begin of Response {number}]\n{text}\n[The End of Response {number}]"
        for number, text in enumerate(responses, 1)
    ]
    return "\n".join([prompt, *shown, "End with Scores: \\boxed{..}"])
