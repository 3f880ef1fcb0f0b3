"""slime, of THUDM. Read at commit 624b824a (2026-08-21) of github.com/THUDM/slime; what bears its name on the package
index is something else.

`Dataset` reads JSONL or Parquet by `--input-key` and `--label-key`. GRPO applies the chat template, and drops prompts
longer than `--rollout-max-prompt-len` where that is set. SFT's rollout reads messages, trains on every answer but those
with `step_loss_mask: 0`, and cuts nothing. The reward is `--custom-rm-path module.function`, called with `(args,
sample)`, or with a list of samples where rewards are batched.
"""

from pipelines.exporting.shapes import columns, marked_messages
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(marked_messages("step_loss_mask", 1, 0))

TRAINER = Trainer(
    name="slime",
    package="slime",
    release="624b824a",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(columns(prompt="prompt", label="ground_truth", data_source="data_source")),
    },
    without={
        "pairs": "slime trains no reward model; trl, openrlhf, llamafactory, swift and nemo-rl do",
        "meta_rm": "slime trains no scorer; train/meta_rm.py of the snapshot does",
    },
)
