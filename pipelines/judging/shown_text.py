"""A set's texts as a judge is shown them: harmless to the prompt's frame, to chat templates, and to the extractor.

Data sets are hostile: a response may imitate the prompt's markers to look like two, carry the tokens that end a
turn, or hold a score line that a judge quotes as its last words. What could do so is shown in another form, only in
the prompt; tables keep texts as they are.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pipelines.judging.transcripts import ROLES, is_conversation, transcript_text
from schemas.preference import PreferenceSet, Response
from schemas.query import Messages

Shown = Literal["answer", "reasoning", "turns"]

_MARKER = re.compile(r"\[(?=\s*the\s+(?:begin|end)\s+of\s+response)", re.IGNORECASE)
# A heading closed by hashes, as the templates write theirs; and the templates' own, closed or not.
_CLOSED_HEADING = re.compile(r"(?<!#)#{4,}(?!#)([^#\n]{1,100})(?<!#)#{4,}")
_OWN_HEADING = re.compile(
    r"^([ \t>]*)####(?=[ \t]*(?:conversation\s+context|responses\s+to\s+be\s+scored|reference\s+answer|hint"
    r"|general\s+(?:evaluation\s+)?criteria|scale|output\s+format)\b)",
    re.IGNORECASE | re.MULTILINE,
)
# What chat templates and tokenizers read as more than text; the thinking tags would hide or end a judge's answer.
_SPECIAL = re.compile(
    r"<([|｜][^|｜<>\s]{1,60}[|｜]|/?think|/?s|im_start|im_end|start_of_turn|end_of_turn|bos|eos|/?tool_call|/?tool_response)>"
)
_INSTRUCTION = re.compile(r"\[(/?(?:INST|THINK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS))\]")
_SYSTEM = re.compile(r"<<(/?SYS)>>")
# Wider than the grammars of scores and picks: any box after the word, and a word that ends the text, where one may
# follow.
_SCORE_LINE = re.compile(
    r"((?:scores?|best)[\s*_]*+):(?=[\s*_$\[\](]*+(?:\\[\[(][\s*_$\[\](]*+)*+(?:\\boxed|\Z))", re.IGNORECASE
)
_MAY_PRECEDE_BOX = " \t\r\n\f\v\u00a0*_$[](\\"


@dataclass(frozen=True, slots=True)
class ShownSet:
    """A set with its texts as all its prompts show them."""

    preference: PreferenceSet
    context: str
    responses: tuple[str, ...]
    """By index in the set."""
    reference: str | None
    principles: str | None
    """Criteria that a judge is given."""
    own_rubric: str | None
    """Criteria made of the set's own responses: a hint about them."""


def show(preference: PreferenceSet, shown: Shown = "answer", longest_result: int | None = None) -> ShownSet:
    """Return a set's texts as prompts hold them; `shown` says what of a response is shown.

    A response without a text of its own is shown as its conversation, whatever `shown` says. `longest_result` bounds
    what is shown of a tool's result (see `transcript_text`).
    """
    texts = (response_text(response, shown, longest_result) for response in preference.responses)
    others = preference.reference, preference.given_principles, preference.own_rubric
    return ShownSet(
        preference,
        shown_text(conversation_text(preference.query)),
        tuple(map(shown_text, texts)),
        *(shown_text(text) if text else None for text in others),
    )


def response_text(response: Response, shown: Shown, longest_result: int | None = None) -> str:
    """Return what of a response is shown; its answer alone where there is nothing more."""
    if is_conversation(response, shown) and response.turns:
        return transcript_text(response.turns, longest_result)
    if shown == "reasoning" and response.reasoning:
        return f"{response.reasoning}\n\nFinal answer: {response.text}"
    return response.text


def shown_text(text: str) -> str:
    """Return a text of a data set as a prompt may hold it; clean text, as it is."""
    if "[" in text:
        text = _MARKER.sub("(", text)
    if "####" in text:
        text = _OWN_HEADING.sub(r"\1**", _CLOSED_HEADING.sub(r"(\1)", text))
    text = without_special_tokens(text)
    if "\\boxed" in text or text.rstrip(_MAY_PRECEDE_BOX).endswith(":"):
        text = _SCORE_LINE.sub(r"\1 -", text)
    return text


def without_special_tokens(text: str) -> str:
    """Return a text without what chat templates and tokenizers read as more than text."""
    if "[" in text:
        text = _INSTRUCTION.sub(r"(\1)", text)
    if "<" in text:
        text = _SYSTEM.sub(r"((\1))", _SPECIAL.sub(r"(\1)", text))
    return text


def conversation_text(messages: Messages) -> str:
    """Return a conversation turn by turn, each after the name of its role."""
    return "\n\n".join(f"{ROLES.get(message.role, message.role)}: {message.content}" for message in messages)
