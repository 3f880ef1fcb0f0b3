"""Why a vLLM server ended: the likely cause and the way out, read from its exit code and the end of its log."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.engines.faults import snippet

TAIL_BYTES = 2**18
SHOWN_LINES = 6
LAST_LINES = 3
"""So many errors are shown, or so many last lines where there is no error."""
MOST_LINES = 2_000

_PORT = "its port is taken by another program: stop that one, or leave port out of [models.<role>.vllm] for a free one"
_NO_ROOM = "lower --max-model-len or --max-num-seqs, or raise --gpu-memory-utilization"

_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"CPU Generator does not use offset",
        "vLLM for processors (0.32) dies of a request with a seed, as all of ours are, whose prompt it reads in parts: "
        'args = ["--no-enable-chunked-prefill", "--max-num-batched-tokens", as many as --max-model-len at least]',
    ),
    (r"Address already in use|address is already in use|EADDRINUSE", _PORT),
    (
        r"No module named '?vllm|PackageNotFoundError.*vllm",
        "vLLM is not installed in the environment that command names: install it there, or name another one's program",
    ),
    (r"No space left on device|Disk quota exceeded", "the disk is full: free some space, or move HF_HOME and TMPDIR"),
    (
        r"GatedRepoError|gated repo|Access to model .* is restricted|401 Client Error.*huggingface",
        "the model is gated: accept its terms on the hub, and log in (hf auth login, or export HF_TOKEN=..)",
    ),
    (
        r"RepositoryNotFoundError|is not a local folder and is not a valid model identifier|"
        r"Repo id must be (in the form|a string)|404 Client Error.*huggingface|RevisionNotFoundError",
        "there is no such directory here and no such model (or revision) on the hub: mend model in the recipe",
    ),
    (
        r"LocalEntryNotFoundError|outgoing traffic has been disabled|OfflineModeIsEnabled|"
        r"couldn't connect to '?https?://|Cannot find an appropriate cached snapshot|NameResolutionError",
        "the model is not on this machine and the hub cannot be reached: check the network and HF_HUB_OFFLINE, or give "
        "model a directory",
    ),
    (
        r"Invalid repository ID or local directory|does not appear to have a file named config\.json|"
        r"Unrecognized model in|Should have a `model_type`",
        "what model names holds no model that vLLM knows: its directory needs a config.json",
    ),
    (
        r"Cannot find any model weights|no file named .*(safetensors|pytorch_model)|SafetensorError|"
        r"InvalidHeader|MetadataIncompleteBuffer|incomplete metadata",
        "the model's weights are missing or cut off: fetch them again",
    ),
    (r"Model architectures? .* (are|is) not supported", "this vLLM does not know the model's kind: a newer one may"),
    (r"trust_remote_code=True", 'the model brings code of its own: if you trust it, args = ["--trust-remote-code"]'),
    (
        r"max_model_len .* is greater than the derived max_model_len|larger than the maximum model length",
        "--max-model-len is beyond what the model can read: lower it",
    ),
    (
        r"larger than the available KV cache memory|No available memory for the cache blocks|"
        r"maximum number of tokens that can be stored in (the )?KV cache|on kv cache allocation is less than",
        f"beside the weights there is no room for a whole prompt: {_NO_ROOM}; a smaller or quantized model needs less",
    ),
    (
        r"Free memory on device .* is less than desired GPU memory utilization|memory used by other processes",
        "another program holds the GPU's memory: stop it (nvidia-smi names it), or lower --gpu-memory-utilization",
    ),
    (
        r"out of memory|OutOfMemoryError|HIP out of memory|Cannot allocate memory|MemoryError",
        "out of memory: the model is too large for this GPU beside what else is on it; raise tensor_parallel, take a "
        f"smaller or quantized model, or {_NO_ROOM}",
    ),
    (
        r"larger than the number of available GPUs|world size .* (is larger|exceeds)|invalid device ordinal|"
        r"only \d+ GPUs? (is|are) available",
        "tensor_parallel times data_parallel is more than the GPUs here: lower it, or check CUDA_VISIBLE_DEVICES",
    ),
    (r"must be divisible by tensor parallel", "the model does not divide into so many parts: lower tensor_parallel"),
    (
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver|no NVIDIA GPU|"
        r"CUDA driver version is insufficient|CUDA unknown error",
        "there is no GPU that vLLM can use: check nvidia-smi and CUDA_VISIBLE_DEVICES (without a GPU: docs/vllm.md)",
    ),
    (
        r"error: (unrecognized arguments|argument |ambiguous option|the following arguments)|invalid choice",
        "vLLM does not take its command line: mend args in [models.<role>.vllm]; vllm serve --help=all lists them",
    ),
)
"""Patterns of a log, and what they mean. The first that is found counts: causes stand before what follows from them."""

CAUSES = tuple((re.compile(pattern, re.I), meaning) for pattern, meaning in _CAUSES)

_TELLING = re.compile(r"\b\w*(Error|Exception)\b: |error: |Value error, ")
_NOISE = re.compile(
    r"WARNING|UserWarning|\bINFO\b|For further information visit|[sS]ee (root cause above|stack trace for root cause)|"
    r"1 validation error for"
)
_PREFIX = re.compile(r"^(\(\w+ pid=\d+\) )?((ERROR|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\] )?")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server ended."""

    cause: str
    """The likely cause, and the way out."""
    lines: tuple[str, ...]
    """The lines of its log that tell most, oldest first; made safe for a terminal."""
    port_taken: bool = False


def failure_of(code: int | None, log: str) -> Failure:
    """Return why a server ended that left this exit code, None while it runs, and this end of its log. Pure."""
    whole = [line for line in log.splitlines()[-MOST_LINES:] if line.strip()]
    lines = [line for line in whole if not _NOISE.search(line)]
    telling = list(dict.fromkeys(_PREFIX.sub("", line) for line in lines if _TELLING.search(line)))
    shown = tuple(map(_said, telling[-SHOWN_LINES:] or whole[-LAST_LINES:]))
    # Errors first: the whole may hold a list of every flag there is.
    for text in ("\n".join(telling), "\n".join(lines)):
        for pattern, meaning in CAUSES:
            if pattern.search(text):
                return Failure(meaning, shown, port_taken=meaning is _PORT)
    return Failure(_by_code(code, shown[0] if telling else "", shown[-1] if shown else ""), shown)


def log_tail(path: Path) -> str:
    """Return the end of a log; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_line(path: Path) -> str:
    """Return the last line of a log, made safe for a terminal; empty where there is none."""
    lines = [line for line in log_tail(path).splitlines() if line.strip()]
    return _said(lines[-1]) if lines else ""


def _said(line: str) -> str:
    """Return a line of a log without the process that wrote it, at most as long as a snippet."""
    return snippet(_PREFIX.sub("", line))


def _by_code(code: int | None, error: str, last: str) -> str:
    """Return the cause as far as an exit code tells it, with the first error that is shown: it is nearest to it."""
    said = f": {error}" if error else ""
    match code:
        case None:
            return f"nothing in its log says why{said}"
        case 137:
            return "killed by signal 9, by someone or because this machine's memory was full (dmesg says which)"
        case 127:
            return f"its program cannot be started: {last}"
        case _ if code < 0:
            return f"the process that keeps it was ended by signal {-code}"
        case _ if code > 128:
            return f"ended by signal {code - 128}{said}"
    return f"it ended with code {code}{said}"
