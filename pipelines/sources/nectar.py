"""Nectar: 182,954 prompts with seven answers each, ranked by GPT-4.

    {"prompt": "\\n\\nHuman: Name a prime. \\n\\nAssistant: ", "turns": 1, "num_responses": 7,
     "answers": [{"answer": "7", "model": "gpt-4", "rank": 1.0}, {"answer": "9", "model": "mistral", "rank": 2.0}, ..],
     "source": ["lmsys-chat-1m"], "good_natured": true}

The reward is the number of answers below, so the margin is always 1 and says nothing of a distance. The traps:

* the conversation is one text, after `Human:` and `Assistant:`: it is split. One that does not begin with `Human:` or
  does not end with an open `Assistant:` is unreadable (`no_transcript`);
* the published ranks have no ties, but two equal ranks at the top are one (`tie`); a rank that is no whole number from
  1 to the number of answers is unreadable (`bad_rank`);
* two of the seven may be the same text: then ranks contradict each other (`duplicate_responses`);
* prompts come from UltraFeedback, HH-RLHF and others that are sources of their own, with other answers; those from
  TruthfulQA would contaminate that benchmark (`contaminated`);
* `good_natured` is false for prompts that may be harmful: `where = "good_natured"` leaves them out.
"""

from typing import Any

from pipelines.sources.answers import dialogue
from pipelines.sources.conversations import query_of
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, list_of, mapping_of, number, short_text, shown, text_of
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.recipe import SourceSection

_BENCHMARKS = ("truthful_qa", "truthfulqa")


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
    turns = dialogue(filled_text(row.get("prompt"), "prompt"))
    if turns is None or turns[-1] != {"role": "assistant", "content": ""}:
        raise RowError("no_transcript", "prompt is no conversation from 'Human:' to an open 'Assistant:'")
    answers = list_of(row.get("answers"), "answers")
    part = row.get("source")
    parts = part if isinstance(part, list) else [part]
    return preference_set(
        query=query_of(turns[:-1], "prompt"),
        responses=[_response(answer, f"answers[{index}]", len(answers)) for index, answer in enumerate(answers)],
        label_source=LabelSource.MODEL,
        drop_reason=DropReason.CONTAMINATED if any(part in _BENCHMARKS for part in parts) else None,
        **origin,
    )


def _response(value: Any, name: str, n_answers: int) -> Response:
    answer = mapping_of(value, name)
    rank = number(answer.get("rank"))
    if rank is None or rank not in range(1, n_answers + 1):
        raise RowError("bad_rank", f"{name}.rank is {shown(answer.get('rank'))}, not 1 to {n_answers}")
    model = short_text(answer.get("model"), f"{name}.model")
    return Response(text_of(answer.get("answer"), f"{name}.answer"), reward=n_answers - rank, model=model)


SOURCE = Source(
    kind="nectar",
    hub="berkeley-nest/Nectar",
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz"),
    license="Apache-2.0",
    unit="prompt",
    rows=182_954,
    make=_set_of,
)
