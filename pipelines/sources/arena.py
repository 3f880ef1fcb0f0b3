"""Arena human preferences: two models' conversations, and which one the person who asked prefers (arXiv 2403.04132).

    {"id": "..", "model_a": "m-1", "model_b": "m-2", "winner": "model_a", "language": "en", "is_code": false,
     "conversation_a": [{"role": "user", "content": [{"type": "text", "text": "Name a prime."}]},
                        {"role": "assistant", "content": [{"type": "text", "text": "7"}]}], "conversation_b": [..]}
    {"prompt": "[\\"Name a prime.\\"]", "response_a": "[\\"7\\"]", "response_b": "[\\"9\\"]", "winner_model_a": 1,
     "winner_model_b": 0, "winner_tie": 0, "model_a": "m-1", "model_b": "m-2", "id": 30192}

The first layout is that of the set of 140,000 votes and of the one of 100,000; the second, with its turns as JSON, that
of the 55,000, which are a CSV file: `hub = "lmarena-ai/arena-human-preference-55k"`. The traps:

* `tie`, `both_bad` and `tie (bothbad)` are no preference (`no_preference`); others are unreadable (`bad_winner`);
* models answered each turn of a conversation for themselves: the query is what both begin with, up to a turn of the
  user. What follows is the answer, with all of its turns. Conversations that do not begin alike are unreadable
  (`no_prompt`), as are those with a turn too few (`lengths_differ`);
* pictures in a turn make the row unreadable (`holds_image`);
* style sways the vote: long answers with lists win. See the report's checks for length, and `max_share`;
* one vote is one person's, without a strength: the rewards are 1 and 0;
* rows are in many languages; `where = "language = 'en' and not is_code"` chooses.
"""

import json
from typing import Any

from pipelines.sources.conversations import parsed_turns
from pipelines.sources.pair_sets import set_of_pair
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, list_of, missing_field, number, short_text, shown
from schemas.preference import DropReason, LabelSource, PreferenceSet
from schemas.recipe import SourceSection

_WINNERS = {"model_a": 0, "model_b": 1}
_TIES = ("tie", "both_bad", "tie (bothbad)", "tie (both bad)")
_FLAGS = ("winner_model_a", "winner_model_b", "winner_tie")


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
    winner = _winner(row)
    conversations = [_conversation(row, side) for side in "ab"]
    models = [short_text(row.get(f"model_{side}"), f"model_{side}") for side in "ab"]
    if winner == 1:
        conversations, models = conversations[::-1], models[::-1]
    return set_of_pair(
        dict(zip(("chosen", "rejected"), conversations, strict=True)),
        origin,
        label_source=LabelSource.HUMAN,
        rewards=(0.0, 0.0) if winner is None else (1.0, 0.0),
        models=models,
        drop_reason=DropReason.NO_PREFERENCE if winner is None else None,
    )


def _winner(row: Row) -> int | None:
    """Return whose conversation won: 0 for a, 1 for b, None for neither. Raises RowError."""
    if "winner" not in row and all(key in row for key in _FLAGS):
        flags = [number(row[key]) for key in _FLAGS]
        if (flags.count(1), flags.count(0)) != (1, 2):
            values = ", ".join(shown(row[key]) for key in _FLAGS)
            raise RowError("bad_winner", f"{' and '.join(_FLAGS)} are {values}: not one 1 and two 0")
        return (0, 1, None)[flags.index(1)]
    winner = row.get("winner")
    if winner in _TIES:
        return None
    if not isinstance(winner, str) or winner not in _WINNERS:
        raise RowError("bad_winner", f"winner is {shown(winner)}, not {', '.join(_WINNERS)} or {', '.join(_TIES)}")
    return _WINNERS[winner]


def _conversation(row: Row, side: str) -> list[Any]:
    """Return the turns of one model's conversation, as written. Raises RowError."""
    name = f"conversation_{side}"
    value = row.get(name)
    if value is not None:
        return list_of(parsed_turns(value) or value if isinstance(value, str) else value, name)
    if "prompt" not in row:
        raise missing_field(name)
    asked, answered = (_texts(row.get(key), key) for key in ("prompt", f"response_{side}"))
    if len(asked) != len(answered):
        raise RowError("lengths_differ", f"response_{side} has {len(answered)} turns for {len(asked)} of prompt")
    pairs = zip(asked, answered, strict=True)
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def _texts(value: Any, name: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowError("bad_json", f"{name} is {shown(value)}, not a list of turns as JSON") from None
    return list_of(value, name)


SOURCE = Source(
    kind="arena",
    hub="lmarena-ai/arena-human-preference-140k",
    other_hubs=("lmarena-ai/arena-human-preference-100k", "lmarena-ai/arena-human-preference-55k"),
    patterns=("*.parquet", "*.csv", "*.jsonl", "*.jsonl.gz"),
    license="CC-BY-4.0",
    unit="vote",
    make=_set_of,
)
