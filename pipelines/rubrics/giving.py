"""Giving: each set gets the criteria that a judge is to begin from, those of other questions' rubrics.

The pools are searched as they stand when a build begins, and what a question was given is stored: the next night
gives it the same, whatever the pools hold by then, until the settings change. Never does a set get what was made from
its own cluster, but as `own_rubric`, which only hinted prompts show.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from schemas.preference import SETS, Split, sets_of
from schemas.recipe import Recipe
from schemas.record import content_id
from schemas.rubric import RUBRICS, Criterion, Origin, rubrics_table
from schemas.training import GENERAL
from storage.root import Root
from storage.rubric_tables import Given, add_given, read_given, read_rubrics
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches, read_table

STAGE_VERSION = 1
_SEARCH_SETTINGS = ("k", "candidates", "lexical_weight", "reranker", "embedding", "revision", "seeds")


def shows_criteria(recipe: Recipe) -> bool:
    """Say whether any judge of a build is to see criteria, given ones or those of a hint."""
    return gives_criteria(recipe) or recipe.grm.rubric_hint


def gives_criteria(recipe: Recipe) -> bool:
    """Say whether any judge of a build is to begin from given criteria."""
    return recipe.grm.principles == "rubric" or recipe.grm.compare_principles


def with_criteria(recipe: Recipe, root: Root, run: Run, curated: Stage, *, search: bool = True) -> Stage:
    """Return the curated stage, its sets with the criteria that the recipe's judges are to see.

    The stage itself where they see none. No model but the embedding one is called, and that for new questions only;
    without `search`, as a plan wants it, not even that: a line of the usual length stands in for their criteria.
    """
    if not shows_criteria(recipe):
        return curated
    run.watcher.stage("looking up criteria", None)
    domains = _domains(curated)
    given = _given(recipe, root, run, curated, domains, search) if gives_criteria(recipe) else {}
    allowed = recipe.build.license_keys
    made = [one for one in read_rubrics(root) if one.origin == Origin.GENERATED and one.query_id in domains]
    made = [one for one in made if allowed is None or license_key(one.license) in allowed]
    made.sort(key=lambda one: (one.query_id, one.rubric_id))  # what was dropped is among them
    own = {one.query_id: criteria_text(one.kept) for one in made if one.kept} if recipe.grm.rubric_hint else {}
    # Not by `made`: what the snapshot tells of rubrics stands as it stood when these criteria were first given.
    inputs = [curated.content, content_id("criteria", sorted(given.items()), sorted(own.items()))]
    key = stage_key("curated-with-criteria", STAGE_VERSION, [], inputs)
    if found := find_stage(root, key):
        return found
    with TableWriter(root, key, "sets", SETS) as writer:
        for batch in read_batches(curated.paths("sets"), SETS):
            writer.write(_with_columns(batch, given, own))
    with TableWriter(root, key, "rubrics", RUBRICS) as rubric_writer:
        rubric_writer.write(rubrics_table(made))
    with TableWriter(root, key, "general", GENERAL) as general_writer:
        for batch in read_batches(curated.paths("general"), GENERAL):
            general_writer.write(batch)
    writers = {"sets": writer, "rubrics": rubric_writer, "general": general_writer}
    files = {name: each.files for name, each in writers.items()}
    return finish_stage(root, key, files, curated.facts, [curated])


def _domains(curated: Stage) -> dict[str, str]:
    """Return the domain of every question that is sampled with several responses, by query_id."""
    columns = ["query_id", "domain", "split", "n_responses", "drop_reason"]
    frame = pl.from_arrow(read_table(curated.paths("sets"), SETS, columns))
    assert isinstance(frame, pl.DataFrame)
    sampled = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1)
    first = frame.filter(sampled).unique("query_id", keep="first", maintain_order=True)
    return dict(first.select("query_id", "domain").iter_rows())


def _given(
    recipe: Recipe, root: Root, run: Run, curated: Stage, domains: Mapping[str, str], search: bool
) -> dict[str, Given]:
    """Return what each question is given: what it was given before, or what the pools hold for it now."""
    count = recipe.rubrics.given

    def questions(missing: Sequence[str]) -> dict[str, tuple[str, str]]:
        texts = _texts(curated, missing)
        return {query_id: (texts[query_id], domains[query_id]) for query_id in missing}

    def as_given(found: Found, library: Library) -> Given:
        criteria = [one.criterion for one in found.criteria[:count]]
        origins = (library.origins(one.criterion, one.rubric.domain) for one in found.criteria[:count])
        ids = tuple(one.criterion_id for one in criteria)
        return Given(ids, criteria_text(criteria), tuple(sorted(set[str]().union(*origins))))

    # So much text as so many criteria have about; those that ship have 75 to 110 characters as a rule.
    line = "- (15%) A criterion of a similar question; the build looks it up when it begins. .."
    stand_in = None if search else Given((), "\n".join([line] * count), ())
    lookup = Lookup("given", questions, as_given, stand_in)
    return lookup.results(recipe, root, run, curated, list(domains))


@dataclass(frozen=True)
class Lookup:
    """A look-up in the pools. What is found is kept, since the pools grow: later runs must find their answers again."""

    what: Literal["given", "context"]
    questions: Callable[[Sequence[str]], Mapping[str, tuple[str, str]]]
    """Returns text and domain of each of these queries."""
    as_given: Callable[[Found, Library], Given]
    stand_in: Given | None = None
    """Given in place of a search."""

    def results(self, recipe: Recipe, root: Root, run: Run, curated: Stage, wanted: Sequence[str]) -> dict[str, Given]:
        """Return what the pools hold for each wanted query: what they held when it was first looked up."""
        settings, directory = recipe.rubrics, Path(recipe.directory)
        names = {*_SEARCH_SETTINGS, "given"} if self.what == "given" else {*_SEARCH_SETTINGS}
        licenses = [] if recipe.build.license_keys is None else [recipe.build.license_keys]
        settings_id = content_id(self.what, settings.model_dump(include=names), *licenses)
        own = own_queries(curated)
        known = read_given(root, settings_id, {query_id: own[query_id] for query_id in wanted})
        missing = [query_id for query_id in wanted if query_id not in known]
        if self.stand_in is not None:
            return known | dict.fromkeys(missing, self.stand_in)
        if not missing:
            return known
        where = "searching criteria" if self.what == "given" else "searching the pools"
        run.watcher.stage(f"{where} for {len(missing):,} questions", None)
        searched = [Question(*question, own[query_id]) for query_id, question in self.questions(missing).items()]
        k = max(settings.k, settings.given) if self.what == "given" else settings.k
        with open_retriever(root, settings, run.keys, directory, recipe.build.licenses) as retriever:
            found = [self.as_given(one, retriever.library) for one in retriever.search(searched, k)]
        new = dict(zip(missing, found, strict=True))
        add_given(root, settings_id, new)
        return known | new


def _texts(curated: Stage, wanted: Sequence[str]) -> dict[str, str]:
    """Return what is searched for each question: the text of the first set that asks it."""
    texts: dict[str, str] = {}
    ids = pa.array(wanted, pa.string())
    for batch in read_batches(curated.paths("sets"), SETS):
        is_sampled = pc.and_(pc.is_null(batch.column("drop_reason")), pc.greater(batch.column("n_responses"), 1))
        rows = batch.filter(pc.and_(is_sampled, pc.is_in(batch.column("query_id"), ids)))
        for one in sets_of(rows):
            texts.setdefault(one.query_id, question_text(one))
    return texts


def criteria_text(criteria: Sequence[Criterion]) -> str:
    """Return criteria as a judge reads them, those of most weight first, pitfalls last."""
    merits = [one for one in criteria if one.points > 0]
    total = sum(one.points for one in merits)
    ordered = sorted(merits, key=lambda one: -one.points)
    lines = [f"- ({one.points / total:.0%}) {one.text}" for one in ordered]
    return "\n".join([*lines, *(f"- (pitfall) {one.text}" for one in criteria if one.points < 0)])


def _with_columns(batch: pa.Table, given: Mapping[str, Given], own: Mapping[str, str]) -> pa.Table:
    """Return the sets with their criteria; test sets and dropped ones have none."""
    names = ("query_id", "drop_reason", "split", "n_responses")
    shown_to = [
        query_id if reason is None and split != Split.TEST and n > 1 else ""
        for query_id, reason, split, n in zip(*(batch.column(name).to_pylist() for name in names), strict=True)
    ]
    found = [given.get(query_id) for query_id in shown_to]
    columns = {
        "given_principles": [one.text or None if one else None for one in found],
        "given_ids": [one.criterion_ids if one else None for one in found],
        "own_rubric": [own.get(query_id) for query_id in shown_to],
    }
    for name, values in columns.items():
        place = SETS.get_field_index(name)
        batch = batch.set_column(place, SETS.field(place), pa.array(values, SETS.field(place).type))
    return batch
