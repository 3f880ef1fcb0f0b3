"""Small hand-made rubrics."""

from typing import Any

from pipelines.rubrics.retrieval import Found
from schemas.query import query_id, user
from schemas.rubric import Origin, Rubric, criterion, rubric


def a_rubric(number: int, *, points: int = 5, **given: Any) -> Rubric:
    """Return the number-th rubric: of a query of its own, with a criterion of its own and one that all share."""
    case = f"question {number}"
    return rubric(
        **{
            "query_id": query_id(user(case)),
            "case": case,
            "domain": "telecom",
            "source": "own",
            "license": "MIT",
            "origin": Origin.GENERATED,
            "criteria": [criterion(f"Says {number}.", points, "rule"), criterion("Is true.", 9, "rule")],
        }
        | given
    )


def ids(found: Found) -> list[list[str]]:
    """Return the ids of all that was found, in order."""
    return [
        [one.rubric.rubric_id for one in found.cases],
        [one.criterion.criterion_id for one in found.criteria],
    ]
