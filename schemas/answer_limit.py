"""How long the answer to a request may get, by the keys of its body. A ceiling reserves so many tokens.

Servers differ in which key they obey. So the largest limit in the body counts, times the number of answers that the
body asks for. Limits of thoughts are added to it, since some servers count thoughts apart.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = {
    "length": (
        *("max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens", "max_gen_tokens"),
        *("max_length", "max_tokens_to_sample", "num_predict", "n_predict"),
    ),
    "copies": ("n", "best_of", "num_return_sequences", "candidate_count", "beam_width", "num_beams"),
    "thoughts": (
        *("thinking_budget", "thinking_budget_tokens", "thinking_token_budget", "budget_tokens", "reasoning_budget"),
        *("reasoning_budget_tokens", "reasoning_tokens", "max_thinking_tokens", "max_reasoning_tokens"),
    ),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
# Keys whose content is text or a schema: names in it set no limit.
_TEXTS = {"messages", "response_format", "tools", "functions", "structured_outputs", "guided_json", "metadata"}


class NoLimit(ValueError):
    """The body leaves the length of the answer open. `key` is the setting that does so: `max_tokens = -1`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def answer_limit(body: Mapping[str, Any]) -> int:
    """Return how many tokens the answer may have, thoughts included. Raises NoLimit."""
    lengths, thoughts, copies = [], 0, 1
    for path, kind, value in _limits(body, "", False):
        # Some servers take -1 for "no limit", and each its own view of what is no number.
        number = int(value) if type(value) in (int, float) and 0 < value < 2**53 and value == int(value) else None
        if kind == "thoughts" and (number or value in (0, None)):  # 0 and false switch them off
            thoughts += number or 0
        elif number is None:
            raise NoLimit(f"{path} = {_shown(value)}")
        elif kind == "length":
            lengths.append(number)
        else:
            copies = max(copies, number)
    if not lengths:
        raise NoLimit("no max_tokens")
    return (max(lengths) + thoughts) * copies


def _limits(body: Mapping[str, Any], place: str, is_thinking: bool) -> Iterator[tuple[str, str, Any]]:
    """Yield (path, kind, value) of every limit in a body, and in the objects that stand in it."""
    for key, value in body.items():
        if key in _TEXTS:
            continue
        name = key if key.islower() else re.sub("[A-Z]", r"_\g<0>", key).lower()  # maxOutputTokens, max_output_tokens
        if isinstance(value, Mapping):
            yield from _limits(value, f"{place}{key}.", "think" in name or "reason" in name)
        elif kind := _KIND_OF.get(name):
            yield f"{place}{key}", "thoughts" if is_thinking and kind == "length" else kind, value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}.."
