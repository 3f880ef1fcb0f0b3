"""What a classifier answers: from its reply to one score, or the fault that says why there is none.

    {"model": "meta-rm", "data": [{"index": 0, "label": "LABEL_0", "probs": [1.75], "num_classes": 1}],
     "usage": {"prompt_tokens": 912, "total_tokens": 912, "completion_tokens": 0}}

A classifier of one class gives the score itself, one of two classes its second less its first: class 1 is "right".
"""

import math
from collections.abc import Sequence
from typing import Any

from pipelines.engines.budget import cost_usd
from pipelines.engines.faults import Fault, fault_of_error, snippet
from pipelines.engines.replies import is_same_model, read_tree, tokens_of
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection
from schemas.record import clean_text

CLASSES = (1, 2)
NO_CLASSIFICATION = "check model and base_url, and that the server classifies: vllm serve .. --runner pooling"
"""The way out where an endpoint does not know the call, or the model, of a scorer."""


def read_score(
    content: bytes, request_id: str, model: ModelSection, endpoint: str, *, has_answered: bool
) -> Completion | Fault:
    """Return the completion in the body of an HTTP 200, its text the score. Pure; never raises."""
    return read_tree(
        content,
        endpoint,
        lambda tree: _read(tree, request_id, model, endpoint, has_answered),
        has_answered=has_answered,
    )


def score_of(values: Sequence[Any], where: str) -> float | Fault:
    """Return the score that a classifier's values for one text stand for."""
    if len(values) not in CLASSES:
        return Fault(
            FaultKind.ENGINE,
            f"{where}: sent {len(values)} scores for one text; a scorer is a classifier of one class, or of two",
        )
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or not all(map(math.isfinite, numbers)):
        sent = ", ".join(str(value) for value in values)
        # One text may be too much for the numbers of a model; a model that gives no number at all is seen by the rest.
        return Fault(FaultKind.REQUEST, f"{where}: sent {snippet(sent)} in place of a score", is_doubtful=True)
    return numbers[0] if len(numbers) == 1 else numbers[1] - numbers[0]


def scored(
    request_id: str, score: float, model: ModelSection, served: str | None, prompt_tokens: int | None
) -> Completion:
    """Return a score as the completion that is stored: the shortest text that reads as this very number."""
    return Completion(
        request_id=request_id,
        text=repr(score),
        finish_reason="stop",
        served_model=served,
        prompt_tokens=prompt_tokens,
        completion_tokens=0,
        cost_usd=cost_usd(model, prompt_tokens, 0),
    )


def stored_score(text: str | None) -> float | None:
    """Return the score in the text of a stored completion; None where it failed, or is not a scorer's."""
    try:
        score = math.nan if text is None else float(text)
    except ValueError:
        return None
    return score if math.isfinite(score) else None


def _read(tree: Any, request_id: str, model: ModelSection, endpoint: str, has_answered: bool) -> Completion | Fault:
    if isinstance(tree, dict) and tree.get("error"):
        return fault_of_error(endpoint, tree["error"])
    data = tree.get("data") if isinstance(tree, dict) else None
    found = [one.get("probs") if isinstance(one, dict) else None for one in data] if isinstance(data, list) else []
    values = [one for one in found if isinstance(one, list)]
    if not values or len(values) < len(found):
        # As its very first words they mean that this is no classifier; later they are a gateway's passing trouble.
        kind = FaultKind.TRANSIENT if has_answered else FaultKind.ENGINE
        return Fault(kind, f"{endpoint}: answers, but classifies nothing ({snippet(str(tree))}); {NO_CLASSIFICATION}")
    served = tree.get("model")
    if isinstance(served, str) and not is_same_model(model.model, served):
        return Fault(
            FaultKind.ENGINE,
            f"{endpoint}: scores as {snippet(served)!r}, not as {model.model!r}: check model and base_url",
        )
    if len(values) != 1:
        return Fault(FaultKind.ENGINE, f"{endpoint}: sent the scores of {len(values)} texts, and one was asked for")
    score = score_of(values[0], endpoint)
    if isinstance(score, Fault):
        return score
    name = clean_text(served) if isinstance(served, str) else None
    return scored(request_id, score, model, name, tokens_of(tree)[0])
