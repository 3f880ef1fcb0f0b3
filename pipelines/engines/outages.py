"""Outages: which failures are an endpoint's trouble, and which a row's."""

from collections.abc import Mapping

from pipelines.engines.answering import Run
from schemas.errors import EngineError

FEW_ROWS = 3
"""What is asked of so few questions or sets may all be refused for their own fault; of more, it is the recipe's."""
FEW_GIVEN_UP = 3
SHARE_GIVEN_UP = 0.01
"""So many requests, or this share of them, may stay without an answer."""


def check_answers(
    run: Run,
    what: str,
    requests: int,
    failed: int,
    given_up: Mapping[str, str],
    error: str | None,
    rows: int | None = None,
) -> None:
    """Raise EngineError where what is missing is an endpoint's trouble, not a row's.

    A few requests that fail however often they are tried must not keep the others from being published; the next build
    asks for them again. Many of them, or nothing but failures, would publish the weather of the network. `error` is
    one of the failures that are stored. `rows` is of how many questions or sets it was asked, where one that is refused
    must not hold the others back.
    """
    if not failed:
        return
    last = [*given_up.values(), error][0]
    refused = failed - len(given_up)
    is_of_few = rows is not None and rows <= FEW_ROWS and not given_up
    if failed == requests and not given_up and not is_of_few:
        raise EngineError(
            f"{what}: all {requests:,} requests were refused, one of them: {last}; nothing is asked again by itself: "
            "mend what it says in the recipe, or run again with --retry-failed"
        )
    if (failed == requests and not is_of_few) or len(given_up) > max(FEW_GIVEN_UP, SHARE_GIVEN_UP * requests):
        raise EngineError(
            f"{what}: {failed:,} of {requests:,} requests got no answer, one of them: {last}; "
            "every answer so far is kept: the same command goes on from here"
        )
    if refused > 0 and error:
        run.watcher.warn(
            f"{what}: {refused:,} of {requests:,} requests were refused for good and are counted as failed; one of "
            f"them: {error}; --retry-failed asks again"
        )
    if given_up:
        run.watcher.warn(f"{len(given_up):,} of {requests:,} requests failed ({last}); the next build asks again")
