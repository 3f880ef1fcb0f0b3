"""What can be known of a vLLM server before it is started: cheaply, and without the network."""

import difflib
import os
import subprocess
from itertools import pairwise
from pathlib import Path

from pipelines.engines.vllm.command import Launch, served_model
from schemas.errors import EngineError
from schemas.recipe import ModelSection

_MISSING = 3
_LOOK = f"import importlib.util, sys; sys.exit(0 if importlib.util.find_spec('vllm') else {_MISSING})"
"""Finds the package, and imports nothing of it."""
_LOOK_TIMEOUT_S = 30.0
_ON = ("1", "true", "yes", "on")


def check_package(launch: Launch) -> None:
    """Raise EngineError where the command is `python -m vllm..`, and that python does not have vLLM."""
    python, *words = launch.words
    if not any(flag == "-m" and name.split(".")[0] == "vllm" for flag, name in pairwise(words)):
        return
    try:
        looked = subprocess.run(
            [python, "-c", _LOOK],
            cwd=launch.directory,
            env=os.environ | dict(launch.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOOK_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{python} does not run ({error}); mend command in [models.<role>.vllm]") from None
    if looked.returncode == _MISSING:
        raise EngineError(
            f"vLLM is not installed in the environment that command names: {python} does not find it; install it "
            "there, or name another one's program"
        )
    if looked.returncode:
        raise EngineError(f"{python} does not run (code {looked.returncode}); mend command in [models.<role>.vllm]")


def model_in_words(model: ModelSection, directory: Path, launch: Launch) -> str:
    """Return what a model's name stands for: a directory, or a hub id.

    A name without an owner is most likely a directory's. Raises EngineError where it is none, and one beside the recipe
    has nearly that name, or nothing can be fetched; unless the hub's cache knows it. The hub is not asked.
    """
    if Path(served_model(model, directory)).is_absolute():
        return "a directory with a model"
    if _is_cached(model, launch):
        return "a hub id, and in the hub's cache"
    is_offline = _variable(launch, "HF_HUB_OFFLINE").lower() in _ON
    if "/" in model.model:
        if is_offline:  # vLLM may have a directory of its own for what it downloads
            return "a hub id that could not be looked up: HF_HUB_OFFLINE is set, and the hub's cache does not have it"
        return "a hub id, which was not looked up, and which vLLM fetches as it starts"
    none = f"model {model.model}: there is no directory {Path(os.path.abspath(directory)) / model.model}"  # noqa: PTH100 - a link stays a link
    beside = [place.name for place in directory.iterdir() if (place / "config.json").is_file()]
    if near := difflib.get_close_matches(model.model, beside, n=1):
        raise EngineError(f"{none}; did you mean {near[0]!r}? A model of the hub is owner/name")
    if is_offline:
        raise EngineError(f"{none}, and no such model in the hub's cache, with HF_HUB_OFFLINE set; mend model")
    return "no directory here, so a hub id without an owner, which vLLM fetches if it must"


def _is_cached(model: ModelSection, launch: Launch) -> bool:
    from huggingface_hub import try_to_load_from_cache

    home = _variable(launch, "HF_HOME")
    cache = _variable(launch, "HF_HUB_CACHE") or (str(Path(home, "hub")) if home else None)
    try:
        found = try_to_load_from_cache(model.model, "config.json", cache_dir=cache, revision=model.revision)
    except ValueError:  # no name that the hub could know
        return False
    return isinstance(found, str)


def _variable(launch: Launch, name: str) -> str:
    return dict(launch.env).get(name, os.environ.get(name, ""))
