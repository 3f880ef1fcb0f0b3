"""OffsetBias: 8,504 pairs whose worse response is the more attractive one (arXiv 2407.06551).

    {"instruction": "Rewrite the sentence, minding spelling: 'Its harder then before'",
     "output_1": "It's harder than before.", "output_2": "The sentence is fine. However, one might ..", "label": 1}

Hub id `NCSOFT/offsetbias`, licence BSD-3-Clause, one JSONL file. The label is the number of the better output; its
reward is 1, the other's 0. The traps:

* its pairs counter the usual biases (length, concreteness, familiar knowledge ..) by turning them round, which is a
  bias again: its card says not to train on it alone. Name other sources beside it, and bound it by `max_share`;
* all of it is in Skywork-Reward-Preference too: see `skywork`.
"""

from collections.abc import Iterator
from functools import partial

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import RowError, filled_text, number, shown, text_of
from schemas.preference import LabelSource, PreferenceSet, Response, UnreadableRow, preference_set
from schemas.query import user
from schemas.recipe import OffsetBias

HUB = "NCSOFT/offsetbias"
PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.parquet")
LICENSE = "BSD-3-Clause"
DOMAIN = "general"


def read(section: OffsetBias, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set or an unreadable row for each pair."""
    return records_of(files, partial(_set_of, section, files))


def _set_of(section: OffsetBias, files: SourceFiles, location: str, row: Row) -> PreferenceSet:
    label = number(row.get("label"))
    if label not in (1, 2):
        raise RowError("bad_label", f"label is {shown(row.get('label'))}, not 1 or 2")
    return preference_set(
        query=user(filled_text(row.get("instruction"), "instruction")),
        responses=[
            Response(text_of(row.get(f"output_{place}"), f"output_{place}"), reward=float(place == label))
            for place in (1, 2)
        ],
        source=section.kind,
        source_id=location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.MODEL,
    )
