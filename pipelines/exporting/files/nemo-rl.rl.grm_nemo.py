"""The rule of rewards.py as NeMo RL calls it: a processor of rows, and the environment that scores the answers."""

import ray
import rewards
import torch
from nemo_rl.environments.interfaces import EnvironmentInterface, EnvironmentReturn


def processor(datum_dict, task_data_spec, tokenizer, max_seq_length, idx):
    """Return a row for GRPO: all messages of the prompt by the chat template. Raises ValueError for one too long."""
    text = tokenizer.apply_chat_template(datum_dict["messages"], tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"][0]
    if max_seq_length is not None and len(tokens) >= max_seq_length:
        raise ValueError(f"row {idx} has {len(tokens)} tokens, and {max_seq_length} are allowed")
    return {
        "message_log": [{"role": "user", "content": text, "token_ids": tokens}],
        "length": len(tokens),
        "extra_env_info": {"ground_truth": datum_dict["ground_truth"]},
        "loss_multiplier": 1.0,
        "idx": idx,
        "task_name": datum_dict["task_name"],
    }


class Judging(EnvironmentInterface):
    """+1 for the best response, -1 for any other answer and for what cannot be read."""

    def __init__(self, cfg=None):
        pass

    def step(self, message_log_batch, metadata):
        answers = [log[-1]["content"] for log in message_log_batch]
        scored = [rewards.reward(text, of["ground_truth"]) for text, of in zip(answers, metadata, strict=True)]
        count = len(scored)
        return EnvironmentReturn(
            observations=[{"role": "environment", "content": ""}] * count,
            metadata=metadata,
            next_stop_strings=[None] * count,
            rewards=torch.tensor(scored),
            terminateds=torch.ones(count),
            answers=answers,
        )

    def global_post_process_and_metrics(self, batch):
        return batch, {"right": (batch["rewards"] > 0).float().mean().item()}


JudgingActor = ray.remote(Judging)
