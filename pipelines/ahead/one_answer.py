"""One answer of a role: asked in the form in which a build asks, structured output included, and read as it reads.

Nothing is stored.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice

from pipelines.ahead.one_request import Asking, askings, material_of
from pipelines.ahead.soundness import Finding
from pipelines.engines.advice import Seen, advice
from pipelines.engines.protocol import open_engine
from pipelines.engines.replies import is_same_model
from pipelines.evaluation.wording import counted
from pipelines.reporting.meanings import MEANINGS, meaning, verdict_meaning
from schemas.errors import ForgeError
from schemas.generation import Completion, Request
from schemas.question import Verdict
from schemas.recipe import GrmSection, Recipe
from schemas.recipe.tree import FORM_KEYS
from schemas.secrets import masked

TIMEOUT_S = 120.0
_OF_LENGTH = re.compile(r"context (size|length|window)|maximum.{0,20}(length|tokens)|too (long|many tokens)", re.I)
_WAYS = 2
"""What is named for an answer of no use, the likeliest first: one answer says little, and a probe names the rest."""


def answers(
    recipe: Recipe, roles: Collection[str], environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Finding]:
    """Yield a finding for each of these roles: one request each, and two of models.rubric. `say` announces them."""
    wanted = list(askings(recipe, roles, material_of(recipe)))
    if wanted:
        names = ", ".join(f"{asking.what} ({asking.job.model.name})" for asking in wanted)
        say(f"sending {counted(len(wanted), 'request')}: {names}; --no-requests sends none")
    for asking in wanted:
        yield _found(asking, environment)


def _found(asking: Asking, environment: Mapping[str, str]) -> Finding:
    what, model = f"answer of {asking.what}", asking.job.model
    key = environment.get(model.key_variable) if model.key_variable else None
    try:
        completion = _asked(asking, key)
    except ForgeError as error:
        return Finding(what, False, masked(str(error)))
    if completion.text is None:
        why = masked(completion.error or "the endpoint does not say why")
        return Finding(what, False, f"no answer: {why}{_next_of_failure(asking, why)}")
    use = asking.use_of(asking.request, completion)
    name = _other_name(model.model, completion.served_model)
    tokens = "" if completion.completion_tokens is None else f", {completion.completion_tokens:,} tokens"
    if use.is_usable:
        known = f" ({use.outcome})" if use.outcome != "readable" else ""
        words = f"1 answer, readable{known}{tokens}, {_form_in_words(asking.request)}{name}"
        return Finding(what, True, words, is_doubtful=bool(name))
    words = f": {words}" if (words := _words(use.outcome)) != use.outcome else ""
    seen = Seen()
    seen.see(use.outcome, completion, asking.request.body["messages"])
    ways = "; or ".join(islice(advice(asking.job, seen), _WAYS))
    return Finding(
        what,
        True,
        f"1 answer, {use.outcome}{tokens}, {_form_in_words(asking.request)}{words}. Try {ways}. "
        f"It is one answer: grmforge probe says how many are so{name}",
        is_doubtful=True,
    )


def _asked(asking: Asking, key: str | None) -> Completion:
    model = asking.job.model
    bounded = model.model_copy(update={"timeout_s": min(TIMEOUT_S, model.timeout_s)})

    async def ask() -> Completion:
        engine = open_engine(bounded, key)
        try:
            return (await engine.complete(asking.request)).completion
        finally:
            await engine.close()

    return asyncio.run(ask())


def _other_name(asked: str, served: str | None) -> str:
    """Return what to say of an answer in a name that has nothing to do with the model's; empty for any other."""
    if not served or is_same_model(asked, served):
        return ""
    return (
        f"; it answers as {served!r}, and its answers count as those of {asked!r}: where that is wrong, mend model or "
        "base_url"
    )


def _form_in_words(request: Request) -> str:
    if "structured_outputs" in request.body:
        return "kept to a regex"
    if "grammar" in request.body:
        return "kept to a grammar"
    if "response_format" in request.body:
        return "kept to a JSON schema"
    return "in no form that the server keeps" if FORM_KEYS.isdisjoint(request.body) else "kept to a form by extra_body"


def _words(outcome: str) -> str:
    if outcome in MEANINGS:
        return meaning(outcome).words
    return verdict_meaning(outcome).words if outcome in set(Verdict) else outcome.replace("_", " ")


def _next_of_failure(asking: Asking, error: str) -> str:
    """Return what to try where a request failed; the error has its own way out for what is not the request's."""
    if "HTTP 400" not in error:
        return ""
    if _OF_LENGTH.search(error):
        return (
            "; it is longer than the context that the server gives: serve the model with a longer one (vLLM: "
            "--max-model-len; llama.cpp: -c, which its -np slots share), or try [grm] max_prompt_tokens or a lower "
            "max_tokens"
        )
    if not FORM_KEYS.isdisjoint(asking.request.body):
        forms = {
            "structured_outputs": "json_schema, grammar (llama.cpp) or none",
            "grammar": "json_schema, regex (vLLM) or none",
            "response_format": "regex (vLLM), grammar (llama.cpp) or none",
        }
        other = next((words for key, words in forms.items() if key in asking.request.body), "another")
        if isinstance(asking.job.settings, GrmSection):
            return f"; where it does not take this form, try [grm] structured_output {other}"
    return "; where the prompt is too long for its context, try [grm] max_prompt_tokens or a lower max_tokens"
