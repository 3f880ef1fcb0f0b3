"""JSON that a model wrote: one object, strictly, whatever stands around it."""

from typing import Any

import orjson


class MalformedAnswer(ValueError):
    """An answer that is not what was asked for; `reason` is what it is counted by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def object_in(text: str) -> dict[str, Any]:
    """Return the one JSON object of an answer, which may stand in a code fence. Raises MalformedAnswer."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].removeprefix("json").strip()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedAnswer("not_json") from None
    if not isinstance(found, dict):
        raise MalformedAnswer("no_object")
    return found


def response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a request's body that makes an OpenAI-compatible endpoint, vLLM's too, keep to a schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
