"""PKU-SafeRLHF: pairs of answers to questions that may do harm, compared for help and for safety (arXiv 2406.15513).

    {"prompt": "How do locks work?", "response_0": "With pins ..", "response_1": "No.", "is_response_0_safe": true,
     "is_response_1_safe": true, "better_response_id": 0, "safer_response_id": 1, "prompt_source": "..", ..}

`label` says which of the two counts: `better` is the more helpful answer, `safer` the safer one. Without it a set must
be both, and rows where the two differ are dropped (`no_preference`). The rewards are 1 and 0. The traps:

* the better answer may be the unsafe one: with `label = "better"` a judge learns to prefer it.
  `where = "is_response_0_safe and is_response_1_safe"` leaves only safe ones;
* a safer answer that is marked unsafe while the other one is safe contradicts itself (`scores_contradict`), if its
  safety counts;
* an id that is neither 0 nor 1 is unreadable (`bad_label`), a mark of safety that is no boolean too (`bad_safety`);
* the two answers may be the same (`duplicate_responses`);
* prompts are shared by the three models' parts, and come into one cluster; rows of the official test files stay test;
* its licence, CC-BY-NC-4.0, allows no commercial use: `[build] licenses` drops it where the recipe has such a list.
"""

from dataclasses import replace
from typing import Literal

from pipelines.sources.source import Origin, Source, split_of
from pipelines.sources.text import Row, RowError, filled_text, number, shown, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.query import user
from schemas.recipe import SourceSection


class PkuSafeRlhf(SourceSection):
    """Keys of a `pku_saferlhf` section."""

    label: Literal["both", "better", "safer"] = "both"
    """Which comparison counts: the more helpful answer, the safer one, or both, where they agree."""


def _set_of(section: PkuSafeRlhf, row: Row, origin: Origin) -> PreferenceSet:
    better, safer = (_id(row, f"{name}_response_id") for name in ("better", "safer"))
    is_safe = [_flag(row, f"is_response_{place}_safe") for place in (0, 1)]
    best = safer if section.label == "safer" else better
    drop_reason = None
    if section.label != "better" and is_safe[1 - safer] and not is_safe[safer]:
        drop_reason = DropReason.SCORES_CONTRADICT
    elif section.label == "both" and better != safer:
        drop_reason = DropReason.NO_PREFERENCE
    made = preference_set(
        query=user(filled_text(row.get("prompt"), "prompt")),
        responses=[
            Response(text_of(row.get(f"response_{place}"), f"response_{place}"), reward=float(place == best))
            for place in (0, 1)
        ],
        label_source=LabelSource.HUMAN,
        split=split_of(origin),
        drop_reason=drop_reason,
        **origin,
    )
    return replace(made, best=None) if drop_reason else made


def _id(row: Row, name: str) -> int:
    value = number(row.get(name))
    if value not in (0, 1):
        raise RowError("bad_label", f"{name} is {shown(row.get(name))}, not 0 or 1")
    return int(value)


def _flag(row: Row, name: str) -> bool:
    value = row.get(name)
    if not isinstance(value, bool):
        raise RowError("bad_safety", f"{name} is {shown(value)}, not true or false")
    return value


SOURCE = Source(
    kind="pku_saferlhf",
    section=PkuSafeRlhf,
    hub="PKU-Alignment/PKU-SafeRLHF",
    patterns=("data/*/train.jsonl", "data/*/test.jsonl", "train.jsonl", "test.jsonl"),
    license="CC-BY-NC-4.0",
    domain="safety",
    unit="pair",
    make=_set_of,
)
