"""Your own sets as a benchmark: the rows that a `preference_sets` source reads.

    {"query": "Name a prime.", "responses": ["7", "9", "15"], "best": 0, "id": "primes-1", "domain": "math"}
    {"query": "Name a prime.", "responses": ["9"], "label": 0}
    {"prompt": "Name a prime.", "chosen": "7", "rejected": "9"}

A set is right where its best response scores highest; where m tie on top and the best is one of them, it counts 1/m. A
single response is right where its mean score is on its label's side of 5.5, the middle of 1 to 10; ROC-AUC stands
beside it. The total is the mean of all rows. A set without exactly one best response is unreadable, with the reason
that would drop it in a build (`tie`, `too_few_responses`, ..). Responses keep the order of the file.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import TOTAL, Floats, subset_means
from pipelines.sources.preference_sets import SOURCE, PreferenceSets, set_and_responses
from pipelines.sources.source import Origin
from pipelines.sources.text import RowError
from schemas.evaluation import Protocol, Row
from schemas.preference import PreferenceSet, Response


def _rows_of(section: PreferenceSets, item: dict[str, Any], place: Place) -> Iterable[Row]:
    origin = Origin(
        source=section.source,
        source_id=place.location,
        source_revision="",
        license=section.license,
        domain=section.domain,
        benchmark=True,
    )
    found, responses = set_and_responses(section, item, origin)
    yield row_of_set(found, section.source, row_id=found.source_id, responses=responses)


def row_of_set(
    found: PreferenceSet, subset: str, *, row_id: str | None = None, responses: Sequence[Response] | None = None
) -> Row:
    """Return a set as a row, its responses in its own order unless they are given in another one.

    Raises RowError for a set that has no best response and no label.
    """
    if found.drop_reason is not None:
        raise RowError(found.drop_reason.value, found.drop_reason.meaning.words)
    ordered = tuple(found.responses if responses is None else responses)
    if found.best is None:
        right = (0,) if found.label == 1 else ()
    else:
        best = found.responses[found.best].content
        right = (next(index for index, response in enumerate(ordered) if response.content == best),)
    return Row(
        row_id=found.set_id if row_id is None else row_id,
        subset=subset,
        query=found.query,
        responses=ordered,
        names=tuple(f"responses[{index}]" for index in range(len(ordered))),
        right=right,
        domain=found.domain,
        reference=found.reference,
        given_principles=found.given_principles,
        cluster=found.cluster,
    )


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    """Return the mean of all rows; a section has one subset."""
    subsets = subset_means(groups, means)
    return dict(zip((TOTAL,), subsets.values(), strict=True)) if len(subsets) == 1 else {}


BENCHMARK = Benchmark(
    kind="preference_sets",
    section=PreferenceSets,
    place_needed="a preference_sets benchmark needs a path or a hub id",
    patterns=SOURCE.patterns,
    unit="set",
    fields=(),
    protocols=(Protocol.JOINT, Protocol.BOTH_ORDERS, Protocol.SINGLE),
    published=Protocol.JOINT,
    make=_rows_of,
    totals=_totals,
)
