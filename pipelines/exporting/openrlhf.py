"""OpenRLHF. Read in release 0.11.2, from the package index.

`SFTDataset` reads `--data.input_key` and `--data.output_key` as lists of messages with `--data.apply_chat_template`,
and trains on the output alone; a prompt as long as `--data.max_len` is dropped without a word, a longer row cut.
`PromptDataset` reads `--data.input_key` and `--data.label_key`, and makes a picture of `<image>`. `RewardDataset` reads
prompt, chosen and rejected. A file given as `--reward.remote_url` has `reward_func(queries, prompts, labels)`.
"""

from pipelines.exporting.shapes import columns
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(columns(prompt="prompt", completion="completion"), usual=2_048)

TRAINER = Trainer(
    name="openrlhf",
    package="openrlhf",
    release="0.11.2",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(columns(prompt="prompt", label="ground_truth", datasource="data_source"), usual=2_048),
        "pairs": Layout(columns(prompt="prompt", chosen="chosen", rejected="rejected", margin="margin"), usual=512),
    },
    without={"meta_rm": "OpenRLHF trains no scorer of single texts; train/meta_rm.py of the snapshot does"},
    media_tags=("<image>",),
)
