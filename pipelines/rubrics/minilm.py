"""The packaged all-MiniLM-L6-v2, read from its files and computed by torch alone.

sentence-transformers gives the same vectors, to the bit, but takes 5 s of a core to import, for which every
`grmforge rubrics search` would wait.

The layers are BERT's (Devlin et al. 2019, https://arxiv.org/abs/1810.04805); a text's vector is its tokens' mean.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from storage.rubric_vectors import ModelIdentity, Vectors

WIDTH = 384
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_MAX_TOKENS = 256
_BATCH = 64


class MiniLM:
    """The loaded model, on the machine's accelerator where there is one."""

    def __init__(self, directory: Path, identity: ModelIdentity) -> None:
        self._identity = identity
        self._device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        self._weights = load_file(directory / "model.safetensors", str(self._device))
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text, a row each."""
        found = np.empty((len(texts), WIDTH), np.float32)
        longest_first = sorted(range(len(texts)), key=lambda at: -len(texts[at]))  # for batches with little padding
        for start in range(0, len(texts), _BATCH):
            batch = longest_first[start : start + _BATCH]
            with torch.inference_mode():
                found[batch] = self._batch([texts[at] for at in batch]).cpu().numpy()
        return found

    def _batch(self, texts: Sequence[str]) -> Tensor:
        read = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([one.ids for one in read], device=self._device)
        is_text = torch.tensor([one.attention_mask for one in read], device=self._device)
        heeded = None if is_text.all() else is_text.bool()[:, None, None, :]
        states = self._embedded(ids)
        for layer in range(_LAYERS):
            states = self._layer(f"encoder.layer.{layer}", states, heeded)
        weights = is_text[:, :, None].float()
        means = (states * weights).sum(1) / weights.sum(1)
        # Twice, as sentence-transformers does for this model: the last bits are its own then.
        return functional.normalize(functional.normalize(means))

    def _embedded(self, ids: Tensor) -> Tensor:
        words, types, places = (
            self._weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "token_type", "position")
        )
        return self._normed("embeddings", words[ids] + types[0] + places[: ids.shape[1]])

    def _layer(self, name: str, states: Tensor, heeded: Tensor | None) -> Tensor:
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", states).unflatten(2, (_HEADS, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, heeded).transpose(1, 2).flatten(2)
        states = self._normed(f"{name}.attention.output", self._linear(f"{name}.attention.output.dense", seen) + states)
        wide = functional.gelu(self._linear(f"{name}.intermediate.dense", states))
        return self._normed(f"{name}.output", self._linear(f"{name}.output.dense", wide) + states)

    def _linear(self, name: str, states: Tensor) -> Tensor:
        return functional.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _normed(self, name: str, states: Tensor) -> Tensor:
        weight, bias = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(states, (WIDTH,), weight, bias, _EPSILON)
