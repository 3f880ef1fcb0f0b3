"""Reading and curation of more than fits: flat memory, odd rows far down, a disk that fills."""

import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources.ingestion import ingest
from schemas.recipe import recipe_of
from schemas.record import content_id
from storage.root import Root
from storage.stages import Stage
from tests.examples import curate, simulated

SET = {"kind": "preference_sets", "path": "sets.jsonl"}


def row(number: int, length: int = 20) -> dict[str, Any]:
    texts = [f"{content_id(number, place)} {'word ' * length}" for place in range(2)]
    return {"query": f"{content_id('asked', number)}?", "chosen": texts[0], "rejected": texts[1]}


def write(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(one) + "\n" for one in rows)


def built(place: Path, *sections: dict[str, Any], **others: Any) -> tuple[list[Stage], Stage]:
    """Return the stages of the sources, and the curated one."""
    tree = {"build": {"name": "large", "sets": ["rft"]}, "models": {"grm": simulated()}, **others}
    recipe, root = recipe_of(tree | {"sources": list(sections)}, place), Root(place / "data")
    stages = [ingest(recipe, root, section) for section in recipe.sources]
    return stages, curate(recipe, root, stages, ingest(recipe, root, recipe.general) if recipe.general else None)


MEASURED = """
import resource, sys
from pathlib import Path
from tests.pipelines.curation.test_large_sources import SET, built
stages, curated = built(Path(sys.argv[1]), SET, general={"path": "general.jsonl"})
print(curated.rows("sets"), curated.rows("general"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_what_the_rows_say(tmp_path: Path) -> None:
    """Ten times the rows are 200 MB more of text; numbers and buffers are all that may grow."""
    peaks = []
    for sets in (4_000, 40_000):
        place = tmp_path / str(sets)
        place.mkdir()
        write(place / "sets.jsonl", (row(number, 400) for number in range(sets)))
        turns = ({"role": "user", "content": f"{content_id('chat', n)} {'asked ' * 80}"} for n in range(sets))
        answer = {"role": "assistant", "content": "answered " * 80}
        write(place / "general.jsonl", ({"messages": [turn, answer]} for turn in turns))
        done = subprocess.run([sys.executable, "-c", MEASURED, str(place)], capture_output=True, text=True, check=True)
        n_sets, n_general, peak = map(int, done.stdout.split())
        assert (n_sets, n_general) == (sets, sets)
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 90, peaks


def test_a_limit_leaves_the_same_rows_whatever_their_order_and_counts_the_rest(tmp_path: Path) -> None:
    rows = [row(number) for number in range(3_000)] + [{"query": 3} for _ in range(200)]
    found = []
    for seed in (1, 2):
        random.Random(seed).shuffle(rows)
        write(tmp_path / "sets.jsonl", rows)
        (stage,), _ = built(tmp_path, SET | {"limit": 1_000})
        found.append(set(pl.read_parquet(stage.paths("sets"))["set_id"]))
        assert stage.facts["rows"] == 1_000 and stage.facts["sampled_out"] == 2_200
        assert stage.rows("sets") + stage.facts["unreadable"] == 1_000
    assert len(found[0] & found[1]) > 900, "unreadable rows are chosen by their place, all others by their query"


def test_unreadable_rows_are_counted_and_the_first_few_shown(tmp_path: Path) -> None:
    write(tmp_path / "sets.jsonl", [*({"query": number} for number in range(5_000)), row(1)])
    (stage,), _ = built(tmp_path, SET)
    ((reason,), names) = stage.facts["unreadable_reasons"], sorted(f"sets.jsonl:{n}" for n in range(1, 5_001))
    assert (reason["rows"], stage.facts["rows"]) == (5_000, 5_001)
    assert [example["source_id"] for example in reason["examples"]] == names[:5]


def test_one_row_of_twenty_megabytes_among_many_small_ones(tmp_path: Path) -> None:
    huge = {"query": "huge?", "responses": [f"{n} " + "word " * 180_000 for n in range(22)], "best": 3}
    write(tmp_path / "sets.jsonl", [*map(row, range(2_000)), huge, *map(row, range(2_000, 4_000))])
    _, curated = built(tmp_path, SET)
    frame = pl.read_parquet(curated.paths("sets"), columns=["n_responses", "drop_reason"])
    assert frame["n_responses"].to_list().count(22) == 1
    assert (frame.height, frame["drop_reason"].null_count()) == (4_001, 4_001)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_column_of_another_type_far_down_is_named_with_its_row(tmp_path: Path, form: str) -> None:
    texts, numbers = [row(number, 1) for number in range(70_000)], [row(n, 1) | {"query": n} for n in range(3)]
    if form == "jsonl":
        write(tmp_path / "sets.jsonl", [*texts, *numbers])
        section, first = SET, "sets.jsonl:70001"
    else:
        (tmp_path / "sets").mkdir()
        for name, rows in (("a", texts), ("b", numbers)):
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"sets/{name}.parquet")
        section, first = SET | {"path": "sets"}, "b.parquet:1"
    (stage,), _ = built(tmp_path, section)
    (reason,) = stage.facts["unreadable_reasons"]
    assert (reason["rows"], stage.facts["rows"], stage.rows("sets")) == (3, 70_003, 70_000)
    assert reason["examples"][0]["source_id"].endswith(first)


@pytest.mark.slow
def test_a_hundred_sources_of_ten_rows(tmp_path: Path) -> None:
    """Each shares a set with the next one, which the first keeps."""
    for source in range(100):
        write(tmp_path / f"{source}.jsonl", map(row, range(9 * source, 9 * source + 10)))
    sections = [SET | {"path": f"{source}.jsonl", "name": f"s{source:02}"} for source in range(100)]
    _, curated = built(tmp_path, *sections)
    frame = pl.read_parquet(curated.paths("sets"), columns=["set_id", "source", "drop_reason"])
    assert frame.height == 1_000
    assert frame["drop_reason"].value_counts().sort("count").rows() == [("duplicate", 99), (None, 901)]
    assert set(frame.filter(drop_reason="duplicate")["source"]) == {f"s{source:02}" for source in range(1, 100)}


LIMITED = """
import resource, signal, sys
from pathlib import Path
from schemas.errors import StorageError
from tests.pipelines.curation.test_large_sources import SET, built
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    built(Path(sys.argv[1]), SET)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("rows", "length", "most", "finished"),
    [(30, 120_000, 150_000, 0), (3_000, 1, 1_200_000, 1)],
    ids=["read", "curate"],
)
def test_a_disk_that_fills_is_one_line_and_leaves_no_temporary_file(
    tmp_path: Path, rows: int, length: int, most: int, finished: int
) -> None:
    """In reading, where the rows are sorted, and in curation, whose signatures take more than the rows' own table."""
    write(tmp_path / "sets.jsonl", (row(number, length) for number in range(rows)))
    command = [sys.executable, "-c", LIMITED, str(tmp_path), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)
    assert done.stdout.startswith(f"{tmp_path}/data: a temporary file: File too large"), done.stdout
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert all(path.suffix == ".parquet" or path.name == "manifest.json" for path in left), left
    assert len(list((tmp_path / "data/stages").glob("source-*/*/manifest.json"))) == finished
    assert not list((tmp_path / "data/stages").glob("curated/*/manifest.json"))
