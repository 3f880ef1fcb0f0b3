"""Skywork-Reward-Preference v0.2: 77,016 pairs collected from other data sets (arXiv 2410.18451).

    {"chosen": [{"content": "Name a prime.", "role": "user"}, {"content": "7 is one.", "role": "assistant"}],
     "rejected": [{"content": "Name a prime.", "role": "user"}, {"content": "9 is one.", "role": "assistant"}],
     "source": "magpie_pro_llama3.1"}

Hub id `Skywork/Skywork-Reward-Preference-80K-v0.2`; its card names no licence, and what it was collected from has
several: `unknown`. The query is what stands before the chosen answer. The traps:

* it holds all 8,504 pairs of OffsetBias and 7,221 of HelpSteer2, sources of their own: dropped as `overlap`, so that
  neither counts twice, unless `keep_overlap` (curation then still finds those whose texts are the same);
* `magpie_ultra`: rejected answers hold `<im_start>`, or go on for several turns where the chosen one is a single turn.
  Whoever sees that needs no judgement (`label_leak`). Looked for in every part, since chosen ones never have it;
* v0.1 overlaps with RewardBench; v0.2 is without those 4,957 pairs. Give no path of v0.1.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipelines.sources.conversations import conversation
from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import RowError, cleaned_json, optional_text
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, UnreadableRow, preference_set
from schemas.query import Messages, wire
from schemas.recipe import Skywork

HUB = "Skywork/Skywork-Reward-Preference-80K-v0.2"
PATTERNS = ("*.parquet", "*.jsonl", "*.jsonl.gz")
LICENSE = "unknown"
DOMAIN = "general"

MARKS = ("<im_start>", "<im_end>", "<|im_start|>", "<|im_end|>")
"""What a chat template leaves behind in answers that it cut wrongly."""
_OVERLAPS = ("offsetbias", "helpsteer2")


def read(section: Skywork, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set or an unreadable row for each pair."""
    return records_of(files, partial(_set_of, section, files))


def _set_of(section: Skywork, files: SourceFiles, location: str, row: Row) -> PreferenceSet:
    chosen, rejected = _conversation(row.get("chosen"), "chosen"), _conversation(row.get("rejected"), "rejected")
    query = chosen[:-1]
    if not query or query[-1].role != "user":
        raise RowError("no_prompt", "the chosen answer follows no turn of the user")
    if rejected[: len(query)] != query or len(rejected) == len(query):
        raise RowError("prompts_differ", "chosen and rejected do not answer the same conversation")
    answers = (chosen[len(query) :], rejected[len(query) :])
    origin = optional_text(row.get("source"), "source")
    return preference_set(
        query=query,
        responses=[_response(turns, reward, origin) for turns, reward in zip(answers, (1.0, 0.0), strict=True)],
        source=section.kind,
        source_id=location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.MODEL,
        drop_reason=_drop_reason(*answers, origin or "", section.keep_overlap),
    )


def _conversation(value: Any, name: str) -> Messages:
    messages = conversation(value, name)
    if messages[-1].role != "assistant":
        raise RowError("bad_response", f"{name} ends with a turn of {messages[-1].role!r}, not of 'assistant'")
    return messages


def _response(turns: Messages, reward: float, origin: str | None) -> Response:
    """Return an answer; of one that goes on for several turns the last is the text, and all are kept."""
    whole = cleaned_json(wire(turns), "turns") if len(turns) > 1 else None
    return Response(turns[-1].content, reward=reward, turns=whole, origin=origin)


def _drop_reason(chosen: Messages, rejected: Messages, origin: str, keep_overlap: bool) -> DropReason | None:
    plain = "".join(letter for letter in origin.casefold() if letter.isalnum())
    if not keep_overlap and any(name in plain for name in _OVERLAPS):
        return DropReason.OVERLAP
    if len(chosen) != len(rejected) or _is_marked(rejected) != _is_marked(chosen):
        return DropReason.LABEL_LEAK
    return None


def _is_marked(turns: Messages) -> bool:
    return any(mark in turn.content for turn in turns for mark in MARKS)
