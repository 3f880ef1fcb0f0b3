"""Load this export with ms-swift's own loader, by the ChatML template and the tokenizer."""

from comparing import EXPORT, run, split_by_mask


def _rows(path):
    from swift.dataset import load_dataset

    rows, _ = load_dataset([str(path)], split_dataset_ratio=0, strict=True, remove_unused_columns=False)
    return rows


def _template(tokenizer, part, mode):
    from swift.model import get_processor
    from swift.template import get_template

    processor = get_processor(tokenizer.name_or_path, model_type="qwen3")
    template = get_template(
        processor, template_type="chatml", max_length=part["whole_limit"], truncation_strategy="raise"
    )
    template.set_mode(mode)
    return template


def sft(path, tokenizer, part):
    template = _template(tokenizer, part, "train")
    for row in _rows(path):
        made = template.encode(row)
        yield split_by_mask(tokenizer, made["input_ids"], [label != -100 for label in made["labels"]])


def rl(path, tokenizer, part):
    import sys

    sys.path.insert(0, str(EXPORT))
    from grm_plugin import orms

    reward = orms["grm"]()
    for row in _rows(path):
        assert reward(["no verdict"], solution=[row["solution"]]) == [-1.0]
        yield row["messages"][-1]["content"], [row["solution"]]


def pairs(path, tokenizer, part):
    template = _template(tokenizer, part, "rlhf")
    for row in _rows(path):
        made = template.encode(row)
        sides = [
            split_by_mask(tokenizer, made[f"{side}_input_ids"], [label != -100 for label in made[f"{side}_labels"]])
            for side in ("chosen", "rejected")
        ]
        yield sides[0][0], [answers[0] for _, answers in sides]


run("swift", {"sft": sft, "rl": rl, "pairs": pairs})
