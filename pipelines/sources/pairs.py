"""The commonest preference layout, a better and a worse answer to one prompt, read as a plain row.

    {"prompt": "What is NR?", "chosen": "New Radio.", "rejected": "No Radio."}
    {"chosen": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
     "rejected": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "5"}]}
    {"prompt": .., "chosen": .., "rejected": .., "score_chosen": 8.0, "score_rejected": 2.0}
    {"prompt": .., "chosen": .., "rejected": .., "chosen-rating": 3, "rejected-rating": 5}     contradicts the pair
    {"prompt": .., "chosen": .., "rejected": .., "margin": 1.5}

`chosen` and `rejected` are texts, or turns: the answer's alone, or the whole conversation. The query of whole
conversations is what both begin with, up to a turn of the user; a `prompt` beside them must be the first or last of it.
Texts are not cut: where a text repeats the prompt, the answer does.
"""

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any, NamedTuple

from pipelines.sources.answers import (
    Turns,
    begins_with,
    is_whole,
    messages_in,
    response_values,
    turns_or_none,
    unpacked,
)
from pipelines.sources.conversations import not_blank
from pipelines.sources.questions import QUERY_NAMES, question_in
from pipelines.sources.text import Row, RowError, missing_field, number, shown, text_of
from schemas.query import Messages

PAIR = ("chosen", "rejected")
MARGINS = ("margin", "score_margin", "score_diff", "score_difference")

_TRUTHS = ("rewards", "best", "label")
_WHOSE = "avg|average|mean|overall|total|final|rm|reward_model|model|judge|llm|gpt4?|human"
_SCORE = rf"(?:(?:{_WHOSE})_)*(?:score|rating|reward|grade)s?"
_OWN_SCORE = re.compile(_SCORE)
_SIDE_SCORE = re.compile(rf"(?P<side>chosen|rejected)_{_SCORE}|{_SCORE}_(?:of_)?(?P<last>chosen|rejected)")


class Pair(NamedTuple):
    """What a plain row would hold."""

    query: Messages
    responses: list[Any]
    rewards: tuple[float, float]
    is_contradicted: bool
    """Whether the row's own scores say that the chosen answer is not the better one."""


def is_pair(row: Row) -> bool:
    """Say whether a row is of this layout; one with responses is not, whatever else it holds."""
    return "responses" not in row and any(key in row for key in PAIR)


def pair_of(row: Row) -> Pair:
    """Return what the row holds.

    Raises RowError as conversations do, and: several_truths, several_queries, bad_response, bad_prompt, no_prompt.
    """
    for key in PAIR:
        if key not in row:
            raise missing_field(key)
    if given := [key for key in _TRUTHS if key in row]:
        raise RowError("several_truths", f"chosen and rejected say which is best; the row also has {given[0]}")
    if all(name in row for name in QUERY_NAMES):
        raise RowError("several_queries", "the row has query and prompt; leave one of them out")
    values = [_without_list(row[key]) for key in PAIR]
    turns = _turns_of(values)
    # Whole conversations hold their question. Other keys that look like a question are ignored then.
    has_question = not all(map(is_whole, turns)) or any(name in row for name in QUERY_NAMES)
    question = question_in(row) if has_question else None
    if turns == [None, None]:
        read = unpacked(values, PAIR, question.query if question else None)
        values, turns = (values, turns) if read == values else (read, _turns_of(read))
    whole = [is_whole(read) for read in turns]
    if whole[0] != whole[1]:
        raise RowError("bad_response", f"{PAIR[whole[1]]} is a whole conversation, and {PAIR[whole[0]]} is not")
    query, length = question.query if question else (), 0
    if all(whole):
        chosen, rejected = (messages_in(read or ()) for read in turns)
        length = _shared(chosen, rejected)
        if question and not begins_with(chosen, query, length):
            raise RowError(
                "bad_prompt", f"chosen and rejected are whole conversations that do not begin with {question.name}"
            )
        query = not_blank(chosen[:length], PAIR[0])
    elif question is None:
        raise RowError("no_prompt", "chosen and rejected are answers only; what they answer goes into prompt")
    return Pair(query, response_values(values, turns, length), *_rewards(row))


def _without_list(value: Any) -> Any:
    """Return the one text of a list that holds nothing else; any other value as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


def _turns_of(values: list[Any]) -> list[Turns | None]:
    """Return the turns of each answer that is written as turns; None for texts, and for objects that hold one."""
    for value, key in zip(values, PAIR, strict=True):
        if isinstance(value, str):
            text_of(value, key)
        elif not isinstance(value, list | dict):
            raise RowError("bad_response", f"{key} is {shown(value)}, neither text nor turns")
    return [turns_or_none(value, key) for value, key in zip(values, PAIR, strict=True)]


def _shared(chosen: Messages, rejected: Messages) -> int:
    """Return how many turns both begin with, up to the last one of the user that answers of both follow."""
    length = 0
    for index, (turn, other) in enumerate(zip(chosen[:-1], rejected[:-1], strict=False), 1):
        if turn != other:
            break
        if turn.role == "user":
            length = index
    if not length:
        raise RowError("no_prompt", "chosen and rejected do not begin with the same turn of the user")
    return length


def _rewards(row: Row) -> tuple[tuple[float, float], bool]:
    """Return (the rewards of chosen and rejected, whether a score contradicts the pair).

    Rewards are the first scores that both have, in the row or in the answers' own objects, else `margin` and 0, else 1
    and 0. Scores that are no numbers count as missing.
    """
    keyed = [(*_side_and_score(key), value) for key, value in row.items()]
    keyed += [
        (side, _plain(key), value)
        for side in PAIR
        if isinstance(row[side], dict)
        for key, value in row[side].items()
        if _OWN_SCORE.fullmatch(_plain(key))
    ]
    scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for side, name, value in keyed:
        if side and (score := number(value)) is not None:
            scores[name][side] = score
    scored = [(sides["chosen"], sides["rejected"]) for sides in scores.values() if len(sides) == 2]
    margin = next((read for key in MARGINS if (read := number(row.get(key))) is not None), None)
    contradicted = any(chosen <= rejected for chosen, rejected in scored) or (margin is not None and margin <= 0)
    return (scored or [(margin, 0.0) if margin is not None else (1.0, 0.0)])[0], contradicted


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", key[:100].casefold()).strip("_")


@lru_cache(maxsize=1024)
def _side_and_score(key: str) -> tuple[str, str]:
    """Return (chosen or rejected, the key without it) of a score's key; empty texts of any other."""
    plain = _plain(key)
    match = _SIDE_SCORE.fullmatch(plain)
    if match is None:
        return "", ""
    side = match["side"] or match["last"]
    return side, plain.replace(side, "")
