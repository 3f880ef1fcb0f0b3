"""Assembly reads what was judged, and nothing that has changed since."""

from pathlib import Path

import pytest

from pipelines.judging.judging import judge
from pipelines.judging.samples import sampling_job
from pipelines.judging.sampling import sample_sets
from pipelines.training_sets.assembly import assemble
from schemas.errors import StorageError
from schemas.trajectory import Purpose
from storage.root import Root
from tests.examples import a_recipe, a_run, a_set, curate, source_stage


def test_judged_rows_whose_bytes_have_changed_are_never_published(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe(build={"name": "changed", "sets": ["rft"]})
    curated = curate(recipe, root, [source_stage(root, [a_set(number) for number in range(12)])], None)
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    run, _ = a_run(recipe)
    judged = judge(root, job, curated, sample_sets(root, run, job, curated))
    [path] = judged.paths("judged")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"judged-00000\.arrow: damaged .* remove it, and build again"):
        assemble(recipe, root, [], curated, {Purpose.RFT: judged})
    path.unlink()
    again = judge(root, job, curated)
    assert again.content == judged.content
    assert assemble(recipe, root, [], curated, {Purpose.RFT: again}).paths("trajectories/rejected")
