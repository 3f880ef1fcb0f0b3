"""The real vLLM of `make test-vllm`, a model for it, and how long each part took.

Plain `make test` does not collect this directory (tests/conftest.py); where it is collected, a vLLM that is missing is
a failure.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TIMES: dict[str, float] = {}
"""Seconds by part."""
FINDINGS: list[str] = []
"""Figures that the tests found, for people."""


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Add what the block takes to the times that are printed at the end."""
    began = time.monotonic()
    try:
        yield
    finally:
        TIMES[part] = TIMES.get(part, 0.0) + time.monotonic() - began


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """Return the python of the environment that has vLLM."""
    python = Path(os.environ["GRMFORGE_VLLM_PYTHON"]).absolute()
    assert python.exists(), f"there is no {python}: make test-vllm installs it"
    return str(python)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, vllm_python: str) -> Path:
    """Return a recipe's directory with the tiny model in `tiny/`."""
    directory = tmp_path_factory.mktemp("vllm")
    script = Path(__file__).with_name("tiny_model.py")
    with timed("making the model"):
        subprocess.run([vllm_python, script, directory / "tiny"], check=True, capture_output=True)
    return directory


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line("seconds:")
    for part, seconds in TIMES.items():
        terminalreporter.write_line(f"  {seconds:6.1f}  {part}")
    terminalreporter.write_line(f"  {sum(TIMES.values()):6.1f}  in all")
    for finding in FINDINGS:
        terminalreporter.write_line(finding)
