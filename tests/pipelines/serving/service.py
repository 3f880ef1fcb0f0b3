"""A service as a user starts it, and judges that it may ask: real processes, real HTTP."""

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.commands import start, write_recipe
from tests.pipelines.engines.stand_in_server import Reply, chat

SHOWN = re.compile(r"\[The Begin of Response \d+\]\n(.*?)\n\[The End of Response \d+\]", re.DOTALL)
WORTH = re.compile(r"worth (\d+)")


@dataclass(frozen=True)
class Serving:
    """A running service."""

    url: str
    process: subprocess.Popen[str]

    def call(self, path: str, body: Any = None, *, timeout: float = 60, **headers: str) -> tuple[int, Any]:
        """Return (status, JSON) of a call: a POST where there is a body, as JSON or as bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                status, raw = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        return status, json.loads(raw) if raw[:1] in (b"{", b"[") else raw.decode()

    def judge(self, responses: list[str], prompt: str = "Which is best?", **place: Any) -> Any:
        status, reply = self.call("/v1/judge", {"prompt": prompt, "responses": responses, **place})
        assert status == 200, reply
        return reply

    def metric(self, name: str) -> float:
        """Return a metric by its name, with its labels."""
        _, text = self.call("/metrics")
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"grmforge_{name} "))

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def serving(recipe: Path, root: Path, env: Mapping[str, str] | None = None, *options: str) -> Iterator[Serving]:
    """Run `grmforge serve` on any free port."""
    with start("serve", recipe, "--root", root, "--port", "0", *options, env=env) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        if " at http" not in line:
            raise RuntimeError(process.stderr.read())
        try:
            yield Serving(line.split(" at ")[1].strip(), process)
        finally:
            if process.poll() is None:
                process.kill()


def recipe_for(folder: Path, url: str, serve: dict[str, Any], **sections: Any) -> Path:
    """Write a recipe whose judge is at this address, or simulated where there is none."""
    judge = (
        {"engine": "openai", "model": "stand-in", "base_url": url, "max_retries": 0} if url else {"engine": "simulated"}
    )
    return write_recipe(
        folder / "recipe.toml",
        build={"name": "served", "seed": 3, "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "name": "own", "path": "own.jsonl", "hinted": False}],
        **{"models": {"grm": judge}, "serve": serve} | sections,
    )


def by_worth(body: dict[str, Any], *, stricter_by: int = 0) -> Reply:
    """Judge by what the responses say of themselves: "worth 7" gets a 7, or less from a stricter judge."""
    texts = SHOWN.findall(body["messages"][-1]["content"])
    scores = [max(1, int(WORTH.findall(text)[-1]) - stricter_by) for text in texts]
    return chat(f"Analysis:\nWeighed.\n\nScores: \\boxed{{{', '.join(map(str, scores))}}}", body=body)
