"""Load this export with SkyRL's own loader."""

from comparing import run, split_by_mask


def sft(path, tokenizer, part):
    from datasets import load_dataset
    from skyrl.train.sft_trainer import tokenize_chat_example

    for row in load_dataset(str(path.parent), split=path.stem):
        made = tokenize_chat_example(row, tokenizer, part["whole_limit"], messages_key="messages")
        ids, trained = made["input_ids"], made["num_actions"]
        yield split_by_mask(tokenizer, ids, [0] * (len(ids) - trained) + made["loss_mask"])


def rl(path, tokenizer, part):
    from skyrl.train.dataset import PromptDataset

    for prompt, env_class, extra, _ in PromptDataset(str(path), tokenizer, part["prompt_limit"], num_workers=1):
        assert env_class == "grm", env_class
        text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        yield text, [extra["reward_spec"]["ground_truth"]]


run("skyrl", {"sft": sft, "rl": rl})
