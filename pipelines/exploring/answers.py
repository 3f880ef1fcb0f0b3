"""What the page may ask: each name of /api with the function that answers it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.exploring.changes import changes_answer, versions_answer
from pipelines.exploring.evaluated import evaluation_answer
from pipelines.exploring.failures import failures_answer
from pipelines.exploring.opening import Opened
from pipelines.exploring.overview import overview_answer
from pipelines.exploring.reviewing import review_answer
from pipelines.exploring.rows import count_answer, facets_answer, row_answer, rows_answer
from pipelines.exploring.sets import set_answer, trajectory_answer

Answering = Callable[[Opened, Mapping[str, str], threading.Event], Any]

ANSWERS: Mapping[str, Answering] = {
    function.__name__.removesuffix("_answer"): function
    for function in (
        *(overview_answer, rows_answer, count_answer, facets_answer, row_answer, set_answer, trajectory_answer),
        *(failures_answer, versions_answer, changes_answer, evaluation_answer, review_answer),
    )
}
