"""A copy that needs no server: whole sets, the ids that forgetting needs, and answers that are the server's own."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.exploring.bundle import IDS, write_bundle
from pipelines.exploring.opening import Explorer
from pipelines.exploring.page_files import page_files
from schemas.errors import RecipeError
from storage.root import Root
from storage.versions import find_version
from tests.end_to_end.commands import REPOSITORY, grmforge
from tests.pipelines.exploring.served import served


def bundled(root: Path, name: str, folder: Path, n: int = 100, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data in the page of a bundle, and its ids.json."""
    explorer = Explorer(Root(root), find_version(Root(root), name))
    written = write_bundle(explorer, folder, n, seed)
    explorer.close()
    html = written.page.read_text("utf-8")
    packed = re.search(r'<script type="text/plain" id="bundle" data-encoding="gzip">([^<]*)</script>', html)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1]))), json.loads((folder / IDS).read_text("utf-8"))


@pytest.fixture(scope="module")
def demo_copy(demo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    return bundled(demo_root, "demo", tmp_path_factory.mktemp("copy") / "demo")


def test_a_copy_holds_whole_sets_and_says_what_it_is(demo_copy: tuple[dict[str, Any], dict[str, Any]]) -> None:
    data, _ = demo_copy
    copy, tables = data["copy"], data["tables"]
    assert (copy["name"], copy["of"], copy["trajectories"]) == ("demo", 1674, len(tables["trajectories"]))
    assert 100 <= copy["trajectories"] < 120, "about as many as were asked for, sets being whole"
    assert {row["status"] for row in tables["sets"]} == {"kept", "dropped"}
    for name, table in data["opened"]["tables"].items():
        assert table["rows"] == len(tables[name])
    judged = {row["set_id"] for row in tables["trajectories"]}
    assert {row["set_id"] for row in tables["pairs"]} <= judged | {row["set_id"] for row in tables["sets"]}


def test_its_ids_are_those_of_every_row_in_it(demo_copy: tuple[dict[str, Any], dict[str, Any]]) -> None:
    data, ids = demo_copy
    everything = json.dumps(data)
    named = {*ids["query_ids"], *ids["set_ids"], *ids["trajectory_ids"]}
    for rows in data["tables"].values():
        for row in rows:
            for name in ("query_id", "set_id", "trajectory_id", "extra_info.query_id", "extra_info.set_id"):
                assert row.get(name) is None or row[name] in named
    assert all(one in everything for one in named)
    assert (ids["kind"], ids["snapshot"].split("@")[0]) == ("grmforge look bundle", "demo")
    held = {row["trajectory_id"] for row in data["tables"]["trajectories"]}
    assert all(set(group["examples"]) <= held for group in data["failures"]["groups"])


def test_its_answers_are_the_servers(demo_root: Path, demo_copy: tuple[dict[str, Any], dict[str, Any]]) -> None:
    data, _ = demo_copy
    with served(demo_root, "demo") as running:
        assert data["overview"] == running.api("overview")
        for row in data["tables"]["trajectories"][:3]:
            answer = running.api("trajectory", id=row["trajectory_id"])
            assert answer["row"] == row
            known = ("row", "set", "responses", "query")
            parts = {name: value for name, value in answer.items() if name not in known}
            assert data["trajectories"][row["trajectory_id"]] == parts
            of_set = running.api("set", id=row["set_id"])
            assert data["sets"][row["set_id"]] == {name: of_set[name] for name in of_set if name != "set"}
        for row in data["tables"]["sets"]:  # a dropped duplicate has the id of a set that was judged
            samples = len(data["sets"][row["set_id"]]["samples"])
            assert samples == len(running.api("set", id=row["set_id"])["samples"]), row["drop_reason"]


def test_the_same_seed_draws_the_same_and_another_does_not(
    demo_root: Path, tmp_path: Path, demo_copy: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    _, ids = demo_copy
    _, again = bundled(demo_root, "demo", tmp_path / "again")
    _, other = bundled(demo_root, "demo", tmp_path / "other", seed=1)
    assert again["trajectory_ids"] == ids["trajectory_ids"] != other["trajectory_ids"]


def test_an_evaluation_is_copied_by_whole_items(demo_root: Path, tmp_path: Path) -> None:
    data, ids = bundled(demo_root, "demo-grm", tmp_path / "copy", n=50)
    items = {(row["benchmark"], row["item_id"]) for row in data["tables"]["items"]}
    assert items == {(row["benchmark"], row["item_id"]) for row in data["tables"]["judgements"]}
    assert 50 <= data["copy"]["trajectories"] < 70 and data["evaluation"]["figures"] and ids["query_ids"]


def test_verdicts_that_came_in_a_file_are_copied_as_items(tmp_path: Path) -> None:
    verdicts = tmp_path / "given.jsonl"
    verdicts.write_text("".join(f'{{"item": {item}, "decision": null}}\n' for item in range(9)), "utf-8")
    recipe = str(REPOSITORY / "recipes/evaluate.toml")
    said = grmforge("evaluate", recipe, "--judgements", verdicts, "--root", tmp_path / "data")
    assert said.code == 0, said.err
    data, _ = bundled(tmp_path / "data", "given", tmp_path / "copy")
    assert (data["copy"]["rows"], data["copy"]["of"]) == ("items", 9)
    assert len(data["tables"]["items"]) == 9 and data["failures"]["groups"] == []


def test_no_text_can_leave_its_place_in_the_page(hostile_root: Path, tmp_path: Path) -> None:
    data, _ = bundled(hostile_root, "small", tmp_path / "copy")
    assert len(data["tables"]["trajectories"]) == 8
    html = (tmp_path / "copy/index.html").read_text("utf-8")
    assert "alert(1)" not in html and "onerror" not in html, "texts stand packed"
    assert len(re.findall(r"<script\b", html)) == len(re.findall(r"</script>", html))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None and "unsafe" not in policy[1] and "default-src 'none'" in policy[1]
    assert policy[1].count("sha256-") == len(page_files()) - 1
    assert 'src="page/' not in html and "connect-src" not in policy[1]


def test_a_folder_with_something_else_is_left_alone(demo_root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = grmforge("look", "demo", "--root", demo_root, "--bundle", tmp_path)
    assert (done.code, "holds other files; choose another --bundle" in done.err) == (2, True), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    done = grmforge("look", "demo", "--root", demo_root, "--bundle", tmp_path / "copy", "-n", "20")
    assert (done.code, "of 1,674 trajectories copied to" in done.out, IDS in done.out) == (0, True, True), done.err
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"index.html", IDS}
    explorer = Explorer(Root(demo_root), find_version(Root(demo_root), "demo"))
    with pytest.raises(RecipeError):
        write_bundle(explorer, tmp_path, 5, 0)
    explorer.close()


def test_every_file_that_the_page_names_ships() -> None:
    named = re.findall(r'(?:src|href)="page/([^"]+)"', page_files()["index.html"])
    assert set(named) == page_files().keys() - {"index.html"} and "main.js" in named
