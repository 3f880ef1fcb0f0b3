"""Bad input of the command: each a clear line, none a traceback, and no key in any of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import Done, grmforge, latest, write_recipe

ROWS = "".join(
    f'{{"query": "Name item {number}.", "responses": ["Item {number}.", "No item."], "best": 0}}\n'
    for number in range(12)
)
NAME = os.fsdecode(b"rows\xff\xfe.jsonl")


def recipe(directory: Path, name: str = "small.toml", path: str = "rows.jsonl", **model: Any) -> Path:
    (directory / "rows.jsonl").write_text(ROWS)
    return write_recipe(
        directory / name,
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": path}],
        models={"grm": {"engine": "simulated"} | model},
    )


def refused(done: Done, code: int, says: str) -> None:
    assert done.code == code, done.err
    (line,) = done.errors
    assert says in line and line.isprintable()
    assert "SECRET" not in done.err + done.out


@pytest.mark.parametrize("command", ["plan", "doctor", "build"])
def test_a_key_in_a_recipe_is_in_no_line_and_no_file(tmp_path: Path, command: str) -> None:
    for model, says in (
        ({"base_url": "http://127.0.0.1:9/v1?api_key=SECRET0123456789abcd"}, "holds a key in its query"),
        ({"base_url": "http://127.0.0.1:9/v1", "api_key_env": "sk-SECRET0123456789abcd"}, "no name of an environment"),
    ):
        made = recipe(tmp_path, engine="openai", model="m", **model)
        refused(grmforge(command, made, "--root", tmp_path / "data"), 2, says)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("root", "code", "says"),
    [
        ("https://u:SECRET@h/x", 2, "a root is a directory or s3://bucket/prefix"),
        ("s3://u:SECRET@bucket/x", 2, "write it as s3://bucket/prefix"),
        ("s3://bucket/x?key=SECRET", 2, "write it as s3://bucket/prefix"),
        ("", 2, "must be a directory"),
        ("small.toml", 1, "is no directory"),
        ("/proc/nobody/makes/this", 1, "cannot be written there"),
        ("x" * 5_000, 1, "File name too long"),
        (os.fsdecode(b"root\xff"), 2, "its name is not UTF-8"),
    ],
)
def test_a_root_that_is_none_is_one_line(tmp_path: Path, root: str, code: int, says: str) -> None:
    refused(grmforge("build", recipe(tmp_path), "--root", root, cwd=tmp_path), code, says)


def test_file_names_that_are_not_utf8_are_read_and_shown(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / NAME).write_text(ROWS + "broken\n")
    made = recipe(tmp_path, os.fsdecode(b"small\xff.toml"), "folder")
    done = grmforge("build", made, "--root", tmp_path / "data")
    assert done.code == 0, done.err
    (source,) = latest(tmp_path / "data", "small").manifest.inputs
    assert (source.kept, source.unreadable) == (12, 1)
    (tmp_path / NAME).write_text("{}\n")
    refused(grmforge("import", tmp_path / NAME, "--root", tmp_path / "data"), 2, "no usable row")
    refused(grmforge("plan", tmp_path / os.fsdecode(b"gone\xff.toml")), 2, "no such recipe")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/dev/zero", "not a regular file"),
        ("/dev/null", "not a regular file"),
        ("pipe", "not a regular file"),
        (".", "Is a directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, path: str, says: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    made = recipe(tmp_path)
    refused(grmforge("plan", tmp_path / path), 2, says)
    refused(grmforge("import", tmp_path / path, "--root", tmp_path / "data"), 2, says)
    made.write_text(made.read_text() + f'\n[grm]\ntemplate = "{path}"\n')
    refused(grmforge("plan", made, "--root", tmp_path / "data"), 2, says)


def test_rows_that_nobody_can_use_are_counted_with_their_reason(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    row: dict[str, Any] = {"query": "Name a city.", "responses": ["Oslo", "Io"], "best": 0}
    bad = [
        row | {"domain": "x" * 100_000},
        row | {"id": "x" * 100_000},
        row | {"query": "\u200b\u2060"},
        row | {"query": "x" * 2_000_000},
        row | {"images": ["a.png"]},
    ]
    lines = [json.dumps(one) for one in bad] + ['{"query": "q", "query": "r", "responses": ["a", "b"], "best": 0}']
    (tmp_path / "rows.jsonl").write_text(ROWS + "\n".join([*lines, "[" * 100_000]))
    done = grmforge("build", made, "--root", tmp_path / "data")
    assert done.code == 0, done.err
    (source,) = latest(tmp_path / "data", "small").manifest.inputs
    assert source.rows == source.kept + source.dropped + source.unreadable
    assert {one.reason: one.rows for one in source.unreadable_reasons} == {
        "name_too_long": 2,
        "empty_field": 1,
        "text_too_long": 1,
        "holds_image": 1,
        "repeated_key": 1,
        "nested_too_deep": 1,
    }


def test_a_number_beyond_all_counts_is_one_line(tmp_path: Path) -> None:
    for words in (("probe", "-n"), ("plan", "--limit"), ("build", "--limit")):
        done = grmforge(words[0], recipe(tmp_path), words[1], "9" * 30, "--root", tmp_path / "data")
        refused(done, 2, words[1])
