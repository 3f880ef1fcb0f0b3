"""HelpSteer3-Preference: 40,476 pairs in 14 languages, each compared by up to three people (arXiv 2505.11475).

    {"domain": "code", "language": "python", "context": [{"role": "user", "content": "Sort a list."}],
     "response1": "Use sorted().", "response2": "You cannot.", "overall_preference": -2,
     "individual_preference": [{"score": -2, "reasoning": "..", "feedback1": "..", "feedback2": ".."}, ..]}

It is the configuration `preference` of the data set; the others (`feedback`, `edit`, ..) have no pairs to judge. Below
0 response 1 is better, above 0 response 2. The people are one set: a response's reward is the share of them that
prefers it, so the margin is the distance of the shares, and `label_source` is `annotators`. A row without
`individual_preference` counts as one person. The traps:

* 0 is no preference (`no_preference`); what is no whole number from -3 to 3 is unreadable (`no_rating`);
* the overall preference can go against most of the people, since it leaves out those far from the others: such rows are
  dropped (`scores_contradict`), and those where as many prefer the one as the other (`tie`);
* `min_margin = 0.5` keeps the rows on which people agree; the strength is chosen by `where`, such as
  `abs(overall_preference) >= 2`, and the language by `language = 'english'`;
* `domain` is the row's own (`general`, `code`, `stem`, `multilingual`); `language` is a programming language for code;
* rows of the official validation file stay validation.
"""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from pipelines.sources.annotators import shares
from pipelines.sources.conversations import query_of
from pipelines.sources.source import Origin, Source, split_of
from pipelines.sources.text import Row, RowError, list_of, mapping_of, number, short_text, shown, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.recipe import Number, SourceSection

_FIELD = "individual_preference"


class HelpSteer3(SourceSection):
    """Keys of a `helpsteer3` section."""

    min_margin: Annotated[Number, Field(ge=0, le=1)] = 0.0
    """Sets whose responses' shares of people are nearer than this are uncertain, and dropped."""


def _set_of(section: HelpSteer3, row: Row, origin: Origin) -> PreferenceSet:
    overall = _score(row.get("overall_preference"), "overall_preference")
    people = [_individual(one, index) for index, one in enumerate(list_of(row.get(_FIELD) or [], _FIELD))] or [overall]
    rewards = shares([None if score == 0 else int(score > 0) for score in people], 2)
    drop_reason = None
    if overall == 0:
        drop_reason = DropReason.NO_PREFERENCE
    elif (rewards[1] - rewards[0]) * overall < 0:
        drop_reason = DropReason.SCORES_CONTRADICT
    origin["domain"] = short_text(row.get("domain"), "domain") or origin["domain"]
    made = preference_set(
        query=query_of(list_of(row.get("context"), "context"), "context"),
        responses=[
            Response(text_of(row.get(f"response{place}"), f"response{place}"), reward=rewards[place - 1])
            for place in (1, 2)
        ],
        label_source=LabelSource.ANNOTATORS if len(people) > 1 else LabelSource.HUMAN,
        min_margin=section.min_margin,
        split=split_of(origin),
        drop_reason=drop_reason,
        **origin,
    )
    return replace(made, best=None) if drop_reason else made


def _individual(value: Any, index: int) -> float:
    return _score(mapping_of(value, f"{_FIELD}[{index}]").get("score"), f"{_FIELD}[{index}].score")


def _score(value: Any, name: str) -> float:
    score = number(value)
    if score is None or score not in range(-3, 4):
        raise RowError("no_rating", f"{name} is {shown(value)}, not -3 to 3")
    return score


SOURCE = Source(
    kind="helpsteer3",
    section=HelpSteer3,
    hub="nvidia/HelpSteer3",
    patterns=tuple(f"{folder}{name}.jsonl*" for folder in ("preference/", "") for name in ("train", "validation")),
    license="CC-BY-4.0",
    unit="pair",
    rows=40_476,
    make=_set_of,
)
