"""A tiny classifier behind a real vLLM: its scores are those of the same classifier loaded in this process."""

import asyncio
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines.ahead.doctor import examine
from pipelines.engines.protocol import Engine, open_engine
from pipelines.engines.scorer.engine import Scorers
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection, recipe_of
from tests.pipelines.engines.scorers import score
from tests.vllm.conftest import FINDINGS, timed

PATIENCE_S = 600.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * PATIENCE_S)]
CLASSES = 2
ARGS = ["--runner", "pooling", "--enforce-eager", "--max-model-len", "4096", "--dtype", "float32"]


class Served(NamedTuple):
    """A server that classifies, and where the model stands that it serves."""

    url: str
    home: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, vllm_python: str) -> Iterator[Served]:
    """Serve a classifier of two classes as `scorer`; its directory has that name too, beside `server.log`."""
    home = tmp_path_factory.mktemp("scorer")
    script = Path(__file__).with_name("tiny_model.py")
    subprocess.run([vllm_python, script, home / "scorer", str(CLASSES)], check=True, capture_output=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(home / "scorer"), *ARGS]
    place = ["--served-model-name", "scorer", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    log = home / "server.log"
    with (
        timed("the start of a vLLM that classifies"),
        log.open("wb") as out,
        subprocess.Popen(
            [*command, *place], stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True, cwd=home
        ) as process,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield Served(f"http://127.0.0.1:{port}/v1", home)
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None and time.monotonic() < until, log.read_text("utf-8", "replace")[-3000:]
            time.sleep(0.5)


def completions(engine: Engine, requests: list[Request]) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        try:
            return [(await engine.complete(request)).completion for request in requests]
        finally:
            await engine.close()

    return asyncio.run(all_of_them())


def test_a_served_classifier_scores_as_the_one_that_is_loaded_here(server: Served) -> None:
    served = ModelSection(engine="score", model="scorer", base_url=server.url)
    here = ModelSection(engine="score", model="scorer")
    requests = [score(number, served, answer="Response 1 holds. " * (1 + 13 * number)) for number in range(12)]
    theirs = completions(open_engine(served, None), requests)
    ours = completions(Scorers(server.home).engine(here), requests)
    values = [(float(one.text or "nan"), float(other.text or "nan")) for one, other in zip(theirs, ours, strict=True)]
    apart = max(abs(one - other) for one, other in values)
    FINDINGS.append(f"scores served and loaded here differ by {apart:.2g} at most, of {values[0][0]:.3g} and others")
    assert apart < 1e-2
    assert max(one for one, _ in values) - min(one for one, _ in values) > 0.1
    assert [one.prompt_tokens for one in theirs] == [other.prompt_tokens for other in ours]
    assert all(one.completion_tokens == 0 and one.served_model == "scorer" for one in theirs)


def test_a_text_that_is_too_long_is_refused_and_another_name_is_no_score(server: Served) -> None:
    served = ModelSection(engine="score", model="scorer", base_url=server.url)
    (long,) = completions(open_engine(served, None), [score(1, served, answer="x7 " * 9_000)])
    assert long.fault is FaultKind.REQUEST and long.text is None, long
    other = ModelSection(engine="score", model="another", base_url=server.url)
    (unknown,) = completions(open_engine(other, None), [score(1, other)])
    assert unknown.fault is FaultKind.ENGINE and "check model" in (unknown.error or ""), unknown


def test_the_doctor_finds_that_it_classifies(server: Served, tmp_path: Path) -> None:
    tree = {
        "build": {"name": "small", "root": str(tmp_path / "data"), "sets": ["rft"]},
        "models": {
            "grm": {"engine": "simulated"},
            "meta_rm": {"engine": "score", "model": "scorer", "base_url": server.url},
        },
        "evaluate": {"benchmarks": [{"kind": "preference_sets", "path": "pairs.jsonl"}]},
    }
    (found,) = [one for one in examine(recipe_of(tree, tmp_path), {}) if "meta_rm" in one.what]
    assert found.ok, found
