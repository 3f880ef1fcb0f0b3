"""SkyRL, of NovaSky. Read in release 0.4.0 of skyrl and of skyrl-gym, from the package index, which want Python 3.12.

`PromptDataset` reads Parquet with `prompt` and `env_class`; every other column goes to the environment, which
`grm_env.py` is. Prompts longer than `trainer.max_prompt_length`, 512 unless set, are dropped. SFT reads `messages` of a
folder's split, trains on the last answer, and cuts at `max_length` where that is set.
"""

import pyarrow as pa

from pipelines.exporting.shapes import messages
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(messages, "parquet")


def _environment_rows(rows: pa.Table) -> pa.Table:
    """Return `prompt` and `env_class`, and what `grm_env.py` needs."""
    names = {"data_source": "data_source", "prompt": "prompt", "reward_spec": "reward_model"}
    env = pa.repeat("grm", rows.num_rows)
    return pa.table({"id": rows["id"], "env_class": env} | {name: rows[own] for name, own in names.items()})


TRAINER = Trainer(
    name="skyrl",
    package="skyrl",
    release="0.4.0",
    layouts={"rft": _SFT, "traces": _SFT, "rl": Layout(_environment_rows, "parquet", usual=512)},
    without={
        "pairs": "SkyRL trains no reward model; trl, openrlhf, llamafactory, swift and nemo-rl do",
        "meta_rm": "SkyRL trains no scorer; train/meta_rm.py of the snapshot does",
    },
)
