"""What opens a snapshot as it is: `datasets`, polars, and the snippets of the pages."""

import re
import subprocess
import sys
from pathlib import Path

import datasets
import polars as pl
import pytest

from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
MESSAGE_COLUMNS = {
    "rft_messages": ("messages",),
    "rft": ("prompt", "completion"),
    "rl": ("prompt",),
    "meta_rm": ("prompt", "completion"),
    "pairs": ("prompt", "chosen", "rejected"),
    "sets": ("query",),
    "trajectories": ("prompt",),
}
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
RUNNABLE = re.compile(r"^<!-- run -->\n```python\n(.*?)^```$", re.M | re.S)


@pytest.mark.slow
def test_datasets_loads_every_config_of_the_card(
    demo: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    rows = {}
    for config in datasets.get_dataset_config_names(str(demo.path)):
        for split, loaded in datasets.load_dataset(str(demo.path), config, cache_dir=str(tmp_path)).items():
            table = f"{config}/{split}" if config in MESSAGE_COLUMNS else config.replace("_", "/", 1)
            rows[table] = loaded.num_rows
    assert rows == {name: table.rows for name, table in demo.manifest.tables.items()}
    assert set(rows) >= {"rft/train", "rft/validation", "rl/train", "meta_rm/train", "pairs/train", "sets/dropped"}


def test_messages_have_exactly_a_role_and_a_content(demo: Snapshot) -> None:
    for table in demo.manifest.tables:
        for file in demo.files(table):
            schema = pl.scan_parquet(file).collect_schema()
            for column in MESSAGE_COLUMNS[table.split("/")[0]]:
                assert schema[column] == MESSAGES, (table, column)


def test_polars_scans_accepted_and_rejected(demo: Snapshot) -> None:
    accepted = pl.scan_parquet(demo.path / "trajectories/accepted-*.parquet")
    rejected = pl.scan_parquet(demo.path / "trajectories/rejected-*.parquet")
    judged = pl.concat([accepted, rejected]).collect()
    assert judged.height == demo.rows("trajectories/accepted") + demo.rows("trajectories/rejected")
    assert judged.filter("accepted")["reject_reason"].null_count() == demo.rows("trajectories/accepted")
    assert judged.filter(~pl.col("accepted"))["reject_reason"].null_count() == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_snippets_of_a_page_run_one_after_the_other(page: Path, demo_home: Path) -> None:
    """Blocks with `<!-- run -->` on the line before them run from a directory that holds `data/`, as one script."""
    blocks = RUNNABLE.findall(page.read_text("utf-8"))
    assert len(blocks) == page.read_text("utf-8").count("<!-- run -->\n")
    if not blocks:
        return
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=demo_home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_some_snippets_are_run() -> None:
    assert "<!-- run -->" in (REPOSITORY / "docs/shards.md").read_text("utf-8")
