"""The command: its exit codes, its words, and how quickly it comes to the point."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storage.journal import JournalWriter
from storage.root import Root
from tests.end_to_end.commands import GRMFORGE, REPOSITORY, frame, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.problems import write_math
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines.stand_in_server import StandIn
from tests.storage.answers import a_request, an_answer

DEMO = REPOSITORY / "recipes/demo.toml"


def write_small(directory: Path, count: int = 40, **sections: Any) -> Path:
    """Write a recipe over `count` questions with simulated models, and return its path."""
    write_teleqna(directory / "teleqna.txt", count)
    usual: dict[str, Any] = {
        "build": {"name": "small", "sets": ["rft", "rl"]},
        "sources": [{"kind": "teleqna", "path": "teleqna.txt"}],
        "models": {"grm": {"engine": "simulated"}, "difficulty": {"engine": "simulated", "simulated": {"seed": 1}}},
    }
    return write_recipe(directory / "small.toml", **(usual | sections))


def test_answers_of_a_file_are_graded(tmp_path: Path) -> None:
    rows = [("2", r"\\mathbf{2}"), ("2", "3"), ("2", r"\\mystery{2}")]
    lines = "".join(f'{{"gold": "{gold}", "answer": "{answer}"}}\n' for gold, answer in rows)
    (tmp_path / "answers.jsonl").write_text(lines, "utf-8")
    plain = grmforge("grade", tmp_path / "answers.jsonl")
    assert (plain.code, plain.out.splitlines()[:3]) == (0, ["right", "wrong", "undecided"])
    assert plain.out.splitlines()[3] == "3 graded: 1 right, 1 wrong, 1 undecided"
    piped = subprocess.run([GRMFORGE, "grade", "-", "--json"], input=lines, capture_output=True, text=True, check=True)
    assert [json.loads(line)["verdict"] for line in piped.stdout.splitlines()] == ["right", "wrong", "undecided"]
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


YARDSTICK = """
import json, re
for _ in range(20):
    json.loads(json.dumps([{"a": str(number), "b": [number] * 4} for number in range(10_000)]))
    re.sub("[aeiou]+", "-", "grmforge reads rows " * 20_000)
"""
"""About a second of CPU time on the machine where the first request leaves after three."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, whoever else shares the machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="CPU time is read from /proc")
def test_the_first_request_leaves_within_three_seconds(tmp_path: Path) -> None:
    """In CPU time, and against a yardstick: what a second holds differs by machine and by who shares it."""
    write_teleqna(tmp_path / "teleqna.txt", 10_000)
    before = os.times()
    subprocess.run([sys.executable, "-c", YARDSTICK], check=True)
    after = os.times()
    yardstick = after.children_user + after.children_system - before.children_user - before.children_system
    with StandIn() as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "big", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "openai", "model": "stand-in", "base_url": server.url}},
        )
        began = time.monotonic()
        with start("build", recipe, "--root", tmp_path / "data", cold=True) as process:
            while not server.requests and process.poll() is None and time.monotonic() - began < 60:
                time.sleep(0.01)
            spent = cpu_seconds(process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert server.requests and spent < 6 * yardstick


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


def test_closing_lines_fit_the_terminal_and_name_the_root(tmp_path: Path) -> None:
    models = {"grm": {"engine": "simulated", "simulated": {"accuracy": 0.1}}}
    recipe = write_small(tmp_path, 40, build={"name": "small", "sets": ["rft"]}, models=models)
    done = grmforge("build", recipe, "--root", "slow", cwd=tmp_path, env={"COLUMNS": "80"})
    assert done.code == 0, done.err
    summary = done.out.split("\npublished ")[0].split("\n")
    assert max(map(len, summary)) <= 80
    assert any("--root slow" in line for line in summary)


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


@pytest.mark.slow
def test_an_interrupted_build_keeps_its_answers_and_goes_on(tmp_path: Path) -> None:
    judge = {"engine": "simulated", "max_concurrency": 8, "simulated": {"latency_s": 0.05}}
    recipe = write_small(tmp_path, 100, build={"name": "small", "sets": ["rft"]}, models={"grm": judge})
    root = tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("sampling"):
                break
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("stopped: interrupted; "), err
    assert "Traceback" not in err
    kept = len(paid(root))
    assert kept > 0
    assert not (root / "snapshots").exists()

    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0
    assert f"{kept:,} were there already" in done.err
    assert set(paid(root).values()) == {1}


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


def test_a_build_beside_another_says_which_and_goes_on(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), tmp_path / "data"
    with JournalWriter(Root(root), "the-other-run") as writer:
        writer.append(a_request(1), an_answer(a_request(1)))
        writer.flush()
        beside = grmforge("build", recipe, "--root", root)
    assert beside.code == 0, beside.err
    said = f"run the-other-run is at work under this root, see {root / 'runs/the-other-run.jsonl'}; what both ask for"
    assert " ".join(beside.err.split()).count(said) == 1
    assert "at work under this root" not in grmforge("build", recipe, "--root", root).err


def test_a_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    grm = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "NOBODY_SETS_THIS"}
    recipe = write_small(
        tmp_path,
        2,
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "gone.txt"}],
        models={"grm": grm},
    )
    done = grmforge("doctor", recipe, "--root", tmp_path / "data", "--json")
    assert done.code == 1
    wrong = json.dumps([finding for finding in json.loads(done.out) if not finding["ok"]])
    for named in ("gone.txt", "NOBODY_SETS_THIS", "http://127.0.0.1:9/v1"):
        assert named in wrong


def test_a_doctor_looks_at_what_starts_a_server_of_our_own(tmp_path: Path) -> None:
    def said(model: str = "weights", **settings: Any) -> str:
        served = {"engine": "vllm", "model": model, "vllm": settings}
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": served},
        )
        done = grmforge("doctor", recipe, "--root", tmp_path / "data", "--json")
        (finding,) = [finding for finding in json.loads(done.out) if finding["what"] == "model grm"]
        return ("ok: " if finding["ok"] else "wrong: ") + finding["says"]

    write_teleqna(tmp_path / "teleqna.txt", 2)
    command = f"{sys.executable} -m vllm.entrypoints.openai.api_server --model {{model}}"
    missing = said(command=command)
    assert missing.startswith(f"wrong: vLLM is not installed in the environment that command names: {sys.executable}")
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/__init__.py").write_text("raise SystemExit('it is not to be imported')")
    online = {"HF_HUB_OFFLINE": "0"}
    assert "is there; owner/weights is a hub id, which was not looked up" in said(
        "owner/weights", command=command, env=online
    )
    assert "weights is no directory here, so a hub id without an owner" in said(command=command, env=online)
    offline = said(command=command, env={"HF_HUB_OFFLINE": "1"})
    assert offline.startswith(f"wrong: model weights: there is no directory {tmp_path / 'weights'}, and no such model")
    (tmp_path / "weights").mkdir()
    assert said(command=command).startswith("wrong: model weights: ") and "no config.json" in said(command=command)
    (tmp_path / "weights/config.json").write_text("{}")
    assert said(command=command).startswith("ok: ") and "it will listen on a free port" in said(command=command)
    assert "did you mean 'weights'?" in said("wieghts", command=command, env=online)
    assert said(command="nowhere/bin/vllm serve {model}").startswith("wrong: vLLM cannot be started: ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is not free" in said(command=command, port=port)
    assert f"port {port}, which is free" in said(command=command, port=port)


def test_a_doctor_without_a_network_names_the_source_and_goes_on(tmp_path: Path) -> None:
    recipe = write_small(tmp_path, 2, sources=[{"kind": "teleqna"}, {"kind": "offsetbias", "hub": "no/such/id"}])
    done = grmforge(
        "doctor", recipe, "--root", tmp_path / "data", env={"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    )
    assert done.code == 1 and "unexpected" not in done.err
    wrong = [line for line in done.out.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 2
    assert "source teleqna: netop/TeleQnA: the hub cannot be reached" in wrong[0] and "HF_ENDPOINT" in wrong[0]
    assert "source offsetbias: no/such/id: not a hub id" in wrong[1]
    assert "model grm: " in done.out, "the other checks were made"


def test_a_doctor_without_a_network_names_the_embedding_model_at_once(tmp_path: Path) -> None:
    """sentence-transformers would try each of its files for half a minute and more."""
    recipe = write_small(tmp_path, grm={"principles": "rubric"}, rubrics={"embedding": "nobody/has-this"})
    for variables in ({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}, {"HF_HUB_OFFLINE": "1"}):
        began = time.monotonic()
        done = grmforge("doctor", recipe, "--root", tmp_path / "data", env=variables)
        assert (done.code, time.monotonic() - began < 30) == (1, True)
        (wrong,) = [line for line in done.out.splitlines() if line.startswith("WRONG")]
        assert wrong.startswith("WRONG  rubrics: rubrics.embedding nobody/has-this: the hub cannot be reached (")


def test_a_doctor_looks_at_who_answers_questions_too(tmp_path: Path) -> None:
    write_math(tmp_path / "math.jsonl", 5)
    with StandIn() as server:
        there = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        recipe = write_small(
            tmp_path,
            2,
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "math", "path": "math.jsonl"}],
            models={
                "grm": there,
                "responder": there | {"model": "another"},
                "teacher": there | {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "NOBODY_SETS_THIS"},
            },
        )
        done = grmforge("doctor", recipe, "--root", tmp_path / "data", "--json")
    assert done.code == 1
    found = {finding["what"]: finding for finding in json.loads(done.out)}
    assert found["source math"]["ok"] and found["model grm"]["ok"]
    assert "serves stand-in, not 'another'" in found["model responder"]["says"]
    assert not found["key of teacher"]["ok"] and "NOBODY_SETS_THIS" in found["key of teacher"]["says"]
    assert "cannot be reached" in found["model teacher"]["says"]


@pytest.mark.slow
def test_a_smaller_limit_is_part_of_a_larger_one(tmp_path: Path) -> None:
    recipe = write_small(tmp_path, 120)
    rows = {}
    for limit in (20, 50):
        done = grmforge("build", recipe, "--root", tmp_path / str(limit), "--limit", str(limit))
        assert done.code == 0, done.err
        snapshot = latest(tmp_path / str(limit), "small")
        assert snapshot.manifest.inputs[0].rows == limit
        kept = [frame(snapshot, table) for table in ("sets/kept", "sets/dropped") if snapshot.rows(table)]
        rows[limit] = set(pl.concat(kept)["source_id"])
    assert len(rows[20]) == 20
    assert rows[20] < rows[50]


@pytest.mark.slow
def test_a_part_of_the_sets_has_a_name_of_its_own_and_pays_nothing_twice(tmp_path: Path) -> None:
    recipe, root = write_small(tmp_path), tmp_path / "data"
    assert grmforge("build", recipe, "--root", root, "--sets", "rft").code == 0
    assert {table.split("/")[0] for table in latest(root, "small-rft").manifest.tables} == {
        "rft",
        "sets",
        "trajectories",
    }
    assert not (root / "snapshots/small").exists()
    judged = set(paid(root))
    done = grmforge("build", recipe, "--root", root)
    assert done.code == 0
    assert judged < set(paid(root))
    assert set(paid(root).values()) == {1}
    assert [use.role for use in latest(root, "small").manifest.models] == ["grm", "difficulty"]


def test_where_nothing_was_judged_the_way_to_see_why_leads_to_what_was_dropped(tmp_path: Path) -> None:
    rows = [{"query": f"What is {n}?", "responses": ["a", "b"], "rewards": [1, 1]} for n in range(3)]
    (tmp_path / "ties.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = write_small(
        tmp_path,
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": "ties.jsonl"}],
    )
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 1
    (line,) = done.errors
    command = line.partition("see why: ")[2].split()
    assert command[-4:] == ["--table", "sets", "--status", "dropped"]
    shown = grmforge(*command[1:])
    assert shown.code == 0 and "tie" in shown.out
