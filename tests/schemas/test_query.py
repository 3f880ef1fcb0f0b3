"""Queries: an id of the messages and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.query import MESSAGES, Message, Messages, messages_array, messages_of, query_id, user, wire

messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text())
conversations = st.lists(messages, max_size=4).map(tuple)


@given(conversations)
def test_a_conversation_survives_the_wire(conversation: Messages) -> None:
    assert messages_of(wire(conversation)) == conversation


@given(st.lists(conversations, max_size=4))
def test_a_conversation_survives_arrow(batch: list[Messages]) -> None:
    array = messages_array(batch)
    assert array.type == MESSAGES
    assert [messages_of(turns) for turns in array.to_pylist()] == batch


@given(conversations, conversations)
def test_query_ids_tell_conversations_apart(one: Messages, other: Messages) -> None:
    assert (query_id(one) == query_id(other)) == (one == other)


def test_messages_have_exactly_the_two_keys_that_trainers_read() -> None:
    assert wire(user("Why?")) == [{"role": "user", "content": "Why?"}]
    assert {field.name for field in MESSAGES.value_type} == {"role", "content"}


def test_further_keys_of_a_turn_are_left_out() -> None:
    assert messages_of([{"role": "user", "content": "Why?", "tool_calls": None}]) == user("Why?")
