"""The Ray of RAY_ADDRESS, where there is none."""

import socket
import time

import pytest

from flows.distribution import Distribution
from schemas.errors import EngineError


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "localhost:{}"])
def test_an_address_at_which_nobody_answers_is_said_at_once(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = form.format(taken.getsockname()[1])
    monkeypatch.setenv("RAY_ADDRESS", address)
    began = time.monotonic()
    with (
        Distribution("ray", 2) as distribution,
        pytest.raises(EngineError, match=f"RAY_ADDRESS={address}: nobody answers there"),
    ):
        distribution.begin()
    assert time.monotonic() - began < 60
