"""What cannot be said about the form of judgements, because no server could keep a judge to it."""

import re

from schemas.recipe.models import ModelSection

FORM_KEYS = frozenset(
    {"response_format", "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"}
)
"""Keys of a request's body that say which form its answer has."""

_ESCAPED_OR_CLASS = re.compile(r"\\[^bBAZ1-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_NEEDS_MORE_THAN_A_STATE = re.compile(r"\(\?<?[=!]|\(\?P=|\\[bBAZ1-9]|[\^$]")


def fault_of_regex(pattern: str) -> str | None:
    """Return why vLLM's back ends would not take a regex; None where nothing is seen to be wrong with it."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is no regex: {error}"
    if found := _NEEDS_MORE_THAN_A_STATE.search(_ESCAPED_OR_CLASS.sub("", pattern)):
        return f"holds {found[0]}, and no grammar back end takes look-arounds, anchors or back references"
    return None


def fault_of_form(structured_output: str, models: dict[str, ModelSection]) -> str | None:
    """Return why these models, by role, cannot be asked for judgements in this form."""
    for role, model in models.items():
        if key := min(FORM_KEYS & model.extra_body.keys(), default=None):
            return (
                f"grm.structured_output and {key!r} in models.{role}.extra_body both say which form a judgement has: "
                "leave one of them out"
            )
        if structured_output == "regex" and model.engine == "openai" and not model.base_url:
            return (
                f'grm.structured_output = "regex" is what vLLM takes, and models.{role} is asked at OpenAI: '
                'say "json_schema", or give it a base_url'
            )
    return None
