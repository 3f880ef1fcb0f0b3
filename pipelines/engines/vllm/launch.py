"""How a vLLM server is started: its command line, made from the recipe, and what can be checked before it starts.

Everything here is cheap and uses no network.
"""

import difflib
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from schemas.errors import EngineError
from schemas.recipe import ModelSection
from schemas.recipe.vllm import MODEL, flags_of
from schemas.record import content_id

IDENTITY_FLAGS = re.compile(
    "--(chat-template(-content-format)?|default-chat-template-kwargs|dtype|(override-)?generation-config|hf-config-path"
    "|hf-overrides|kv-cache-dtype|load-format|logits-processors|lora-modules|quantization(-config)?|reasoning-parser"
    "|rope-(scaling|theta)|tokenizer(-mode|-revision)?)|-q"
)
"""Flags that change what the model says. All others only change how fast it answers, or how much it can read."""
OUR_FLAGS = ("--enable-prefix-caching", "--enable-prompt-tokens-details")
"""Given unless the recipe has their contrary, `--no-..`."""

_MISSING = 3
_FIND_VLLM = f"import importlib.util, sys; sys.exit(0 if importlib.util.find_spec('vllm') else {_MISSING})"
"""Finds the package, and imports nothing of it."""
_FIND_TIMEOUT_S = 30.0
_MEND = "mend command in [models.<role>.vllm]"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started. Models whose launches are equal are served by one server."""

    name: str
    """The model's name in requests, and so the name that the server must know it by."""
    words: tuple[str, ...]
    """The command line, without host and port."""
    env: tuple[tuple[str, str], ...]
    directory: Path
    """Where it runs: the recipe's directory, so that files named in it are the recipe's."""
    port: int | None
    start_timeout_s: float
    restarts: int

    def command(self, port: int) -> list[str]:
        """Return the whole command line."""
        return [*self.words, "--host", "127.0.0.1", "--port", str(port)]

    def variable(self, name: str) -> str:
        """Return an environment variable as the server sees it; empty where it is not set."""
        return dict(self.env).get(name, os.environ.get(name, ""))


def launch_of(model: ModelSection, directory: Path) -> Launch:
    """Return how a model's server is started; `directory` is where the recipe stands.

    Raises EngineError, one line with the way out, where the program or the model's directory is missing.
    """
    settings = model.vllm
    loaded = _loaded_model(model, directory)
    first, *others = (word.replace(MODEL, loaded) for word in (*settings.command, *settings.args))
    words = [_program(first, directory, settings.env.get("PATH")), *others, "--served-model-name", model.model]
    # Requests of one set begin with the same words; answers then show how many of these were found in the cache.
    words += [flag for flag in OUR_FLAGS if flag.replace("--", "--no-", 1) not in others]
    words += [] if model.revision is None else ["--revision", model.revision]
    for kind, count in (("tensor", settings.tensor_parallel), ("data", settings.data_parallel)):
        words += [f"--{kind}-parallel-size", str(count)] if count > 1 else []
    return Launch(
        name=model.model,
        words=tuple(words),
        env=tuple(sorted(settings.env.items())),
        directory=Path(_absolute(directory)),
        port=settings.port,
        start_timeout_s=settings.start_timeout_s,
        restarts=settings.restarts,
    )


def flags_of_identity(model: ModelSection, directory: Path) -> list[list[Any]]:
    """Return the flags of a model's server that change what it says, for its identity; a file by its content."""

    def meant(value: str) -> str:
        path = directory / value
        try:
            return content_id("file", path.read_bytes().hex()) if path.is_file() else value
        except (OSError, ValueError):  # a JSON value is no path: too long a name, or a null in it
            return value

    flags = flags_of((*model.vllm.command, *model.vllm.args))
    return sorted([flag, *map(meant, values)] for flag, values in flags if IDENTITY_FLAGS.fullmatch(flag))


def model_in_words(model: ModelSection, directory: Path, launch: Launch) -> str:
    """Return what a model's name stands for: a directory, or a hub id.

    A name without an owner is most likely a directory's. Raises EngineError where there is no such directory, and one
    beside the recipe has nearly that name, or nothing can be fetched; unless the hub's cache has it. The hub is not
    contacted.
    """
    if Path(_loaded_model(model, directory)).is_absolute():
        return "a directory with a model"
    if _is_cached(model, launch):
        return "a hub id, and in the hub's cache"
    is_offline = launch.variable("HF_HUB_OFFLINE").lower() in ("1", "true", "yes", "on")
    if "/" in model.model:
        if is_offline:  # vLLM may have a directory of its own for what it downloads
            return "a hub id that could not be looked up: HF_HUB_OFFLINE is set, and the hub's cache does not have it"
        return "a hub id, which was not looked up, and which vLLM fetches as it starts"
    missing = f"model {model.model}: there is no directory {_absolute(directory / model.model)}"
    beside = [place.name for place in directory.iterdir() if (place / "config.json").is_file()]
    if near := difflib.get_close_matches(model.model, beside, n=1):
        raise EngineError(f"{missing}; did you mean {near[0]!r}? A model of the hub is owner/name")
    if is_offline:
        raise EngineError(f"{missing}, and no such model in the hub's cache, with HF_HUB_OFFLINE set; mend model")
    return "no directory here, so a hub id without an owner, which vLLM fetches if it must"


def check_package(launch: Launch) -> None:
    """Raise EngineError where the command is `python -m vllm..`, and that python does not have vLLM."""
    python, *words = launch.words
    if not any(flag == "-m" and name.split(".")[0] == "vllm" for flag, name in pairwise(words)):
        return
    try:
        probe = subprocess.run(
            [python, "-c", _FIND_VLLM],
            cwd=launch.directory,
            env=os.environ | dict(launch.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FIND_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{python} does not run ({error}); {_MEND}") from None
    if probe.returncode == _MISSING:
        raise EngineError(
            f"vLLM is not installed in the environment that command names: {python} does not find it; install it "
            "there, or name another one's program"
        )
    if probe.returncode:
        raise EngineError(f"{python} does not run (code {probe.returncode}); {_MEND}")


def check_port(launch: Launch) -> None:
    """Raise EngineError where someone listens on a fixed port already: requests would go to their server, not ours."""
    if launch.port is None:
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", launch.port))
        except OSError as error:
            raise EngineError(
                f"vLLM cannot be started for {launch.name}: port {launch.port} is not free ({error.strerror}); stop "
                "what listens there, or leave port out of [models.<role>.vllm] for a free one"
            ) from None


def _loaded_model(model: ModelSection, directory: Path) -> str:
    """Return what vLLM loads: the absolute path of a directory that holds a model, or a hub id."""
    place = directory / Path(model.model).expanduser()
    if place.is_dir():
        if not any((place / name).is_file() for name in ("config.json", "params.json")):
            raise EngineError(f"model {model.model}: {place} holds no model: there is no config.json in it")
        return _absolute(place)
    if place.is_file() and place.suffix == ".gguf":
        return _absolute(place)
    if model.model.startswith((".", "/", "~")) or model.model.count("/") > 1:
        raise EngineError(f"model {model.model}: there is no directory {place}; mend model in the recipe")
    return model.model


def _is_cached(model: ModelSection, launch: Launch) -> bool:
    from huggingface_hub import try_to_load_from_cache

    home = launch.variable("HF_HOME")
    cache = launch.variable("HF_HUB_CACHE") or (str(Path(home, "hub")) if home else None)
    try:
        path = try_to_load_from_cache(model.model, "config.json", cache_dir=cache, revision=model.revision)
    except ValueError:  # no name that the hub could know
        return False
    return isinstance(path, str)


def _program(name: str, directory: Path, path: str | None) -> str:
    """Return the path of a program: relative to the recipe, beside grmforge's own python, or on the PATH."""
    if "/" in name:
        place = _absolute(directory / Path(name).expanduser())
        if not os.access(place, os.X_OK) or Path(place).is_dir():
            raise EngineError(f"vLLM cannot be started: {place} is no program; {_MEND}")
        return place
    program = shutil.which(name, path=path) or shutil.which(name, path=str(Path(sys.executable).parent))
    if program is None:
        raise EngineError(
            f"vLLM cannot be started: there is no command {name!r} here; install vLLM (pip install vllm), or name "
            'another environment\'s in [models.<role>.vllm]: command = "../venv/bin/vllm serve {model}"'
        )
    return program


def _absolute(path: Path) -> str:
    """Return an absolute path. A link stays a link: venv/bin/python is one, and the hub's cache is made of them."""
    return os.path.abspath(path)  # noqa: PTH100  Path.resolve follows links, and Path.absolute leaves ".." in
