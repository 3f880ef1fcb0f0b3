"""The doors of the service tried by the trainers' own client code: OpenRLHF and verl as `make test-trainers` installs
them, slime and NeMo-Gym from the folders that GRMFORGE_SLIME and GRMFORGE_NEMO_GYM name.

Not in CI: what is not there is not run. The files are loaded as they are; what they import for other work, and
cannot be installed without CUDA, is an empty module in its place, and never the code that is tried.
"""

import asyncio
import importlib.util
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.pipelines.serving.test_doors import PROMPT, served
from tests.trainers.test_loaders import source_of


@contextmanager
def loaded(path: Path, name: str, monkeypatch: pytest.MonkeyPatch, **others: Any) -> Iterator[ModuleType]:
    """Give a file of a checkout as a module; `others` are modules beside it, with their contents."""
    for other, contents in others.items():
        module = ModuleType(other.replace("__", "."))
        module.__dict__.update(contents)
        module.__path__ = []  # type: ignore[attr-defined]  # a package, so that what is below it can be imported
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    yield module


class Tokenizer:
    """Texts as lists of characters."""

    def __call__(self, text: str, **settings: Any) -> Any:
        import torch

        return {"input_ids": torch.tensor([list(map(ord, text))])}

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        return "".join(map(chr, tokens))


class Policy:
    """An engine of vLLM that answers what it is told."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def generate(self, tokens: list[int], params: Any, multi_modal_data: Any = None) -> Any:
        output = SimpleNamespace(token_ids=list(map(ord, self.text)), finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


def test_openrlhf_fetches_rewards_and_a_failed_call_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    path = source_of("openrlhf") / "openrlhf/utils/agent.py"
    logging_utils = {"init_logger": logging.getLogger}
    beside = {"openrlhf": {}, "openrlhf__utils": {}, "openrlhf__utils__logging_utils": logging_utils}
    params = SimpleNamespace(max_tokens=64, min_tokens=1, logprobs=None)
    with loaded(path, "openrlhf.utils.agent", monkeypatch, **beside) as agent:

        async def rollouts(url: str, *texts: str) -> list[Any]:
            executor = agent.SingleTurnAgentExecutor(f"{url}/get_reward")
            return list(
                await asyncio.gather(
                    *(executor.execute(PROMPT, "7", params, 4_096, Tokenizer(), Policy(text)) for text in texts)
                )
            )

        with served(tmp_path, on_failure="raise", group_size=2, group_wait_s=1) as (service, _):
            got = asyncio.run(rollouts(service.url, "worth 3<|im_end|>", "worth 9<|im_end|>"))
            assert [one["reward"] for one in got] == [[3.0], [9.0]]
            assert [one["extra_logs"]["judge_failed"] for one in got] == [[0.0], [0.0]]
            got = asyncio.run(rollouts(service.url, "worth 3 unreadable", "worth 9"))
            assert [(one["reward"], one["scores"]) for one in got] == [(None, None)] * 2, "no number of a failure"
            assert service.metric('calls_total{path="/get_reward",status="502"}') == 10, "it tries five times"
        with served(tmp_path, on_failure="group_mean", group_size=3) as (service, _):
            got = asyncio.run(rollouts(service.url, "worth 3", " ", "worth 9"))
            assert [one["reward"] for one in got] == [[3.0], [6.0], [9.0]]
            assert [one["extra_logs"]["judge_failed"] for one in got] == [[0.0], [1.0], [0.0]]


def test_slimes_remote_rm_takes_the_field_and_raises_after_its_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source_of("slime") / "slime/rollout/rm_hub/__init__.py"
    names = ("deepscaler get_deepscaler_rule_based_reward", "f1 f1_score", "gpqa compute_gpqa_reward",
             "math_dapo_utils compute_score", "math_utils extract_answer grade_answer_verl")  # fmt: skip
    beside: dict[str, dict[str, Any]] = {"slime": {}, "slime__utils": {}, "slime__rollout": {}}
    beside["slime__utils__misc"] = {"load_function": None}
    beside["slime__utils__types"] = {"Sample": SimpleNamespace}
    for module, *contents in map(str.split, names):
        beside[f"slime__rollout__rm_hub__{module}"] = dict.fromkeys(contents)
    with loaded(path, "slime.rollout.rm_hub", monkeypatch, **beside) as hub:

        async def rollouts(url: str, *texts: str) -> list[Any]:
            args = Namespace(rm_type="remote_rm", rm_url=f"{url}/slime?size={len(texts)}", custom_rm_path=None)
            samples = [
                SimpleNamespace(prompt=PROMPT, response=text, label="7", metadata={}, custom_rm_path=None)
                for text in texts
            ]
            hub._shared_session = None
            try:
                return list(await asyncio.gather(*(hub.async_rm(args, one) for one in samples), return_exceptions=True))
            finally:
                if hub._shared_session is not None:
                    await hub._shared_session.close()

        with served(tmp_path, on_failure="raise") as (service, _):
            got = asyncio.run(rollouts(service.url, "worth 3", "worth 9"))
            assert [one["reward"] for one in got] == [3.0, 9.0], "what --reward-key reward picks"

            async def at_once(seconds: float) -> None: ...

            monkeypatch.setattr(hub.asyncio, "sleep", at_once)  # its ten tries take minutes else
            got = asyncio.run(rollouts(service.url, "worth 3 unreadable", "worth 9"))
            assert [type(one).__name__ for one in got] == ["ClientResponseError"] * 2


def test_verls_naive_manager_awaits_the_client_and_its_failure_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source_of("verl") / "verl/experimental/reward_loop/reward_manager/naive.py"
    import torch

    from tests.pipelines.serving.test_clients import clients

    class Base:
        def __init__(self, config: Any, tokenizer: Any, compute_score: Any) -> None:
            self.tokenizer, self.loop = tokenizer, asyncio.get_running_loop()

    package = "verl__experimental__reward_loop__reward_manager"
    beside: dict[str, dict[str, Any]] = {
        "verl": {"DataProto": object},
        "verl__experimental": {},
        "verl__experimental__reward_loop": {},
        package: {"register": lambda name: lambda manager: manager},
        f"{package}__base": {"RewardManagerBase": Base},
        "verl__utils": {},
        "verl__utils__reward_score": {"default_compute_score": None},
    }

    class Row(list[Any]):
        """A batch of one row."""

    def row(text: str) -> Row:
        tokens = torch.tensor(list(map(ord, text)))
        item = SimpleNamespace(
            batch={"responses": tokens, "attention_mask": torch.ones(len(tokens), dtype=torch.long)},
            non_tensor_batch={
                "data_source": "own",
                "reward_model": {"ground_truth": "7"},
                "extra_info": {"question": "Which is best?", "index": 1},
            },
        )
        return Row([item])

    with (
        loaded(path, "verl_naive", monkeypatch, **beside) as naive,
        clients(tmp_path, monkeypatch, on_failure="raise", group_size=2) as (train, _),
    ):

        async def scored(*texts: str) -> list[Any]:
            manager = naive.NaiveRewardManager(None, Tokenizer(), train.compute_score)
            assert manager.is_async_reward_score
            runs = (manager.run_single(row(text)) for text in texts)
            return list(await asyncio.gather(*runs, return_exceptions=True))

        got = asyncio.run(scored("worth 3", "worth 9"))
        assert [one["reward_score"] for one in got] == [3.0, 9.0]
        assert got[0]["reward_extra_info"].keys() == got[1]["reward_extra_info"].keys()
        got = asyncio.run(scored("worth 3 unreadable", "worth 9"))
        assert [type(one).__name__ for one in got] == ["JudgeFailed"] * 2


def test_nemo_gyms_own_types_make_the_call_and_take_the_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of NeMo-Gym calls its comparison server over HTTP; its types say what such a call and a reply are."""
    from pydantic import BaseModel

    path = source_of("nemo-gym") / "resources_servers/genrm_compare"
    base = dict.fromkeys(("BaseResourcesServerConfig", "BaseVerifyRequest", "BaseVerifyResponse"), BaseModel)
    messages = ("NeMoGymEasyInputMessage", "NeMoGymResponseCreateParamsNonStreaming")
    beside: dict[str, dict[str, Any]] = {
        "nemo_gym": {},
        "resources_servers": {},
        "resources_servers__genrm_compare": {},
    }
    beside["nemo_gym__base_resources_server"] = base | {"SimpleResourcesServer": object}
    beside["nemo_gym__config_types"] = {"ModelServerRef": BaseModel}
    beside["nemo_gym__global_config"] = {"ROLLOUT_INDEX_KEY_NAME": "rollout", "TASK_INDEX_KEY_NAME": "task"}
    beside["nemo_gym__openai_utils"] = dict.fromkeys(messages, BaseModel)
    name = "resources_servers.genrm_compare"
    with (
        loaded(path / "utils.py", f"{name}.utils", monkeypatch, **beside) as utils,
        loaded(path / "app.py", f"{name}.app", monkeypatch) as app,
        served(tmp_path, on_failure="raise") as (service, _),
    ):
        asked = app._input_to_conversation_history([{"role": "user", "content": "Which?"}])

        def call(*texts: str) -> tuple[int, Any]:
            parts = [[{"type": "output_text", "text": text}] for text in texts]
            answers = [{"output": [{"type": "message", "content": part}]} for part in parts]
            assert [utils.extract_output_text(answer) for answer in answers] == list(texts)
            body = app.GenRMCompareRequest(conversation_history=asked, response_objs=answers)
            return service.call("/compare", body.model_dump())

        status, reply = call("worth 4", "worth 9")
        read = app.GenRMCompareResponse.model_validate(reply)
        assert (status, read.rewards, read.metrics["failed_share"]) == (200, [4.0, 9.0], 0.0)
        status, reply = call("worth 4 unreadable", "worth 9")
        assert (status, reply["error"]["name"]) == (502, "unreadable")
        with pytest.raises(ValueError, match="rewards"):  # so that a failed call can never be read as rewards
            app.GenRMCompareResponse.model_validate(reply)
