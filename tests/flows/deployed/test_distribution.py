"""The Ray of RAY_ADDRESS, where there is none."""

import contextlib
import socket
import time

import pytest

from flows.deployed.distribution import ADDRESS_TIMEOUT_S, Distribution
from schemas.errors import EngineError
from tests.pipelines.engines.stand_in_server import StandIn


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


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
@pytest.mark.parametrize("who", ["a web server", "one that says nothing"])
def test_who_listens_at_the_address_and_is_no_ray_is_said_in_seconds(
    form: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as there:
        port = (
            there.enter_context(StandIn()).port
            if who == "a web server"
            else there.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        )
        address = form.format(port)
        monkeypatch.setenv("RAY_ADDRESS", address)
        began = time.monotonic()
        with (
            Distribution("ray", 2) as distribution,
            pytest.raises(EngineError, match=f"RAY_ADDRESS={address}: what listens there is no Ray; .* unset RAY_ADD"),
        ):
            distribution.begin()
    assert time.monotonic() - began < 2 * ADDRESS_TIMEOUT_S + 20, "importing Ray takes some seconds of it"
