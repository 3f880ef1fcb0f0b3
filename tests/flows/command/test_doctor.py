"""`grmforge doctor`: what is missing is named, and every other check is made all the same."""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.commands import grmforge, write_recipe
from tests.end_to_end.problems import write_math
from tests.end_to_end.questions import write_teleqna
from tests.flows.command.small_recipes import write_small
from tests.pipelines.engines.stand_in_server import StandIn


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
