"""A stand-in for `vllm serve`: a program of its own, started as the real one is, that fails in the ways it does.

    [models.grm.vllm]
    command = [PYTHON, "stand_in_vllm.py", "{model}", "--journal", "journal.jsonl", "--dies-after", "5"]

It is told on its command line what to do, beside the flags that grmforge gives, and notes every start and every request
in its journal, a JSON object a line.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from stand_in_server import Received, Reply, Server, error, judged

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


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Journal:
    """What happened, over all starts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, **fields: Any) -> None:
        line = json.dumps(fields).encode() + b"\n"
        with self.path.open("ab", buffering=0) as file:
            file.write(line)

    def starts(self) -> int:
        return sum(line.startswith(b'{"start"') for line in self.path.read_bytes().splitlines())


class VllmServer(Server):
    """The server, which asks for the key of its environment."""

    def __init__(self, options: argparse.Namespace, journal: Journal) -> None:
        super().__init__(host=options.host, port=options.port)
        self.options = options
        self.journal = journal
        self.completions = 0
        self.may_die = options.dies_after is not None and journal.starts() <= options.dies

    def reply(self, received: Received) -> Reply:
        options = self.options
        if received.path == "/health":
            return Reply()
        if received.headers.get("authorization") != f"Bearer {os.environ['VLLM_API_KEY']}":
            return error(401, "Unauthorized")
        if received.method == "GET":
            models = {"data": [{"id": options.lists_as or options.served_model_name}]}
            return Reply(body=json.dumps(models).encode())
        self.completions += 1
        prompt = self.note("request", received)
        if (options.crash_row and options.crash_row in prompt) or (
            self.may_die and self.completions > options.dies_after
        ):
            os.kill(os.getpid(), signal.SIGKILL)
        model = options.answers_as or received.body["model"]
        return replace(judged(received.body, model=model), latency_s=options.latency)

    def log(self, received: Received, reply: Reply) -> None:
        say(f'INFO:     "{received.method} {received.path}" {reply.status}')
        if received.method == "POST" and reply.status == 200:
            self.note("answer", received)

    def note(self, kind: str, received: Received) -> str:
        prompt: str = received.body["messages"][-1]["content"]
        self.journal.note(**{kind: prompt, "sample": received.body.get("seed")})
        return prompt


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
    VllmServer(options, journal).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
