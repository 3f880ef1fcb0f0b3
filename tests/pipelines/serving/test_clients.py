"""The clients of train/reward_clients.py against a service: what each trainer's function returns."""

import asyncio
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.pipelines.serving.service import Serving
from tests.pipelines.serving.test_doors import served


@contextmanager
def clients(folder: Path, monkeypatch: pytest.MonkeyPatch, **serve: Any) -> Iterator[tuple[ModuleType, Serving]]:
    """Give the clients as a snapshot ships them, told where the service is."""
    source = resources.files("pipelines.reporting.train").joinpath("reward_clients.py")
    (folder / "reward_clients.py").write_text(source.read_text("utf-8"), "utf-8")
    spec = importlib.util.spec_from_file_location("shipped_clients", folder / "reward_clients.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with served(folder, **serve) as (service, _):
        monkeypatch.setenv("GRMFORGE_URL", service.url)
        yield module, service


def test_trl_gets_none_for_a_failure_and_judges_each_prompts_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clients(tmp_path, monkeypatch) as (train, _):
        logged: dict[str, float] = {}
        prompts = ["A?", "A?", [{"role": "user", "content": "B?"}], [{"role": "user", "content": "B?"}], "C?", "C?"]
        completions = [
            "worth 3",
            "worth 5",
            [{"role": "assistant", "content": "worth 9"}],
            "worth 1",
            "unreadable",
            "worth 2",
        ]
        state = SimpleNamespace(global_step=4)
        got = asyncio.run(train.trl_reward(prompts, completions, trainer_state=state, log_metric=logged.__setitem__))
        assert got == [3.0, 5.0, 9.0, 1.0, None, None]
        assert logged == {"judge/failed_share": pytest.approx(1 / 3)}


def test_trl_before_1_6_and_groups_over_processes_without_a_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clients(tmp_path, monkeypatch) as (train, _):
        monkeypatch.setenv("WORLD_SIZE", "2")
        with pytest.raises(train.JudgeFailed, match="GRMFORGE_GROUP_SIZE"):
            asyncio.run(train.trl_reward(["A?"], ["worth 3"]))
        monkeypatch.setenv("GRMFORGE_GROUP_SIZE", "4")

        async def two_processes() -> list[list[float | None]]:
            state = SimpleNamespace(global_step=1)
            parts = (["worth 3", "worth 5"], ["worth 9", "worth 1"])
            return list(
                await asyncio.gather(*(train.trl_reward(["A?"] * 2, part, trainer_state=state) for part in parts))
            )

        assert asyncio.run(two_processes()) == [[3.0, 5.0], [9.0, 1.0]]
        monkeypatch.setattr(train, "version", lambda name: "1.5.9")
        with pytest.raises(train.JudgeFailed, match="makes 0"):
            asyncio.run(train.trl_reward(["A?"], ["worth 3"]))
    assert importlib.metadata.version("trl")


def test_verl_scores_one_response_at_a_time_and_raises_or_takes_the_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def group(train: ModuleType, *texts: str, address: str | None = None) -> list[Any]:
        facts = {"question": "A?", "index": 7}
        calls = (train.compute_score("own", text, "ref", dict(facts), address, None) for text in texts)
        return list(await asyncio.gather(*calls, return_exceptions=True))

    with clients(tmp_path, monkeypatch, group_size=2, on_failure="raise") as (train, service):
        got = asyncio.run(group(train, "worth 3", "worth 5"))
        assert [one["score"] for one in got] == [3.0, 5.0] and got[0].keys() == got[1].keys()
        assert [type(one).__name__ for one in asyncio.run(group(train, "worth 3", "unreadable"))] == ["JudgeFailed"] * 2
        monkeypatch.delenv("GRMFORGE_URL")
        address = service.url.removeprefix("http://")
        assert [one["score"] for one in asyncio.run(group(train, "worth 6", "worth 5", address=address))] == [6.0, 5.0]
        with pytest.raises(train.JudgeFailed, match="prompt"):
            asyncio.run(train.compute_score("own", "worth 3", "ref", {}))
    with clients(tmp_path, monkeypatch, group_size=3, on_failure="group_mean") as (train, _):
        got = asyncio.run(group(train, "worth 3", " ", "worth 5"))
        assert [(one["score"], one["judge_failed"]) for one in got] == [(3.0, 0.0), (4.0, 1.0), (5.0, 0.0)]
    with clients(tmp_path, monkeypatch, group_size=3, on_failure="skip") as (train, _):
        got = asyncio.run(group(train, "worth 3", " ", "worth 5"))
        assert [type(one).__name__ for one in got] == ["dict", "JudgeFailed", "dict"], "verl cannot skip"


def test_slimes_group_function_masks_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def samples(*texts: str) -> list[Any]:
        return [
            SimpleNamespace(prompt="A?", response=text, label="7", group_index=3, remove_sample=False) for text in texts
        ]

    args = SimpleNamespace(n_samples_per_prompt=3)
    with clients(tmp_path, monkeypatch, on_failure="skip") as (train, _):
        group = samples("worth 3", " ", "worth 5")
        assert asyncio.run(train.slime_rm(args, group)) == [3.0, 4.0, 5.0]
        assert [sample.remove_sample for sample in group] == [False, True, False]

        async def one_by_one() -> list[float]:
            return list(
                await asyncio.gather(
                    *(train.slime_rm(args, sample) for sample in samples("worth 3", "worth 4", "worth 9"))
                )
            )

        assert asyncio.run(one_by_one()) == [3.0, 4.0, 9.0]
    with (
        clients(tmp_path, monkeypatch, on_failure="raise") as (train, _),
        pytest.raises(train.JudgeFailed, match="empty"),
    ):
        asyncio.run(train.slime_rm(args, samples("worth 3", " ", "worth 5")))


def test_a_service_that_is_gone_raises_and_a_wrong_token_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_TOKEN", "right")
    with clients(tmp_path, monkeypatch, token_env="SERVE_TOKEN") as (train, service):
        monkeypatch.setenv("GRMFORGE_TOKEN", "wrong")
        with pytest.raises(train.JudgeFailed, match="401"):
            asyncio.run(train.judge("A?", ["a", "b"]))
        monkeypatch.setenv("GRMFORGE_TOKEN", "right")
        assert asyncio.run(train.judge("A?", ["worth 1", "worth 2"]))["rewards"] == [1.0, 2.0]
        service.end()
        monkeypatch.setattr(train, "TRIES", 2)
        with pytest.raises(train.JudgeFailed, match="ClientConnectorError"):
            asyncio.run(train.judge("A?", ["worth 1", "worth 2"]))
