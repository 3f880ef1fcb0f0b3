"""Making rubrics: for questions with ranked answers, in the context of what the pools hold, tried on a panel.

    curated sets -> cases -> retrieved -> generated -> near-duplicates out -> tried on panels, filtered -> stored

A question that has a rubric keeps it; it is only tried again when the settings of trials change. What is made joins
the root's rubrics at the end: a killed run asks for the same once more, finds the answers, and goes on.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.outages import check_answers
from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.opening import open_retriever
from pipelines.rubrics.panels import Case, Panelist, case_of, nearest, panel_of
from pipelines.rubrics.prompts import read_criteria
from pipelines.rubrics.requests import generation_request, rubric_job
from pipelines.rubrics.retrieval import Found, Question, Retriever
from pipelines.rubrics.trials import Desk, tried
from pipelines.synthesis.answers import AnswerJob
from pipelines.synthesis.asking import Asked
from schemas.generation import Request
from schemas.preference import SETS, PreferenceSet, Split
from schemas.recipe import Recipe, RubricsSection
from schemas.record import content_id, unit_interval
from schemas.rubric import CriterionDrop, Origin, Rubric, case_text, rubric
from schemas.set_table import sets_of
from storage.root import Root
from storage.rubric_tables import add_rubrics, read_rubrics
from storage.stages import Stage
from storage.tables import read_batches


@dataclass(frozen=True)
class Made:
    """What a run of rubric making came to."""

    questions: int
    """How many questions were to have a rubric."""
    kept_before: int
    """Of these, those whose rubric stays as it is."""
    rubrics: tuple[Rubric, ...]
    """Made, or tried again, in this run."""
    malformed: Mapping[str, int]
    """Answers that could not be read, by what was asked for and the reason, first attempts among them."""
    asked: Asked

    def as_json(self) -> dict[str, Any]:
        rubrics = Counter(one.drop_reason or "kept" for one in self.rubrics)
        return {
            "questions": self.questions,
            "kept_before": self.kept_before,
            "made": len(self.rubrics),
            "rubrics": dict(sorted(rubrics.items())),
            "criteria": dict(sorted(drop_counts(self.rubrics).items())),
            "malformed": dict(sorted(self.malformed.items())),
            "model": self.asked.facts() | {"cached": max(0, self.asked.requests - self.asked.bought)},
        }

    def as_text(self) -> str:
        """Return it for a terminal."""
        found = self.as_json()
        lines = [
            f"{self.questions:,} questions: {self.kept_before:,} have their rubric, {len(self.rubrics):,} made or tried"
        ]
        for what in ("rubrics", "criteria"):
            if found[what]:
                lines.append(f"{what}: {', '.join(f'{rows:,} {reason}' for reason, rows in found[what].items())}")
        lines += [f"{rows:,} x {reason}" for reason, rows in found["malformed"].items()]
        if self.asked.requests:
            lines.append(
                f"{self.asked.requests:,} requests, {self.asked.bought:,} of them new, ${self.asked.cost_usd:,.4f}"
            )
        return "\n".join(lines)


def make_rubrics(recipe: Recipe, root: Root, run: Run, curated: Stage) -> Made:
    """Make the rubrics that the recipe wants and the root lacks, and put them into the pools.

    Raises RecipeError where no model is named for it, and what asking and indexing raise; answers are kept.
    """
    settings, asked = recipe.rubrics, Asked(rubric_job(recipe))
    desk = Desk(root, run, asked)
    sets = _usable_sets(curated)
    cases = _chosen(sets, settings.queries)
    known = {one.query_id: one for one in read_rubrics(root) if one.origin == Origin.GENERATED}
    trial = _trial(settings, asked.job)
    new = [case for case in cases if case.preference.query_id not in known]
    again = [case for case in cases if (one := known.get(case.preference.query_id)) and one.trial != trial]
    directory = Path(recipe.directory)
    run.watcher.stage("opening the rubric pools", None)
    with open_retriever(root, settings, run.keys, directory) as retriever:
        drafts = _drafts(desk, new, sets, retriever, settings)
        to_try = [*drafts, *((case, _untried(known[case.preference.query_id])) for case in again)]
        panels = _panels([case for case, _ in to_try], sets, retriever.embedder, settings.panel)
        found = tried(desk, [one for _, one in to_try], panels, settings)
    check_answers(run, "rubrics", asked.requests, asked.failed, asked.given_up, asked.error)
    made = tuple(replace(one, trial=trial) for one in found)
    add_rubrics(root, made)
    run.watcher.stage("indexing rubrics", None)
    with open_retriever(root, settings, run.keys, directory):
        pass  # opening completes the pools
    return Made(len(cases), len(cases) - len(new) - len(again), made, desk.malformed, asked)


def _usable_sets(curated: Stage) -> list[PreferenceSet]:
    """Return the kept train sets with a best response, in the table's order: pools hold train clusters only."""
    usable = (pl.col("split") == Split.TRAIN.value) & pl.col("drop_reason").is_null() & pl.col("best").is_not_null()
    found: list[PreferenceSet] = []
    for batch in read_batches(curated.paths("sets"), SETS):
        frame = pl.from_arrow(batch.select(["split", "drop_reason", "best"]))
        assert isinstance(frame, pl.DataFrame)
        rows = frame.with_row_index().filter(usable)["index"]
        found += sets_of(batch.take(rows.to_arrow()))
    return found


def _chosen(sets: Sequence[PreferenceSet], count: int) -> list[Case]:
    """Return the cases of so many questions, chosen by hash, in the order of their query_id: one set a question."""
    first: dict[str, PreferenceSet] = {}
    for one in sets:
        first.setdefault(one.query_id, one)
    chosen = sorted(first, key=lambda query_id: unit_interval("rubric", query_id))[:count]
    return [case_of(first[query_id]) for query_id in sorted(chosen)]


def _trial(settings: RubricsSection, job: AnswerJob) -> str:
    """Return the hash of all that decides what a trial finds of a rubric, but for the sets that a root holds."""
    kept = ("panel", "min_panel", "max_hit_rate", "min_hit_rate", "min_consistency", "embedding", "revision")
    return content_id("trial", settings.model_dump(include=set(kept)), job.settings())


def _drafts(
    desk: Desk, cases: Sequence[Case], sets: Sequence[PreferenceSet], retriever: Retriever, settings: RubricsSection
) -> list[tuple[Case, Rubric]]:
    """Return the cases with the rubrics that were written for them; those that nobody could write are counted."""
    members: defaultdict[str | None, set[str]] = defaultdict(set)
    for one in sets:
        members[one.cluster].add(one.query_id)
    found = retriever.search(
        [
            Question(_case_text(one.preference), one.preference.domain, frozenset(members[one.preference.cluster]))
            for one in cases
        ],
        settings.k,
    )
    job = desk.asked.job

    def request(case: Case, retrieved: Found) -> Callable[[int], Request]:
        return lambda attempt: generation_request(job, case, retrieved, attempt)

    drafts = desk.read(
        "writing rubrics",
        [request(case, retrieved) for case, retrieved in zip(cases, found, strict=True)],
        lambda at, text: _rubric(cases[at], text, job),
    )
    return [
        (case, _without_near_duplicates(draft, retriever.embedder, settings.max_similarity))
        for case, draft in zip(cases, drafts, strict=True)
        if draft is not None
    ]


def _rubric(case: Case, text: str, job: AnswerJob) -> Rubric:
    """Return the rubric that an answer holds. Raises MalformedAnswer, InvalidRubric."""
    one = case.preference
    return rubric(
        query_id=one.query_id,
        cluster=one.cluster,
        case=_case_text(one),
        domain=one.domain,
        source=one.source,
        license=one.license,
        origin=Origin.GENERATED,
        criteria=read_criteria(text, job.model.name),
    )


def _case_text(preference: PreferenceSet) -> str:
    return case_text(preference.query, [response.text for response in preference.responses])


def _without_near_duplicates(rubric: Rubric, embedder: Embedder, most: float) -> Rubric:
    """Return the rubric with every criterion marked that is too near to one of more weight, or to an earlier one."""
    vectors = embedder.vectors([one.text for one in rubric.criteria])
    by_weight = sorted(range(len(rubric.criteria)), key=lambda at: (-abs(rubric.criteria[at].points), at))
    kept: list[int] = []
    criteria = list(rubric.criteria)
    for at in by_weight:
        if any(float(vectors[at] @ vectors[other]) > most for other in kept):
            criteria[at] = replace(criteria[at], drop_reason=CriterionDrop.NEAR_DUPLICATE)
        else:
            kept.append(at)
    return replace(rubric, criteria=tuple(criteria))


def _untried(rubric: Rubric) -> Rubric:
    """Return a stored rubric as it was before its trial: near-duplicates stay out."""
    criteria = tuple(
        one if one.drop_reason is CriterionDrop.NEAR_DUPLICATE else replace(one, drop_reason=None)
        for one in rubric.criteria
    )
    return replace(rubric, criteria=criteria, drop_reason=None)


def _panels(
    cases: Sequence[Case], sets: Sequence[PreferenceSet], embedder: Embedder, size: int
) -> list[list[Panelist]]:
    """Return the panel of each case: its own further answers, then whole sets of the nearest questions."""
    if not cases:
        return []
    own: defaultdict[str, list[PreferenceSet]] = defaultdict(list)
    for one in sets:
        own[one.query_id].append(one)
    queries = [of_query[0] for of_query in own.values()]
    row_of = {one.query_id: row for row, one in enumerate(queries)}
    near = nearest(
        [row_of[case.preference.query_id] for case in cases],
        embedder.vectors([_case_text(one) for one in queries]),
        [one.cluster or one.query_id for one in queries],
        [one.domain for one in queries],
        size,
    )
    return [
        panel_of(case, own[case.preference.query_id], [queries[row] for row in rows], size)
        for case, rows in zip(cases, near, strict=True)
    ]


def drop_counts(rubrics: Sequence[Rubric]) -> Counter[str]:
    """Return how many criteria each reason dropped, and how many were kept."""
    return Counter(one.drop_reason or "kept" for each in rubrics for one in each.criteria)
