"""Load this export with axolotl's own loader, by its YAML files."""

import os
import sys
import tempfile

from comparing import EXPORT, run, split_by_mask

os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")  # a check is nobody's business


def _config(path, tokenizer, file):
    import yaml
    from axolotl.cli.config import load_cfg
    from axolotl.utils.dict import DictDefault

    config = yaml.safe_load((EXPORT / file).read_text("utf-8"))
    entry = next(
        one
        for key in ("datasets", "test_datasets")
        for one in config.get(key, [])
        if one["path"].startswith(path.parent.name)
    )
    config |= {"base_model": tokenizer.name_or_path, "tokenizer_config": tokenizer.name_or_path}
    config |= {"datasets": [entry | {"path": str(path)}], "test_datasets": None, "val_set_size": 0}
    config |= {"dataset_prepared_path": tempfile.mkdtemp(), "dataset_num_proc": 1, "dataset_processes": 1}
    config |= {"shuffle_merged_datasets": False, "output_dir": tempfile.mkdtemp(), "bf16": False}
    return load_cfg(DictDefault(config))


def sft(path, tokenizer, part):
    from axolotl.utils.data.sft import prepare_datasets

    rows = prepare_datasets(_config(path, tokenizer, "sft.yaml"), tokenizer)[0]
    for row in rows:
        yield split_by_mask(tokenizer, row["input_ids"], [label != -100 for label in row["labels"]])


def _preferences(path, tokenizer, file):
    from axolotl.utils.data.rl import prepare_preference_datasets

    sys.path.insert(0, str(EXPORT))
    os.chdir(EXPORT)
    return prepare_preference_datasets(_config(path, tokenizer, file), tokenizer)[0]


def rl(path, tokenizer, part):
    for row in _preferences(path, tokenizer, "grpo.yaml"):
        yield row["prompt"][-1]["content"], [row["reward_model"]["ground_truth"]]


def pairs(path, tokenizer, part):
    for row in _preferences(path, tokenizer, "dpo.yaml"):
        yield row["prompt"], [row["chosen"], row["rejected"]]


if __name__ == "__main__":  # its workers import this file anew
    run("axolotl", {"sft": sft, "rl": rl, "pairs": pairs})
