"""Everything that is measured on a GPU, in one command that needs no network.

    python3 -m benchmarks.gpu CARRIED --work WORK [--minutes 14]
    python3 -m benchmarks.gpu CARRIED --work WORK --tiny --vllm-python .venv-vllm/bin/python      # on a processor

CARRIED holds parts (benchmarks.gpu.parts) of a folder with `model/`, and, where they are not installed here,
`wheels/grmforge/` and `wheels/vllm/`. The same command goes on where an earlier one stopped.
"""

import argparse
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from benchmarks.gpu.parts import join


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("carried", type=Path, help="the parts")
    add("--work", type=Path, required=True, help="directory of everything that is made")
    add("--vllm-python", type=Path, help="a python that has vLLM, where no wheels of it are carried")
    add("--minutes", type=float, default=14.0, help="the loop is stopped then, and its figures so far are shown [14]")
    add("--tiny", action="store_true", help="sizes for a processor: that every part works, and no figure to learn from")
    chosen = parser.parse_args()
    folder = chosen.work.absolute() / "carried"
    join(chosen.carried, folder)
    python = installed(folder / "wheels/grmforge", chosen.work / "grmforge") or Path(sys.executable)
    vllm_python = installed(folder / "wheels/vllm", chosen.work / "vllm") or chosen.vllm_python or Path(sys.executable)
    left = chosen.minutes - (time.monotonic() - began) / 60
    words = [folder / "model", "--work", chosen.work, "--vllm-python", vllm_python.absolute(), "--minutes", left]
    words += ["--tiny"] if chosen.tiny else []
    sys.exit(subprocess.run([python, "-m", "benchmarks.gpu.measure", *map(str, words)]).returncode)


def installed(wheels: Path, place: Path) -> Path | None:
    """Return the python of an environment with these wheels and what this machine has; None without wheels."""
    if not wheels.is_dir():
        return None
    python, mark = place.absolute() / "bin/python", place / "installed"
    if not mark.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", place], check=True)
        # An environment made by an environment's python would see the packages of neither.
        (site,) = place.glob("lib/python*/site-packages")
        (site / "machine.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps"]
        subprocess.run([*pip, *sorted(wheels.glob("*.whl"))], check=True)
        mark.touch()
    return python


if __name__ == "__main__":
    main()
