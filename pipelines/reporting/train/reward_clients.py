"""`grmforge serve` as the reward of a training run: one function for each trainer that needs one. Needs aiohttp alone.

    export GRMFORGE_URL=http://127.0.0.1:8420     # where the service listens; GRMFORGE_TOKEN where it wants one
    export GRMFORGE_RUN=run-7                     # names this run, where several share a service
    export GRMFORGE_GROUP_SIZE=8                  # responses to a prompt, where one process may hold a part of them

TRL >= 1.6      GRPOTrainer(.., reward_funcs=[trl_reward])                         a failure is None, and left out
verl            reward.custom_reward_function.path=.. name=compute_score           takes numbers: [serve] on_failure
slime           --group-rm --custom-rm-path train.reward_clients.slime_rm          takes numbers: [serve] on_failure
OpenRLHF, slime's remote_rm and NeMo-Gym call the service themselves: docs/serve.md.

Responses are comparable within their group only. A judgement that failed is never a number by itself. Where the
service cannot be reached, the call raises: nothing is learnt from an outage.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import aiohttp

TIMEOUT_S = 180.0
TRIES = 5
TRL_NEEDED = (1, 6)
"""Before it, TRL made 0 of None."""


class JudgeFailed(RuntimeError):
    """A response has no reward, and the trainer takes nothing else; or the service cannot be asked."""


async def judge(prompt: Any, responses: Sequence[str], *, address: str | None = None, **place: Any) -> dict[str, Any]:
    """Return what the service says of responses to one prompt: `rewards`, one a response, null where it failed.

    `prompt` is a text or a list of messages. `place` may hold reference, criteria, step, group and size. A call that
    broke off is sent again, under the same name. Raises JudgeFailed.
    """
    url = os.environ.get("GRMFORGE_URL") or (f"http://{address}" if address else "http://127.0.0.1:8420")
    token, name = os.environ.get("GRMFORGE_TOKEN"), uuid.uuid4().hex
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    given = {key: value for key, value in place.items() if value is not None}
    body = {"prompt": prompt, "responses": list(responses), "run": os.environ.get("GRMFORGE_RUN", ""), "call": name}
    last = ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), headers=headers) as session:
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(2.0 ** (attempt - 1))
            try:
                async with session.post(f"{url}/v1/judge", json=body | given) as response:
                    reply: dict[str, Any] = await response.json(content_type=None)
            except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
                last = f"{type(error).__name__}: {error}"
                continue
            if response.status == 200:
                return reply
            last = f"HTTP {response.status}: {reply.get('error', {}).get('why', '')}"
            if response.status < 500:
                break
    raise JudgeFailed(f"{url}: {last}")


def text_of(completion: Any) -> str:
    """Return a response as text: a text itself, or the contents of its messages."""
    if isinstance(completion, str):
        return completion
    return "\n\n".join(str(message.get("content") or "") for message in completion)


async def trl_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Return a reward for each completion, None for one whose judgement failed. TRL leaves those out, and counts them.

    Completions of one prompt that stand together are a group. Raises JudgeFailed where a group may be spread over
    processes and GRMFORGE_GROUP_SIZE is not set, and for a TRL that makes a number of None.
    """
    installed = version("trl")
    if tuple(int(part) for part in installed.split(".")[:2]) < TRL_NEEDED:
        raise JudgeFailed(f"TRL {installed} makes 0 of a judgement that failed: install trl>=1.6")
    size = int(os.environ.get("GRMFORGE_GROUP_SIZE", "0")) or None
    if size is None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise JudgeFailed("a group may be spread over processes: export GRMFORGE_GROUP_SIZE (num_generations)")
    groups: list[tuple[Any, list[str]]] = []
    for prompt, completion in zip(prompts, completions, strict=True):
        if not groups or groups[-1][0] != prompt or len(groups[-1][1]) == size:
            groups.append((prompt, []))
        groups[-1][1].append(text_of(completion))
    step = getattr(columns.get("trainer_state"), "global_step", None)
    replies = await asyncio.gather(*(judge(prompt, texts, step=step, size=size) for prompt, texts in groups))
    rewards: list[float | None] = [reward for reply in replies for reward in reply["rewards"]]
    if (log := columns.get("log_metric")) is not None and rewards:
        log("judge/failed_share", sum(reward is None for reward in rewards) / len(rewards))
    return rewards


def number_of(reply: dict[str, Any], place: int = 0) -> float:
    """Return a reward for a trainer that takes numbers only, as the recipe's on_failure has it. Raises JudgeFailed."""
    reward, failure = reply["rewards"][place], reply["failures"][place]
    if reward is None and reply["on_failure"] == "group_mean":
        reward = reply["group_mean"]
    if reward is None:
        choice = reply["on_failure"] or "not chosen in the recipe: on_failure = group_mean or raise"
        raise JudgeFailed(f"{failure['name']}: {failure['why']} (on_failure is {choice})")
    return float(reward)


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    reward_router_address: str | None = None,
    reward_model_tokenizer: Any = None,
) -> dict[str, Any]:
    """Return verl's score of one response. Its rows need `extra_info.prompt` (or question): verl does not pass it on.

    Raises JudgeFailed: verl's naive manager ends the run then. Its rate-limited manager makes 0.0 of it: do not use
    that one. `reward_router_address` is asked where GRMFORGE_URL is not set.
    """
    facts = extra_info or {}
    prompt = facts.get("prompt") or facts.get("question")
    if prompt is None:
        raise JudgeFailed("verl passes no prompt on: put it into extra_info.prompt of each row")
    prompt = prompt if isinstance(prompt, str) else [dict(turn) for turn in prompt]
    reply = await judge(
        prompt,
        [solution_str],
        address=reward_router_address,
        reference=None if ground_truth is None else str(ground_truth),
        group=None if facts.get("index") is None else str(facts["index"]),
        size=int(os.environ.get("GRMFORGE_GROUP_SIZE", "0")) or None,
    )
    return {
        "score": number_of(reply),
        "judge_failed": float(reply["rewards"][0] is None),
        "judge_failed_share": reply["failed_share"],
        "judge_partial": float(reply["partial"]),
    }


async def slime_rm(args: Any, samples: Any, **kwargs: Any) -> Any:
    """Return the rewards of slime's samples: a list for a group (--group-rm), a number for a single one.

    With on_failure = "skip" a sample that failed has its loss masked (`remove_sample`). Its number, the mean of its
    group, moves nothing then. Raises JudgeFailed.
    """
    if not isinstance(samples, list):
        place = {"group": str(samples.group_index), "size": args.n_samples_per_prompt}
        return _slime_number(
            await judge(samples.prompt, [samples.response], reference=_label(samples), **place), 0, samples
        )
    reply = await judge(samples[0].prompt, [sample.response for sample in samples], reference=_label(samples[0]))
    return [_slime_number(reply, place, sample) for place, sample in enumerate(samples)]


def _label(sample: Any) -> str | None:
    return None if sample.label is None else str(sample.label)


def _slime_number(reply: dict[str, Any], place: int, sample: Any) -> float:
    if reply["rewards"][place] is not None or reply["on_failure"] != "skip":
        return number_of(reply, place)
    sample.remove_sample = True
    return float(reply["group_mean"] or 0.0)
