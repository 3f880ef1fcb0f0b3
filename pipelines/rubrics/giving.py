"""Giving: each question gets the criteria that a judge is to begin from, those of other questions' rubrics.

The pools are searched as they stand when a build begins, and what a question was given is stored: the next night
gives it the same, whatever the pools hold by then, until the settings change. Never does a set get what was made from
its own cluster, but as `own_rubric`, which only hinted prompts show.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run
from pipelines.rubrics.cases import own_queries, question_text
from pipelines.rubrics.library import Library
from pipelines.rubrics.opening import open_retriever
from pipelines.rubrics.retrieval import Found, Question
from schemas.licenses import license_key
from schemas.preference import CRITERIA, SETS, Split, sets_of
from schemas.recipe import BuildSection, GrmSection, Recipe, RubricsSection
from schemas.record import content_id
from schemas.rubric import RUBRICS, Criterion, Origin, rubrics_table
from storage.root import Root
from storage.rubric_tables import Given, add_given, read_given, read_rubrics
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches, read_frame

STAGE_VERSION = 1
_SEARCH_SETTINGS = ("k", "candidates", "lexical_weight", "reranker", "embedding", "revision", "seeds")


@dataclass(frozen=True, slots=True)
class RubricSettings:
    """What a recipe says of rubrics: how they are made and searched, and who sees their criteria."""

    rubrics: RubricsSection
    grm: GrmSection
    build: BuildSection
    directory: Path
    """Where relative paths start."""


def rubric_settings(recipe: Recipe) -> RubricSettings:
    """Return the part of a recipe that making rubrics and giving criteria read."""
    return RubricSettings(recipe.rubrics, recipe.grm, recipe.build, Path(recipe.directory))


def shows_criteria(grm: GrmSection) -> bool:
    """Say whether any judge of a build is to see criteria, given ones or those of a hint."""
    return _gives_criteria(grm) or grm.rubric_hint


def _gives_criteria(grm: GrmSection) -> bool:
    """Say whether any judge of a build is to begin from given criteria."""
    return grm.principles == "rubric" or grm.compare_principles


def with_criteria(settings: RubricSettings, root: Root, run: Run, curated: Stage, *, search: bool = True) -> Stage:
    """Return the curated stage with a table `criteria` beside its sets, and the `rubrics` made of their questions.

    The stage itself where no judge sees criteria. No model but the embedding one is called, and that for new questions
    only; without `search`, as a plan wants it, not even that: a line of the usual length stands in for their criteria.
    """
    grm, allowed = settings.grm, settings.build.license_keys
    if not shows_criteria(grm):
        return curated
    run.watcher.stage("looking up criteria", None)
    shown = _shown_queries(curated)
    given = _given(settings, root, run, curated, shown, search) if _gives_criteria(grm) else {}
    made = [one for one in read_rubrics(root) if one.origin == Origin.GENERATED and one.query_id in shown]
    made = [one for one in made if allowed is None or license_key(one.license) in allowed]
    made.sort(key=lambda one: (one.query_id, one.rubric_id))  # what was dropped is among them
    own = {one.query_id: criteria_text(one.kept) for one in made if one.kept} if grm.rubric_hint else {}
    # Not by `made`: what the snapshot tells of rubrics stands as it stood when these criteria were first given.
    inputs = [curated.content, content_id("criteria", sorted(given.items()), sorted(own.items()))]
    key = stage_key("criteria", STAGE_VERSION, [], inputs)
    if found := find_stage(root, key):
        if found.beside == curated.key:
            return found
        # Other settings made the same sets: the stage that it stood beside may be removed, since no build finds it now.
        return finish_stage(root, key, found.tables, curated.facts, [curated], beside=curated)
    with TableWriter(root, key, "criteria", CRITERIA) as writer:
        writer.write(_criteria_table(given, own))
    with TableWriter(root, key, "rubrics", RUBRICS) as rubric_writer:
        rubric_writer.write(rubrics_table(made))
    files = {"criteria": writer.files, "rubrics": rubric_writer.files}
    return finish_stage(root, key, files, curated.facts, [curated], beside=curated)


def _shown_queries(curated: Stage) -> set[str]:
    """Return every question that is sampled with several responses."""
    frame = read_frame(curated.paths("sets"), SETS, ["query_id", "split", "n_responses", "drop_reason"])
    sampled = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1)
    return set(frame.filter(sampled)["query_id"])


def _given(
    settings: RubricSettings, root: Root, run: Run, curated: Stage, shown: set[str], search: bool
) -> dict[str, Given]:
    """Return what each question is given: what it was given before, or what the pools hold for it now."""
    count = settings.rubrics.given

    def as_given(found: Found, library: Library) -> Given:
        criteria = [one.criterion for one in found.criteria[:count]]
        origins = (library.origins(one.criterion, one.rubric.domain) for one in found.criteria[:count])
        ids = tuple(one.criterion_id for one in criteria)
        return Given(ids, criteria_text(criteria), tuple(sorted(set[str]().union(*origins))))

    # So much text as so many criteria have about; those that ship have 75 to 110 characters as a rule.
    line = "- (15%) A criterion of a similar question; the build looks it up when it begins. .."
    stand_in = None if search else Given((), "\n".join([line] * count), ())
    return looked_up("given", settings, root, run, curated, shown, partial(_questions, curated), as_given, stand_in)


def looked_up(
    what: Literal["given", "context"],
    settings: RubricSettings,
    root: Root,
    run: Run,
    curated: Stage,
    wanted: Collection[str],
    questions_of: Callable[[Collection[str]], Mapping[str, tuple[str, str]]],
    as_given: Callable[[Found, Library], Given],
    stand_in: Given | None = None,
) -> dict[str, Given]:
    """Return what the pools hold for each wanted query: what they held when it was first looked up.

    What is found is kept, since the pools grow: later runs must find their answers again. `questions_of` returns text
    and domain of queries; `stand_in` is given in place of a search.
    """
    rubrics, build = settings.rubrics, settings.build
    names = {*_SEARCH_SETTINGS, "given"} if what == "given" else {*_SEARCH_SETTINGS}
    licenses = [] if build.license_keys is None else [build.license_keys]
    settings_id = content_id(what, rubrics.model_dump(include=names), *licenses)
    own = own_queries(curated)
    known = read_given(root, settings_id, {query_id: own[query_id] for query_id in wanted})
    missing = [query_id for query_id in wanted if query_id not in known]
    if stand_in is not None:
        return known | dict.fromkeys(missing, stand_in)
    if not missing:
        return known
    where = "searching criteria" if what == "given" else "searching the pools"
    run.watcher.stage(f"{where} for {len(missing):,} questions", None)
    questions = questions_of(missing)
    searched = [Question(*question, own[query_id]) for query_id, question in questions.items()]
    k = max(rubrics.k, rubrics.given) if what == "given" else rubrics.k
    with open_retriever(root, rubrics, run.keys, settings.directory, build.licenses) as retriever:
        found = [as_given(one, retriever.library) for one in retriever.search(searched, k)]
    new = dict(zip(questions, found, strict=True))
    add_given(root, settings_id, new)
    return known | new


def _questions(curated: Stage, wanted: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return what is searched for each question, the text of the first set that asks it, and its domain."""
    questions: dict[str, tuple[str, str]] = {}
    ids = pa.array(wanted, pa.string())
    for batch in read_batches(curated.paths("sets"), SETS):
        is_sampled = pc.and_(pc.is_null(batch.column("drop_reason")), pc.greater(batch.column("n_responses"), 1))
        for one in sets_of(batch.filter(pc.and_(is_sampled, pc.is_in(batch.column("query_id"), ids)))):
            questions.setdefault(one.query_id, (question_text(one), one.domain))
    return questions


def criteria_text(criteria: Sequence[Criterion]) -> str:
    """Return criteria as a judge reads them, those of most weight first, pitfalls last."""
    merits = [one for one in criteria if one.points > 0]
    total = sum(one.points for one in merits)
    lines = [f"- ({one.points / total:.0%}) {one.text}" for one in sorted(merits, key=lambda one: -one.points)]
    return "\n".join([*lines, *(f"- (pitfall) {one.text}" for one in criteria if one.points < 0)])


def _criteria_table(given: Mapping[str, Given], own: Mapping[str, str]) -> pa.Table:
    """Return a row for each question that is given criteria, or has a rubric of its own."""
    query_ids = sorted(given.keys() | own.keys())
    found = [given.get(query_id) for query_id in query_ids]
    columns = {
        "query_id": query_ids,
        "given_principles": [criteria.text or None if criteria else None for criteria in found],
        "given_ids": [criteria.criterion_ids if criteria else None for criteria in found],
        "own_rubric": [own.get(query_id) for query_id in query_ids],
    }
    return pa.table(columns, CRITERIA)
