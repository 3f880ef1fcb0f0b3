"""What is carried to a GPU without a network, and the ideal that its prefix cache is compared with."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import installed
from benchmarks.gpu.measure import BLOCK, counters, ideal_share
from benchmarks.gpu.parts import LIST, cut, join
from benchmarks.loop.plan import FULL, GPU
from benchmarks.loop.recipes import served
from benchmarks.loop.tasks import FILES, write_tasks
from tests.pipelines.engines.stand_in_server import Received, Reply, Server


def test_files_are_the_same_behind_the_way_and_what_is_missing_is_named(tmp_path: Path) -> None:
    folder, carried, made = (tmp_path / name for name in ("folder", "carried", "made"))
    (folder / "model").mkdir(parents=True)
    (folder / "model/weights.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "empty.txt").write_bytes(b"")
    written = cut(folder, carried, 4_000)
    assert written[-1].name == LIST and max(path.stat().st_size for path in written[:-1]) == 4_000
    assert len(join(carried, made)) == 2
    for name in ("model/weights.bin", "empty.txt"):
        assert (made / name).read_bytes() == (folder / name).read_bytes()

    written[0].write_bytes(b"x" * 4_000)
    with pytest.raises(SystemExit, match=r"weights\.bin: its parts are not those that were cut"):
        join(carried, made)
    written[0].unlink()
    with pytest.raises(SystemExit, match=r"lacks 1 parts, the first: 0000\.part"):
        join(carried, made)
    (carried / LIST).write_text(json.dumps([{"path": "../out", "sha256": "", "parts": []}]))
    with pytest.raises(SystemExit, match="lies outside"):
        join(carried, made)
    (carried / LIST).unlink()
    with pytest.raises(SystemExit, match="holds no list of parts"):
        join(carried, made)


def test_wheels_become_an_environment_beside_what_the_machine_has(tmp_path: Path) -> None:
    assert installed(tmp_path / "none", tmp_path / "place") is None
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carried_by_hand-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried_by_hand.py", "import polars\n")
        about = "carried_by_hand-1.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: carried-by-hand\nVersion: 1\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    python = installed(wheels, tmp_path / "place")
    assert python is not None and python == installed(wheels, tmp_path / "place")
    subprocess.run([python, "-c", "import carried_by_hand"], check=True, cwd=tmp_path)


class Tokenizer(Server):
    """A server that knows a token a letter, and counts as vLLM does."""

    def reply(self, received: Received) -> Reply:
        if received.method == "GET":
            lines = ['vllm:generation_tokens_total{engine="0"} 3.0', 'vllm:generation_tokens_total{engine="1"} 1e+3']
            return Reply(body="\n".join(["# HELP x", *lines, 'vllm:num_requests_running{a="b"} 2.0']).encode())
        return Reply(body=json.dumps({"tokens": [ord(c) for c in received.body["messages"][0]["content"]]}).encode())


def test_the_ideal_cache_knows_whole_blocks_of_earlier_prompts() -> None:
    first, second = "a" * 40, "a" * 20 + "b" * 20
    bodies = [{"messages": [{"role": "user", "content": text}]} for text in (first, first, second)]
    with Tokenizer() as server:
        url = server.url.removesuffix("/v1")
        assert ideal_share(url, bodies, BLOCK) == round((0 + 2 * BLOCK + BLOCK) / 120, 4)
        # Of a prompt of two whole blocks the last token is computed, and with it its block.
        whole = [{"messages": [{"role": "user", "content": "c" * 2 * BLOCK}]}] * 2
        assert ideal_share(url, whole, BLOCK) == 0.25
        assert counters(url) == {"generation_tokens": 1003.0, "num_requests_running": 2.0}


def test_ten_times_the_rows_are_to_be_had(tmp_path: Path) -> None:
    assert GPU.sizes["train"] == 10 * FULL.sizes["train"] and GPU.arm_tokens == 10 * FULL.arm_tokens
    write_tasks(tmp_path, GPU.rung, GPU.sizes, 1)
    for name in FILES:
        assert len((tmp_path / f"{name}.jsonl").read_text("utf-8").splitlines()) == GPU.sizes[name]
    args = served(Path("m"), GPU, Path("python"))["vllm"]["args"]
    assert "float32" not in args and "--enforce-eager" not in args
