"""TRL, of Hugging Face. Read in release 1.16.0, from the package index.

`SFTTrainer` takes `prompt` and `completion` as messages, and trains on the completion alone; `GRPOTrainer` takes
`prompt` and hands every other column to the reward function; `RewardTrainer` takes `prompt`, `chosen`, `rejected`.
`SFTConfig` and `RewardConfig` cut (SFT) or drop (reward) what is longer than `max_length`, 1,024 unless set. Nothing of
TRL trains a scorer of single texts by BCE: `train/meta_rm.py` does, with transformers alone.
"""

from pipelines.exporting.shapes import columns
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(columns(prompt="prompt", completion="completion"), "parquet", usual=1_024)

TRAINER = Trainer(
    name="trl",
    package="trl",
    release="1.16.0",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(
            columns(prompt="prompt", data_source="data_source", reward_model="reward_model", extra_info="extra_info"),
            "parquet",
        ),
        "pairs": Layout(
            columns(prompt="prompt", chosen="chosen", rejected="rejected", margin="margin"), "parquet", usual=1_024
        ),
        "meta_rm": Layout(columns(prompt="prompt", completion="completion", label="label", set_id="set_id"), "parquet"),
    },
    without={},
)
