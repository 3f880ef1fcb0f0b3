"""How fast, how steadily and how safely requests are driven through an endpoint, beside the bare clients.

    python -m benchmarks.dispatch [--full]

A loopback server answers 1,000-character prompts with 300 tokens, 256 of them in flight. Every figure is the server's
own count, from the first request it saw; grmforge has each answer on disk, the bare clients forget theirs. Peers that
are installed (litellm, bespokelabs-curator, distilabel, data-designer) are measured beside them. About a minute;
`--full` has a tail of 20 s in place of 2 s and a clean run of 20,000 prompts, and takes three.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.clients import installed_peers
from benchmarks.stand_in import Server, serving

IN_FLIGHT = 256


@dataclass(frozen=True)
class Measured:
    """One client through one row of prompts."""

    client: str
    setting: str
    prompts: int
    answered: int
    wall_s: float
    """From the start of its process to its end, so with Python's start and the folding of its journal."""
    cpu_s: float
    peak_mb: float
    counts: dict[str, Any]

    @property
    def rate(self) -> float:
        """Prompts a second, from the first request to the last answer."""
        return self.prompts / float(self.counts["answer_window_s"])

    def row(self) -> str:
        window = self.counts["answer_window_s"]
        return (
            f"{self.setting:<22} {self.client:<15} {self.prompts:>7,} {window:>8.2f} {self.rate:>8,.0f} "
            f"{self.counts['in_flight']:>9.1f} {self.counts['requests'] / self.prompts:>8.3f} "
            f"{self.prompts - self.answered:>5,} {self.wall_s:>7.1f} {1e6 * self.cpu_s / self.prompts:>7,.0f} "
            f"{self.peak_mb:>5,.0f}"
        )


class ClientFailed(SystemExit):
    """A client ended with an error."""


HEADER = (
    f"{'server':<22} {'client':<15} {'prompts':>7} {'window s':>8} {'rows/s':>8} {'in flight':>9} {'requests':>8} "
    f"{'lost':>5} {'wall s':>7} {'CPU us':>7} {'MB':>5}"
)


def measured(server: Server, client: str, prompts: int, setting: str, **behaviour: float) -> Measured:
    """Run a client in a process of its own, print its row, and return it."""
    server.behave(**behaviour)
    command = [sys.executable, "-m", "benchmarks.clients", client, server.url, str(prompts), str(IN_FLIGHT)]
    started = os.times()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ClientFailed(f"the client {client} failed")
    wall_s = os.times().elapsed - started.elapsed
    one = Measured(
        client,
        setting,
        prompts,
        int(said.split()[-1]),
        wall_s,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        server.counts(),
    )
    print(one.row(), flush=True)
    return one


def figures(server: Server, full: bool) -> dict[str, float]:
    """Measure everything; return what the last line says."""
    print(HEADER)
    ours = measured(server, "grmforge", 20_000, "0 ms")
    bare = measured(server, "aiohttp", 20_000, "0 ms")
    package = measured(server, "openai", 5_000 if full else 2_000, "0 ms")
    if full:
        measured(server, "openai-aiohttp", 20_000, "0 ms")
    for peer in installed_peers():
        try:
            measured(server, peer, 5_000 if full else 1_000, "0 ms")
        except ClientFailed as error:  # of another release, as a rule: the others are worth comparing with
            print(error)
    steady = measured(server, "grmforge", 5_000, "200 ms", latency_s=0.2)
    measured(server, "aiohttp", 5_000, "200 ms", latency_s=0.2)
    scale = 1.0 if full else 0.1
    tail = measured(
        server,
        "grmforge",
        5_000,
        f"{2 * scale:g} s, 1 % {20 * scale:g} s",
        latency_s=2 * scale,
        tail_share=0.01,
        tail_s=20 * scale,
    )
    clean = measured(server, "grmforge", 20_000, "200 ms", latency_s=0.2) if full else steady
    errors = measured(server, "grmforge", 20_000, "200 ms, 5 % errors", latency_s=0.2, error_share=0.05)
    return {
        "rps_0ms": ours.rate,
        "aiohttp_rps_0ms": bare.rate,
        "openai_rps_0ms": package.rate,
        "efficiency_200ms": math.ceil(5_000 / IN_FLIGHT) * 0.2 / steady.counts["answer_window_s"],
        "efficiency_tail": tail.counts["in_flight"] / IN_FLIGHT,
        "errors_rate_ratio": errors.rate / clean.rate,
        "errors_requests_per_row": errors.counts["requests"] / errors.prompts,
        "errors_lost": errors.prompts - errors.answered,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dispatch", description=__doc__)
    parser.add_argument("--full", action="store_true", help="full sizes: three minutes in place of one")
    full = parser.parse_args().full
    with serving() as server:
        found = figures(server, full)
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
