"""What every strict mode of structured output takes: OpenAI's, Azure's, vLLM's and others'."""

from typing import Any

TAKEN = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "description"})


def check_strict(schema: dict[str, Any]) -> None:
    """Every key required, none beyond, and no `minItems` or `minimum`, for which most endpoints refuse the request."""
    assert schema.keys() <= TAKEN
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
        for member in schema["properties"].values():
            check_strict(member)
    elif schema["type"] == "array":
        check_strict(schema["items"])
