"""From a recipe's section to the command line of its vLLM server. Pure, but for looking where things lie."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import EngineError
from schemas.recipe import ModelSection
from schemas.recipe.vllm import MODEL, flags_of
from schemas.record import content_id

TELLING_FLAGS = frozenset(
    {
        "--chat-template",
        "--chat-template-content-format",
        "--default-chat-template-kwargs",
        "--dtype",
        "--generation-config",
        "--hf-config-path",
        "--hf-overrides",
        "--kv-cache-dtype",
        "--load-format",
        "--logits-processors",
        "--lora-modules",
        "--override-generation-config",
        "--quantization",
        "-q",
        "--quantization-config",
        "--reasoning-parser",
        "--rope-scaling",
        "--rope-theta",
        "--tokenizer",
        "--tokenizer-mode",
        "--tokenizer-revision",
    }
)
"""Flags that change what the model says, and so are part of its identity; all others only change how fast it says it,
or how much it can read."""

OUR_FLAGS = ("--enable-prefix-caching", "--enable-prompt-tokens-details")
"""Given unless the recipe says the contrary, `--no-..`."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started. Models whose launches are equal are served by one server."""

    name: str
    """The model's name in requests, and so the one that the server must know it by."""
    words: tuple[str, ...]
    """The command line, without host and port."""
    env: tuple[tuple[str, str], ...]
    directory: Path
    """Where it runs: the recipe's directory, so that files named in it are the recipe's."""
    port: int | None
    start_timeout_s: float
    restarts: int

    def at_port(self, port: int) -> list[str]:
        """Return the whole command line."""
        return [*self.words, "--host", "127.0.0.1", "--port", str(port)]


def launch_of(model: ModelSection, directory: Path) -> Launch:
    """Return how a model's server is started; `directory` is where the recipe stands.

    Raises EngineError, one line with the way out, where the program or the model's directory is missing.
    """
    settings = model.vllm
    served = served_model(model, directory)
    first, *others = (word.replace(MODEL, served) for word in (*settings.command, *settings.args))
    words = [_program(first, directory, settings.env.get("PATH")), *others]
    words += ["--served-model-name", model.model]
    # Requests of one set begin with the same words; answers then say how many of these were found in the cache.
    words += [flag for flag in OUR_FLAGS if flag.replace("--", "--no-", 1) not in others]
    if model.revision is not None:
        words += ["--revision", model.revision]
    if settings.tensor_parallel > 1:
        words += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    if settings.data_parallel > 1:
        words += ["--data-parallel-size", str(settings.data_parallel)]
    return Launch(
        name=model.model,
        words=tuple(words),
        env=tuple(sorted(settings.env.items())),
        directory=Path(os.path.abspath(directory)),  # noqa: PTH100 - a link stays a link
        port=settings.port,
        start_timeout_s=settings.start_timeout_s,
        restarts=settings.restarts,
    )


def served_model(model: ModelSection, directory: Path) -> str:
    """Return what vLLM is told to load: the absolute path of a directory that holds a model, or a hub id."""
    place = directory / Path(model.model).expanduser()
    if place.is_dir():
        if not any((place / name).is_file() for name in ("config.json", "params.json")):
            raise EngineError(f"model {model.model}: {place} holds no model: there is no config.json in it")
        return os.path.abspath(place)  # noqa: PTH100 - a link stays a link: the hub's cache is made of them
    if place.is_file() and place.suffix == ".gguf":
        return os.path.abspath(place)  # noqa: PTH100
    if model.model.startswith((".", "/", "~")) or model.model.count("/") > 1:
        raise EngineError(f"model {model.model}: there is no directory {place}; mend model in the recipe")
    return model.model


def served_with(model: ModelSection, directory: Path) -> list[list[Any]]:
    """Return the flags of a model's server that change what it says, for its identity; a file by its content."""

    def meant(value: str) -> str:
        path = directory / value
        try:
            return content_id("file", path.read_bytes().hex()) if path.is_file() else value
        except (OSError, ValueError):  # a JSON value is no path: too long a name, or a null in it
            return value

    flags = flags_of((*model.vllm.command, *model.vllm.args))
    return sorted([flag, *map(meant, values)] for flag, values in flags if flag in TELLING_FLAGS)


def _program(name: str, directory: Path, path: str | None) -> str:
    """Return the path of a program: relative to the recipe, beside grmforge's own python, or on the PATH."""
    if "/" in name:
        place = os.path.abspath(directory / Path(name).expanduser())  # noqa: PTH100 - venv/bin/python is a link
        if not os.access(place, os.X_OK) or Path(place).is_dir():
            raise EngineError(f"vLLM cannot be started: {place} is no program; mend command in [models.<role>.vllm]")
        return place
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=path) or shutil.which(name, path=beside)
    if found is None:
        raise EngineError(
            f"vLLM cannot be started: there is no command {name!r} here; install vLLM (pip install vllm), or name "
            'another environment\'s in [models.<role>.vllm]: command = "../venv/bin/vllm serve {model}"'
        )
    return found
