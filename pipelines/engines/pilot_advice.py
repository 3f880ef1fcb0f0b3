"""What may help where a role's answers are of no use: only settings that the recipe does not have already."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.recipe import ModelSection
from schemas.recipe.tree import FORM_KEYS

_OFTEN = 0.2
"""Share of the answers from which on a fault is worth a word."""
_THINKING_KEYS = frozenset({"chat_template_kwargs", "enable_thinking", "thinking", "reasoning", "reasoning_effort"})
_LENGTH_KEYS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Asked:
    """The settings of the recipe that decide how a role's answers are."""

    role: str
    model: ModelSection
    section: str
    """`grm`, `synthesis` or `rubrics`."""
    given: frozenset[str]
    """Keys that the recipe sets in this section."""
    max_tokens: int
    temperature: float
    structured_output: str | None = None
    """None where answers have no such form."""


def advice(asked: Asked, outcomes: Counter[str], reasoning: int, has_system_turn: bool) -> Iterator[str]:
    """Yield what may help, the likeliest first; another model last."""
    answers, extra = outcomes.total(), asked.model.extra_body
    is_cut, thinks = outcomes["truncated"] >= _OFTEN * answers, reasoning >= _OFTEN * answers
    model = f"[models.{asked.role}]"
    if is_cut:
        key = next((key for key in _LENGTH_KEYS if key in extra), None)
        where = f"extra_body.{key} in {model}" if key else f"[{asked.section}] max_tokens"
        yield f"a higher {where} than {extra[key] if key else asked.max_tokens}"
    if (is_cut or thinks) and not _THINKING_KEYS & extra.keys() and asked.model.engine != "simulated":
        yield (
            f"in {model} extra_body = {{ chat_template_kwargs = {{ enable_thinking = false }} }}, where the chat "
            "template has such a switch"
        )
    yield from _forms(asked, is_cut)
    if asked.section == "grm" and not {"template", "compare_principles"} & asked.given:
        yield "[grm] template, a prompt of your own"
    if has_system_turn and "system_role" not in asked.model.model_fields_set:
        yield f"system_role = false in {model}, where the model does not know that role"
    if "temperature" not in asked.given and asked.temperature > 0 and "temperature" not in extra:
        yield f"a lower [{asked.section}] temperature than {asked.temperature:g}"
    if outcomes["refused"] >= _OFTEN * answers:
        yield "a model that answers this material"
    else:
        yield "another model"


def _forms(asked: Asked, is_cut: bool) -> Iterator[str]:
    """Yield the forms that a server can keep a judge to."""
    if asked.structured_output == "none" and not FORM_KEYS & asked.model.extra_body.keys():
        at_openai = asked.model.engine == "openai" and not asked.model.base_url
        forms = '"json_schema"' if at_openai else '"regex" (vLLM) or "json_schema"'
        yield f"[grm] structured_output = {forms}, which has the server keep to the form: docs/structured_output.md"
    elif asked.structured_output == "regex" and is_cut and "structured_text" not in asked.given:
        yield "[grm] structured_text, a shorter form: docs/structured_output.md"
