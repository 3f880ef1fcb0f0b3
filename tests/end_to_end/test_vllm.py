"""Builds on a server of our own, from outside; a stand-in program plays vLLM. `make test-vllm` has the real one."""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.end_to_end.commands import data_files, grmforge, latest, paid, start, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines.test_vllm_server import PROGRAM, gone, is_alive


def write(directory: Path, *flags: str, name: str = "recipe.toml", **sections: Any) -> Path:
    """Write a recipe whose judge and difficulty model are one server's, and return its path."""
    write_teleqna(directory / "teleqna.txt", 40)
    command = [sys.executable, str(PROGRAM), "{model}", "--journal", "journal.jsonl", *flags]
    served = {"engine": "vllm", "model": "some/model", "max_concurrency": 4, "vllm": {"command": command}}
    usual: dict[str, Any] = {
        "build": {"name": "served", "sets": ["rft", "rl"]},
        "sources": [{"kind": "teleqna", "path": "teleqna.txt"}],
        "models": {"grm": served, "difficulty": served},
        "rejection": {"balance_positions": False, "drop_too_easy": False},
    }
    return write_recipe(directory / name, **usual | sections)


def noted(directory: Path, kind: str) -> list[dict[str, Any]]:
    journal = directory / "journal.jsonl"
    lines = map(json.loads, journal.read_text("utf-8").splitlines()) if journal.exists() else iter(())
    return [line for line in lines if kind in line]


def until(process: "Popen[str]", directory: Path, kind: str, count: int = 1) -> None:
    """Wait until the stand-in has noted so many of a kind."""
    while len(noted(directory, kind)) < count:
        assert process.poll() is None
        time.sleep(0.02)


def test_a_build_starts_one_server_for_all_that_mean_it_and_stops_it(tmp_path: Path) -> None:
    root = tmp_path / "data"
    done = grmforge("build", write(tmp_path), "--root", root, "--json")
    assert done.code == 0, done.err
    (started,) = noted(tmp_path, "start")
    assert not is_alive(started["start"])
    (log,) = root.glob("runs/*-vllm-1.log")
    assert f"starting vLLM for some/model; its log: {log}" in done.err
    assert "GET /health" in log.read_text()
    (events,) = root.glob("runs/*.jsonl")
    assert "127.0.0.1" not in events.read_text() and started["key"] not in events.read_text()
    assert {use.engine for use in latest(root, "served").manifest.models} == {"vllm"}
    again = grmforge("build", write(tmp_path), "--root", root)
    assert again.code == 0 and len(noted(tmp_path, "start")) == 1, "nothing to ask, so nothing to start"


def test_a_probe_starts_one_too_and_a_plan_none(tmp_path: Path) -> None:
    recipe, root = write(tmp_path), tmp_path / "data"
    planned = grmforge("plan", recipe, "--root", root)
    assert planned.code == 0 and not noted(tmp_path, "start"), planned.err
    probed = grmforge("probe", recipe, "--root", root, "-n", "3")
    assert probed.code == 0, probed.err
    (started,) = noted(tmp_path, "start")
    assert not is_alive(started["start"])


@pytest.mark.slow
def test_a_server_that_dies_in_mid_build_costs_nothing_but_what_was_in_flight(tmp_path: Path) -> None:
    recipe = write(tmp_path, "--dies-after", "70", "--dies", "2", "--latency", "0.005")
    done = grmforge("build", recipe, "--root", tmp_path / "data")
    assert done.code == 0, done.err
    assert done.err.count("warning: the vLLM server of some/model ended and is started again") == 2
    asked = Counter((one["request"], one["sample"]) for one in noted(tmp_path, "request"))
    assert set(paid(tmp_path / "data").values()) == {1}
    assert len(asked) == len(paid(tmp_path / "data"))
    assert sum(asked.values()) - len(asked) <= 2 * 4
    whole = write(tmp_path, name="whole.toml")
    assert grmforge("build", whole, "--root", tmp_path / "whole").code == 0
    assert data_files(latest(tmp_path / "data", "served")) == data_files(latest(tmp_path / "whole", "served"))


@pytest.mark.slow
def test_ctrl_c_waits_for_what_is_in_flight_and_then_stops_the_server(tmp_path: Path) -> None:
    recipe, root = write(tmp_path, "--latency", "0.5"), tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        until(process, tmp_path, "answer", 4)
        (started,) = noted(tmp_path, "start")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "what was in flight has come in" in err and "Traceback" not in err
    assert not is_alive(started["start"])
    assert len(paid(root)) == len(noted(tmp_path, "answer")) == len(noted(tmp_path, "request"))
    assert grmforge("build", write(tmp_path), "--root", root).code == 0
    assert set(paid(root).values()) == {1}


def test_ctrl_c_while_the_server_starts_ends_both_at_once(tmp_path: Path) -> None:
    recipe = write(tmp_path, "--takes", "60")
    with start("build", recipe, "--root", tmp_path / "data") as process:
        until(process, tmp_path, "start")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 130 and "Traceback" not in err, err
    assert not is_alive(noted(tmp_path, "start")[0]["start"])


@pytest.mark.slow
def test_kill_9_of_the_build_leaves_no_server_behind(tmp_path: Path) -> None:
    recipe, root = write(tmp_path, "--latency", "0.05", "--child", "session"), tmp_path / "data"
    with start("build", recipe, "--root", root) as process:
        until(process, tmp_path, "answer", 8)
        (started,) = noted(tmp_path, "start")
        os.killpg(process.pid, signal.SIGKILL)
        drain = threading.Thread(target=process.communicate)
        drain.start()
        assert gone(started["start"], 5) and gone(started["child"], 20)
        drain.join(20)
    assert grmforge("build", write(tmp_path), "--root", root).code == 0
    assert set(paid(root).values()) == {1}


def test_a_server_that_does_not_start_is_one_line_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "says.txt").write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    done = grmforge("build", write(tmp_path, "--says", "says.txt"), "--root", tmp_path / "data")
    assert done.code == 1
    (error,) = done.errors
    assert error.startswith("error: vLLM did not start for some/model: out of memory: ")
    assert "the log of vLLM; torch.OutOfMemoryError: CUDA out of memory." in done.err
