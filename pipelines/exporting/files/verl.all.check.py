"""Load this export with verl's own data sets, under the settings of its scripts."""

from comparing import run, split_by_mask


def sft(path, tokenizer, part):
    from omegaconf import OmegaConf
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    settings = {"pad_mode": "no_padding", "truncation": "error", "max_length": part["whole_limit"]}
    rows = MultiTurnSFTDataset(str(path), tokenizer, OmegaConf.create({**settings, "messages_key": "messages"}))
    for row in rows:
        yield split_by_mask(tokenizer, row["input_ids"].tolist(), row["loss_mask"].tolist())


def rl(path, tokenizer, part):
    """Load without the filter, then with it, as the script does: it must find nothing to drop, and nothing is cut."""
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    settings = {"prompt_key": "prompt", "return_raw_chat": True, "max_prompt_length": part["prompt_limit"]}
    settings |= {"truncation": "error", "filter_overlong_prompts_workers": 1}
    both = [
        RLHFDataset(str(path), tokenizer, OmegaConf.create({**settings, "filter_overlong_prompts": filters}))
        for filters in (False, True)
    ]
    if len(both[0]) != len(both[1]):
        raise SystemExit(f"{path.name}: {len(both[0]) - len(both[1])} prompts are longer than {part['prompt_limit']}")
    for row in both[0]:
        text = tokenizer.apply_chat_template(row["raw_prompt"], tokenize=False, add_generation_prompt=True)
        yield text, [row["reward_model"]["ground_truth"]]


run("verl", {"sft": sft, "rl": rl})
