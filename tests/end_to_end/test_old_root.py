"""A root that was filled before is built again without a request: no id of a role, a form or an import has changed.

`tests/old_root` was filled by the code of before verdicts were read in any form: responders, teachers with their
rewrites and votes, judges, difficulty and policy; a JSON schema and a regex; an endpoint with fields of its own, half
of whose answers were imported; rubrics, given and compared. `root.tar.xz` holds its answers and rubrics, and no stage.
"""

import json
import shutil
import tarfile
from pathlib import Path

import polars as pl
import pytest

from storage.generations import Generations
from storage.root import Root
from tests.end_to_end.commands import REPOSITORY, grmforge, latest

OLD_ROOT = REPOSITORY / "tests/old_root"
DEMO = "3f154d41dae361042ce0d8b737b7f1ad"
"""The content hash of the demo. It changes in a commit alone that names the column or the rule."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("old")
    for file in (*OLD_ROOT.glob("*.toml"), *OLD_ROOT.glob("*.jsonl")):
        shutil.copy(file, directory)
    with tarfile.open(OLD_ROOT / "root.tar.xz") as archive:
        archive.extractall(directory / "data", filter="data")
    return directory


def stored(root: Path) -> set[str]:
    """Return the ids of all requests that a root has answers to."""
    Generations(Root(root))  # folds what the last run left in its journal
    return set(pl.read_parquet(root / "generations/bucket=*/*.parquet", columns=["request_id"])["request_id"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["roles", "json_schema", "regex", "endpoint", "rubrics"])
def test_a_root_of_before_is_built_again_without_a_request(place: Path, name: str) -> None:
    """Nothing listens where the endpoint's recipe points to: a request would end the build."""
    before = stored(place / "data")
    for command in ["rubrics build", "build"] if name == "rubrics" else ["build"]:
        done = grmforge(*command.split(), place / f"{name}.toml", "--root", place / "data")
        assert done.code == 0, done.err
    assert stored(place / "data") == before
    manifest = latest(place / "data", name).manifest
    assert {use.role: use.requests - use.cached for use in manifest.models if use.requests != use.cached} == {}


@pytest.mark.slow
def test_a_judge_is_evaluated_on_sets_of_before_without_a_request(place: Path) -> None:
    """The samples that were bought for training are the first of the pool, for each role that a build samples with."""
    assert grmforge("build", place / "roles.toml", "--root", place / "data").code == 0
    before = stored(place / "data")
    evaluation = '[evaluate]\nk_max = 3\ngreedy = false\n[[evaluate.benchmarks]]\nkind = "test"\n'
    evaluation += 'splits = ["train", "validation"]\n'
    (place / "evaluated.toml").write_text((place / "roles.toml").read_text("utf-8") + evaluation, "utf-8")
    for role in ("grm", "difficulty"):
        done = grmforge("evaluate", place / "evaluated.toml", "--role", role, "--root", place / "data", "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["benchmarks"][0]["items"] > 10
    assert stored(place / "data") == before


@pytest.mark.slow
def test_the_demo_has_the_content_that_it_had(tmp_path: Path) -> None:
    done = grmforge("build", REPOSITORY / "recipes/demo.toml", "--root", tmp_path, cold=True)
    assert done.code == 0, done.err
    assert latest(tmp_path, "demo").manifest.content_hash == DEMO
