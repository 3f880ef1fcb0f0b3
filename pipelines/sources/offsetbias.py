"""OffsetBias: 8,504 pairs whose worse response is the more attractive one (arXiv 2407.06551).

    {"instruction": "Rewrite the sentence, minding spelling: 'Its harder then before'",
     "output_1": "It's harder than before.", "output_2": "The sentence is fine. However, one might ..", "label": 1}

The label is the number of the better output; its reward is 1, the other's 0. A label that is neither 1 nor 2 is
unreadable (`bad_label`). The traps:

* its pairs counter the usual biases (length, concreteness, familiar knowledge ..) by turning them round, which is a
  bias again: its card says **not to train on it alone**. Name other sources beside it, and bound it by `max_share`;
* all of it is in Skywork-Reward-Preference too: see `skywork`.
"""

from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, number, shown, text_of
from schemas.preference import LabelSource, PreferenceSet, Response, preference_set
from schemas.query import user
from schemas.recipe import SourceSection


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
    label = number(row.get("label"))
    if label not in (1, 2):
        raise RowError("bad_label", f"label is {shown(row.get('label'))}, not 1 or 2")
    return preference_set(
        query=user(filled_text(row.get("instruction"), "instruction")),
        responses=[
            Response(text_of(row.get(f"output_{place}"), f"output_{place}"), reward=float(place == label))
            for place in (1, 2)
        ],
        label_source=LabelSource.MODEL,
        **origin,
    )


SOURCE = Source(
    kind="offsetbias",
    hub="NCSOFT/offsetbias",
    patterns=("*.jsonl", "*.jsonl.gz", "*.parquet"),
    license="BSD-3-Clause",
    unit="pair",
    rows=8_504,
    make=_set_of,
)
