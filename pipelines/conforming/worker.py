"""A process that calls another's reward function, as its trainer calls it: killed when it blocks, trusted with nothing.

It reads a call a line from its input, and writes what came of it a line to its output. Whatever the function prints
goes to stderr. Run by `functions.py`:

    python -m pipelines.conforming.worker FILE DOOR FUNCTION
"""

import asyncio
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from pipelines.conforming.calls import Door
from pipelines.conforming.targets import FUNCTIONS

Function = Callable[..., Any]


def rewards_of(function: Function, door: str, call: dict[str, Any]) -> list[Any]:
    """Return what a function gives each response of a call; an exception stands for the response that it failed on."""
    prompt, responses, truth = call["prompt"], call["responses"], call["truth"]
    row = {"style": "rule", "ground_truth": truth}
    messages = [{"role": "user", "content": prompt}]
    n = len(responses)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]]
    match door:
        case "judge":
            return _listed(_done(function, prompt, responses), n)
        case "trl":
            columns = {"reward_model": [row] * n, "ground_truth": [truth] * n, "data_source": ["conform"] * n}
            completions = [[{"role": "assistant", "content": text}] for text in responses]
            found = _done(
                function, prompts=[messages] * n, completions=completions, completion_ids=[[1]] * n, **columns
            )
            return _listed(found, n)
        case "verl":
            extra = {"index": 0, "prompt": messages, "question": prompt}
            router = {"reward_router_address": call["router"], "reward_model_tokenizer": None}
            words = router if call["router"] and _takes(function, "reward_router_address") else {}
            calls = [
                (
                    (),
                    {"data_source": "conform", "solution_str": text, "ground_truth": truth, "extra_info": extra}
                    | words,
                )
                for text in responses
            ]
        case "openrlhf":
            calls = [(([prompt + text], [prompt], [row if call["is_rule"] else truth]), {}) for text in responses]
        case _:
            samples = [
                SimpleNamespace(
                    prompt=prompt, response=text, label=truth, metadata={}, index=number, group_index=0, reward=None
                )
                for number, text in enumerate(responses)
            ]
            calls = [((SimpleNamespace(rm_url=None, reward_key=None), sample), {}) for sample in samples]
    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda call: _alone(function, *call), calls))


def _alone(function: Function, words: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Return what a function that takes one response gives it, or the exception that it raised."""
    try:
        found = _done(function, *words, **named)
    except BaseException as error:  # noqa: BLE001 - whatever another's code raises is what the kit asks for
        return error
    if isinstance(found, dict):  # verl and slime's `score`, OpenRLHF's `rewards`
        found = next((found[key] for key in ("rewards", "score", "reward") if key in found), None)
    found = found.tolist() if hasattr(found, "tolist") else found
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _done(function: Function, *words: Any, **named: Any) -> Any:
    """Return what a function gives, awaited where it is asynchronous."""
    found = function(*words, **named)
    if inspect.isawaitable(found):

        async def awaited() -> Any:
            return await found

        return asyncio.run(awaited())
    return found


def _listed(found: Any, n: int) -> list[Any]:
    """Return the rewards of a function that takes all responses at once."""
    found = found.get("rewards") if isinstance(found, dict) else found
    found = found.tolist() if hasattr(found, "tolist") else found
    if found is None:
        return [None] * n
    if not isinstance(found, list | tuple) or len(found) != n:
        raise TypeError(f"{n} responses got {type(found).__name__} {str(found)[:80]!r}, not a list of {n} rewards")
    return list(found)


def _takes(function: Function, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _plain(found: Any) -> dict[str, Any]:
    """Return one reward as JSON holds it: a number, null, or the name of what was raised."""
    if found is None:
        return {"number": None}
    if isinstance(found, BaseException):
        return {"failure": f"{type(found).__name__}: {found}"[:200]}
    try:
        return {"number": float(found)} if not isinstance(found, str) else {"failure": f"the text {found[:80]!r}"}
    except (TypeError, ValueError, OverflowError):
        return {"failure": f"a {type(found).__name__}, which is no number"}


def load(path: Path, door: str, name: str) -> Function:
    """Return the function of a file; raises ValueError where the file has none of the door's names."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    names = (name,) if name else FUNCTIONS[Door(door)]
    found = next((getattr(module, one) for one in names if callable(getattr(module, one, None))), None)
    if found is None:
        raise ValueError(f"{path.name} has no function {' or '.join(names)}: name it by --function")
    function: Function = found
    return function


def main(path: str, door: str, name: str) -> None:
    """Answer calls until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(value: object) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    try:
        function = load(Path(path), door, name)
    except BaseException as error:  # noqa: BLE001 - another's code is run: the kit says why it cannot be
        return tell({"unusable": f"{type(error).__name__}: {error}"})
    tell({"ready": True})
    for line in sys.stdin:
        try:
            found = rewards_of(function, door, call := json.loads(line))
        except BaseException as error:  # noqa: BLE001 - as above
            found = [error] * len(call["responses"])
        tell({"rewards": [_plain(one) for one in found]})


if __name__ == "__main__":
    main(*sys.argv[1:4])
