"""HelpSteer2-Preference: 9,125 pairs of HelpSteer2 with a direct preference (arXiv 2410.01257).

    {"split": "train", "prompt": "c#", "response_1": "C# is ..", "response_2": "C# (pronounced ..",
     "preference_strength": 2, "preference_statement": "Response 2 is better than Response 1 because ..",
     "preference_elaboration": "..", "three_most_similar_preferences": [..], "all_preferences_unprocessed": [..]}

On the hub it is the folder `preference` of HelpSteer2. The strength goes from -3 (response 1 is much better) to 3
(response 2 is); the preferred response's reward is its absolute value, the other's 0, so the margin is the strength.
The traps:

* a strength of 0 (`no_preference`); one that is no whole number from -3 to 3 is unreadable (`no_rating`);
* train and validation stand in one file: the field `split` (`train`, `val`) tells them apart, validation rows stay
  validation, and anything else is unreadable (`bad_split`);
* a conversation is one string, and the same pairs are in HelpSteer2, where the ratings may say the opposite: see
  `helpsteer2`.
"""

from pipelines.sources.helpsteer2 import turns_of
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, number, shown, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, Split, preference_set
from schemas.recipe import SourceSection

_SPLITS = {"train": None, "val": Split.VALIDATION, "validation": Split.VALIDATION}


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
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
        label_source=LabelSource.HUMAN,
        split=_SPLITS[split],
        drop_reason=DropReason.NO_PREFERENCE if strength == 0 else None,
        **origin,
    )


SOURCE = Source(
    kind="helpsteer2_preference",
    hub="nvidia/HelpSteer2",
    patterns=(
        "preference/preference.jsonl",
        "preference/preference.jsonl.gz",
        "preference.jsonl",
        "preference.jsonl.gz",
    ),
    license="CC-BY-4.0",
    unit="pair",
    rows=9_125,
    make=_set_of,
)
