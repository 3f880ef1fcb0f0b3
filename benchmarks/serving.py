"""How much `grmforge serve` adds to a judge that takes 200 ms: throughput at 256 requests in flight, and latency.

    python -m benchmarks.serving [--seconds 20] [--in-flight 256] [--k 4] [--any-core]

A stand-in judge, the service and the caller are a process each. Where there are two cores, the service has one of them
to itself: else the two others hold it up, which share no machine with a real one. Groups of four responses to prompts
of their own, k samples each, so that nothing is stored already; nobody waits for a group. The judge takes so many
requests at once (`max_concurrency`). Twice as many calls as that needs are open to see the throughput, as a trainer has
them; then just as many as it needs, so that no call queues for the judge, to see what the service adds. The last line
is JSON: `throughput_share` of what a judge of 200 ms can give at so many in flight, and `p99_added_ms`, the 99th
percentile of what a call takes above 200 ms.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.stand_in import serving as stand_in

LATENCY_S = 0.2
WARM_UP_S = 3.0
RESPONSES = 4
TEXT = "The gateway forwards uplink frames that it hears to the network server, which removes duplicates. " * 6
RECIPE = """
[build]
name = "served"
sets = ["rft"]
[[sources]]
kind = "preference_sets"
name = "own"
path = "own.jsonl"
[models.grm]
engine = "openai"
model = "stand-in"
base_url = "{url}"
max_concurrency = {in_flight}
[serve]
k = {k}
"""


@contextmanager
def service(recipe: Path, root: Path, cores: Collection[int]) -> Iterator[tuple[str, int]]:
    """Run the service on some cores, any where none are named; give its address and its process id."""
    command = [sys.executable, "-m", "flows.command.cli", "serve", str(recipe), "--root", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        if cores:
            os.sched_setaffinity(process.pid, cores)  # before it has begun a thread
        try:
            yield process.stdout.readline().split(" at ")[1].strip(), process.pid
        finally:
            process.terminate()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def called(url: str, calls: int, seconds: float, phase: str) -> list[float]:
    """Keep so many calls open for so long; return how long each took that ended after the warm-up, in seconds."""
    took: list[float] = []
    began = time.monotonic()
    measured_from, until = began + WARM_UP_S, began + WARM_UP_S + seconds

    async def caller(session: aiohttp.ClientSession, number: int) -> None:
        count = 0
        await asyncio.sleep(number / calls * LATENCY_S)  # as trainers do, they do not all begin at one moment
        while (start := time.monotonic()) < until:
            count += 1
            responses = [f"{TEXT} {phase} {number} {count} {response}" for response in range(RESPONSES)]
            body = json.dumps(
                {"prompt": f"What does gateway {number} do at {count}, {phase}?", "responses": responses}
            ).encode()
            async with session.post(f"{url}/v1/judge", data=body) as response:
                reply = await response.json()
            if None in reply["rewards"]:
                raise RuntimeError(f"a judgement failed: {reply['failures']}")
            if measured_from <= (end := time.monotonic()) < until:
                took.append(end - start)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(caller(session, number) for number in range(calls)))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--any-core", action="store_true", help="let all three share the cores")
    chosen = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") and not chosen.any_core else []
    own = cores[:1] if len(cores) > 1 else []
    if own:
        os.sched_setaffinity(0, cores[1:])  # of this process, and of the judge that it starts
    calls = chosen.in_flight // chosen.k
    with stand_in() as judge, tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder, "recipe.toml")
        recipe.write_text(RECIPE.format(url=judge.url, in_flight=chosen.in_flight, k=chosen.k), "utf-8")
        judge.behave(latency_s=LATENCY_S)
        with service(recipe, Path(folder, "data"), own) as (url, pid):
            before = cpu_s(pid)
            full = uvloop.run(called(url, 2 * calls, chosen.seconds, "full"))
            used = cpu_s(pid) - before
            took = sorted(uvloop.run(called(url, calls, chosen.seconds, "quiet")))
    rate = len(full) * chosen.k / chosen.seconds
    print(f"{len(full):,} calls, {rate:,.0f} samples a second; the service used {used:.1f} CPU seconds")
    added = [1000 * (seconds - LATENCY_S) for seconds in took]
    print(f"added: median {added[len(added) // 2]:.1f} ms, p90 {added[int(len(added) * 0.9)]:.1f} ms")
    figures = {
        "throughput_share": round(rate * LATENCY_S / chosen.in_flight, 4),
        "p99_added_ms": round(added[int(len(added) * 0.99)], 1),
        "in_flight": chosen.in_flight,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
