"""What is left of a tau2 conversation when its end, which tells its reward, is taken off.

A run ends when the user simulator says so: ###STOP### when its scenario is satisfied, ###TRANSFER### when it was handed
to a person. On the 25 real telecom runs the token alone tells pass from fail in 24, and so do the transfer call, its
announcement, and the user's thanks. So every conversation, right or wrong, ends with the last thing that its agent did
for the user. What the agent did and what came of it, while it was still at work, stays: that is the evidence.
docs/tau2.md has the figures.
"""

import re
from typing import Any

TRANSFER_CALL = "transfer_to_human_agents"

_TOKEN = re.compile(r"###(?:STOP|TRANSFER|OUT-OF-SCOPE)###")
_HAND_OVER = re.compile(
    r"\btransfer(?:red|ring)?\s+(?:you|this|your|to)\b|\bhuman\s+(?:agent|representative|specialist)|\bescalat",
    re.IGNORECASE,
)

Turn = dict[str, Any]


def without_tokens(text: str) -> str:
    """Return a text without the tokens by which a run is ended."""
    return _TOKEN.sub("", text)


def agents_part(turns: list[Turn]) -> list[Turn]:
    """Return the turns up to the last thing that the agent did for the user; none where it did nothing.

    What goes is the hand-over to a person, from the first word of it that nothing was done after, and whatever follows
    the agent's last message or the results of its last calls: the user's closing words, and what the user still tried.
    """
    turns = turns[: _hand_over(turns)]
    end = max((index for index, turn in enumerate(turns, 1) if turn["role"] == "assistant"), default=0)
    if end and turns[end - 1].get("tool_calls"):
        while end < len(turns) and turns[end]["role"] == "tool":
            end += 1
    return [
        turn | {"content": without_tokens(turn["content"])} if turn.get("content") else turn for turn in turns[:end]
    ]


def _hand_over(turns: list[Turn]) -> int:
    """Return where the closing hand-over begins; the number of turns where there is none."""
    begin = len(turns)
    for index, turn in reversed(list(enumerate(turns))):
        calls = {call["name"] for call in turn.get("tool_calls") or ()}
        if calls - {TRANSFER_CALL}:
            break
        if turn["role"] == "assistant" and (calls or _HAND_OVER.search(turn.get("content") or "")):
            begin = index
    return begin
