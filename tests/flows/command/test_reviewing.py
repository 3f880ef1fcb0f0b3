"""`grmforge review`: sets go out, what people found comes back, and no name with it."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.end_to_end.commands import grmforge, latest
from tests.flows.command.small_recipes import write_small


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviews")
    done = grmforge("build", write_small(folder), "--root", folder / "data")
    assert done.code == 0, done.err
    return folder


def filled_in(file: Path, name: str, choice: str) -> Path:
    """Fill in a CSV as someone does who always chooses the same."""
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"), newline="")))
    target = file.with_name(f"{name}.csv")
    with target.open("w", encoding="utf-8", newline="") as filled:
        writer = csv.DictWriter(filled, rows[0])
        writer.writeheader()
        writer.writerows(row | {"choice": choice, "reviewer": name} for row in rows)
    return target


def test_two_people_review_and_the_command_says_how_far_they_agree(place: Path, tmp_path: Path) -> None:
    root = place / "data"
    out = grmforge("review", "export", "small", "-n", "20", "--reviewers", "2", "--out", tmp_path, "--root", root)
    assert (out.code == 0 and "20 of 36 kept sets drawn" in out.out) or "kept sets drawn" in out.out
    assert "with fewer than 50 sets for all, agreement between people says little" in out.out
    files = [
        filled_in(tmp_path / f"review-{at}.csv", name, choice)
        for at, name, choice in ((1, "Ann", "1"), (2, "Bob", "1"))
    ]
    done = grmforge("review", "import", *files, "--root", root)
    assert done.code == 0, done.err
    assert done.out.startswith("40 reviews imported\n2 reviewers, 20 sets, 40 reviews: 40 chose a response\n")
    assert "between people, reviewers 1 and 2: 100.0% the same" in done.out
    assert "people and labels: " in done.out and "people and judge grm: " in done.out and "  teleqna: " in done.out
    assert "weighted back to the source" in done.out
    found = json.loads(grmforge("review", "import", *files, "--root", root, "--json").out)
    assert (found["reviews"], found["known"]) == (0, 40)
    assert found["agreement"]["people"]["pairs"][0]["raw"]["same"] == 1.0
    built = grmforge("build", place / "small.toml", "--root", root)
    assert built.code == 0 and latest(root, "small").manifest.checks["reviews"]["reviewers"] == 2
    for text in (done.out, json.dumps(found), latest(root, "small").manifest.model_dump_json(), built.out):
        assert "Ann" not in text and "Bob" not in text


def test_a_draw_as_json(place: Path, tmp_path: Path) -> None:
    arguments = ("review", "export", "small", "-n", "10", "--by", "source,reason,suspicion", "--out", tmp_path)
    done = grmforge(*arguments, "--root", place / "data", "--json")
    found = json.loads(done.out)
    assert found["sets"] == 10 and found["pages"] == [10] and found["overlap"] == 0
    assert all(Path(file).is_file() for file in found["files"])


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (["export", "nowhere"], 1, "no snapshot 'nowhere'"),
        (["export", "small", "--by", "author"], 2, "--by author: sets are drawn by source, reason, suspicion"),
        (["export", "small", "--overlap", "5"], 2, "--overlap 5 is for --reviewers 2 and more"),
        (["export", "small", "-n", "0"], 2, "-n"),
        (["import", "nothing.json"], 2, "nothing.json: cannot be read"),
        (["import"], 2, "FILE"),
    ],
)
def test_a_mistake_is_one_line(place: Path, tmp_path: Path, arguments: list[str], code: int, fault: str) -> None:
    done = grmforge("review", *arguments, "--root", place / "data", cwd=tmp_path)
    assert done.code == code and len(done.errors) == 1 and fault in done.errors[0]
