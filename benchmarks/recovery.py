"""What a kill costs: a build is killed -9 at a random moment, run again, and compared with one that was not.

    python -m benchmarks.recovery [--full] [--s3]

Every round is `grmforge build` on a fresh root against the loopback server, killed once somewhere between its start
and its end, then run again to the end. The server counts every answer that it gave twice: paid twice. At most what was
in flight may be, and what came in during the second before the kill. Three kills take a minute, `--full` has twenty.
With --s3 every root lies in a bucket of an S3 server on loopback (moto's), and each build is a machine of its own.
"""

import argparse
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loopback_s3 import BUCKET, LoopbackS3, serving_s3
from benchmarks.stand_in import Server, serving

GRMFORGE = str(Path(sys.executable).with_name("grmforge"))
SETS = 800
IN_FLIGHT = 64
LATENCY_S = 0.05
NAME = "recovery"
PATIENCE_S = 300.0
SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]

RECIPE = """
[build]
name = "{name}"
sets = ["rft", "rl", "pairs"]

[[sources]]
kind = "preference_sets"
path = "sets.jsonl"

[models.grm]
engine = "openai"
model = "stand-in"
base_url = "{url}"
max_concurrency = {in_flight}

[models.difficulty]
engine = "openai"
model = "stand-in-small"
base_url = "{url}"
max_concurrency = {in_flight}
"""


@dataclass(frozen=True)
class Round:
    """One build that was killed and run again."""

    killed_at_s: float
    bought_before: int
    """Answers that the server had given when the build died."""
    finished: bool
    paid_twice: int
    identical: bool

    def row(self) -> str:
        return (
            f"{self.killed_at_s:>9.2f} {self.bought_before:>14,} {'yes' if self.finished else 'NO':>8} "
            f"{self.paid_twice:>10,} {'yes' if self.identical else 'NO':>9}"
        )


def write_inputs(folder: Path, url: str) -> Path:
    """Write made-up sets of two to four responses, no two of them alike, and a recipe; return the recipe's path."""
    draw = random.Random(5)

    def words(count: int) -> str:
        return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(count))

    with (folder / "sets.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(SETS):
            n = draw.randint(2, 4)
            row = {
                "query": f"Which {words(12)}?",
                "responses": [words(30) for _ in range(n)],
                "best": draw.randrange(n),
            }
            file.write(json.dumps(row) + "\n")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(name=NAME, url=url, in_flight=IN_FLIGHT), "utf-8")
    return recipe


@dataclass(frozen=True)
class Place:
    """Where roots are made: a folder, or a bucket."""

    folder: Path
    s3: LoopbackS3 | None

    def root(self, name: str) -> str:
        return f"s3://{BUCKET}/{name}" if self.s3 else str(self.folder / name)

    def clear(self, name: str) -> None:
        """Remove a root."""
        if self.s3 is None:
            shutil.rmtree(self.folder / name)
            return
        store = self.s3.store()
        for some in store.list(name):
            store.delete([one["path"] for one in some])

    def data_files(self, name: str) -> dict[str, bytes]:
        """Return the data files of a root's latest snapshot, by their path in it."""
        files = self._files(f"{name}/snapshots/{NAME}")
        version = files.get("LATEST", b"").decode().strip()
        inside = {path.removeprefix(f"{version}/"): data for path, data in files.items() if path.startswith(version)}
        return {path: data for path, data in inside.items() if version and path.endswith(".parquet")}

    def _files(self, key: str) -> dict[str, bytes]:
        if self.s3 is None:
            folder = self.folder / key
            return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        store = self.s3.store()
        keys = [one["path"] for some in store.list(key) for one in some]
        return {found.removeprefix(f"{key}/"): bytes(store.get(found).bytes()) for found in keys}

    def command(self, recipe: Path, name: str) -> list[str]:
        return [GRMFORGE, "build", str(recipe), "--root", self.root(name)]

    def environment(self) -> dict[str, str]:
        """Return the variables of a machine that no other build ran on."""
        return os.environ | dict(self.s3.environment(secrets.token_hex(4)) if self.s3 else {})


def built(place: Place, recipe: Path, name: str) -> bool:
    """Build to the end; whether that went well."""
    command, environment = place.command(recipe, name), place.environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
    return done.returncode == 0


def killed(place: Place, recipe: Path, name: str, after_s: float) -> bool:
    """Start a build and kill it after so many seconds; whether it was still running then."""
    with subprocess.Popen(
        place.command(recipe, name),
        env=place.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        time.sleep(after_s)
        was_running = process.poll() is None
        if was_running:
            os.killpg(process.pid, signal.SIGKILL)
        return was_running


def one_round(server: Server, place: Place, recipe: Path, name: str, lasted_s: float, whole: dict[str, bytes]) -> Round:
    """Kill one build at a random moment and run it again."""
    while True:
        server.behave(latency_s=LATENCY_S)
        after_s = random.uniform(0.0, lasted_s)
        if killed(place, recipe, name, after_s):
            break
        place.clear(name)  # it was quicker than the one before
    bought_before = server.counts()["answers"]
    finished = built(place, recipe, name)
    identical = place.data_files(name) == whole
    done = Round(after_s, bought_before, finished, server.counts()["paid_twice"], identical)
    print(done.row(), flush=True)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--full", action="store_true", help="twenty kills in place of three")
    parser.add_argument("--s3", action="store_true", help="roots in a bucket of a loopback S3 server")
    given = parser.parse_args()
    kills = 20 if given.full else 3
    with serving() as server, tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        place = Place(folder, stack.enter_context(serving_s3(folder / "s3")) if given.s3 else None)
        recipe = write_inputs(folder, server.url)
        server.behave(latency_s=LATENCY_S)
        started = time.monotonic()
        if not built(place, recipe, "whole"):
            raise SystemExit("the build that nobody killed failed")
        lasted_s = time.monotonic() - started
        whole, counts = place.data_files("whole"), server.counts()
        most = IN_FLIGHT + round(IN_FLIGHT / LATENCY_S)
        print(f"never killed: {lasted_s:.1f} s, {counts['answers']:,} answers, {len(whole)} data files")
        print(f"a kill may cost {most:,} answers: {IN_FLIGHT} in flight, and a second's worth\n")
        print(f"{'killed at':>9} {'bought before':>14} {'finished':>8} {'paid twice':>10} {'identical':>9}")
        rounds = [one_round(server, place, recipe, f"killed-{one}", lasted_s, whole) for one in range(kills)]
    found = {
        "kills": kills,
        "finished": sum(one.finished for one in rounds),
        "max_paid_twice": max(one.paid_twice for one in rounds),
        "identical": all(one.identical for one in rounds),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
