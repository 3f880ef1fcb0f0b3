"""What a turn says where its content is no plain text: a list of parts, as multimodal and agent data write it.

[{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]        the texts are joined
[{"type": "image_url", "image_url": {"url": "https://.."}}, ..]                  no judge of text sees it: refused
"""

from collections.abc import Mapping
from typing import Any

from pipelines.sources.text import RowError, shown, text_of

TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
CALL = "tool_use"
RESULT = "tool_result"

_DEPTH = 4
"""How deep the texts of parts may nest."""
_MEDIA = ("image", "audio", "video", "file", "document")
_MEDIA_COLUMNS = {f"{medium}{ending}": medium for medium in ("image", "audio", "video") for ending in ("", "s")}
_TEXT_KEYS = ("text", "content", "refusal", "value")


def refuse_media(row: Mapping[str, Any]) -> None:
    """Raise RowError where a row holds pictures or sounds beside its texts: holds_image, holds_audio, holds_video."""
    for column, medium in _MEDIA_COLUMNS.items():
        if row.get(column):
            raise RowError(f"holds_{medium}", f"the row has {column!r}; only text is judged")


def parts_of(value: Any) -> list[Any] | None:
    """Return the parts of a content that is a list, or one part; None where it is anything else."""
    if isinstance(value, Mapping):
        return value["parts"] if isinstance(value.get("parts"), list) else [value]
    return value if isinstance(value, list) else None


def part_type(part: Any) -> str:
    """Return the type of a part; one that names none has that of the first key it holds something under."""
    if not isinstance(part, Mapping):
        return "text" if isinstance(part, str) else ""
    given = part.get("type") or next((key for key, held in part.items() if held is not None), "")
    return str(given).casefold()


def part_text(part: Any, name: str, depth: int = _DEPTH) -> str:
    """Return the text of a part, nested ones included.

    Raises RowError: holds_image, holds_audio, holds_video, holds_file, unknown_part, not_text, missing_field.
    """
    kind = part_type(part)
    for medium in _MEDIA:
        if medium in kind:
            medium = "file" if medium == "document" else medium
            raise RowError(f"holds_{medium}", f"{name} is of type {shown(kind)}; only text is judged")
    if isinstance(part, str):
        return text_of(part, name)
    if kind not in TEXT_TYPES and kind not in ("content", "value"):
        raise RowError("unknown_part", f"{name} is of type {shown(kind)}, not one of {', '.join(TEXT_TYPES)}")
    return joined_text(next((part[key] for key in _TEXT_KEYS if part.get(key) is not None), None), name, depth - 1)


def joined_text(value: Any, name: str, depth: int = _DEPTH) -> str:
    """Return a content as one text: a text as it is, parts joined. Raises RowError as `part_text` does."""
    parts = parts_of(value)
    if parts is None:
        return text_of(value, name)
    if depth == 0:
        raise RowError("nested_too_deep", f"{name} nests too many parts")
    return "".join(part_text(part, f"{name}[{index}]", depth) for index, part in enumerate(parts))
