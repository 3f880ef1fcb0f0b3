"""Run the loop, or go on with it.

    python -m benchmarks.loop --base recipes/small_cpu/smollm2 --work loop             # hours, in pieces
    python -m benchmarks.loop --base recipes/small_cpu/smollm2 --work loop-small --small
    python -m benchmarks.loop --base .. --work loop --seed 2                            # the claim's second seed

It ends with a table and one JSON object; `--figures` only prints them.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.loop.figures import figures_of, table_of
from benchmarks.loop.plan import FULL, GPU, SMALL, TINY
from benchmarks.loop.projection import projected
from benchmarks.loop.steps import Loop, StepFailed, run_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--base", type=Path, required=True, help="directory of the bare model")
    add("--work", type=Path, required=True, help="directory of everything that is made")
    add("--vllm-python", type=Path, default=Path(".venv-vllm/bin/python"), help="python that has vLLM")
    add("--data", type=Path, help="folder with llmbar/ and rm_bench/, to judge them too")
    size = parser.add_mutually_exclusive_group()
    for name, words in (
        ("small", "the small plan: that every arrow holds"),
        ("tiny", "a test of the commands"),
        ("gpu", "ten times the rows, on a GPU"),
    ):
        size.add_argument(f"--{name}", action="store_true", help=words)
    add("--seed", type=int, default=1, help="of sampling and training [1]")
    add("--until", help="stop behind this step, such as validate-gold")
    add("--figures", action="store_true", help="print what is known so far, and run nothing")
    chosen = parser.parse_args()
    loop = Loop(
        plan=SMALL if chosen.small else TINY if chosen.tiny else GPU if chosen.gpu else FULL,
        work=chosen.work.absolute(),
        base=chosen.base.absolute(),
        vllm_python=chosen.vllm_python.absolute(),
        seed=chosen.seed,
        data=chosen.data.absolute() if chosen.data else None,
    )
    if not (loop.base / "config.json").is_file():
        sys.exit(f"{loop.base} holds no model: `make demo-real` writes one to recipes/small_cpu/smollm2")
    if not loop.vllm_python.is_file():
        sys.exit(f"there is no {loop.vllm_python}: `make .venv-vllm/stamp` installs vLLM, or name a --vllm-python")
    try:
        if not chosen.figures:
            for line in projected(loop):
                print(line)
            run_steps(loop, chosen.until)
    except StepFailed as error:
        sys.exit(str(error))
    figures = figures_of(loop)
    print(table_of(figures))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
