"""Load this export with NeMo RL's own data sets and processors; its source must be in PYTHONPATH."""

import sys
from types import SimpleNamespace

from comparing import EXPORT, run, split_by_mask


def _rows(path, **settings):
    from nemo_rl.data.datasets.response_datasets import load_response_dataset

    return load_response_dataset({"data_path": str(path), "prompt_file": None, "system_prompt_file": None, **settings})


def sft(path, tokenizer, part):
    from nemo_rl.data.llm_message_utils import add_loss_mask_to_message_log

    settings = {"dataset_name": "openai_format", "chat_key": "messages", "tool_key": None, "processor": "sft_processor"}
    data = _rows(path, **settings)
    for number, row in enumerate(data.dataset):
        made = data.processor(row, data.task_spec, tokenizer, part["whole_limit"], number, add_generation_prompt=True)
        if made["loss_multiplier"] != 1:
            raise SystemExit(f"{row['id']}: is longer than {part['whole_limit']}")
        add_loss_mask_to_message_log([made["message_log"]], only_unmask_final=True)
        ids = [token for message in made["message_log"] for token in message["token_ids"].tolist()]
        mask = [sign for message in made["message_log"] for sign in message["token_loss_mask"].tolist()]
        yield split_by_mask(tokenizer, ids, mask)


def rl(path, tokenizer, part):
    sys.path.insert(0, str(EXPORT))
    import grm_nemo

    data = _rows(path, dataset_name="ResponseDataset")
    for number, row in enumerate(data.dataset):
        made = grm_nemo.processor(row, data.task_spec, tokenizer, part["prompt_limit"], number)
        yield made["message_log"][0]["content"], [made["extra_env_info"]["ground_truth"]]


def pairs(path, tokenizer, part):
    from nemo_rl.data.datasets.preference_datasets import load_preference_dataset
    from nemo_rl.data.processors import preference_preprocessor

    settings = {"dataset_name": "PreferenceDataset", "data_path": str(path), "prompt_file": None}
    data = load_preference_dataset({**settings, "system_prompt_file": None})
    for number, row in enumerate(data.dataset):
        made = preference_preprocessor(
            row, SimpleNamespace(prompt=None, system_prompt=None), tokenizer, part["whole_limit"], number
        )
        sides = [made[f"message_log_{side}"] for side in ("chosen", "rejected")]
        texts = ["".join(tokenizer.decode(message["token_ids"]) for message in side) for side in sides]
        prompt = tokenizer.apply_chat_template(row["context"], tokenize=False, add_generation_prompt=True)
        yield texts[0], [text[len(prompt) :] if text.startswith(prompt) else text for text in texts]


run("nemo_rl", {"sft": sft, "rl": rl, "pairs": pairs})
