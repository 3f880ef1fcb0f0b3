"""What more workers win: one build in one process, and as a flow on a local Ray in 1, 2 and 4 shares of the buckets.

    python -m benchmarks.scale_out [--full]

Each run is a fresh process on a fresh root, with the simulated engine; the Prefect server stands throughout. Seconds
are those from the first line of the build, or of the flow, to its last: on Ray with the start of the worker processes,
which import everything anew. Beside them stand the imports of Prefect and Ray, and the start of Ray itself.

`no latency`: answers come at once, so asking takes processors, and shares divide that work. `waiting`: every answer
takes 0.2 s. All shares together never have more requests in flight than one process, so nothing can be won there, and
the difference is what a flow on Ray costs. Two minutes; with --full all of TeleQnA (GRMFORGE_TELEQNA), else 10,000
sets made here. The last line has the figures without latency; `identical` covers every run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.judging import write_sets
from benchmarks.loopback_prefect import serving_prefect

SETS, WAITING_SETS, FULL_SETS = 2_000, 500, 10_000
LATENCY_S = 0.2
WORKERS = (1, 2, 4)
NAME = "scale-out"


@dataclass(frozen=True)
class Timed:
    """One build of a process of its own."""

    build_s: float
    imports_s: float
    ray_s: float
    """How long Ray took to start; 0 without it."""
    calls: int
    content: str


def timed(recipe: Path, root: Path, workers: int) -> Timed:
    """Build the RFT set here and now: plainly where there are no workers, else as a flow on a local Ray of so many."""
    from storage.root import Root
    from storage.snapshots import find_snapshot

    started = time.perf_counter()
    if workers:
        from flows.deployed.deployments import build_rft_set
        from flows.deployed.distribution import connected_ray

        imported = time.perf_counter()
        with connected_ray(workers):
            began = time.perf_counter()
            build_rft_set(str(recipe), str(root), None, "ray", workers)
            ended = time.perf_counter()
    else:
        from benchmarks.clients import Silent
        from pipelines.orders import changed, new_run
        from pipelines.steps import build
        from schemas.recipe import read_recipe

        imported = began = time.perf_counter()
        settings = changed(read_recipe(recipe), sets="rft", root=str(root))
        build(settings, Root.open(settings.build.root), new_run(settings, {}, Silent()))
        ended = time.perf_counter()
    manifest = find_snapshot(Root.open(str(root)), f"{NAME}-rft").manifest
    calls = sum(use.requests for use in manifest.models)
    return Timed(ended - began, imported - started, began - imported, calls, manifest.content_hash)


def measured(environment: dict[str, str], place: Path, recipe: Path, label: str, workers: int) -> Timed:
    """Do that in a fresh process, print a row, and return it."""
    root = place / "root"
    command = [sys.executable, "-m", "benchmarks.scale_out", "--timed", str(recipe), str(root), str(workers)]
    with (place / "flow.log").open("wb") as log:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=log, check=False)
    if done.returncode:
        raise SystemExit(f"the run failed:\n{(place / 'flow.log').read_text('utf-8')[-3000:]}")
    shutil.rmtree(root)
    one = Timed(**json.loads(done.stdout.splitlines()[-1]))
    how = f"Ray, {workers} workers" if workers else "one process"
    print(
        f"{label:<12} {how:<15} {one.calls:>8,} {one.build_s:>8.1f} {one.calls / one.build_s:>8,.0f} "
        f"{one.imports_s:>9.1f} {one.ray_s:>7.1f}  {one.content[:8]}",
        flush=True,
    )
    return one


def write_recipe(path: Path, source: str, latency_s: float) -> Path:
    path.write_text(
        f'[build]\nname = "{NAME}"\n[[sources]]\n{source}\n[models.grm]\nengine = "simulated"\nmax_concurrency = 64\n'
        f"[models.grm.simulated]\nlatency_s = {latency_s}\n[models.difficulty]\nsame_as_grm = true\n"
    )
    return path


def settings_of(place: Path, full: bool) -> list[tuple[str, Path]]:
    """Return what is built, with a name for each."""
    given = os.environ.get("GRMFORGE_TELEQNA")
    if full and given:
        source = f'kind = "teleqna"\npath = "{Path(given).absolute()}"'
    else:
        write_sets(place / "sets.jsonl", FULL_SETS if full else SETS)
        source = 'kind = "preference_sets"\npath = "sets.jsonl"'
    few = f"{source}\nlimit = {WAITING_SETS}"
    return [
        ("no latency", write_recipe(place / "quick.toml", source, 0.0)),
        ("waiting", write_recipe(place / "slow.toml", few, LATENCY_S)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out", description=__doc__)
    parser.add_argument("--full", action="store_true", help="10,000 sets in place of 2,000")
    parser.add_argument("--timed", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.timed:
        recipe, root, workers = options.timed
        print(json.dumps(vars(timed(Path(recipe), Path(root), int(workers)))))
        return
    ray_tmp = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the names of its sockets may not be long
    variables = {"RAY_TMPDIR": str(ray_tmp), "PREFECT_LOGGING_LEVEL": "WARNING", "RAY_AUTH_TOKEN": "0" * 64}
    found: dict[str, list[Timed]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            began = time.perf_counter()
            with serving_prefect(place, **variables) as environment:
                print(f"the Prefect server is up after {time.perf_counter() - began:.1f} s; {os.cpu_count()} cores")
                print(
                    f"{'answers':<12} {'how':<15} {'calls':>8} {'build s':>8} {'calls/s':>8} {'imports s':>9} "
                    f"{'Ray s':>7}  content"
                )
                for label, recipe in settings_of(place, options.full):
                    found[label] = [measured(environment, place, recipe, label, workers) for workers in (0, *WORKERS)]
    finally:
        shutil.rmtree(ray_tmp, ignore_errors=True)
    plain, *on_ray = found["no latency"]
    figures: dict[str, float | bool] = {"one_process_s": round(plain.build_s, 2)}
    figures |= {f"ray_{n}_s": round(one.build_s, 2) for n, one in zip(WORKERS, on_ray, strict=True)}
    figures["identical"] = all(len({one.content for one in runs}) == 1 for runs in found.values())
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
