"""Each export is read by its trainer's own loader, at its current release: `make test-trainers`, not in CI.

A trainer whose environment is not there is skipped: that is "not run". slime and NeMo RL are on no package index: name
their sources in GRMFORGE_SLIME, GRMFORGE_NEMO_RL and GRMFORGE_NEMO_GYM (of its reward service alone).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.exporting.checking import checked
from pipelines.exporting.export import export
from pipelines.exporting.lengths import open_tokenizer
from pipelines.exporting.registry import TRAINERS
from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY

ENVIRONMENTS = REPOSITORY / os.environ.get("GRMFORGE_TRAINERS", ".venv-trainers")
SOURCES = {"slime": "GRMFORGE_SLIME", "nemo-rl": "GRMFORGE_NEMO_RL", "nemo-gym": "GRMFORGE_NEMO_GYM"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def python_of(name: str) -> str:
    """Return the Python that has a trainer; TRL is in ours."""
    if name == "trl":
        return sys.executable
    place = ENVIRONMENTS / name / "bin/python"
    if not (ENVIRONMENTS / name / "stamp").exists():
        pytest.skip(f"not run: {name} is not installed; make test-trainers TRAINERS={name}")
    return str(place)


def source_of(name: str) -> Path:
    """Return the folder that holds a trainer's package: its named source, or what is installed of it."""
    if name in SOURCES:
        if SOURCES[name] not in os.environ:
            pytest.skip(f"not run: {SOURCES[name]} does not name a folder with its source")
        return Path(os.environ[SOURCES[name]])
    python_of(name)
    return next((ENVIRONMENTS / name).glob("lib/python*/site-packages"))


@pytest.mark.parametrize("name", TRAINERS)
def test_the_trainers_own_loader_reads_every_row_as_it_was_written(
    demo: Snapshot, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    python = python_of(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    sets = ["rl"] if name == "skyrl" and sys.version_info < (3, 12) else None  # its SFT cannot be imported before
    done = export(demo, TRAINERS[name], tmp_path / "out", sets=sets, tokenizer=open_tokenizer(str(tokenizer)))
    if name in SOURCES:
        monkeypatch.setenv("PYTHONPATH", f"{source_of(name)}{os.pathsep}{done.out}")
    found = checked(done.out, done.trainer, str(tokenizer), python)
    assert found.result == "same", (found.words, found.files)
    assert {file["file"]: (file["loaded"], file["differ"]) for file in found.files} == {
        file: (part.rows[split], 0) for part in done.parts.values() for split, file in part.files.items()
    }


@pytest.mark.parametrize("name", ["openrlhf", "swift", "slime", "skyrl"])
def test_the_reward_is_called_as_the_trainer_calls_it(demo: Snapshot, tmp_path: Path, name: str) -> None:
    """A right answer, a wrong one and an unreadable one earn 1, -1 and -1 through the door of each trainer."""
    python = python_of(name)
    out = export(demo, TRAINERS[name], tmp_path / "out", sets=["rl"]).out
    calls = {
        "openrlhf": "import grm_reward as g; "
        "r = [float(x) for x in g.reward_func(['Q '+x for x in t], ['Q ']*3, [truth]*3)['rewards']]",
        "swift": "import grm_plugin as g; r = g.orms['grm']()(t, solution=[truth]*3)",
        "slime": "import asyncio, grm_slime as g; from types import SimpleNamespace as S; "
        "r = asyncio.run(g.reward(None, [S(response=x, label=truth) for x in t]))",
        "skyrl": "import grm_env as g; "
        "r = [g.JudgingEnv(None, {'reward_spec': {'ground_truth': truth}}).step(x)['reward'] for x in t]",
    }
    texts = ["Scores: \\boxed{3, 9}", "Scores: \\boxed{9, 3}", "no verdict"]
    given = f"import json\nt = {texts!r}\ntruth = {json.dumps({'n': 2, 'best': 1})!r}\n"
    code = f"{given}{calls[name]}\nprint('->', json.dumps(r))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=out)
    assert done.stdout.splitlines()[-1:] == ["-> [1.0, -1.0, -1.0]"], done.stderr[-2_000:]
