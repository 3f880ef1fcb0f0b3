"""verl, of ByteDance. Read in release 0.9.1, from the package index.

GRPO's `RLHFDataset` reads Parquet with `data_source, prompt, ability, reward_model, extra_info`, and SFT's
`MultiTurnSFTDataset` Parquet with `messages`. `data.max_prompt_length` is 512 unless set. The agent loop cuts longer
prompts on the left, whatever `data.truncation` says, unless `filter_overlong_prompts` drops them first. SFT's
`data.max_length` is 1,024, and every answer of a conversation is trained on. The reward is
`reward.custom_reward_function.path`, in older releases `custom_reward_function.path`.
"""

import pyarrow as pa

from pipelines.exporting.shapes import messages
from pipelines.exporting.trainer import Layout, Trainer
from schemas.training import RL

_SFT = Layout(messages, "parquet", usual=1_024)


def _own_columns(rows: pa.Table) -> pa.Table:
    return rows.select(RL.names)


TRAINER = Trainer(
    name="verl",
    package="verl",
    release="0.9.1",
    layouts={"rft": _SFT, "traces": _SFT, "rl": Layout(_own_columns, "parquet", usual=512)},
    without={
        "pairs": "verl trains no reward model; trl, openrlhf, llamafactory, swift and nemo-rl do",
        "meta_rm": "verl trains no scorer; train/meta_rm.py of the snapshot does",
    },
    trains_on_every_turn=True,
)
