"""What is known of a model before it is asked: the tokens of prompts and answers, and its rate.

Tokens follow from the model's tokenizer, from what its earlier answers took, or from a rule of thumb. Each figure says
which, since the three differ: English prose has four bytes a token and more, digits, code and rare scripts two and
fewer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pyarrow.compute as pc

from pipelines.engines.jobs import prompt_bytes
from schemas.recipe import ModelSection
from schemas.record import BUCKETS
from storage.generations import Generations
from storage.root import Root
from storage.run_events import read_events, run_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES_A_TOKEN = 4
TYPICAL_ANSWER_TOKENS = 300
"""What a GRM that does not reason aloud writes (METHOD section 1)."""
TYPICAL_PROMPT_TOKENS = 1_500
"""Where no prompt is here to be measured: a conversation with four responses, and the template."""
TEMPLATE_TOKENS_A_PROMPT = 8
"""What a chat template adds to one user turn, as in ChatML."""
EARLIER_ANSWERS = 500
"""Enough for a mean: the spread of lengths is about as large as the mean, so this is good to a few per cent."""
BUCKETS_READ = 16
RUNS_READ = 20
FEW_ANSWERS = 8
"""Fewer say nothing of a rate."""
ANSWERS_AT_LEAST = 100
"""Fewer say little of the rate of a whole build."""


@dataclass(frozen=True)
class Rate:
    """A measured or assumed ratio, and where it comes from."""

    value: float
    basis: str


@dataclass(frozen=True)
class Usage:
    """What earlier answers of a model in one role took."""

    prompts: int
    prompt_bytes: int
    prompt_tokens: int
    answers: int
    answer_tokens: int


def hours_for(requests: float, bought: int, seconds: float) -> float | None:
    """Return how long so many requests take at the rate of those bought; None where nothing was bought."""
    return requests * seconds / bought / 3600 if bought else None


def rate_of_probe(bought: int, seconds: float) -> Rate | None:
    """Return the answers a second; None where every answer was there already."""
    basis = f"at the rate of a probe of {bought:,} requests; with more in flight it is quicker"
    return Rate(bought / max(seconds, 1e-3), basis) if bought else None


def tokens_a_byte(model: ModelSection, directory: Path, prompts: Sequence[str], usage: Usage) -> Rate:
    """Return the prompt tokens of a byte of text, the chat template's included where it can be known."""
    if prompts and (tokenizer := tokenizer_of(model, directory)) is not None:
        counts = [len(encoded.ids) for encoded in tokenizer.encode_batch(list(prompts), add_special_tokens=False)]
        size = sum(len(prompt.encode("utf-8", "replace")) for prompt in prompts)
        tokens = sum(counts) + TEMPLATE_TOKENS_A_PROMPT * len(counts)
        return Rate(tokens / max(size, 1), f"by the model's tokenizer, over {len(counts)} prompts")
    if usage.prompt_bytes:
        return Rate(usage.prompt_tokens / usage.prompt_bytes, f"as {usage.prompts:,} earlier prompts of this model")
    return Rate(1 / BYTES_A_TOKEN, f"estimated at {BYTES_A_TOKEN} bytes a token")


def tokens_an_answer(usage: Usage, longest: int) -> Rate:
    """Return the tokens of an answer, which can have `longest` at most."""
    if usage.answers:
        mean = usage.answer_tokens / usage.answers
        basis = f"as {usage.answers:,} earlier answers of this model, {mean:,.0f} each"
    else:
        mean, basis = TYPICAL_ANSWER_TOKENS, f"estimated at {TYPICAL_ANSWER_TOKENS} an answer"
    if mean <= longest:
        return Rate(mean, basis)
    return Rate(longest, f"{basis}, but here {longest:,} at most")


def tokens_a_prompt(usage: Usage) -> Rate:
    """Return the tokens of a prompt of which nothing is here to be measured."""
    if usage.prompts:
        mean = usage.prompt_tokens / usage.prompts
        return Rate(mean, f"as {usage.prompts:,} earlier prompts of this model, {mean:,.0f} each")
    return Rate(TYPICAL_PROMPT_TOKENS, f"guessed at {TYPICAL_PROMPT_TOKENS:,} a prompt")


def tokenizer_of(model: ModelSection, directory: Path) -> "Tokenizer | None":
    """Return the model's tokenizer if it is on this machine: in its directory, or in the hub's cache.

    Nothing is downloaded. It needs the package `tokenizers`, which transformers, TRL and vLLM bring along.
    """
    if (path := _tokenizer_path(model, directory)) is None:
        return None
    try:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(path))
    except Exception:  # noqa: BLE001 - the package raises nothing narrower; without it there is still an estimate
        return None


def _tokenizer_path(model: ModelSection, directory: Path) -> Path | None:
    if model.engine == "simulated":
        return None
    local = directory / Path(model.model).expanduser()
    if local.is_dir():
        path = local / "tokenizer.json"
        return path if path.is_file() else None
    if model.model.count("/") != 1:  # no hub id
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model.model, "tokenizer.json", revision=model.revision)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def usage_of(generations: Generations, role: str, model: str) -> Usage:
    """Return what the answers of a model in a role took, from as many buckets as make a good mean.

    Only answers whose endpoint gave usage count. `model` is the name that is sent.
    """
    prompts = size = prompt_tokens = answers = answer_tokens = buckets = 0
    for bucket in range(BUCKETS):
        if answers >= EARLIER_ANSWERS or buckets >= BUCKETS_READ:
            break
        table = generations.table(bucket)
        buckets += table.num_rows > 0
        table = table.filter(pc.equal(table.column("role"), role))
        columns = (table.column(name).to_pylist() for name in ("request", "prompt_tokens", "completion_tokens"))
        for request, prompt, answer in zip(*columns, strict=True):
            body = orjson.loads(request)
            if body.get("model") != model or answer is None:
                continue
            answers, answer_tokens = answers + 1, answer_tokens + answer
            if prompt is not None:
                prompts, prompt_tokens, size = prompts + 1, prompt_tokens + prompt, size + prompt_bytes(body)
    return Usage(prompts, size, prompt_tokens, answers, answer_tokens)


def earlier_rate(root: Root, stages: Collection[str]) -> Rate | None:
    """Return the answers a second of the latest run that asked for enough in a stage of such a name."""
    for run_id in run_ids(root)[:RUNS_READ]:
        events = [event for event in read_events(root, run_id) if event.get("event") in ("progress", "stage_ended")]
        rates = [
            float(event.get("rate") or 0.0)
            for event in events
            if event.get("stage") in stages and event.get("bought", 0) >= ANSWERS_AT_LEAST
        ]
        if rates and rates[-1] > 0:
            return Rate(rates[-1], f"at the rate of run {run_id}")
    return None


def earlier_token_rate(root: Root, stage: str) -> Rate | None:
    """Return the answer tokens a second of the latest run that bought some in a stage of this name."""
    for run_id in run_ids(root)[:RUNS_READ]:
        for event in read_events(root, run_id):
            is_wanted = event.get("event") == "stage_ended" and event.get("stage") == stage
            if is_wanted and event.get("bought", 0) >= FEW_ANSWERS and (rate := event.get("token_rate") or 0.0) > 0:
                return Rate(float(rate), f"of run {run_id}")
    return None


def time_words(hours: float) -> str:
    """Return a time in the unit that people would use for it."""
    for unit, times in (("hours", 1.0), ("minutes", 60.0), ("seconds", 3600.0)):
        if hours * times >= 1.0:
            return f"{hours * times:,.1f} {unit}"
    return "under a second"
