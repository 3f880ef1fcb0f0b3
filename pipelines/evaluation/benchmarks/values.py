"""Values that the rows of several benchmarks have: ids, questions, responses."""

from collections.abc import Sequence
from typing import Any

from pipelines.sources.conversations import query_of
from pipelines.sources.text import RowError, filled_text, list_of, short_text, shown, text_of
from schemas.preference import Response
from schemas.query import Messages, user


def identifier(value: Any, name: str) -> str:
    """Return an id that is a number or a text. Raises RowError: missing_field, bad_id, name_too_long."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = short_text(value, name) if isinstance(value, str) else None
    if text is None:
        raise RowError("bad_id", f"{name} is {shown(value)}, neither a number nor a text")
    return text


def query(value: Any, name: str) -> Messages:
    """Return a question: a text as it stands, anything else as a conversation. Raises RowError as `query_of` does."""
    return user(filled_text(value, name)) if isinstance(value, str) else query_of(value, name)


def one_of(value: Any, name: str, known: Sequence[str]) -> str:
    """Return a text that is one of the known ones. Raises RowError: missing_field, not_text, unknown_<name>."""
    text = text_of(value, name)
    if text not in known:
        raise RowError(f"unknown_{name}", f"{name} is {shown(value)}, not one of {shown(', '.join(known), 200)}")
    return text


def response(value: Any, name: str, model: str | None = None) -> Response:
    """Return a response given as a text, which may be empty: some models answer nothing."""
    return Response(text_of(value, name), model=model)


def responses(value: Any, name: str, *, at_least: int = 1) -> tuple[Response, ...]:
    """Return a list of texts as responses. Raises RowError: missing_field, not_a_list, too_few_responses, not_text."""
    texts = list_of(value, name)
    if len(texts) < at_least:
        raise RowError("too_few_responses", f"{name} has {len(texts)} responses, fewer than {at_least}")
    return tuple(response(text, f"{name}[{place}]") for place, text in enumerate(texts))
