"""What the tests of scorers share: requests for scores, and the replies of a vLLM that classifies."""

import json
from typing import Any

from pipelines.engines.jobs import score_body
from schemas.generation import Request, ScoreTruth, request
from schemas.query import Message, user
from schemas.recipe import ModelSection
from schemas.record import content_id
from tests.pipelines.engines.stand_in_server import Reply


def scorer(*urls: str, **settings: Any) -> ModelSection:
    usual: dict[str, Any] = {"engine": "score", "model": "meta-rm", "base_url": urls, "timeout_s": 5.0}
    return ModelSection(**(usual | settings))


def score(number: int, model: ModelSection, *, answer: str = "Scores: \\boxed{7, 3}", is_right: bool = True) -> Request:
    """Return the number-th request for a score."""
    return request(
        role="meta_rm",
        identity={"model": model.model},
        query_id=content_id("query", number),
        body=score_body(model, (*user(f"Please score row {number}"), Message("assistant", answer))),
        sample_index=0,
        truth=ScoreTruth(is_right),
        is_seeded=False,
    )


def classified(*texts: list[Any], model: str | None = "meta-rm", **fields: Any) -> Reply:
    """Return a reply of vLLM's classification endpoint: the values of the classes of each text."""
    data = [
        {"index": number, "label": "LABEL_0", "probs": values, "num_classes": len(values)}
        for number, values in enumerate(texts)
    ]
    usage = {"prompt_tokens": 21, "total_tokens": 21, "completion_tokens": 0}
    tree = {"id": "classify-1", "object": "list", "created": 1, "model": model, "data": data, "usage": usage} | fields
    return Reply(body=json.dumps(tree).encode())
