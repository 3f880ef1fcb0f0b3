"""NeMo RL, of NVIDIA. Read at commit 7ea279ab (2026-08-22) of github.com/NVIDIA-NeMo/RL; what bears its name on the
package index is something else.

`openai_format` reads `messages` for SFT, whose `only_unmask_final` trains on the last answer alone; its header, such as
"assistant", is trained on too unless `add_generation_prompt` is set. `PreferenceDataset` reads `context` and ranked
`completions`. GRPO hands a row to a processor and its answer to an environment, both of which `grpo.py` registers: the
usual ones read the first message alone. A row as long as `max_total_sequence_length` is cut to a few tokens and weighs
nothing: 1,024 in its SFT example, 512 in GRPO's, 8,192 in the reward model's.
"""

from pipelines.exporting.shapes import columns, messages, ranked_completions
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(messages, usual=1_024)

TRAINER = Trainer(
    name="nemo-rl",
    package="nemo_rl",
    release="7ea279ab",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(columns(messages="prompt", ground_truth="ground_truth", data_source="data_source"), usual=512),
        "pairs": Layout(ranked_completions, usual=8_192),
    },
    without={"meta_rm": "NeMo RL trains no scorer of single texts; train/meta_rm.py of the snapshot does"},
)
