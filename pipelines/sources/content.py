"""What a turn of a conversation holds where it is no plain text: parts, as multimodal data write them, and calls.

[{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]        the texts are joined
[{"type": "image_url", "image_url": {"url": "https://.."}}, ..]                  no judge of text sees it: refused
{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}}     OpenAI
{"name": "weather", "arguments": {"city": "Oslo"}}                        its function_call of before, and tau2
{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}                        Anthropic
"""

import json
from collections.abc import Mapping
from typing import Any

from pipelines.sources.text import RowError, cleaned_json, shown, text_of

TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
CALL = "tool_use"
RESULT = "tool_result"
LONGEST_NAME = 80

_DEPTH = 4  # how deep the texts of parts may nest
_MEDIA = {"image": "image", "audio": "audio", "video": "video", "file": "file", "document": "file"}
_MEDIA_COLUMNS = {f"{medium}{ending}": medium for medium in ("image", "audio", "video") for ending in ("", "s")}
_TEXT_KEYS = ("text", "content", "refusal", "value")


def refuse_media(row: Mapping[str, Any]) -> None:
    """Raise RowError where a row holds pictures or sounds beside its texts: holds_image, holds_audio, holds_video."""
    if row.keys().isdisjoint(_MEDIA_COLUMNS):
        return
    for column, medium in _MEDIA_COLUMNS.items():
        if row.get(column):
            raise RowError(f"holds_{medium}", f"the row has {column!r}; only text is judged")


def parts_of(value: Any) -> list[Any] | None:
    """Return the parts of a content that is a list, or one part; None where it is anything else."""
    if isinstance(value, Mapping):
        return value["parts"] if isinstance(value.get("parts"), list) else [value]
    return value if isinstance(value, list) else None


def part_type(part: Any) -> str:
    """Return the type of a part. Without a `type`, it is the first key that has a value."""
    if not isinstance(part, Mapping):
        return "text" if isinstance(part, str) else ""
    return str(part.get("type") or next((key for key, held in part.items() if held is not None), "")).casefold()


def joined_text(value: Any, name: str, depth: int = _DEPTH) -> str:
    """Return a content as one text: a text as it is, parts joined, nested ones included.

    Raises RowError: holds_image, holds_audio, holds_video, holds_file, unknown_part, nested_too_deep, and as `text_of`.
    """
    parts = parts_of(value)
    if parts is None:
        return text_of(value, name)
    if depth == 0:
        raise RowError("nested_too_deep", f"{name} nests too many parts")
    return "".join(_part_text(part, f"{name}[{index}]", depth) for index, part in enumerate(parts))


def _part_text(part: Any, name: str, depth: int) -> str:
    kind = part_type(part)
    if medium := next((medium for word, medium in _MEDIA.items() if word in kind), None):
        raise RowError(f"holds_{medium}", f"{name} is of type {shown(kind)}; only text is judged")
    if isinstance(part, str):
        return text_of(part, name)
    if kind not in (*TEXT_TYPES, "content", "value"):
        raise RowError("unknown_part", f"{name} is of type {shown(kind)}, not one of {', '.join(TEXT_TYPES)}")
    return joined_text(next((part[key] for key in _TEXT_KEYS if part.get(key) is not None), None), name, depth - 1)


def call_text(call: Any) -> str:
    """Return a call in one line: `weather({"city": "Oslo"})`."""
    function = called_function(call)
    if not function:
        return json_text(call)
    arguments = function.get("arguments")
    return f"{one_line(str(function.get('name')))}({arguments if isinstance(arguments, str) else json_text(arguments)})"


def called_function(call: Any) -> Mapping[str, Any]:
    """Return what of a call holds name and arguments; nothing where it is no call."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    return function if isinstance(function, Mapping) else {}


def calls_in(value: Any, name: str) -> tuple[Mapping[str, Any], ...]:
    """Return the calls of a turn: a list, one call, or the JSON of either.

    Raises RowError: bad_tool_call, and as `cleaned_json` does.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowError("bad_tool_call", f"{name} is {shown(value)}, not JSON of a call of a tool") from None
    calls = value if isinstance(value, list) else [value]
    if not all(isinstance(call, Mapping) for call in calls):
        raise RowError("bad_tool_call", f"{name} is {shown(value)}, no call of a tool")
    cleaned_json(calls, name)  # refuses calls that nest too deep or are not JSON
    return tuple(calls)


def one_line(name: str) -> str:
    """Return a name that the data gives, in one line."""
    return " ".join(name.split())[:LONGEST_NAME]


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
