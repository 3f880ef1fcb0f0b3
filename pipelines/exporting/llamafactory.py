"""LLaMA-Factory. Read in release 0.9.5, from the package index.

A folder has a `dataset_info.json` with an entry a file. `sharegpt` conversations are lists under a key, user and
assistant in turn behind a system message: any other conversation is skipped, with a line in the log. Pairs are
`conversations` beside one message each as `chosen` and `rejected`, with `"ranking": true`. What is longer than
`cutoff_len`, 2,048 unless set, is cut; `mask_history` trains on the last answer alone. `<image>`, `<video>` and
`<audio>` in a text stand for files. It trains PPO with a reward model, and no rule reward.
"""

from pipelines.exporting.shapes import chosen_and_rejected_messages, messages
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(messages, usual=2_048)

TRAINER = Trainer(
    name="llamafactory",
    package="llamafactory",
    release="0.9.5",
    layouts={"rft": _SFT, "traces": _SFT, "pairs": Layout(chosen_and_rejected_messages, usual=2_048)},
    without={
        "rl": "LLaMA-Factory takes no rule reward; trl, verl, openrlhf, swift, slime, nemo-rl and skyrl do",
        "meta_rm": "LLaMA-Factory trains no scorer of single texts; train/meta_rm.py of the snapshot does",
    },
    media_tags=("<image>", "<video>", "<audio>"),
    alternates=True,
)
