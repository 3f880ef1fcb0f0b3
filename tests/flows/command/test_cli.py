"""The command: its exit codes, its words, and how quickly it comes to the point."""

import json
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import GRMFORGE, REPOSITORY, grmforge, latest, paid, start
from tests.flows.command.small_recipes import write_small

DEMO = REPOSITORY / "recipes/demo.toml"


def test_answers_of_a_file_are_graded(tmp_path: Path) -> None:
    rows = [("2", r"\\mathbf{2}"), ("2", "3"), ("2", r"\\mystery{2}")]
    lines = "".join(f'{{"gold": "{gold}", "answer": "{answer}"}}\n' for gold, answer in rows)
    (tmp_path / "answers.jsonl").write_text(lines, "utf-8")
    plain = grmforge("grade", tmp_path / "answers.jsonl")
    assert (plain.code, plain.out.splitlines()[:3]) == (0, ["right", "wrong", "undecided"])
    assert plain.out.splitlines()[3] == "3 graded: 1 right, 1 wrong, 1 undecided"
    with start("grade", "-", "--json", stdin=subprocess.PIPE) as process:
        piped, _ = process.communicate(lines, timeout=120)
    assert [json.loads(line)["verdict"] for line in piped.splitlines()] == ["right", "wrong", "undecided"]
    (tmp_path / "answers.jsonl").write_text(lines + "{\n", "utf-8")
    bad = grmforge("grade", tmp_path / "answers.jsonl")
    assert bad.code == 2 and len(bad.errors) == 1 and "line 4: is no JSON" in bad.errors[0]


def test_help_comes_at_once() -> None:
    def seconds() -> float:
        began = time.monotonic()
        subprocess.run([GRMFORGE, "--help"], check=True, capture_output=True)
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 1.5  # 0.06 s where nothing else runs


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["compare", "a"], "compare"),
        (["rubrics", "build", "--nope"], "rubrics build"),
        (["--nope"], ""),
        (["nope"], ""),
    ],
)
def test_wrong_words_are_answered_with_the_help_of_their_command(words: list[str], command: str) -> None:
    done = grmforge(*words)
    (line,) = done.errors
    assert (done.code, line.partition("; see ")[2]) == (2, f"grmforge {command} --help".replace("  ", " "))


def test_it_tells_its_version() -> None:
    done = grmforge("--version")
    assert (done.code, done.out) == (0, f"grmforge {metadata.version('grmforge')}\n")
    command = [sys.executable, "-m", "flows.cli", "--version"]  # as cron jobs of earlier versions may start it
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True) == done.out


@pytest.mark.parametrize("command", ["build", "plan", "probe", "inspect", "doctor", "import"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = grmforge(command, "--help")
    assert done.code == 0
    assert f"Example: grmforge {command}" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grm": {"n_rfts": 3}}, "n_rft"),
        ({"splits": {"validaton": 0.1}}, "validation"),
        ({"grm": {"n_rft": "three"}}, "n_rft"),
        ({"sources": [{"kind": "teleqnas", "path": "teleqna.txt"}]}, "teleqna"),
        ({"sources": [{"kind": "teleqna", "path": "gone.txt"}]}, "gone.txt"),
        ({"models": {"grm": {"engine": "simulated"}}}, "difficulty"),
    ],
    ids=["key", "key_of_another_section", "type", "kind", "missing_file", "missing_section"],
)
def test_a_wrong_recipe_is_one_line_and_exit_code_2(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    done = grmforge("build", write_small(tmp_path, 2, **changes), "--root", tmp_path / "data")
    assert done.code == 2
    (line,) = done.errors
    assert says in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "nowhere.toml"], "nowhere.toml"),
        (["build", str(DEMO), "--sets", "rtf"], "rtf"),
        (["build", str(DEMO), "--limit", "0"], "--limit"),
        (["build", str(DEMO), "--limt", "5"], "--limit"),
        (["biuld", str(DEMO)], "build"),
    ],
)
def test_a_wrong_argument_is_exit_code_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = grmforge(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert says in done.err


def test_a_snapshot_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = grmforge("inspect", "nothing", cwd=tmp_path)
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert "nothing" in done.err


@pytest.mark.parametrize("name", ["gone\n---\x1b[31m.toml", "\x9b2Jgone.toml"])
def test_a_hostile_path_moves_no_cursor(tmp_path: Path, name: str) -> None:
    done = grmforge("build", tmp_path / name)
    assert done.code == 2
    assert done.err.rstrip("\n").isprintable() and "gone" in done.err


def test_a_hostile_model_name_moves_no_cursor(tmp_path: Path) -> None:
    models = {"grm": {"engine": "simulated", "model": "sim|\n---\n\x1b[31m"}}
    recipe = write_small(tmp_path, 10, build={"name": "small", "sets": ["rft"]}, models=models)
    for command in ("build", "plan", "doctor"):
        done = grmforge(command, recipe, "--root", tmp_path / "data")
        assert done.code == 0, done.err
        assert all(line.isprintable() for line in (done.out + done.err).split("\n"))
    card = (latest(tmp_path / "data", "small").path / "README.md").read_text("utf-8")
    assert "\x1b" not in card and card.count("\n---\n") == 1


def test_inspect_says_how_many_there_are(tmp_path: Path) -> None:
    assert grmforge("build", write_small(tmp_path), "--root", tmp_path / "data").code == 0
    rejected = latest(tmp_path / "data", "small").rows("trajectories/rejected")
    asked = ("inspect", "small", "--status", "rejected", "--root", tmp_path / "data")
    assert grmforge(*asked, "-n", "1").out.splitlines()[-1] == f"1 of {rejected:,}; -n shows more"
    everything = grmforge(*asked, "--source", "teleqna", "-n", "100000")
    assert everything.out.splitlines()[-1] == f"{rejected:,} of {rejected:,}"


def test_a_root_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = grmforge("build", write_small(tmp_path, 2), "--root", tmp_path / "file")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert str(tmp_path / "file") in done.err


def test_json_is_all_that_stands_on_stdout(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), ("--root", tmp_path / "data")

    def printed(*arguments: str | Path) -> Any:
        done = grmforge(*arguments, *root, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    planned = printed("plan", recipe)
    assert isinstance(planned, dict)
    assert not paid(tmp_path / "data"), "a plan asks nothing"
    built = printed("build", recipe)
    assert built["new"] is True
    assert built["tables"]["rft/train"] > 0
    assert Path(built["snapshot"]).is_dir()
    assert printed("build", recipe)["new"] is False
    assert len(printed("inspect", "small", "-n", "2", "--status", "rejected")) == 2


def test_a_probe_of_a_judge_that_cannot_be_read_says_what_helps(tmp_path: Path) -> None:
    babbling = {"engine": "simulated", "simulated": {"unparsed": 0.9}}
    recipe = write_small(tmp_path, models={"grm": babbling, "difficulty": babbling})
    probed = grmforge("probe", recipe, "-n", "5", "--keep-going", "--root", tmp_path / "data")
    assert probed.code == 0, probed.err
    assert "unparsed  the answer has no line" in probed.out and "[grm] structured_output" in probed.out


def test_a_probe_says_why_correct_answers_are_not_accepted(tmp_path: Path) -> None:
    sure = {"engine": "simulated", "simulated": {"accuracy": 0.99}}
    recipe = write_small(tmp_path, models={"grm": sure, "difficulty": sure})
    place = ("--root", tmp_path / "data")
    text = grmforge("probe", recipe, "-n", "5", *place).out
    assert "too_easy: every sample of the set is correct" in text
    probed = json.loads(grmforge("probe", recipe, "-n", "5", *place, "--json").out)
    assert sum(probed["rejected"].values()) == round((1 - probed["accepted_share"]) * sum(probed["outcomes"].values()))
    assert f"requests  {probed['build_requests']:,}, {probed['build_again']:,} of them where" in text
    (role,) = json.loads(grmforge("plan", recipe, "--sets", "rft", *place, "--json").out)["roles"]
    assert probed["build_requests"] - probed["build_again"] == role["requests"]


def test_json_of_a_probe_a_doctor_and_an_import(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), ("--root", tmp_path / "data")
    probed = grmforge("probe", recipe, "-n", "3", *root, "--json")
    assert probed.code == 0, probed.err
    assert json.loads(probed.out)
    asked = set(paid(tmp_path / "data"))
    assert asked, "a probe spends a little"
    examined = grmforge("doctor", recipe, *root, "--json")
    assert examined.code == 0, examined.err
    assert all(finding["ok"] for finding in json.loads(examined.out))
    assert grmforge("build", recipe, *root).code == 0
    assert asked < set(paid(tmp_path / "data"))
    assert set(paid(tmp_path / "data").values()) == {1}, "what a probe bought was bought again"

    (tmp_path / "answers.jsonl").write_text(
        json.dumps({"prompt": "Which is better?", "text": "Scores: \\boxed{7, 3}", "model": "m"}) + "\n"
    )
    imported = grmforge("import", tmp_path / "answers.jsonl", *root, "--json")
    assert imported.code == 0, imported.err
    assert isinstance(json.loads(imported.out), dict)
