"""Why a vLLM server ended, read from its log and its exit code."""

import pytest

from pipelines.engines.vllm.failures import failure_of

FAILURES = {
    "vLLM is not installed": "/usr/bin/python: No module named 'vllm'",
    "no such model": "OSError: nope/nope is not a local folder and is not a valid model identifier listed on 'the hub'",
    "the model is gated": "huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url",
    "hub cannot be reached": "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached "
    "snapshot folder for the specified revision on the local disk and outgoing traffic has been disabled.",
    "holds no model": "  Value error, Invalid repository ID or local directory specified: '/tmp/emptydir'.",
    "weights are missing or cut off": "(Worker pid=7) ERROR 11-20 18:50:23 [m.py:1] "
    "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
    "does not know the model's kind": "  Value error, Model architectures ['Nope'] are not supported for now.",
    "beyond what the model can read": "  Value error, User-specified max_model_len (100000) is greater than the "
    "derived max_model_len (max_position_embeddings=8192.0 or model_max_length=None in model's config.json).",
    "no room for a whole prompt": "ValueError: To serve at least one request with the models's max seq len (32768), "
    "(4.5 GiB KV cache is needed, which is larger than the available KV cache memory (0.57 GiB). Try increasing ..",
    "another program holds the GPU's memory": "ValueError: Free memory on device cuda:0 (1.2/79.1 GiB) on startup is "
    "less than desired GPU memory utilization (0.9, 71.2 GiB). Decrease GPU memory utilization",
    "out of memory": "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total ..",
    "more than the GPUs here": "ValueError: World size (8) is larger than the number of available GPUs (1) in this "
    "node. If this is intentional ..",
    "does not divide": "  Value error, Total number of attention heads (2) must be divisible by tensor parallel size",
    "there is no GPU": "RuntimeError: Failed to infer device type, please set the environment variable",
    "its port is taken": "OSError: [Errno 98] Address already in use",
    "does not take its command line": "usage: [--trust-remote-code]\nvllm serve: error: unrecognized arguments: --foo",
    "the disk is full": "OSError: [Errno 28] No space left on device: '/cache/model-00001-of-00004.safetensors'",
    "dies of a request with a seed": "(Worker pid=7) ERROR 11-20 18:50:23 [m.py:1063] "
    "RuntimeError: CPU Generator does not use offset",
    "brings code of its own": "ValueError: please pass the argument `trust_remote_code=True` to allow custom code",
}


@pytest.mark.parametrize(("meaning", "log"), FAILURES.items(), ids=FAILURES)
def test_a_log_tells_the_cause_and_shows_where(meaning: str, log: str) -> None:
    failure = failure_of(1, f"INFO 11-20 18:46:41 [utils.py:1] non-default args: {{}}\n{log}\n")
    assert meaning in failure.cause
    assert any(log.splitlines()[-1][-20:].strip() in line for line in failure.lines)
    assert failure.port_taken == ("port" in meaning)
