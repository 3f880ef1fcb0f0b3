"""Load this export with slime's own loader; its source must be in PYTHONPATH."""

from comparing import run, split_by_mask


def sft(path, tokenizer, part):
    from slime.utils.data import Dataset
    from slime.utils.mask_utils import MultiTurnLossMaskGenerator

    masks = MultiTurnLossMaskGenerator(tokenizer, tokenizer_type="qwen3")
    for sample in Dataset(str(path), tokenizer, None, None, prompt_key="messages"):
        yield split_by_mask(tokenizer, *masks.get_loss_mask(sample.prompt))


def rl(path, tokenizer, part):
    from slime.utils.data import Dataset

    settings = {"prompt_key": "prompt", "label_key": "label", "apply_chat_template": True}
    for sample in Dataset(str(path), tokenizer, None, part["prompt_limit"], **settings):
        yield sample.prompt, [sample.label]


run("slime", {"sft": sft, "rl": rl})
