"""A process that calls a reward as its trainer calls it: killed when it blocks, trusted with nothing.

It reads a call a line, and writes what came of it a line. What the reward prints goes to stderr. `workers.py` runs it:
python -m pipelines.conforming.worker URL|FILE DOOR FUNCTION
"""

import asyncio
import importlib.util
import inspect
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Function = Callable[..., Any]
Words = tuple[tuple[Any, ...], dict[str, Any]]
LONGEST_REPLY = 2**20
USUAL = {"verl": "compute_score", "trl": "grm_reward", "openrlhf": "reward_func", "slime": "slime_reward"}
"""The name of a function, by door, where the user names none; `judge` elsewhere."""


def words_of(door: str, call: dict[str, Any], takes_router: bool) -> list[Words]:
    """Return the arguments by which a trainer calls: once for all responses, or once for each."""
    prompt, responses, truth = call["prompt"], call["responses"], call["truth"]
    n, messages, row = len(responses), [{"role": "user", "content": prompt}], {"style": "rule", "ground_truth": truth}
    router = {"reward_router_address": call["router"], "reward_model_tokenizer": None} if takes_router else {}
    known = {"ground_truth": truth, "extra_info": {"index": 0, "prompt": messages, "question": prompt}, **router}
    match door:
        case "judge":
            return [((prompt, responses), {})]
        case "trl":
            completions = [[{"role": "assistant", "content": text}] for text in responses]
            columns = {"completion_ids": [[1]] * n, "reward_model": [row] * n, "ground_truth": [truth] * n}
            return [((), {"prompts": [messages] * n, "completions": completions, **columns})]
        case "verl":
            return [((), {"data_source": "conform", "solution_str": text, **known}) for text in responses]
        case "openrlhf":
            return [(([prompt + text], [prompt], [truth]), {}) for text in responses]
    samples = [SimpleNamespace(prompt=prompt, response=text, label=truth, metadata={}) for text in responses]
    return [((SimpleNamespace(), sample), {}) for sample in samples]


def bodies_of(door: str, call: dict[str, Any]) -> list[Words]:
    """Return what a trainer posts: one body for all responses, or one for each."""
    prompt, responses, truth = call["prompt"], call["responses"], call["truth"]
    bodies: list[dict[str, Any]]
    match door:
        case "judge":
            bodies = [{"prompt": prompt, "responses": responses}]
        case "compare":
            parts = [[{"type": "output_text", "text": text, "annotations": []}] for text in responses]
            outputs = [{"output": [{"type": "message", "role": "assistant", "content": part}]} for part in parts]
            bodies = [{"conversation_history": [{"role": "user", "content": prompt}], "response_objs": outputs}]
        case "openrlhf":
            bodies = [{"query": [prompt + text], "prompts": [prompt], "labels": [truth]} for text in responses]
        case _:
            bodies = [{"prompt": prompt, "response": text, "label": truth} for text in responses]
    return [((body,), {}) for body in bodies]


def post(url: str, body: dict[str, Any]) -> Any:
    """Return the JSON that a service replies, or why there is none."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read(LONGEST_REPLY))
    except urllib.error.HTTPError as error:
        return {"raised": f"HTTP {error.code}: {error.read(160).decode('utf-8', 'replace')}"}
    except urllib.error.URLError as error:
        return {"raised": f"nobody listens: {error.reason}"}


def reply_of(function: Function, words: Words) -> Any:
    """Return what a function gives, awaited where it is asynchronous; an exception by its name."""

    async def awaited(found: Any) -> Any:
        return await found

    try:
        found = function(*words[0], **words[1])
        return asyncio.run(awaited(found)) if inspect.isawaitable(found) else found
    except BaseException as error:  # noqa: BLE001 - whatever another's code raises is what the kit asks for
        return {"raised": f"{type(error).__name__}: {error}"[:200]}


def load(path: Path, name: str) -> Function:
    """Return a function of a file; raises ValueError where it has none of that name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    if not callable(function := getattr(module, name, None)):
        raise ValueError(f"there is no function {name} in it; say --function NAME, and --door DOOR")
    return function  # type: ignore[no-any-return]  # another's code


def main(path: str, door: str, name: str) -> None:
    """Answer calls until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(value: object) -> None:
        out.write(json.dumps(value, default=lambda one: one.tolist() if hasattr(one, "tolist") else str(one)) + "\n")
        out.flush()

    function: Function = partial(post, path)
    takes_router, is_service = False, path.startswith(("http://", "https://"))
    try:
        if not is_service:
            function = load(Path(path), name or USUAL.get(door, "judge"))
            parameters = inspect.signature(function).parameters.values()
            takes_router = any(one.name == "reward_router_address" or one.kind is one.VAR_KEYWORD for one in parameters)
    except BaseException as error:  # noqa: BLE001 - another's code is run: the kit says why it cannot be
        return tell({"unusable": f"{type(error).__name__}: {error}"})
    tell({"ready": True})
    for line in sys.stdin:
        call = json.loads(line)
        calls = bodies_of(door, call) if is_service else words_of(door, call, takes_router)
        with ThreadPoolExecutor(len(calls)) as pool:
            tell({"replies": list(pool.map(partial(reply_of, function), calls))})


if __name__ == "__main__":
    main(*sys.argv[1:4])
