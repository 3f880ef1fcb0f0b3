"""How long rows are in tokens: counted by a tokenizer, else as the endpoint counted them, else estimated."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.exporting.reading import ANSWERS
from pipelines.exporting.trainer import ROOM, Counted
from schemas.columns import flat_list
from schemas.errors import RecipeError

_MESSAGE_TOKENS = 8
"""What a chat template writes around a message, at most."""

Tokens = npt.NDArray[np.int64]


class Tokenizer(Protocol):
    """What is needed of a tokenizer of transformers."""

    chat_template: Any

    def apply_chat_template(self, conversation: Any, **settings: Any) -> Any: ...

    def __call__(self, text: Any, **settings: Any) -> Any: ...


class RowLengths(NamedTuple):
    """Tokens of each row."""

    prompt: Tokens
    whole: Tokens
    """Prompt and answer; the longer answer of a pair, and the prompt alone in rl."""
    counted: npt.NDArray[np.str_]
    """The rougher way in which one of the two was counted."""

    def with_room(self, tokens: Tokens) -> Tokens:
        """Return these tokens with room for what each row's count may have missed."""
        factors = np.select([self.counted == way for way in ROOM], list(ROOM.values()))
        needed: Tokens = np.ceil(tokens * factors).astype(np.int64)
        return needed


def open_tokenizer(given: str) -> Tokenizer:
    """Return the tokenizer of a directory or hub id. Raises RecipeError where it has no chat template."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise RecipeError(f"--tokenizer {given}: counting needs transformers; pip install transformers") from None
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(given)
    except (OSError, ValueError) as error:
        raise RecipeError(f"--tokenizer {given}: cannot be loaded ({' '.join(str(error).split())[:200]})") from None
    if not tokenizer.chat_template:
        raise RecipeError(
            f"--tokenizer {given}: has no chat template, by which messages become a text; take an instruct model's"
        )
    return tokenizer


def lengths_of(name: str, rows: pa.Table, tokenizer: Tokenizer | None) -> RowLengths:
    """Return the lengths of the rows of a set, as `reading.batches` yields them."""
    if tokenizer is not None:
        prompts = rows["prompt"].to_pylist()
        prompt = _template_tokens(tokenizer, prompts, True)
        whole = prompt
        for column in ANSWERS[name]:
            both = [asked + answered for asked, answered in zip(prompts, rows[column].to_pylist(), strict=True)]
            whole = np.maximum(whole, _template_tokens(tokenizer, both, False))
        return RowLengths(prompt, whole, np.full(rows.num_rows, "tokenizer"))
    known = [_known(rows, column) for column in ("prompt_tokens", "completion_tokens")]
    prompt, guessed = _or_estimate(known[0], _estimate(rows["prompt"]))
    whole, is_estimate = prompt, guessed
    for column in ANSWERS[name]:
        answer, guessed = _or_estimate(known[1], _estimate(rows[column]))
        whole, is_estimate = np.maximum(whole, prompt + answer), is_estimate | guessed
    rough: Counted = "estimate"
    return RowLengths(prompt, whole, np.where(is_estimate, rough, "endpoint"))


def _template_tokens(tokenizer: Tokenizer, conversations: list[Any], asks: bool) -> Tokens:
    texts = tokenizer.apply_chat_template(conversations, tokenize=False, add_generation_prompt=asks)
    return np.array([len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]], np.int64)


def _known(rows: pa.Table, column: str) -> Tokens:
    """Return a column of counts, -1 where the endpoint gave none."""
    if column not in rows.column_names:
        return np.full(rows.num_rows, -1)
    known: Tokens = pc.fill_null(rows[column], -1).to_numpy()
    return known


def _or_estimate(known: Tokens, estimate: Tokens) -> tuple[Tokens, npt.NDArray[np.bool_]]:
    return np.where(known >= 0, known, estimate), known < 0


def _estimate(column: pa.ChunkedArray) -> Tokens:
    """Return a token for every four bytes of each row's messages, and some for what stands around each of them."""
    lists = flat_list(column)
    sizes = pc.binary_length(lists.flatten().field("content").cast(pa.binary())).to_numpy()
    ends = np.cumsum(pc.list_value_length(lists).to_numpy())
    total = np.concatenate([[0], np.cumsum(-(-sizes // 4) + _MESSAGE_TOKENS)])[ends]
    tokens: Tokens = np.diff(total, prepend=0).astype(np.int64)
    return tokens
