"""Engines are opened cheaply, each with no more than it needs."""

import subprocess
import sys

import pytest

from pipelines.engines.protocol import open_engine
from tests.pipelines.engines.test_request_body import section


@pytest.mark.parametrize("engine", ["simulated", "openai"])
def test_engines_open_without_a_loop_and_without_a_connection(engine: str) -> None:
    assert open_engine(section(engine=engine), None) is not None


def test_a_simulated_build_never_imports_the_openai_package() -> None:
    program = (
        "import sys; from pipelines.engines.protocol import open_engine; from schemas.recipe import ModelSection; "
        "import pipelines.engines.live.dispatch; open_engine(ModelSection(engine='simulated'), None); "
        "print([name for name in ('openai', 'aiohttp', 'httpx2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
