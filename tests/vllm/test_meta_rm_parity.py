"""A Meta RM of `train/meta_rm.py`, served by a real vLLM, gives the score that the script gives: 20 rows, within 1e-2.

The chat template is applied by the client, as the script applies it, and a text that is too long is refused, not cut.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.commands import REPOSITORY, grmforge, latest
from tests.vllm.conftest import FINDINGS, timed
from tests.vllm.test_scorer import ARGS, PATIENCE_S, _wait_for

ROWS = 20
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * PATIENCE_S)]


class Trained(NamedTuple):
    """A trained Meta RM, the script that trained it, and its snapshot."""

    home: Path
    script: ModuleType
    snapshot: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, vllm_python: str) -> Trained:
    """Train a tiny Meta RM on the demo's rows for a few steps."""
    home = tmp_path_factory.mktemp("parity")
    assert grmforge("build", REPOSITORY / "recipes/demo.toml", cwd=home).code == 0
    snapshot = latest(home / "data", "demo").path
    tiny = Path(__file__).with_name("tiny_model.py")
    subprocess.run([vllm_python, tiny, home / "tiny"], check=True, capture_output=True)
    script = snapshot / "train/meta_rm.py"
    options = ["--model", home / "tiny", "--out", home / "meta-rm", "--tokens", "60000", "--lr", "1e-3"]
    subprocess.run([sys.executable, script, *map(str, options)], check=True, capture_output=True)
    spec = importlib.util.spec_from_file_location("meta_rm_script", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["meta_rm_script"] = module  # its records look their module up
    spec.loader.exec_module(module)
    return Trained(home / "meta-rm", module, snapshot)


@pytest.fixture(scope="module")
def url(trained: Trained, vllm_python: str) -> Iterator[str]:
    """Serve it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(trained.home), *ARGS]
    place = ["--served-model-name", "meta-rm", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environment.pop("PYTHONPATH", None)
    log = trained.home.with_name("server.log")
    with (
        timed("the start of a vLLM with a Meta RM"),
        log.open("wb") as out,
        subprocess.Popen(
            [*command, *place], stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        ) as process,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def classified(url: str, text: str) -> float:
    """Return the raw score of a text to which the template was applied already."""
    body: dict[str, Any] = {"model": "meta-rm", "input": text, "add_special_tokens": False, "use_activation": False}
    asked = urllib.request.Request(
        f"{url}/classify", json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_S) as reply:
        (found,) = json.load(reply)["data"]
    (value,) = found["probs"]
    return float(value)


def test_the_served_score_is_the_scripts(trained: Trained, url: str) -> None:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(trained.home)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(trained.home).eval()
    rows = trained.script.rows_of(trained.snapshot, "meta_rm", "validation")[:ROWS]
    assert len(rows) == ROWS
    texts = [tokenizer.apply_chat_template(row.messages, tokenize=False) for row in rows]
    with torch.inference_mode():
        ours = [
            trained.script.scores(model, [tokenizer(text, add_special_tokens=False)["input_ids"]]).item()
            for text in texts
        ]
    theirs = [classified(url, text) for text in texts]
    apart = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
    FINDINGS.append(f"a Meta RM's scores, served and by its script, differ by {apart:.2g} at most over {ROWS} rows")
    assert apart < 1e-2
    assert max(ours) - min(ours) > 0.01


def test_a_longer_text_is_refused_and_not_cut(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        classified(url, "x7 " * 9_000)
    with refused.value:  # it holds the connection open
        assert refused.value.code == 400
