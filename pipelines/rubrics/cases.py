"""Cases: questions with two labelled answers, a good and a bad one, that a rubric is written from.

A question with ranked answers has both of its own. A lone run of an agent has one, right or wrong; the other one is a
run of another task under the same instructions, since what these ask for is what tells such runs apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import polars as pl

from pipelines.judging.transcripts import said_by
from schemas.preference import SETS, PreferenceSet, Response, Split, sets_of
from schemas.query import Messages
from schemas.record import unit_interval
from schemas.rubric import case_text
from storage.stages import Stage
from storage.tables import read_batches, read_frame


@dataclass(frozen=True, slots=True)
class Case:
    """A question that a rubric is made for, and the two answers that its generator sees."""

    preference: PreferenceSet
    better: Response
    worse: Response
    other: PreferenceSet | None = None
    """The set of the second run, where the question has one run only."""

    @property
    def query_id(self) -> str:
        return self.preference.query_id

    @property
    def seen(self) -> frozenset[str]:
        """The sets whose answers the generator sees."""
        return frozenset({self.preference.set_id, self.other.set_id} if self.other else {self.preference.set_id})

    def text_of(self, response: Response) -> str:
        """Return one of the two answers as the generator is shown it."""
        if self.other is None or response not in self.other.responses:
            return said_by(response)
        request = next((one.content for one in reversed(self.other.query) if one.role == "user"), "")
        return f"(This one answers another request under the same instructions: {request})\n\n{said_by(response)}"


@dataclass(frozen=True)
class Labelled:
    """The kept train sets that rubrics are made of and tried on: pools hold train clusters only."""

    ranked: dict[str, list[PreferenceSet]] = field(default_factory=dict)
    """Sets with a best response, by query_id, in the table's order."""
    runs: dict[Messages, list[PreferenceSet]] = field(default_factory=dict)
    """Lone responses with a label, by the instructions they were written under: the system messages of the query."""


def labelled_sets(curated: Stage) -> Labelled:
    """Return the sets of a build that rubrics are made of and tried on."""
    is_labelled = pl.col("best").is_not_null() | pl.col("label").is_not_null()
    usable = (pl.col("split") == Split.TRAIN.value) & pl.col("drop_reason").is_null() & is_labelled
    found = Labelled()
    for batch in read_batches(curated.paths("sets"), SETS):
        frame = pl.DataFrame(batch.select(["split", "drop_reason", "best", "label"]))
        for one in sets_of(batch.take(frame.with_row_index().filter(usable)["index"].to_arrow())):
            if one.best is not None:
                found.ranked.setdefault(one.query_id, []).append(one)
            elif instructions := tuple(message for message in one.query if message.role == "system"):
                found.runs.setdefault(instructions, []).append(one)
    return found


def chosen_cases(sets: Labelled, count: int) -> list[Case]:
    """Return the cases of so many questions, chosen by hash, in the order of their query_id: one a question."""
    cases = {query_id: _ranked_case(of_query[0]) for query_id, of_query in sets.ranked.items()}
    for runs in sets.runs.values():
        for run in runs:
            if run.query_id not in cases and (case := _run_case(run, runs)) is not None:
                cases[run.query_id] = case
    chosen = sorted(cases, key=lambda query_id: unit_interval("rubric", query_id))[:count]
    return [cases[query_id] for query_id in sorted(chosen)]


def _ranked_case(preference: PreferenceSet) -> Case:
    assert preference.best is not None
    better = preference.responses[preference.best]
    others = [*preference.responses[: preference.best], *preference.responses[preference.best + 1 :]]
    return Case(preference, better, others[_drawn(preference, len(others))])


def _run_case(run: PreferenceSet, runs: Iterable[PreferenceSet]) -> Case | None:
    """Return the case of a lone run, with one of the other label; None where there is none of another task."""
    others = sorted(
        (one for one in runs if one.label != run.label and one.cluster != run.cluster), key=lambda one: one.set_id
    )
    if not others:
        return None
    other = others[_drawn(run, len(others))]
    better, worse = (run, other) if run.label == 1 else (other, run)
    return Case(run, better.responses[0], worse.responses[0], other)


def _drawn(preference: PreferenceSet, count: int) -> int:
    return int(unit_interval("worse", preference.set_id) * count)


def question_text(preference: PreferenceSet) -> str:
    """Return a set's question as it is indexed and searched."""
    return case_text(preference.query, [response.text for response in preference.responses if response.text])


def own_queries(curated: Stage) -> Mapping[str, AbstractSet[str]]:
    """Return, for each query, the queries of its clusters and these clusters: what rests on them is a hint about it.

    Dropped sets and test sets count too: a rubric may have been made of one under another recipe.
    """
    frame = read_frame(curated.paths("sets"), SETS, ["query_id", "cluster"])
    near: defaultdict[str, set[str]] = defaultdict(set)
    clusters: defaultdict[str, list[str]] = defaultdict(list)
    for query_id, cluster in frame.with_columns(pl.col("cluster").fill_null(pl.col("query_id"))).unique().iter_rows():
        near[cluster] |= {query_id, cluster}
        clusters[query_id].append(cluster)
    # The queries of one cluster share one set: a big cluster would take the square of its size.
    return {
        query_id: near[first] if not others else near[first].union(*(near[other] for other in others))
        for query_id, (first, *others) in clusters.items()
    }
