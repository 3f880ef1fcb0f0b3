"""A tokenizer of 512 tokens with a ChatML template, and the config of a model of two layers: no hub is needed."""

from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tokenizer(path: Path, template: str | None = CHATML) -> Path:
    """Write both into a folder, and return it."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast, Qwen3Config

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        ["Specific Criteria: Analysis: Scores: \\boxed{7, 3}", "[The Begin of Response 1]"],
        vocab_size=512,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    )
    fast: Any = PreTrainedTokenizerFast  # its constructor has no types
    made = fast(tokenizer_object=bpe._tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = template
    made.save_pretrained(path)
    Qwen3Config(
        vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16,
    ).save_pretrained(path)  # fmt: skip
    return path
