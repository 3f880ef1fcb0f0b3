"""Load this export with TRL's own trainers, on a model of one layer with random weights."""

import tempfile

from comparing import rows_of, run, split_by_mask


def _model(tokenizer, heads="AutoModelForCausalLM", **settings):
    import transformers

    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=8, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        **settings,
    )  # fmt: skip
    return getattr(transformers, heads).from_config(config)


_ON_CPU = {"report_to": [], "use_cpu": True, "bf16": False, "activation_checkpointing": False}


def _rows(path):
    from datasets import load_dataset

    return load_dataset("parquet", data_files=str(path), split="train", cache_dir=tempfile.mkdtemp())


def sft(path, tokenizer, part):
    from trl import SFTConfig, SFTTrainer

    settings = SFTConfig(
        output_dir=tempfile.mkdtemp(), max_length=part["whole_limit"], completion_only_loss=True, **_ON_CPU
    )
    trainer = SFTTrainer(model=_model(tokenizer), args=settings, train_dataset=_rows(path), processing_class=tokenizer)
    for row in trainer.train_dataset:
        yield split_by_mask(tokenizer, row["input_ids"], [label != -100 for label in row["labels"]])


def rl(path, tokenizer, part):
    import importlib.util

    from trl.data_utils import maybe_apply_chat_template

    spec = importlib.util.spec_from_file_location("rewards", path.parent.parent / "rewards.py")
    rewards = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rewards)
    for row in _rows(path):
        columns = {name: [value] for name, value in row.items() if name != "prompt"}
        if rewards.grm_reward(completions=[[{"role": "assistant", "content": "no verdict"}]], **columns) != [-1.0]:
            raise SystemExit(f"{row['id']}: rewards.py does not score it")
        yield (
            maybe_apply_chat_template({"prompt": row["prompt"]}, tokenizer)["prompt"],
            [row["reward_model"]["ground_truth"]],
        )


def pairs(path, tokenizer, part):
    from trl import RewardConfig, RewardTrainer

    settings = RewardConfig(output_dir=tempfile.mkdtemp(), max_length=part["whole_limit"], **_ON_CPU)
    model = _model(tokenizer, "AutoModelForSequenceClassification", num_labels=1)
    trainer = RewardTrainer(model=model, args=settings, train_dataset=_rows(path), processing_class=tokenizer)
    for row, raw in zip(trainer.train_dataset, rows_of(path), strict=True):
        prompt = tokenizer.apply_chat_template(raw["prompt"], tokenize=False, add_generation_prompt=True)
        texts = [tokenizer.decode(row[side]) for side in ("chosen_ids", "rejected_ids")]
        yield texts[0], [text[len(prompt) :] if text.startswith(prompt) else text for text in texts]


def meta_rm(path, tokenizer, part):
    """Read the rows by train/meta_rm.py, which trains on them: TRL has no trainer for them."""
    import sys

    sys.path.insert(0, str(path.parent.parent / "train"))
    import meta_rm as script

    for row in script.rows_of(path.parent.parent, "meta_rm", path.name.split(".")[0].split("-")[0]):
        text = tokenizer.apply_chat_template(row.messages[:-1], tokenize=False)
        yield text, [row.messages[-1]["content"], str(row.label)]


run("trl", {"sft": sft, "rl": rl, "pairs": pairs, "meta_rm": meta_rm})
