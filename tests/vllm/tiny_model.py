"""Make a model that a real vLLM serves on any CPU: a Qwen3 of two layers with random weights, which writes noise.

    .venv-vllm/bin/python tests/vllm/tiny_model.py DIRECTORY [CLASSES]

With CLASSES it is a sequence classifier of so many classes, which scores texts.

Nothing is downloaded: the tokenizer is trained here, on a few lines that look like a judge's prompt. With the same
versions of its packages it is the same model each time.
"""

import sys
from pathlib import Path

CONTEXT = 8192
VOCABULARY = 512
START, END, PADDING = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LINES = (
    "You are a careful judge. Read the conversation and score every response from 1 to 10.",
    "#### Conversation Context ####",
    "#### Responses to be Scored ####",
    "[The Begin of Response 1] The answer is the first option, the only one that holds. [The End of Response 1]",
    "[The Begin of Response 2] Nothing in the question says so; the number is 42.5 dB. [The End of Response 2]",
    "Specific Criteria: 1. accuracy (weight 0.6) 2. clarity (weight 0.4). Analysis: the first is right.",
    "Scores: \\boxed{7, 3}",
    "What is the purpose of the handover procedure in a mobile network?",
    "The quick brown fox jumps over the lazy dog, and 0123456789 times that is too much.",
)


def main(directory: Path, classes: int = 0) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PADDING, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES * 4, trainer)
    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, model_max_length=CONTEXT
    )
    whole.chat_template = CHAT_TEMPLATE

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        eos_token_id=whole.eos_token_id,
        pad_token_id=whole.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    directory.mkdir(parents=True, exist_ok=True)
    if classes:
        config.num_labels = classes
        model = Qwen3ForSequenceClassification(config)
        model.score.weight.data *= 10  # or every score would be near 0
        model.save_pretrained(directory)
    else:
        Qwen3ForCausalLM(config).save_pretrained(directory)
    whole.save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
