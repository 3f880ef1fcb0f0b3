"""A disk that refuses in the middle of a flush: one line, what is on disk stays readable, the next run goes on."""

import subprocess
from pathlib import Path

import pytest

from storage.segments import read_segment
from tests.end_to_end.commands import GRMFORGE, data_files, grmforge, latest, paid, write_recipe
from tests.end_to_end.questions import write_teleqna

KILOBYTES = 24


@pytest.mark.slow
def test_half_a_flush_costs_nothing(tmp_path: Path) -> None:
    """The shell's limit on a file's size refuses as a full disk does: after half of the bytes."""
    write_teleqna(tmp_path / "teleqna.txt", 100)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": {"engine": "simulated", "max_concurrency": 4, "simulated": {"latency_s": 0.04}}},
    )
    root = tmp_path / "data"
    assert grmforge("plan", recipe, "--root", root).code == 0  # the tables before sampling are larger
    done = subprocess.run(
        ["bash", "-c", f'ulimit -f {KILOBYTES}; exec "$@"', "-", GRMFORGE, "build", recipe, "--root", root],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {root}/generations/journal/")
    assert "ulimit -f" in last and "run the same command again" in last
    assert "Traceback" not in done.stderr
    cut, rest = sorted((root / "generations/journal").glob("*.arrows"))
    assert cut.stat().st_size == KILOBYTES * 1024, "the flush was cut in the middle"
    kept = sum(batch.num_rows for segment in (cut, rest) for batch in read_segment(segment))
    assert kept > sum(batch.num_rows for batch in read_segment(cut)) > 0, "it is tried again when the run ends"

    done_again = grmforge("build", recipe, "--root", root)
    assert done_again.code == 0
    assert f"{kept:,} were there already" in done_again.err
    assert set(paid(root).values()) == {1}
    assert grmforge("build", recipe, "--root", tmp_path / "whole").code == 0
    assert data_files(latest(root, "small")) == data_files(latest(tmp_path / "whole", "small"))
