"""Load this export with LLaMA-Factory's own loader, by its dataset_info.json and the template of the tokenizer."""

import tempfile

from comparing import EXPORT, run, split_by_mask


def _loaded(path, tokenizer, part, stage):
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    name = f"{path.parent.name}_{path.stem}"
    model_args = ModelArguments(model_name_or_path=tokenizer.name_or_path, cache_dir=tempfile.mkdtemp())
    data_args = DataArguments(
        dataset=name, dataset_dir=str(EXPORT), cutoff_len=part["whole_limit"], mask_history=stage == "sft",
        overwrite_cache=True,
    )  # fmt: skip
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    training_args = Seq2SeqTrainingArguments(output_dir=tempfile.mkdtemp(), use_cpu=True, report_to=[])
    module = get_dataset(template, model_args, data_args, training_args, stage=stage, tokenizer=tokenizer)
    return module["train_dataset"]


def sft(path, tokenizer, part):
    for row in _loaded(path, tokenizer, part, "sft"):
        yield split_by_mask(tokenizer, row["input_ids"], [label != -100 for label in row["labels"]])


def pairs(path, tokenizer, part):
    for row in _loaded(path, tokenizer, part, "rm"):
        sides = [
            split_by_mask(tokenizer, row[f"{side}_input_ids"], [label != -100 for label in row[f"{side}_labels"]])
            for side in ("chosen", "rejected")
        ]
        yield sides[0][0], [answers[0] for _, answers in sides]


run("llamafactory", {"sft": sft, "pairs": pairs})
