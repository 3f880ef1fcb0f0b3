"""Load this export with OpenRLHF's own data sets, under the settings of its scripts."""

from types import SimpleNamespace

from comparing import rows_of, run, split_by_mask


def _strategy(**data):
    """Return what its data sets ask of a strategy: the settings, and a way to print."""
    settings = SimpleNamespace(apply_chat_template=True, **data)
    args = SimpleNamespace(data=settings, use_ms=False)
    return SimpleNamespace(args=args, is_rank_0=lambda: True, print=lambda *words: None)


def _rows(path, strategy):
    from openrlhf.datasets.utils import blending_datasets

    return blending_datasets(str(path), None, strategy, 42, dataset_split="train")


def sft(path, tokenizer, part):
    from openrlhf.datasets import SFTDataset

    strategy = _strategy(input_key="prompt", output_key="completion")
    rows = SFTDataset(_rows(path, strategy), tokenizer, part["whole_limit"], strategy, num_processors=1)
    for ids, _, mask in rows:
        # Its mask says of each token whether the next one is trained on.
        yield split_by_mask(tokenizer, ids[0].tolist(), [0, *mask[0].tolist()[:-1]])


def rl(path, tokenizer, part):
    from openrlhf.datasets import PromptDataset

    strategy = _strategy(input_key="prompt", label_key="label")
    for _, prompt, label, _ in PromptDataset(_rows(path, strategy), tokenizer, strategy):
        yield prompt, [label]


def pairs(path, tokenizer, part):
    from openrlhf.datasets import RewardDataset

    strategy = _strategy(prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")
    rows = RewardDataset(_rows(path, strategy), tokenizer, part["whole_limit"], strategy, num_processors=1)
    for (chosen, _, rejected, _, margin), raw in zip(rows, rows_of(path), strict=True):
        if margin != (raw["margin"] or 0):
            raise SystemExit(f"{raw['id']}: its margin is {margin}, and not {raw['margin']}")
        prompt = tokenizer.apply_chat_template(raw["prompt"], tokenize=False, add_generation_prompt=True)
        texts = [tokenizer.decode(side[0]) for side in (chosen, rejected)]
        yield texts[0], [text[len(prompt) :] if text.startswith(prompt) else text for text in texts]


run("openrlhf", {"sft": sft, "rl": rl, "pairs": pairs})
