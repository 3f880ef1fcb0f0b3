"""UltraFeedback-binarized: 61,135 pairs made of UltraFeedback, as Messages (arXiv 2310.16944).

    {"prompt": "Name a prime.", "prompt_id": "..", "messages": [..], "score_chosen": 8.0, "score_rejected": 5.0,
     "chosen": [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "7 is one."}],
     "rejected": [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "9 is one."}]}

Of its six splits `train_prefs` is read; `split = "test_prefs"` reads another one, whose rows stay test. The rewards are
the scores. The traps:

* the splits for SFT and generation (`train_sft`, `train_gen`, ..) repeat the rows: one split at a time;
* some pairs have two equal scores (`tie`), and a lower score for the chosen one contradicts it (`scores_contradict`); a
  score that is no number makes the row unreadable (`no_rating`);
* the score is GPT-4's `overall_score`, which disagrees with the mean of the aspects that `ultrafeedback` reads, and had
  a bug that turned 1 into 10. Read one of the two sources, not both: the same answers may be ranked the other way;
* the rejected answer was drawn among the worse three, so margins run from 0.5 to 9: `min_margin` sets a floor;
* `prompt` repeats the first turn, and a row where it does not is unreadable (`bad_prompt`).
"""

from typing import Annotated

from pydantic import Field

from pipelines.sources.pair_sets import set_of_pair
from pipelines.sources.source import Origin, Source, split_of
from pipelines.sources.text import Row, RowError, number, shown
from schemas.preference import LabelSource, PreferenceSet
from schemas.recipe import Number, SourceSection


class UltraFeedbackBinarized(SourceSection):
    """Keys of a `ultrafeedback_binarized` section."""

    min_margin: Annotated[Number, Field(ge=0)] = 0.0
    """Sets whose two scores are nearer than this are uncertain, and dropped."""


def _set_of(section: UltraFeedbackBinarized, row: Row, origin: Origin) -> PreferenceSet:
    for key in ("score_chosen", "score_rejected"):
        if number(row.get(key)) is None:
            raise RowError("no_rating", f"{key} is {shown(row.get(key))}, not a number")
    split = split_of(origin)
    return set_of_pair(row, origin, label_source=LabelSource.MODEL, min_margin=section.min_margin, split=split)


SOURCE = Source(
    kind="ultrafeedback_binarized",
    section=UltraFeedbackBinarized,
    hub="HuggingFaceH4/ultrafeedback_binarized",
    patterns=("data/train_prefs-*.parquet", "train_prefs*.parquet", "train_prefs*.jsonl"),
    license="MIT",
    unit="pair",
    rows=61_135,
    make=_set_of,
)
