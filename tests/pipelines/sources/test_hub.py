"""Every source loads by its real id and a revision, through the hub's own client, from HF_ENDPOINT."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.files import open_files
from pipelines.sources.registry import SOURCES
from schemas.errors import SourceError
from tests.pipelines.sources.hub_repositories import REPOSITORIES
from tests.pipelines.sources.stand_in_hub import COMMIT, StandInHub

# Read in a process of its own, since huggingface_hub reads HF_ENDPOINT when it is imported.
PROGRAM = """
import json, sys
from pathlib import Path
from pipelines.sources import general
from pipelines.sources.files import open_files
from pipelines.sources.registry import SOURCES
from schemas.preference import UnreadableRow
from schemas.recipe import GeneralSection

revision, kinds = sys.argv[1], sys.argv[2:]
found = {}
for kind in kinds:
    if kind == "general":
        section = GeneralSection(hub="maker/chat", revision=revision)
        files = open_files(section, general.SOURCE.hub, general.SOURCE.patterns, Path("."))
        rows = list(general.SOURCE.read(section, files))
    else:
        facts = SOURCES[kind]
        section = facts.section(kind=kind, revision=revision)
        files = open_files(section, facts.hub, facts.patterns, Path("."))
        rows = list(facts.read(section, files))
    found[kind] = {
        "origin": files.origin,
        "revision": files.revision,
        "files": [files.name(path) for path in files.paths],
        "rows": [
            [row.reason] if isinstance(row, UnreadableRow)
            else [getattr(row, "split", None), row.drop_reason if kind != "general" else None]
            for row in rows
        ],
    }
print(json.dumps(found))
"""

MATH_SPLITS: list[list[Any]] = [["test", None], [None, None]] * 7
EXPECTED: dict[str, list[list[Any]]] = {
    "ultrafeedback": [[None, None], [None, "contaminated"]],
    "helpsteer2": [[None, None], ["validation", None]],
    "helpsteer2_preference": [[None, None], ["validation", None]],
    "math": MATH_SPLITS,
    "teleqna": [[None, None]] * 2,
    "teleqna_short": [[None, None]] * 2,
    "teleqna_traces": [[None, None]] * 2,
    "telemath": [[None, None]] * 2,
    "offsetbias": [[None, None]],
    "skywork": [[None, None], [None, "overlap"], [None, "overlap"]],
    "helpsteer3": [[None, None], [None, "no_preference"], ["validation", None]],
    "nectar": [[None, None], [None, "tie"]],
    "arena": [[None, None], [None, "no_preference"]],
    "hh_rlhf": [[None, None], ["test", "empty_response"]],
    "ultrafeedback_binarized": [[None, None], [None, "tie"]],
    "tulu3": [[None, None]],
    "pku_saferlhf": [["test", None], [None, "no_preference"]],
    "general": [[None, None]],
}
"""By kind, the (split or None, drop_reason or None) of each row."""


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_every_source_of_the_hub_loads_by_its_id_and_a_revision(tmp_path: Path, revision: str) -> None:
    with StandInHub(REPOSITORIES) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, revision, *EXPECTED],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {kind: one["rows"] for kind, one in found.items()} == EXPECTED
    assert {one["revision"] for one in found.values()} == {COMMIT}
    assert {kind: one["origin"] for kind, one in found.items() if kind != "general"} == {
        kind: SOURCES[kind].hub for kind in EXPECTED if kind != "general"
    }
    assert not any(name.endswith((".md", ".py")) for one in found.values() for name in one["files"])
    assert not any(path.endswith((".md", ".py")) for path in hub.paths)


def test_every_repository_is_the_usual_one_of_a_kind() -> None:
    assert set(REPOSITORIES) - {"maker/chat"} == {SOURCES[kind].hub for kind in EXPECTED if kind != "general"}


def test_telemath_without_a_token_says_what_to_do(tmp_path: Path) -> None:
    facts = SOURCES["telemath"]
    section = facts.section.model_validate({"kind": "telemath"})
    with (
        StandInHub(REPOSITORIES, gated=frozenset({facts.hub})) as hub,
        pytest.raises(SourceError, match="gated: accept its terms on the hub and set HF_TOKEN"),
    ):
        open_files(section, facts.hub, facts.patterns, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
