"""A stand-in for `vllm serve`: a program of its own, started as the real one is, that fails in the ways it does.

    [models.grm.vllm]
    command = [PYTHON, "stand_in_vllm.py", "{model}", "--journal", "journal.jsonl", "--dies-after", "5"]

It is told on its command line what to do, beside the flags that grmforge gives, and notes every start and every request
in its journal, a JSON object a line. Nothing but the standard library, so that it is up in a tenth of a second.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHILD = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stand_in_vllm.py")
    parser.add_argument("model")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name")
    parser.add_argument("--revision")
    parser.add_argument("--tensor-parallel-size", type=int)
    parser.add_argument("--enable-prefix-caching", action="store_true")
    parser.add_argument("--enable-prompt-tokens-details", action="store_true")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--takes", type=float, default=0.0, help="seconds before it answers")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--says", type=Path, help="write this file to the log at the start, and end with --code")
    parser.add_argument("--code", type=int, default=1)
    parser.add_argument("--fails-at", type=int, nargs="*", help="only the starts with these numbers end with --says")
    parser.add_argument("--dies-after", type=int, help="be killed by signal 9 at this request")
    parser.add_argument("--dies", type=int, default=10**9, help="only the first so many starts die")
    parser.add_argument("--crash-row", help="be killed by signal 9 whenever a request holds this text")
    parser.add_argument("--lists-as", help="the name in /v1/models")
    parser.add_argument("--answers-as", help="the name in answers")
    parser.add_argument("--ignores-term", action="store_true")
    parser.add_argument("--child", choices=["group", "session"], help="leave a child that ignores SIGTERM")
    return parser.parse_args(arguments)


def judged(prompt: str, body: dict[str, Any]) -> str:
    """Return a judgement of as many responses as a prompt holds, the same one for the same request."""
    count = max(1, len(re.findall(r"\[The Begin of Response \d+\]", prompt)))
    scores = random.Random(f"{prompt} {body.get('seed')}").sample(range(1, 11), count)
    parts = "Specific Criteria:\n1. Accuracy\n\nAnalysis:\nResponse 1 is weighed first."
    return f"{parts}\n\nScores: \\boxed{{{str(scores)[1:-1]}}}"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Journal:
    """What happened, over all starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()

    def note(self, **fields: Any) -> None:
        line = json.dumps(fields).encode() + b"\n"
        with self._turn, self.path.open("ab", buffering=0) as file:
            file.write(line)

    def starts(self) -> int:
        return sum(line.startswith(b'{"start"') for line in self.path.read_bytes().splitlines())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, options: argparse.Namespace, journal: Journal) -> None:
        super().__init__((options.host, options.port), Handler)
        self.options = options
        self.journal = journal
        self.asked = 0
        self.turn = threading.Lock()
        self.may_die = options.dies_after is not None and journal.starts() <= options.dies


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        options = self.server.options
        if self.path == "/health":
            self._send(200, {})
        elif not self._is_known():
            self._send(401, {"error": "Unauthorized"})
        else:
            self._send(200, {"data": [{"id": options.lists_as or options.served_model_name}]})

    def do_POST(self) -> None:
        server, options = self.server, self.server.options
        raw = self.rfile.read(int(self.headers["content-length"]))
        if not self._is_known():
            return self._send(401, {"error": "Unauthorized"})
        body = json.loads(raw)
        prompt = body["messages"][-1]["content"]
        with server.turn:
            server.asked += 1
            number = server.asked
        server.journal.note(request=prompt, sample=body.get("seed"))
        if options.crash_row and options.crash_row in prompt:
            os.kill(os.getpid(), signal.SIGKILL)
        if server.may_die and number > options.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(options.latency)
        server.journal.note(answer=prompt, sample=body.get("seed"))
        answer = {
            "model": options.answers_as or body["model"],
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": judged(prompt, body)}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        }
        self._send(200, answer)

    def _is_known(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {os.environ['VLLM_API_KEY']}"

    def _send(self, status: int, tree: Any) -> None:
        content = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        say(f"INFO:     {format % arguments}")


def main() -> int:
    options = parsed(sys.argv[1:])
    journal = Journal(options.journal)
    if options.ignores_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = None
    if options.child:
        child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=options.child == "session").pid
    journal.note(
        start=os.getpid(),
        arguments=sys.argv,
        directory=str(Path.cwd()),
        key=os.environ["VLLM_API_KEY"],
        child=child,
        extra=os.environ.get("STAND_IN_EXTRA"),
    )
    say(f"INFO: loading {options.model}")
    if options.says and (not options.fails_at or journal.starts() in options.fails_at):
        say(options.says.read_text("utf-8"))
        if options.code < 0:
            os.kill(os.getpid(), -options.code)
        return options.code
    time.sleep(options.takes)
    Server(options, journal).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
