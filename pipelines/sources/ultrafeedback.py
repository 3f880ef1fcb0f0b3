"""UltraFeedback: 63,967 instructions with four responses each, rated by GPT-4 in four aspects (arXiv 2310.01377).

    {"source": "evol_instruct", "instruction": "Write a haiku about rain.", "models": ["alpaca-7b", ..],
     "completions": [{"model": "alpaca-7b", "principle": "honesty", "custom_system_prompt": "As an AI assistant, ..",
                      "response": "Rain on the tin roof ..",
                      "annotations": {"instruction_following": {"Rating": "4", "Rationale": ".."},
                                      "honesty": {"Rating": "N/A", ..}, "truthfulness": {..}, "helpfulness": {..}},
                      "fine-grained_score": 3.75, "overall_score": 6.0, "critique": ".."}, ..]}

The hub has one JSONL file for each place the instructions come from. The reward is the mean of the four aspect ratings,
1 to 5. The traps:

* a rating is text and may be "N/A": a response without all four is left out, since a mean of three is another scale;
  with fewer than two left the set is dropped (`too_few_responses`);
* `overall_score` had a bug that turned 1 into 10 (2,628 completions), and disagrees with the aspects: never read;
* means come in quarters and are one annotator's: under `min_margin` between the top two a set is `uncertain`;
* rows from TruthfulQA would contaminate that benchmark (`contaminated`);
* each response was written under a hidden system prompt of its own: it is no part of the query, which all share; the
  principle behind it is kept as the response's `origin`.

With `retag_votes`, models.teacher judges each uncertain set again: see [A second opinion](#a-second-opinion).
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, filled_text, list_of, mapping_of, number, optional_text, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.query import user
from schemas.recipe import Number, SourceSection, Whole

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
_LOWEST, _HIGHEST = 1, 5
_BENCHMARKS = ("truthful_qa",)  # no set: a row may give a list as its source, which cannot be hashed


class UltraFeedback(SourceSection):
    """Keys of a `ultrafeedback` section."""

    min_margin: Annotated[Number, Field(ge=0)] = 0.5
    """Sets whose two highest mean ratings are nearer than this are uncertain, and dropped."""
    retag_votes: Annotated[Whole, Field(ge=0, le=15)] = 0
    """So many judgements of models.teacher on each uncertain set; it is kept where most agree with its ratings."""

    @property
    def teacher_votes(self) -> int:
        return self.retag_votes


def _set_of(section: UltraFeedback, row: Row, origin: Origin) -> PreferenceSet:
    values = enumerate(list_of(row.get("completions"), "completions"))
    responses = [response for index, value in values if (response := _response(value, f"completions[{index}]"))]
    return preference_set(
        query=user(filled_text(row.get("instruction"), "instruction")),
        responses=responses,
        label_source=LabelSource.MODEL,
        min_margin=section.min_margin,
        drop_reason=DropReason.CONTAMINATED if row.get("source") in _BENCHMARKS else None,
        **origin,
    )


def _response(value: Any, name: str) -> Response | None:
    """Return a completion; None unless all four aspects are rated."""
    completion = mapping_of(value, name)
    reward = _mean_rating(completion.get("annotations"))
    if reward is None:
        return None
    return Response(
        text=text_of(completion.get("response"), f"{name}.response"),
        reward=reward,
        model=optional_text(completion.get("model"), f"{name}.model"),
        origin=optional_text(completion.get("principle"), f"{name}.principle"),
    )


def _mean_rating(annotations: Any) -> float | None:
    """Return the mean of the four ratings, each 1 to 5; None unless all four are."""
    aspects = [annotations.get(name) for name in ASPECTS] if isinstance(annotations, Mapping) else []
    ratings = [number(aspect.get("Rating")) for aspect in aspects if isinstance(aspect, Mapping)]
    known = [rating for rating in ratings if rating is not None and _LOWEST <= rating <= _HIGHEST]
    return sum(known) / len(ASPECTS) if len(known) == len(ASPECTS) else None


SOURCE = Source(
    kind="ultrafeedback",
    section=UltraFeedback,
    hub="openbmb/UltraFeedback",
    patterns=("*.jsonl", "*.jsonl.gz", "*.parquet"),
    license="MIT",
    unit="instruction",
    rows=63_967,
    make=_set_of,
)
