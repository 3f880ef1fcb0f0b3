"""Skywork-Reward-Preference v0.2: 77,016 pairs collected from other data sets (arXiv 2410.18451).

    {"chosen": [{"content": "Name a prime.", "role": "user"}, {"content": "7 is one.", "role": "assistant"}],
     "rejected": [{"content": "Name a prime.", "role": "user"}, {"content": "9 is one.", "role": "assistant"}],
     "source": "magpie_pro_llama3.1"}

Its card names no licence, and what it was collected from has several: `unknown`. The query is what stands before the
chosen answer. Unreadable: `no_prompt` (it follows no turn of the user), `prompts_differ` (the rejected conversation
does not begin with the query), `bad_response` (a conversation that does not end with an answer). The traps:

* it holds all 8,504 pairs of OffsetBias and 7,221 of HelpSteer2, sources of their own: dropped as `overlap`, so that
  neither counts twice, unless `keep_overlap` (curation then still finds those whose texts are the same);
* `magpie_ultra`: rejected answers hold `<im_start>`, or go on for several turns where the chosen one is a single turn.
  Whoever sees that needs no judgement (`label_leak`). Looked for in every part, since chosen ones never have it;
* v0.1 overlaps with RewardBench; v0.2 is without those 4,957 pairs. Give no path of v0.1.
"""

from pipelines.sources.answers import ending_in_answer
from pipelines.sources.conversations import conversation
from pipelines.sources.pairs import PAIR
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, cleaned_json, optional_text
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.query import Messages, wire
from schemas.recipe import Flag, SourceSection

MARKS = ("<im_start>", "<im_end>", "<|im_start|>", "<|im_end|>")
"""What a chat template leaves behind in answers that it cut wrongly."""
_OVERLAPS = ("offsetbias", "helpsteer2")


class Skywork(SourceSection):
    """Keys of a `skywork` section."""

    keep_overlap: Flag = False
    """Keep the pairs that come from OffsetBias and HelpSteer2, which are sources of their own."""


def _set_of(section: Skywork, row: Row, origin: Origin) -> PreferenceSet:
    chosen, rejected = (ending_in_answer(conversation(row.get(key), key), key) for key in PAIR)
    query = chosen[:-1]
    if not query or query[-1].role != "user":
        raise RowError("no_prompt", "the chosen answer follows no turn of the user")
    if rejected[: len(query)] != query or len(rejected) == len(query):
        raise RowError("prompts_differ", "chosen and rejected do not answer the same conversation")
    answers = (chosen[len(query) :], rejected[len(query) :])
    part = optional_text(row.get("source"), "source")
    return preference_set(
        query=query,
        responses=[_response(turns, reward, part) for turns, reward in zip(answers, (1.0, 0.0), strict=True)],
        label_source=LabelSource.MODEL,
        drop_reason=_drop_reason(*answers, part or "", section.keep_overlap),
        **origin,
    )


def _response(turns: Messages, reward: float, part: str | None) -> Response:
    """Return an answer; of one that goes on for several turns the last is the text, and all are kept."""
    whole = cleaned_json(wire(turns), "turns") if len(turns) > 1 else None
    return Response(turns[-1].content, reward=reward, turns=whole, origin=part)


def _drop_reason(chosen: Messages, rejected: Messages, part: str, keep_overlap: bool) -> DropReason | None:
    plain = "".join(letter for letter in part.casefold() if letter.isalnum())
    if not keep_overlap and any(name in plain for name in _OVERLAPS):
        return DropReason.OVERLAP
    if len(chosen) != len(rejected) or _is_marked(rejected) != _is_marked(chosen):
        return DropReason.LABEL_LEAK
    return None


def _is_marked(turns: Messages) -> bool:
    return any(mark in turn.content for turn in turns for mark in MARKS)


SOURCE = Source(
    kind="skywork",
    section=Skywork,
    hub="Skywork/Skywork-Reward-Preference-80K-v0.2",
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz"),
    license="unknown",
    unit="pair",
    rows=77_016,
    make=_set_of,
)
