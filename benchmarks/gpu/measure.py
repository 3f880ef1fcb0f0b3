"""Plain vLLM, a build and a bare loop on the same server, its prefix cache, and the loop of docs/loop.md.

`python -m benchmarks.gpu` calls it. Three clients ask one server, each with an empty prefix cache: a build by the
command; a bare aiohttp loop with the very requests of that build; and the bare loop with the same prompts and no form
to keep to, which is what vLLM itself writes. Build and bare loop take turns (build, bare, bare, build), so that a
machine whose speed drifts favours neither. A client is timed by the server's own counters: from the first request that
runs to the last token.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.loop.plan import FULL, GPU, TINY, Plan
from benchmarks.loop.recipes import building, served, write
from benchmarks.loop.steps import GRMFORGE
from benchmarks.loop.tasks import FILES, write_tasks

START_S = 600.0
BLOCK, BLOCK_ON_CPU = 16, 128
"""Tokens of a block of the prefix cache, which is found whole or not at all."""
_COUNTER = re.compile(r"^vllm:(\w+?)(?:_total)?(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
Body = dict[str, Any]


@contextmanager
def serving(model: Path, plan: Plan, python: Path, log: Path) -> Iterator[str]:
    """Give the address of a vLLM whose prefix cache can be emptied. It ends with its group. Raises SystemExit."""
    section = served(model, plan, python)["vllm"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.format(model=model) for word in section["command"]]
    command += ["--served-model-name", "judge", "--host", "127.0.0.1", "--port", str(port), *section["args"]]
    command += ["--enable-prefix-caching", "--disable-uvicorn-access-log"]
    environment = {**os.environ, **section["env"], "VLLM_SERVER_DEV_MODE": "1"}
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)
    try:
        until = time.monotonic() + START_S
        while not _is_up(f"http://127.0.0.1:{port}/health"):
            if server.poll() is not None or time.monotonic() > until:
                sys.exit(f"vLLM does not answer; the end of {log}:\n" + "\n".join(log.read_text().split("\n")[-15:]))
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(server.pid, number)
            with suppress(subprocess.TimeoutExpired):
                server.wait(15)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def counters(url: str) -> dict[str, float]:
    """Return vLLM's own counts, summed over their labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as reply:
        found: dict[str, float] = {}
        for name, value in _COUNTER.findall(reply.read().decode()):
            found[name] = found.get(name, 0.0) + float(value)
        return found


def measured(url: str, name: str, client: Callable[[], int]) -> dict[str, Any]:
    """Return what a client got out of the server, whose prefix cache is emptied first. `client` returns its answers."""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/reset_prefix_cache", method="POST"), timeout=60):
        before = counters(url)
    over, times = threading.Event(), []

    def watch() -> None:
        last = before["generation_tokens"]
        while not over.wait(0.1):
            now = counters(url)
            if now["num_requests_running"] or now["generation_tokens"] != last:
                times.append(time.monotonic())
            last = now["generation_tokens"]

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answers = client()
    finally:
        over.set()
        watcher.join()
    grown = {key: value - before.get(key, 0.0) for key, value in counters(url).items()}
    seconds = max(times[-1] - times[0], 0.1) if times else 0.1
    return {
        "client": name,
        "answers": answers,
        "seconds": round(seconds, 1),
        "answers_per_s": round(answers / seconds, 2),
        "tokens_per_s": round(grown["generation_tokens"] / seconds, 1),
        "prefix_share": round(grown["prefix_cache_hits"] / max(grown["prefix_cache_queries"], 1), 4),
    }


def bodies_of(root: Path) -> list[Body]:
    """Return the requests of a build, in the order in which they were answered."""
    frame = pl.read_parquet(f"{root}/generations/bucket=*/*.parquet", columns=["request", "created_at"])
    return [json.loads(body) for body in frame.sort("created_at")["request"]]


def bare(url: str, bodies: Sequence[Body], in_flight: int) -> int:
    """Ask by aiohttp as its documentation has it; return how many were answered. Nothing is kept."""
    import aiohttp

    async def ask_all() -> int:
        left, answered = iter(bodies), 0
        limits = {"connector": aiohttp.TCPConnector(limit=in_flight), "timeout": aiohttp.ClientTimeout(None)}
        async with aiohttp.ClientSession(**limits) as session:

            async def work() -> None:
                nonlocal answered
                for body in left:
                    async with session.post(f"{url}/v1/chat/completions", json={"model": "judge"} | body) as reply:
                        answered += bool(json.loads(await reply.read()).get("choices"))

            await asyncio.gather(*(work() for _ in range(in_flight)))
        return answered

    return asyncio.run(ask_all())


def ideal_share(url: str, bodies: Sequence[Body], block: int) -> float:
    """Return the share of prompt tokens that a cache of endless size finds, if each request waits for those before it.

    A block counts as known where an earlier prompt began with the same blocks. The last token is always computed.
    """
    known: set[tuple[int, ...]] = set()
    tokens = found = 0
    prompts: dict[str, list[int]] = {}
    for body in bodies:
        text = json.dumps(body["messages"])
        if text not in prompts:
            asked = json.dumps({"model": "judge", "messages": body["messages"]}).encode()
            wanted = urllib.request.Request(f"{url}/tokenize", asked, {"content-type": "application/json"})
            with urllib.request.urlopen(wanted, timeout=60) as reply:
                prompts[text] = json.load(reply)["tokens"]
        prompt = prompts[text]
        beginnings = [tuple(prompt[:end]) for end in range(block, len(prompt), block)]
        hits = next((place for place, one in enumerate(beginnings) if one not in known), len(beginnings))
        known.update(beginnings)
        known.update([tuple(prompt)] if len(prompt) % block == 0 else [])
        tokens, found = tokens + len(prompt), found + block * hits
    return round(found / max(tokens, 1), 4)


def build(work: Path, url: str, plan: Plan, sets: int) -> int:
    """Run a build of so many sets by the command, and return its answers. Raises SystemExit."""
    shutil.rmtree(work / "root", ignore_errors=True)  # or it would buy nothing
    write_tasks(work / "task", plan.rung, dict.fromkeys(FILES, 1) | {"train": sets}, 1)
    judge = {"engine": "openai", "model": "judge", "base_url": f"{url}/v1", "max_concurrency": plan.in_flight}
    recipe = write(work / "gpu.toml", building("gpu", ["rft"], work / "task/train.jsonl", judge, plan, 1))
    with (work / "build.log").open("w") as log:
        # A bare model may have no row accepted, which is exit 1; its answers are what counts here.
        subprocess.run([GRMFORGE, "build", recipe, "--root", work / "root", "--keep-going"], stdout=log, stderr=log)
    return len(bodies_of(work / "root"))


def loop(model: Path, work: Path, python: Path, until: float, tiny: bool) -> dict[str, Any]:
    """Run the loop until the time is over, and return its figures so far."""
    words = [sys.executable, "-m", "benchmarks.loop", "--base", model, "--work", work, "--vllm-python", python]
    words += ["--tiny", "--until", "validate-base"] if tiny else ["--gpu"]
    running = subprocess.Popen(words, start_new_session=True)
    try:
        running.wait(max(until - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGTERM)  # a build keeps what it has
        with suppress(subprocess.TimeoutExpired):
            running.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    done = subprocess.run([*words, "--figures"], stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.strip().split("\n")[-1])) if done.returncode == 0 else {}


def gpu_name() -> str:
    """Return what the driver calls the first GPU; says so where there is none."""
    if shutil.which("nvidia-smi") is None:
        return "no GPU"
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, stdout=subprocess.PIPE, text=True).stdout.partition("\n")[0].strip() or "no GPU"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.measure", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--vllm-python", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="of all, the loop included")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="fewer sets, on a vLLM for processors, and no loop")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends with it
    until = time.monotonic() + 60 * chosen.minutes
    work = chosen.work.absolute()
    plan, sets = (TINY, 12) if chosen.tiny else (FULL, 100) if chosen.cpu else (GPU, 2_000)
    work.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"gpu": gpu_name(), "in_flight": plan.in_flight}
    print(
        f"{found['gpu']}\n{'client':<12} {'answers':>8} {'seconds':>8} {'answers/s':>10} {'tokens/s':>9} {'cached':>7}"
    )

    def row(url: str, name: str, client: Callable[[], int]) -> None:
        one = found[name] = measured(url, name, client)
        shown = "{client:<12} {answers:>8,} {seconds:>8} {answers_per_s:>10,} {tokens_per_s:>9,} {prefix_share:>7.1%}"
        print(shown.format(**one), flush=True)

    with serving(chosen.model, plan, chosen.vllm_python, work / "vllm.log") as url:
        bare(
            url,
            [{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}] * plan.in_flight,
            plan.in_flight,
        )
        row(url, "build", lambda: build(work, url, plan, sets))
        bodies = bodies_of(work / "root")
        for name in ("bare loop", "bare again"):
            row(url, name, lambda: bare(url, bodies, plan.in_flight))
        row(url, "build again", lambda: build(work, url, plan, sets))
        free = [{key: value for key, value in body.items() if key != "structured_outputs"} for body in bodies]
        if not chosen.cpu:
            row(url, "plain vLLM", lambda: bare(url, free, plan.in_flight))
        found["prefix_ideal"] = ideal_share(url, bodies, BLOCK if plan.on_gpu else BLOCK_ON_CPU)
    rates = {name: found[name]["tokens_per_s"] for name in ("build", "build again", "bare loop", "bare again")}
    found["build_by_bare"] = round(
        (rates["build"] + rates["build again"]) / (rates["bare loop"] + rates["bare again"]), 3
    )
    print(
        f"build against bare loop {found['build_by_bare']:.1%}; ideal of the prefix cache {found['prefix_ideal']:.1%}"
    )
    if not chosen.cpu:
        found["loop"] = loop(chosen.model, work / "loop", chosen.vllm_python, until, chosen.tiny)
    (work / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
