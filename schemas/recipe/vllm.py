"""`[models.<role>.vllm]`: how the vLLM server of a model is started."""

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from schemas.recipe.section import Count, Number, Section, Whole

MODEL = "{model}"
"""What stands for the model's directory or hub id in a command line."""

TAKEN_FLAGS = {
    "--model": 'write the model as model = "..", and {model} in the command',
    "--served-model-name": "the server is to know the model by the recipe's name of it",
    "--revision": 'write revision = ".." beside model',
    "--host": "the server listens on loopback only",
    "--port": "use port = ..",
    "--uds": "the server listens on loopback only",
    "--api-key": "each server gets a random key of its own",
    "--hf-token": "export HF_TOKEN=.. where grmforge runs: the server gets grmforge's environment",
    "--root-path": "its endpoints stand at /v1",
    "--tensor-parallel-size": "use tensor_parallel = ..",
    "-tp": "use tensor_parallel = ..",
    "--data-parallel-size": "use data_parallel = ..",
    "-dp": "use data_parallel = ..",
}
"""Flags that grmforge gives, or that would hide the server from it, and what to write in their place."""

_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|(^|_)KEY($|_)", re.I)


class Vllm(Section):
    """`[models.<role>.vllm]`: the server that engine = "vllm" starts, watches and stops; see docs/vllm.md."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] = ("vllm", "serve", MODEL)
    """What starts it: a list of words, or one text as a shell would split it. `{model}` stands for the model. A program
    with a `/` in its name is relative to the recipe, such as another environment's `../venv/bin/vllm`."""
    args: tuple[str, ...] = ()
    """Further flags, such as `["--max-model-len", "16384"]`; files in them are relative to the recipe."""
    tensor_parallel: Count = 1
    """GPUs that share each copy of the model."""
    data_parallel: Count = 1
    """Copies of the model, each on its own GPUs, behind one address."""
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """Port on 127.0.0.1; a free one unless given."""
    start_timeout_s: Annotated[Number, Field(gt=0)] = 1800.0
    """How long it may take until it answers: loading large weights, or fetching them, takes a while."""
    restarts: Annotated[Whole, Field(ge=0)] = 3
    """How often in a row it is started again when it dies; an answer in between starts the count anew."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables beside those that grmforge has itself, such as `CUDA_VISIBLE_DEVICES`. No secrets: these
    are handed on from grmforge's own environment."""

    @field_validator("command", "args", mode="before")
    @classmethod
    def _one_text_or_words(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(f"cannot be split into words ({error}): write it as a list of them") from None

    @field_validator("env")
    @classmethod
    def _holds_no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not name or "=" in name or "\0" in name + text:
                raise ValueError(f"{name!r} is no name of an environment variable, or its value no text for one")
            if _SECRET.search(name):
                raise ValueError(
                    f"{name} looks like a secret, which a snapshot would show: export it where grmforge runs; the "
                    "server gets grmforge's whole environment"
                )
        return value

    @model_validator(mode="after")
    def _leaves_our_flags_alone(self) -> "Vllm":
        words = [*self.command, *self.args]
        if not any(MODEL in word for word in words):
            raise ValueError(f"command says nowhere which model to serve: write {MODEL} in its place")
        if any("\0" in word for word in words):
            raise ValueError("a command line cannot hold a null character")
        for flag, values in flags_of(words):
            # `python -m vllm.entrypoints.openai.api_server` takes the model as a flag.
            if flag in TAKEN_FLAGS and (flag, values) != ("--model", (MODEL,)):
                raise ValueError(f"{flag} is not yours to give: {TAKEN_FLAGS[flag]}")
        return self


def flags_of(words: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the flags of a command line with their values, `_` and `-` and both ways to give a value alike."""
    flag: str | None = None
    values: list[str] = []
    for word in words:
        if word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            if flag is not None:
                yield flag, tuple(values)
            name, given, value = word.partition("=")
            flag, values = name.replace("_", "-") if name.startswith("--") else name, [value] if given else []
        elif flag is not None:
            values.append(word)
    if flag is not None:
        yield flag, tuple(values)
