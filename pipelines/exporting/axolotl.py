"""axolotl. Read in release 0.21.0, from the package index, which wants Python 3.12.

A YAML names the files: `type: chat_template` for SFT on `messages`, of which those with `train: true` are trained on
(`message_field_training`); `rl: dpo` with `chat_template.default` for pairs; `rl: grpo` with functions of a module for
rows and reward. `sequence_len` is 512 unless set, and what is longer is dropped unless `excess_length_strategy` says
`raise`.
"""

from pipelines.exporting.shapes import columns, marked_messages
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(marked_messages("train", True, False), usual=512)

TRAINER = Trainer(
    name="axolotl",
    package="axolotl",
    release="0.21.0",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(columns(prompt="prompt", data_source="data_source", reward_model="reward_model")),
        "pairs": Layout(columns(messages="prompt", chosen="chosen", rejected="rejected"), usual=512),
    },
    without={"meta_rm": "axolotl trains no scorer of single texts; train/meta_rm.py of the snapshot does"},
)
