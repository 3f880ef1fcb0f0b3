"""ReaLMistake: 900 responses, each right or with an error (arXiv 2404.03602).

    {"input": "Write a problem whose answer is 12.", "llm_response": "What is 7 + 6?", "label": "error",
     "human_explanation": "7 + 6 is 13.", "error_categories": ["Reasoning Correctness"],
     "metadata": {"llm_response_model": "gpt-4-0613"}}

One response a row, so a row is scored alone. The figure that other papers report is ROC-AUC of the scores, the better
response being the one with `no_error`. Accuracy stands beside it: a mean score above 5.5, the middle of 1 to 10, says
that there is no error; 5.5 itself counts half. A judge on another scale has only a ROC-AUC. The traps:

* three tasks, each with responses of GPT-4 and Llama 2 70B; two thirds to four fifths of the rows have an error;
* the hub's rows call the label `error_label`;
* the authors ask that rows are not republished in plain text. `data.zip` of their repository
  (github.com/psunlpgroup/ReaLMistake) has a published password, and `path` names the folder unpacked from it. The hub
  wants their terms accepted: `hub = "ryokamoi/realmistake"` with `revision = "refs/convert/parquet"`, its own
  conversion.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import TOTAL, Floats, given, subset_means, weighted_mean
from pipelines.evaluation.benchmarks.values import one_of, query, response
from pipelines.sources.text import missing_field, optional_text, shown
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row

TASKS = ("math_word_problem_generation", "finegrained_fact_verification", "answerability_classification")
WRITERS = {"gpt4": 140, "llama2": 160}
"""Rows of each task by who wrote the responses, as the hub calls them."""
WHOLE = {f"{task} {writer}": rows for task in TASKS for writer, rows in WRITERS.items()}


def _row_of(section: Any, item: dict[str, Any], place: Place) -> Iterable[Row]:
    value = item.get("label", item.get("error_label"))
    if value is None:
        raise missing_field("label")
    label = one_of(value, "label", ("error", "no_error"))
    task, writer = _task_and_writer(item, place)
    yield Row(
        row_id=f"{task}/{writer}/{place.number}",
        subset=f"{task} {writer}",
        query=query(item.get("input"), "input"),
        responses=(response(item.get("llm_response"), "llm_response"),),
        names=("llm_response",),
        right=(0,) if label == "no_error" else (),
        domain=task,
        reference=optional_text(item.get("human_explanation"), "human_explanation"),
    )


def _task_and_writer(item: dict[str, Any], place: Place) -> tuple[str, str]:
    metadata = item.get("metadata")
    facts = metadata if isinstance(metadata, dict) else {}
    written = f"{place.origin} {place.file} {facts.get('task', '')} {facts.get('task_name', '')}"
    task = next((task for task in TASKS if task in written), None)
    model = f"{facts.get('llm_response_model', '')} {place.file}".lower().replace("-", "")
    writer = next((writer for writer in WRITERS if writer in model), None)
    if task is None or writer is None:
        raise SourceError(
            f"{place.location}: the path {shown(place.file)} names no task and model; keep the authors' folders, "
            f"as {TASKS[0]}/gpt-4-0613.jsonl"
        )
    return task, writer


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    subsets = subset_means(groups, means)
    return subsets | given({TOTAL: weighted_mean(subsets, WHOLE)})


BENCHMARK = Benchmark(
    kind="realmistake",
    place_needed="a realmistake benchmark needs path = '..', the folder data/ of its authors' data.zip, or "
    "hub = 'ryokamoi/realmistake' with revision = 'refs/convert/parquet'",
    patterns=("*gpt*.jsonl", "*lama*.jsonl", "*gpt4*.parquet", "*llama2*.parquet"),
    license="CC-BY-SA-4.0",
    redistribution="restricted",
    unit="response",
    fields=("input", "llm_response"),
    whole=WHOLE,
    protocols=(Protocol.SINGLE,),
    published=Protocol.SINGLE,
    make=_row_of,
    totals=_totals,
)
