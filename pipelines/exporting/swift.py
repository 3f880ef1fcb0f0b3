"""ms-swift, of ModelScope. Read in release 4.6.0, from the package index.

Rows have `messages`; a message with `loss: false` is not trained on. Pairs have the chosen answer as the last message
and the other one as `rejected_response`. GRPO keeps further columns for the reward, which is a class in a file given as
`--external_plugins`. `--max_length` is the model's own unless set; longer rows are deleted without a word, in GRPO cut
on the left, by `--truncation_strategy`. `<image>`, `<video>` and `<audio>` in a text stand for files.
"""

from pipelines.exporting.shapes import columns, marked_messages, with_rejected_text
from pipelines.exporting.trainer import Layout, Trainer

_SFT = Layout(marked_messages("loss", True, False))

TRAINER = Trainer(
    name="swift",
    package="swift",
    release="4.6.0",
    layouts={
        "rft": _SFT,
        "traces": _SFT,
        "rl": Layout(columns(messages="prompt", solution="ground_truth", data_source="data_source")),
        "pairs": Layout(with_rejected_text(marked_messages("loss", True, False, "chosen"))),
    },
    without={"meta_rm": "its classifiers are not served with the template; train/meta_rm.py of the snapshot is"},
    media_tags=("<image>", "<video>", "<audio>"),
)
