"""A sequence classifier in this very process: the only module that imports torch and transformers for scores.

A conversation becomes the text that vLLM's endpoint would make of it: the model's own chat template, and no special
token beside. A text that is longer than the model can read is refused, never cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.engines.scorer.checks import check_config, check_packages
from schemas.errors import EngineError
from schemas.recipe import ModelSection


class NoText(ValueError):
    """The chat template refuses a conversation."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A loaded model. `Any` stands for the classes of torch and transformers, which only this module knows."""

    name: str
    device: str
    longest: int
    """Tokens that it can read."""
    _model: Any
    _tokenizer: Any

    def tokens(self, body: dict[str, Any]) -> list[int]:
        """Return the tokens of a request's conversation. Raises NoText."""
        from jinja2.exceptions import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(
                body["messages"],
                tokenize=False,
                chat_template=body.get("chat_template"),
                add_generation_prompt=body.get("add_generation_prompt", False),
                continue_final_message=body.get("continue_final_message", False),
                **(body.get("chat_template_kwargs") or {}),
            )
        except (TemplateError, ValueError) as error:
            raise NoText(str(error)) from None
        tokens: list[int] = self._tokenizer(
            text, add_special_tokens=body.get("add_special_tokens", False), verbose=False
        )["input_ids"]
        return tokens

    def values(self, texts: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return the raw value of each class for some texts, given as tokens. Raises EngineError."""
        import torch

        longest = max(map(len, texts))
        padding = _unused_token(texts)
        # The model looks for the last token that is no padding: one that stands in no text is never taken for it.
        self._model.config.get_text_config().pad_token_id = self._model.config.pad_token_id = padding
        tokens = torch.tensor([[*text, *[padding] * (longest - len(text))] for text in texts], device=self.device)
        seen = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts], device=self.device)
        try:
            with torch.inference_mode():
                found = self._model(input_ids=tokens, attention_mask=seen).logits
        except RuntimeError as error:  # no memory left, most often
            raise EngineError(
                f"model {self.name}: {' '.join(str(error).split())[:300]}; a smaller model, or an endpoint of its own "
                "(base_url), may help"
            ) from None
        values: list[list[float]] = found.float().tolist()
        return values


def load(model: ModelSection, directory: Path) -> Classifier:
    """Load a model from a directory (relative to `directory`, where the recipe stands) or from the hub.

    Raises EngineError, one line with the way out, where it is no classifier of one or two classes.
    """
    check_packages()
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    local = directory / Path(model.model).expanduser()
    place, device = str(local) if local.is_dir() else model.model, "cuda" if torch.cuda.is_available() else "cpu"
    try:
        config = AutoConfig.from_pretrained(place, revision=model.revision)
        check_config(config.to_dict() | {"num_labels": config.num_labels}, model.name)
        tokenizer = AutoTokenizer.from_pretrained(place, revision=model.revision)
        loaded = AutoModelForSequenceClassification.from_pretrained(
            place,
            revision=model.revision,
            config=config,
            use_safetensors=True,
            dtype="auto" if device == "cuda" else torch.float32,  # processors are slow at half precision
        )
    except (OSError, ValueError) as error:
        raise EngineError(f"model {model.name} cannot be loaded: {' '.join(str(error).split())[:300]}") from None
    if not tokenizer.chat_template:
        raise EngineError(
            f"model {model.name} has no chat template, by which a conversation becomes a text: give it one in its "
            "directory (chat_template.jinja), or in extra_body.chat_template"
        )
    longest = getattr(config.get_text_config(), "max_position_embeddings", None) or tokenizer.model_max_length
    return Classifier(model.name, device, int(longest), loaded.to(device).eval(), tokenizer)


def _unused_token(texts: Sequence[Sequence[int]]) -> int:
    """Return the smallest token that stands in none of the texts."""
    used = set().union(*texts)
    return next(token for token in range(len(used) + 1) if token not in used)
