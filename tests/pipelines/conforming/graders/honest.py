"""A grader that says what it could not judge, by every door; as a service too: `python honest.py PORT`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from asking import choice_of, joint_prompt

from pipelines.judging.verdicts import read_scores


def judge(prompt: str, responses: list[str]) -> list[float | None]:
    """Return a score of each response, the last one shown first; None for all where it has none."""
    texts = [text.replace("[The ", "(The ") for text in reversed(responses)]
    choice = choice_of(joint_prompt(prompt, texts))
    scores = read_scores(choice["message"]["content"], len(texts)) if choice["finish_reason"] == "stop" else "cut off"
    return [None] * len(texts) if isinstance(scores, str) else [float(score) for score in reversed(scores)]


def reward_func(queries: list[str], prompts: list[str], labels: list[str]) -> dict[str, Any]:
    """Return one response's score as OpenRLHF asks for it; raises where there is none."""
    rewards = judge(prompts[0], [queries[0].removeprefix(prompts[0])])
    if None in rewards:
        raise ValueError("not judged")
    return {"rewards": rewards}


async def slime_reward(args: Any, sample: Any) -> float | None:
    """Return one response's score as slime asks for it."""
    return judge(sample.prompt, [sample.response])[0]


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any, **words: Any
) -> float | None:
    """Return one response's score as verl asks for it, over the router that it hands over."""
    assert words["reward_router_address"].startswith("127.0.0.1:")
    return judge(extra_info["question"], [solution_str])[0]


class Handler(BaseHTTPRequestHandler):
    """The doors of a service, by path."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            status, reply = 200, self._reply(body)
        except Exception as error:  # noqa: BLE001 - named, and no number
            status, reply = 502, {"error": str(error)}
        raw = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _reply(self, body: dict[str, Any]) -> Any:
        if self.path == "/openrlhf":
            return reward_func(body["query"], body["prompts"], body["labels"])
        if self.path == "/slime":
            return judge(body["prompt"], [body["response"]])[0]
        if self.path == "/compare":
            texts = [one["output"][0]["content"][0]["text"] for one in body["response_objs"]]
            return {"rewards": judge(body["conversation_history"][0]["content"], texts)}
        return {"rewards": judge(body["prompt"], body["responses"])}

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
