"""HelpSteer2-Preference: 9,125 pairs of HelpSteer2 with a direct preference (arXiv 2410.01257).

    {"split": "train", "prompt": "c#", "response_1": "C# is ..", "response_2": "C# (pronounced ..",
     "preference_strength": 2, "preference_statement": "Response 2 is better than Response 1 because ..",
     "preference_elaboration": "..", "three_most_similar_preferences": [..], "all_preferences_unprocessed": [..]}

Hub id `nvidia/HelpSteer2`, folder `preference`, licence CC-BY-4.0. The strength goes from -3 (response 1 is much
better) to 3 (response 2 is); the preferred response's reward is its absolute value, the other's 0. The traps:

* a strength of 0 (`no_preference`);
* train and validation stand in one file: the field `split` tells them apart, and validation rows stay validation;
* the same pairs are in HelpSteer2, where the ratings may say the opposite: see `helpsteer2`.
"""

from collections.abc import Iterator
from functools import partial

from pipelines.sources.files import SourceFiles
from pipelines.sources.helpsteer2 import turns_of
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import RowError, filled_text, number, shown, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.recipe import HelpSteer2Preference

HUB = "nvidia/HelpSteer2"
PATTERNS = ("preference/preference.jsonl", "preference/preference.jsonl.gz", "preference.jsonl", "preference.jsonl.gz")
LICENSE = "CC-BY-4.0"
DOMAIN = "general"

_SPLITS = {"train": None, "val": Split.VALIDATION, "validation": Split.VALIDATION}


def read(section: HelpSteer2Preference, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set or an unreadable row for each pair."""
    return records_of(files, partial(_set_of, section, files))


def _set_of(section: HelpSteer2Preference, files: SourceFiles, location: str, row: Row) -> PreferenceSet:
    strength = number(row.get("preference_strength"))
    if strength is None or strength not in range(-3, 4):
        raise RowError("no_rating", f"preference_strength is {shown(row.get('preference_strength'))}, not -3 to 3")
    split = row.get("split")
    if not isinstance(split, str) or split not in _SPLITS:
        raise RowError("bad_split", f"split is {shown(split)}, not {', '.join(_SPLITS)}")
    return preference_set(
        query=turns_of(filled_text(row.get("prompt"), "prompt")),
        responses=[
            Response(text_of(row.get("response_1"), "response_1"), reward=max(-strength, 0.0)),
            Response(text_of(row.get("response_2"), "response_2"), reward=max(strength, 0.0)),
        ],
        source=section.kind,
        source_id=location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.HUMAN,
        split=_SPLITS[split],
        drop_reason=DropReason.NO_PREFERENCE if strength == 0 else None,
    )
